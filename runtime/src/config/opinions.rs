//! Second opinions: who is asked, when, and for how much.

use super::Secret;
use super::validate::Check;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Text that is longer is not worth its tokens, and no text of ours is longer than this.
const TEXT_BYTES: std::ops::RangeInclusive<usize> = 256..=65_536;

/// Second opinions; each field is documented in `defaults.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml, which a test holds to this type")]
pub struct OpinionsConfig {
    pub chain: Vec<String>,
    pub concurrency: NonZeroUsize,
    pub queue: NonZeroUsize,
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
    pub max_text_bytes: usize,
    pub cache: NonZeroUsize,
    pub policy: OpinionPolicy,
    #[serde(default)]
    pub encoder: Option<EncoderConfig>,
    pub providers: BTreeMap<String, ProviderConfig>,
}

/// The local encoder, which is asked before any provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct EncoderConfig {
    #[serde(default)]
    pub folder: Option<PathBuf>,
    #[serde(default = "one_thread")]
    pub threads: NonZeroUsize,
    #[serde(default)]
    pub heads: Vec<PathBuf>,
}

fn one_thread() -> NonZeroUsize {
    NonZeroUsize::MIN
}

/// When a second opinion is asked for, and what it may cost.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct OpinionPolicy {
    pub ask: Ask,
    pub sample: f64,
    pub min_value: f64,
    pub monthly_budget_usd: f64,
    pub ticket_ceiling_usd: f64,
}

/// What a tenant sets otherwise than `opinions.policy`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct TenantOpinions {
    pub ask: Option<Ask>,
    pub sample: Option<f64>,
    pub min_value: Option<f64>,
    pub monthly_budget_usd: Option<f64>,
    pub ticket_ceiling_usd: Option<f64>,
}

/// When a second opinion is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Never.
    Never,
    /// For every text.
    Always,
    /// Where the local model abstains from a judgement that windows and write-backs rest on.
    LowConfidence,
    /// For a share of the tickets, whatever the local model says.
    Sample,
    /// Where uncertainty times importance is high enough.
    ExpectedValue,
}

impl OpinionPolicy {
    /// With a tenant's own settings in the place of ours.
    #[must_use]
    pub fn with(&self, own: &TenantOpinions) -> Self {
        Self {
            ask: own.ask.unwrap_or(self.ask),
            sample: own.sample.unwrap_or(self.sample),
            min_value: own.min_value.unwrap_or(self.min_value),
            monthly_budget_usd: own.monthly_budget_usd.unwrap_or(self.monthly_budget_usd),
            ticket_ceiling_usd: own.ticket_ceiling_usd.unwrap_or(self.ticket_ceiling_usd),
        }
    }

    /// The budget in millionths of a dollar.
    pub fn monthly_budget_microusd(&self) -> i64 {
        microusd(self.monthly_budget_usd)
    }

    /// The ceiling in millionths of a dollar.
    pub fn ticket_ceiling_microusd(&self) -> i64 {
        microusd(self.ticket_ceiling_usd)
    }
}

fn microusd(usd: f64) -> i64 {
    #[allow(clippy::cast_possible_truncation, reason = "`check` keeps it far below 2^63")]
    let micros = (usd * 1e6).round() as i64;
    micros
}

/// A language model's server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct ProviderConfig {
    pub kind: ProviderKind,
    pub url: Url,
    pub model: String,
    #[serde(default)]
    pub api_key: Option<Secret>,
    #[serde(default)]
    pub deployment: Option<String>,
    #[serde(default)]
    pub api_version: Option<String>,
    #[serde(default = "timeout", with = "humantime_serde")]
    pub timeout: Duration,
    #[serde(default = "attempts")]
    pub attempts: NonZeroU32,
    #[serde(default = "concurrency")]
    pub concurrency: NonZeroUsize,
    #[serde(default = "requests_per_minute")]
    pub requests_per_minute: NonZeroU32,
    #[serde(default = "tokens_per_minute")]
    pub tokens_per_minute: NonZeroU32,
    #[serde(default = "max_output_tokens")]
    pub max_output_tokens: NonZeroU32,
    pub price: PriceConfig,
}

/// The protocol of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// OpenAI's chat completions, which vLLM, llama.cpp and others speak too.
    OpenAi,
    /// The same at Azure: a deployment and an API version, and the key in a header of its own.
    Azure,
    /// Ollama's chat.
    Ollama,
}

/// What a provider takes, in US dollars for a million tokens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct PriceConfig {
    pub input_per_million_usd: f64,
    pub output_per_million_usd: f64,
    pub as_of: String,
}

fn timeout() -> Duration {
    Duration::from_secs(20)
}

fn attempts() -> NonZeroU32 {
    const { NonZeroU32::new(3).unwrap() }
}

fn concurrency() -> NonZeroUsize {
    const { NonZeroUsize::new(8).unwrap() }
}

/// OpenAI's smallest paid tier grants 500.
fn requests_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(500).unwrap() }
}

/// And 200,000 tokens for its small models.
fn tokens_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(200_000).unwrap() }
}

/// An answer of ours has some 60.
fn max_output_tokens() -> NonZeroU32 {
    const { NonZeroU32::new(200).unwrap() }
}

impl super::Config {
    /// The policy that holds for a tenant.
    pub fn opinion_policy(&self, tenant: &str) -> OpinionPolicy {
        let policy = &self.opinions.policy;
        match self.tenants.get(tenant).and_then(|tenant| tenant.opinions.as_ref()) {
            Some(own) => policy.with(own),
            None => policy.clone(),
        }
    }
}

/// Checks what types can't say.
pub(super) fn check(config: &super::Config, check: &mut Check) {
    let opinions = &config.opinions;
    check.that(
        TEXT_BYTES.contains(&opinions.max_text_bytes),
        "opinions.max_text_bytes",
        "is not within 256 and 65536",
        "6000 is a good start",
    );
    check.that(
        opinions.deadline >= Duration::from_millis(100) && opinions.deadline <= Duration::from_secs(600),
        "opinions.deadline",
        "is not within 100ms and 10m",
        "give what the whole chain may take for one ticket, e.g. 45s",
    );
    let mut seen = BTreeSet::new();
    for name in &opinions.chain {
        check.that(
            opinions.providers.contains_key(name),
            "opinions.chain",
            &format!("names `{name}`, which is no provider"),
            &format!("describe it as [opinions.providers.{name}], or take it out"),
        );
        check.that(seen.insert(name), "opinions.chain", &format!("names `{name}` twice"), "name it once");
    }
    if let Some(encoder) = &opinions.encoder {
        check.that(
            encoder.threads.get() <= 64,
            "opinions.encoder.threads",
            "is more than 64",
            "give a thread for each core that may be spent on it",
        );
    }
    for (name, provider) in &opinions.providers {
        check.that(
            name != "encoder",
            "opinions.providers",
            "names a provider `encoder`, as records call the local encoder",
            "call it something else",
        );
        provider.check(&format!("opinions.providers.{name}"), check);
    }
    policy("opinions.policy", &opinions.policy, config, check);
    for (id, tenant) in &config.tenants {
        if let Some(own) = &tenant.opinions {
            policy(&format!("tenants.{id}.opinions"), &opinions.policy.with(own), config, check);
        }
    }
}

fn policy(field: &str, policy: &OpinionPolicy, config: &super::Config, check: &mut Check) {
    check.that(
        policy.ask == Ask::Never || !config.opinions.chain.is_empty() || config.opinions.encoder.is_some(),
        &format!("{field}.ask"),
        "asks, but there is nobody to ask",
        "name providers in opinions.chain, describe [opinions.encoder], or set it to \"never\"",
    );
    check.that(
        (0.0..=1.0).contains(&policy.sample),
        &format!("{field}.sample"),
        "is no share",
        "give a number from 0 to 1",
    );
    check.that(
        (0.0..=2.0).contains(&policy.min_value),
        &format!("{field}.min_value"),
        "is not within 0 and 2",
        "0.35 is a good start",
    );
    for (key, usd) in
        [("monthly_budget_usd", policy.monthly_budget_usd), ("ticket_ceiling_usd", policy.ticket_ceiling_usd)]
    {
        check.that(
            (0.0..=1e9).contains(&usd),
            &format!("{field}.{key}"),
            "is no sum of money",
            "give US dollars, 0 or more",
        );
    }
}

impl ProviderConfig {
    fn check(&self, field: &str, check: &mut Check) {
        let keyed = self.api_key.is_some();
        // A model on one's own network may do without; ticket text, though redacted, should not cross others in clear.
        check.https(&format!("{field}.url"), &self.url);
        check.that(
            self.url.username().is_empty() && self.url.password().is_none() && self.url.query().is_none(),
            &format!("{field}.url"),
            "holds credentials or a query",
            "give the base address alone; the key is api_key, Azure's version is api_version",
        );
        check.that(!self.model.trim().is_empty(), &format!("{field}.model"), "is empty", "name the model");
        if let Some(key) = &self.api_key {
            check.secret(&format!("{field}.api_key"), key);
        }
        let azure = self.kind == ProviderKind::Azure;
        check.that(
            keyed || !azure,
            &format!("{field}.api_key"),
            "is not set",
            "give \"env:NAME\" or \"file:PATH\": Azure answers nobody without a key",
        );
        check.that(
            keyed || self.url.host_str() != Some("api.openai.com"),
            &format!("{field}.api_key"),
            "is not set",
            "give \"env:NAME\" or \"file:PATH\": OpenAI answers nobody without a key",
        );
        for (key, value) in [("deployment", &self.deployment), ("api_version", &self.api_version)] {
            let plain = |text: &String| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            };
            check.that(
                value.is_some() == azure,
                &format!("{field}.{key}"),
                if azure { "is not set" } else { "is for Azure only" },
                if azure { "Azure's portal tells it" } else { "take it out" },
            );
            check.that(
                value.as_ref().is_none_or(plain),
                &format!("{field}.{key}"),
                "has a character that can't be",
                "use letters, digits, dots, dashes and underscores",
            );
        }
        check.that(
            self.timeout >= Duration::from_millis(50) && self.timeout <= Duration::from_secs(300),
            &format!("{field}.timeout"),
            "is not within 50ms and 5m",
            "20s is a good start",
        );
        check.that(
            (16..=4096).contains(&self.max_output_tokens.get()),
            &format!("{field}.max_output_tokens"),
            "is not within 16 and 4096",
            "an answer has some 60: 200 is a good start",
        );
        for (key, usd) in [
            ("input_per_million_usd", self.price.input_per_million_usd),
            ("output_per_million_usd", self.price.output_per_million_usd),
        ] {
            check.that(
                (0.0..=1e6).contains(&usd),
                &format!("{field}.price.{key}"),
                "is no price",
                "give US dollars for a million tokens; 0 for a model of your own",
            );
        }
        check.that(
            is_date(&self.price.as_of),
            &format!("{field}.price.as_of"),
            "is no date",
            "give the day on which the price was looked up, as YYYY-MM-DD",
        );
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize, range: std::ops::RangeInclusive<u32>| {
        part.len() == digits
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse().is_ok_and(|n| range.contains(&n))
    };
    matches!(parts[..], [y, m, d] if number(y, 4, 2000..=9999) && number(m, 2, 1..=12) && number(d, 2, 1..=31))
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

    fn load_text(text: &str) -> Result<super::super::Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deskstream.toml");
        let key = dir.path().join("key");
        std::fs::write(&key, "x").unwrap();
        std::fs::write(&path, text.replace("KEYFILE", &format!("file:{}", key.display()))).unwrap();
        load(Some(&path), &vec![("keys.master".to_owned(), format!("file:{}", key.display()))])
            .map_err(|error| error.to_string())
    }

    const PROVIDER: &str = "[opinions]\nchain = [\"main\"]\n[opinions.providers.main]\nkind = \"openai\"\n\
        url = \"https://api.openai.com/v1\"\nmodel = \"small\"\nprice = { input_per_million_usd = 0.15, \
        output_per_million_usd = 0.6, as_of = \"2026-11-01\" }\n";

    #[test]
    fn a_tenant_sets_only_what_differs() {
        let config = load_text(&format!(
            "{PROVIDER}api_key = \"KEYFILE\"\n[opinions.policy]\nmin_value = 0.9\n\
             [tenants.acme.opinions]\nask = \"expected-value\"\nmonthly_budget_usd = 12.5\n"
        ))
        .unwrap();
        let policy = config.opinion_policy("acme");
        assert_eq!((policy.ask, policy.min_value), (Ask::ExpectedValue, 0.9));
        assert_eq!(policy.monthly_budget_microusd(), 12_500_000);
        assert_eq!(
            config.opinion_policy("other").ask,
            Ask::Never,
            "nothing is asked unless somebody says so"
        );
    }

    #[test]
    fn what_would_not_do_is_named_with_its_fix() {
        let told = |text: &str, expected: &str| {
            let error = load_text(text).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        };
        told(PROVIDER, "opinions.providers.main.api_key: is not set; give \"env:NAME\"");
        told(
            &format!("{PROVIDER}api_key = \"env:NO_SUCH_KEY_HERE\"\n"),
            "opinions.providers.main.api_key: environment variable NO_SUCH_KEY_HERE",
        );
        let with_key = format!("{PROVIDER}api_key = \"KEYFILE\"\n");
        told(&with_key.replace("https://api", "http://api"), "opinions.providers.main.url: is not https");
        told(&with_key.replace("2026-11-01", "last week"), "price.as_of: is no date");
        told(&with_key.replace("[\"main\"]", "[\"main\", \"other\"]"), "names `other`, which is no provider");
        told(&with_key.replace("\"openai\"", "\"azure\""), "opinions.providers.main.deployment: is not set");
        told(
            "[tenants.acme.opinions]\nask = \"always\"\n",
            "tenants.acme.opinions.ask: asks, but there is nobody",
        );
        told(&format!("{with_key}[opinions.policy]\nsample = 3.0\n"), "opinions.policy.sample: is no share");
        told(
            &format!("{with_key}[opinions.policy]\nmonthly_budget_usd = -1.0\n"),
            "opinions.policy.monthly_budget_usd: is no sum of money",
        );
    }
}

//! Rules as YAML: read, checked, every problem with its line, its field and its fix.

use super::expression::Expression;
use super::metric::nearest;
use super::template::Template;
use deskstream_schemas::{EVERY_TENANT, Severity};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;
use wildmatch::WildMatch;

/// The rules that ship with the product.
pub const SHIPPED: &str = include_str!("../../rules.yaml");

const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_NAME_BYTES: usize = 100;

/// By what a rule is split into several alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// One alert for each root cause.
    RootCause,
}

impl Grouping {
    /// Name in YAML, and of the label that alerts get.
    pub fn name(self) -> &'static str {
        match self {
            Self::RootCause => "root_cause",
        }
    }
}

/// What a rule does while its expression is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoData {
    /// As if the condition did not hold.
    Resolve,
    /// Nothing: what is firing stays so, what is pending neither fires nor ends.
    Keep,
}

/// What a rule watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each tenant by itself. A rule of gauges alone also watches those of the whole installation.
    Tenants,
    /// The sum over all tenants.
    Installation,
}

/// A checked rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Unique name; part of dedup keys and record keys.
    pub name: String,
    /// When it fires.
    pub expression: Expression,
    /// How long the condition must hold without a break before it fires.
    pub hold: Duration,
    /// How long the condition must be gone without a break before it resolves.
    pub keep_firing_for: Duration,
    /// How bad it is.
    pub severity: Severity,
    /// Names of the channels to tell; none means that alerts are only recorded.
    pub channels: Vec<String>,
    /// Labels that alerts carry.
    pub labels: BTreeMap<String, String>,
    /// By what it is split.
    pub group_by: Option<Grouping>,
    /// What it watches.
    pub scope: Scope,
    /// What it does without data.
    pub no_data: NoData,
    /// Where it stands in its file, from 1.
    pub line: u64,
    pub(super) summary: Template,
    include: Vec<WildMatch>,
    exclude: Vec<WildMatch>,
}

impl Rule {
    /// Whether it watches that tenant, or the whole installation if that is [`EVERY_TENANT`].
    pub fn watches(&self, tenant: &str) -> bool {
        if tenant == EVERY_TENANT {
            return self.scope == Scope::Installation || self.expression.gauges_only();
        }
        self.scope == Scope::Tenants
            && (self.include.is_empty() || self.include.iter().any(|glob| glob.matches(tenant)))
            && !self.exclude.iter().any(|glob| glob.matches(tenant))
    }
}

/// Rules with unique names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// The rules that ship with the product.
    pub fn shipped() -> Self {
        load(SHIPPED).expect("the shipped rules are valid: a test holds it")
    }

    /// The rules in the order of their file.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Every channel that a rule names.
    pub fn channels(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(|rule| rule.channels.iter().map(String::as_str)).collect()
    }

    /// Fails if a rule names a channel that is not among `known`.
    pub fn check_channels(&self, known: &BTreeSet<&str>) -> Result<(), RuleErrors> {
        let errors: Vec<_> = self
            .rules
            .iter()
            .flat_map(|rule| rule.channels.iter().map(move |channel| (rule, channel)))
            .filter(|(_, channel)| !known.contains(channel.as_str()))
            .map(|(rule, channel)| RuleError {
                line: rule.line,
                field: format!("{}.channels", rule.name),
                problem: format!("no channel `{channel}` is configured"),
                fix: match nearest(channel, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("add [alerts.channels.{channel}] to the configuration, or take it out"),
                },
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(RuleErrors { file: None, errors }) }
    }

    /// Takes channels out that are not among `known`; returns what was taken out.
    pub fn retain_channels(&mut self, known: &BTreeSet<&str>) -> BTreeSet<String> {
        let mut removed = BTreeSet::new();
        for rule in &mut self.rules {
            rule.channels.retain(|channel| {
                let keep = known.contains(channel.as_str());
                if !keep {
                    removed.insert(channel.clone());
                }
                keep
            });
        }
        removed
    }
}

/// One thing wrong with a rules file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// Line of the file, from 1; 0 if it could not be told.
    pub line: u64,
    /// The rule and its field.
    pub field: String,
    /// What is wrong. The first line says it all; more lines may show the place.
    pub problem: String,
    /// What to do; empty if the problem says it.
    pub fix: String,
}

/// Everything wrong with a rules file. Displays one entry for each problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleErrors {
    /// The file's name, for messages.
    pub file: Option<String>,
    /// The problems in the order of the file; never empty.
    pub errors: Vec<RuleError>,
}

impl RuleErrors {
    /// The same with the file's name.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }
}

impl std::error::Error for RuleErrors {}

impl fmt::Display for RuleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().unwrap_or("rules");
        for (i, error) in self.errors.iter().enumerate() {
            let separator = if i > 0 { "\n" } else { "" };
            write!(f, "{separator}{file}:{}: {}: {}", error.line, error.field, error.problem)?;
            if !error.fix.is_empty() {
                write!(f, "; {}", error.fix)?;
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    rules: Vec<Spanned<RawRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: Spanned<String>,
    expr: Spanned<String>,
    #[serde(rename = "for")]
    hold: Option<Spanned<String>>,
    keep_firing_for: Option<Spanned<String>>,
    severity: Spanned<String>,
    #[serde(default)]
    channels: Vec<Spanned<String>>,
    summary: Option<Spanned<String>>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    group_by: Option<Spanned<String>>,
    tenants: Option<RawTenants>,
    scope: Option<Spanned<String>>,
    no_data: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTenants {
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
}

/// Reads and checks rules.
pub fn load(yaml: &str) -> Result<RuleSet, RuleErrors> {
    let raw: RawFile = serde_saphyr::from_str(yaml)
        .map_err(|error| RuleErrors { file: None, errors: vec![syntax_error(&error)] })?;
    let mut errors = Vec::new();
    let mut names: HashMap<String, u64> = HashMap::new();
    let mut rules = Vec::with_capacity(raw.rules.len());
    for (index, raw) in raw.rules.iter().enumerate() {
        let mut check = Check { rule: rule_label(index, &raw.value.name.value), errors: Vec::new() };
        let rule = check.rule(raw);
        let line = raw.value.name.referenced.line();
        if let Some(first) = names.insert(raw.value.name.value.clone(), line) {
            check.fail(line, "name", format!("line {first} has a rule of that name already"), "rename one");
        }
        errors.append(&mut check.errors);
        rules.extend(rule);
    }
    if errors.is_empty() { Ok(RuleSet { rules }) } else { Err(RuleErrors { file: None, errors }) }
}

fn rule_label(index: usize, name: &str) -> String {
    if valid_name(name) { name.to_owned() } else { format!("rules[{index}]") }
}

fn valid_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// The YAML reader's complaint in our form: one line, with the fix.
fn syntax_error(error: &serde_saphyr::Error) -> RuleError {
    use serde_saphyr::Error;
    let line = error.location().map_or(0, |location| location.line());
    match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => RuleError {
            line,
            field: field.clone(),
            problem: "no such field".to_owned(),
            fix: match nearest(field, expected.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the fields here are {}", expected.join(", ")),
            },
        },
        Error::SerdeMissingField { field, .. } => RuleError {
            line,
            field: (*field).to_owned(),
            problem: "is not set".to_owned(),
            fix: "add it".to_owned(),
        },
        other => RuleError {
            line,
            field: "yaml".to_owned(),
            problem: other.to_string().lines().next().unwrap_or_default().to_owned(),
            fix: "see the shipped rules.yaml for the form".to_owned(),
        },
    }
}

/// Checks one rule and gathers what is wrong with it.
struct Check {
    rule: String,
    errors: Vec<RuleError>,
}

impl Check {
    fn fail(&mut self, line: u64, field: &str, problem: impl Into<String>, fix: impl Into<String>) {
        self.errors.push(RuleError {
            line,
            field: format!("{}.{field}", self.rule),
            problem: problem.into(),
            fix: fix.into(),
        });
    }

    fn rule(&mut self, spanned: &Spanned<RawRule>) -> Option<Rule> {
        let raw = &spanned.value;
        if !valid_name(&raw.name.value) {
            let problem = format!("`{}` is no name", raw.name.value);
            let fix = format!("use 1 to {MAX_NAME_BYTES} letters, digits, dashes, dots and underscores");
            self.fail(raw.name.referenced.line(), "name", problem, fix);
        }
        let group_by = self.choice("group_by", raw.group_by.as_ref(), &[("root_cause", Grouping::RootCause)]);
        let scope = self.choice(
            "scope",
            raw.scope.as_ref(),
            &[("tenants", Scope::Tenants), ("installation", Scope::Installation)],
        );
        let no_data = self.choice(
            "no_data",
            raw.no_data.as_ref(),
            &[("resolve", NoData::Resolve), ("keep", NoData::Keep)],
        );
        let severity = self.choice(
            "severity",
            Some(&raw.severity),
            &[Severity::Critical, Severity::Error, Severity::Warning, Severity::Info]
                .map(|s| (s.as_str(), s)),
        );
        let hold = self.duration("for", raw.hold.as_ref());
        let keep_firing_for = self.duration("keep_firing_for", raw.keep_firing_for.as_ref());
        let summary = self.summary(raw.summary.as_ref());
        let expression = self.expression(&raw.expr, group_by.is_some());
        let channels = self.channels(&raw.channels);
        if let (Some(tenants), Some(Scope::Installation)) = (&raw.tenants, scope)
            && !(tenants.include.is_empty() && tenants.exclude.is_empty())
        {
            let problem = "a rule for the whole installation has no tenants to choose from";
            self.fail(spanned.referenced.line(), "tenants", problem, "take out `tenants` or `scope`");
        }
        let globs = |globs: &[String]| globs.iter().map(|glob| WildMatch::new(glob)).collect();
        if !self.errors.is_empty() {
            return None;
        }
        Some(Rule {
            name: raw.name.value.clone(),
            expression: expression?,
            hold,
            keep_firing_for,
            severity: severity?,
            channels,
            labels: raw.labels.clone(),
            group_by,
            scope: scope.unwrap_or(Scope::Tenants),
            no_data: no_data.unwrap_or(NoData::Resolve),
            line: raw.name.referenced.line(),
            summary: summary?,
            include: raw.tenants.as_ref().map(|t| globs(&t.include)).unwrap_or_default(),
            exclude: raw.tenants.as_ref().map(|t| globs(&t.exclude)).unwrap_or_default(),
        })
    }

    fn choice<T: Copy>(
        &mut self,
        field: &str,
        written: Option<&Spanned<String>>,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let written = written?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == written.value) {
            return Some(*value);
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let problem = format!("`{}` is none of {}", written.value, names.join(", "));
        let fix = match nearest(&written.value, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write e.g. {}", names[0]),
        };
        self.fail(written.referenced.line(), field, problem, fix);
        None
    }

    fn duration(&mut self, field: &str, written: Option<&Spanned<String>>) -> Duration {
        let Some(written) = written else { return Duration::ZERO };
        match humantime::parse_duration(&written.value) {
            Ok(duration) if duration <= MAX_DURATION => return duration,
            Ok(_) => {
                let problem = format!("{} is over 24h", written.value);
                self.fail(written.referenced.line(), field, problem, "give 0s to 24h");
            }
            Err(_) => {
                let problem = format!("`{}` is no duration", written.value);
                self.fail(written.referenced.line(), field, problem, "write e.g. 2m or 90s");
            }
        }
        Duration::ZERO
    }

    fn summary(&mut self, written: Option<&Spanned<String>>) -> Option<Template> {
        let text = written.map_or("{{rule}}: {{value}} (limit {{threshold}}) for {{tenant}}", |s| &s.value);
        match Template::parse(text.trim()) {
            Ok(template) => Some(template),
            Err(error) => {
                let line = written.map_or(0, |written| written.referenced.line());
                self.fail(line, "summary", error.problem, error.fix);
                None
            }
        }
    }

    fn expression(&mut self, written: &Spanned<String>, grouped: bool) -> Option<Expression> {
        match Expression::parse(&written.value, grouped) {
            Ok(expression) => Some(expression),
            Err(error) => {
                // The error shows problem, fix and place together.
                self.fail(written.referenced.line(), "expr", error.to_string(), "");
                None
            }
        }
    }

    fn channels(&mut self, written: &[Spanned<String>]) -> Vec<String> {
        let mut channels: Vec<String> = Vec::with_capacity(written.len());
        for channel in written {
            if channels.contains(&channel.value) {
                let problem = format!("`{}` is named twice", channel.value);
                self.fail(channel.referenced.line(), "channels", problem, "take one out");
            }
            channels.push(channel.value.clone());
        }
        channels
    }
}

#[cfg(test)]
mod tests;

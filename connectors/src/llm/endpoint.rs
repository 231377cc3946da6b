//! One configured provider: its protocol, its limits, its price.

use super::LlmError;
use super::ollama::Ollama;
use super::openai::OpenAi;
use super::prompt::Message;
use super::provider::{Ask, Completion, Provider};
use super::tokens::{TokenBucket, cost_microusd, most_tokens};
use crate::http::{Call, CallError, Cause, Client, ClientOptions, Effect, Repeat};
use bytes::Bytes;
use deskstream_runtime::config::{ProviderConfig, ProviderKind};
use http::{HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// The header of Azure's keys.
const AZURE_KEY: HeaderName = HeaderName::from_static("api-key");

/// An answer of ours has some 250 bytes, its envelope some thousand.
const MAX_ANSWER: usize = 256 * 1024;

/// A provider and how it is called.
pub(super) struct Endpoint {
    name: String,
    config: ProviderConfig,
    protocol: Box<dyn Provider>,
    client: Client,
    headers: Vec<(HeaderName, HeaderValue)>,
    tokens: TokenBucket,
}

/// What a call used, answered or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
    pub(super) cost_microusd: i64,
    pub(super) attempts: u32,
}

/// How a call ended.
pub(super) enum Called {
    Answered(Completion, Usage),
    /// The reason, as in records.
    Failed(&'static str, Usage),
}

impl Endpoint {
    pub(super) fn new(name: &str, config: &ProviderConfig) -> Result<Self, LlmError> {
        let key = match &config.api_key {
            Some(key) => match key.problem() {
                Some(problem) => {
                    return Err(LlmError::Key { provider: name.to_owned(), problem: problem.to_owned() });
                }
                None => Some(key.expose()),
            },
            None => None,
        };
        let base = config.url.path().trim_end_matches('/');
        let protocol: Box<dyn Provider> = match config.kind {
            ProviderKind::OpenAi => {
                Box::new(OpenAi::new(base, config.url.host_str() == Some("api.openai.com")))
            }
            ProviderKind::Azure => {
                let (deployment, version) = (config.deployment.as_deref(), config.api_version.as_deref());
                Box::new(OpenAi::azure(base, deployment.unwrap_or_default(), version.unwrap_or_default()))
            }
            ProviderKind::Ollama => Box::new(Ollama::new(base)),
        };
        let (mut authorization, mut headers) = (None, Vec::new());
        match (config.kind, key) {
            (ProviderKind::Azure, Some(key)) => {
                let mut value = HeaderValue::from_str(key.expose_secret()).map_err(|_| LlmError::Key {
                    provider: name.to_owned(),
                    problem: "holds a character that a header can't carry".to_owned(),
                })?;
                value.set_sensitive(true);
                headers.push((AZURE_KEY, value));
            }
            (_, Some(key)) => {
                authorization = Some(SecretString::from(format!("Bearer {}", key.expose_secret())));
            }
            (_, None) => {}
        }
        let options = ClientOptions {
            authorization,
            attempt: config.timeout,
            // The chain's deadline comes first.
            total: config.timeout * (config.attempts.get() + 1) + Duration::from_secs(30),
            attempts: config.attempts.get(),
            concurrency: config.concurrency.get(),
            per_window: config.requests_per_minute.get(),
            max_answer: MAX_ANSWER,
            ..ClientOptions::new("llm", name, config.url.clone())
        };
        let client = Client::new(options)
            .map_err(|source| LlmError::Client { provider: name.to_owned(), source: Box::new(source) })?;
        Ok(Self {
            name: name.to_owned(),
            config: config.clone(),
            protocol,
            client,
            headers,
            tokens: TokenBucket::new(config.tokens_per_minute),
        })
    }

    /// Its configured name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As in analyses: who judged.
    pub(super) fn model(&self) -> String {
        format!("{}/{}", self.name, self.config.model)
    }

    /// Date of its price.
    pub(super) fn price_as_of(&self) -> &str {
        &self.config.price.as_of
    }

    /// What a question of so many bytes costs at the most.
    pub(super) fn worst_cost(&self, bytes: usize) -> i64 {
        self.cost(most_tokens(bytes), u64::from(self.config.max_output_tokens.get()))
    }

    fn cost(&self, tokens_in: u64, tokens_out: u64) -> i64 {
        cost_microusd(&self.config.price, tokens_in, tokens_out)
    }

    /// Asks for the list of models: whether it is there and takes our key.
    pub(super) async fn reach(&self, deadline: Instant) -> Result<(), CallError> {
        let call = Call {
            headers: &self.headers,
            deadline: Some(deadline),
            ..Call::get("models", self.protocol.models())
        };
        self.client.call(&call).await.map(drop)
    }

    /// Asks. A call whose answer never came is counted as if the question had been read each time, since it may be billed.
    pub(super) async fn call(
        &self,
        messages: &[Message],
        schema: &Value,
        bytes: usize,
        deadline: Instant,
    ) -> Called {
        let most_in = most_tokens(bytes);
        let most_out = u64::from(self.config.max_output_tokens.get());
        if self.tokens.take(most_in + most_out, deadline).await.is_err() {
            return Called::Failed("no_tokens", Usage::default());
        }
        let ask = Ask {
            model: &self.config.model,
            messages,
            schema,
            max_output_tokens: self.config.max_output_tokens.get(),
        };
        let body = Bytes::from(self.protocol.body(&ask).to_string());
        let call = Call {
            headers: &self.headers,
            deadline: Some(deadline),
            // A question changes nothing; what it may cost once more is in the budget.
            repeat: Repeat::Safe,
            ..Call::write("chat", Method::POST, self.protocol.path(), body)
        };
        let answer = match self.client.call(&call).await {
            Ok(answer) => answer,
            Err(error) => return Called::Failed(error.cause.name(), self.usage_of(&error, most_in)),
        };
        // What cannot be is not believed: a token has a byte at least.
        let (sent, written) = (bytes as u64 + 1024, answer.body.len() as u64 + most_out * 4);
        let Some(completion) = self.protocol.read(&answer.body) else {
            return Called::Failed("malformed", self.usage(most_in, most_out, answer.attempts));
        };
        let tokens_in = completion.tokens_in.filter(|tokens| (1..=sent).contains(tokens)).unwrap_or(most_in);
        let tokens_out =
            completion.tokens_out.filter(|tokens| (1..=written).contains(tokens)).unwrap_or(most_out);
        let usage = self.usage(tokens_in, tokens_out, answer.attempts);
        Called::Answered(completion, usage)
    }

    fn usage(&self, tokens_in: u64, tokens_out: u64, attempts: u32) -> Usage {
        Usage { tokens_in, tokens_out, cost_microusd: self.cost(tokens_in, tokens_out), attempts }
    }

    fn usage_of(&self, error: &CallError, most_in: u64) -> Usage {
        // A status is an answer: nobody bills for an error. What timed out or was cut off may have been worked on.
        let read = match (&error.cause, error.effect) {
            (Cause::Status { .. }, _) | (_, Effect::None) => 0,
            _ => most_in * u64::from(error.attempts),
        };
        self.usage(read, 0, error.attempts)
    }
}

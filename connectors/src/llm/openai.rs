//! Chat completions as OpenAI documents them, and as Azure, vLLM and llama.cpp serve them.
//!
//! Facts from the API reference (`POST /chat/completions`, structured outputs by `response_format`) and Azure's: there the
//! deployment is in the path, and `api-version` in the query. No tools are offered.

use super::provider::{Ask, Completion, Provider};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) struct OpenAi {
    path: String,
    models: String,
    /// llama.cpp and older servers know only `max_tokens`; OpenAI's newer models only the other.
    limit: &'static str,
}

impl OpenAi {
    /// `base` is the path of the configured address.
    pub(super) fn new(base: &str, of_openai: bool) -> Self {
        let limit = if of_openai { "max_completion_tokens" } else { "max_tokens" };
        Self { path: format!("{base}/chat/completions"), models: format!("{base}/models"), limit }
    }

    pub(super) fn azure(base: &str, deployment: &str, api_version: &str) -> Self {
        Self {
            path: format!(
                "{base}/openai/deployments/{deployment}/chat/completions?api-version={api_version}"
            ),
            models: format!("{base}/openai/models?api-version={api_version}"),
            limit: "max_completion_tokens",
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    /// Null where the model refuses.
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Provider for OpenAi {
    fn path(&self) -> &str {
        &self.path
    }

    fn models(&self) -> &str {
        &self.models
    }

    fn body(&self, ask: &Ask<'_>) -> Value {
        json!({
            "model": ask.model,
            "messages": ask.messages,
            self.limit: ask.max_output_tokens,
            "temperature": 0,
            "n": 1,
            "stream": false,
            "response_format": {
                "type": "json_schema",
                "json_schema": { "name": "ticket", "strict": true, "schema": ask.schema },
            },
        })
    }

    fn read(&self, body: &[u8]) -> Option<Completion> {
        let answer: Answer = serde_json::from_slice(body).ok()?;
        let choice = answer.choices.into_iter().next()?;
        Some(Completion {
            content: choice.message.content.unwrap_or_default(),
            tokens_in: answer.usage.as_ref().map(|usage| usage.prompt_tokens),
            tokens_out: answer.usage.as_ref().map(|usage| usage.completion_tokens),
            whole: choice.finish_reason.as_deref() != Some("length"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::prompt::{SHIPPED, question};
    use super::*;

    #[test]
    fn a_question_offers_a_schema_and_no_tools() {
        let question = question("en", "s", "b");
        let ask = Ask {
            model: "small",
            messages: &question.messages,
            schema: SHIPPED.schema(),
            max_output_tokens: 200,
        };
        let body = OpenAi::new("/v1", true).body(&ask);
        assert_eq!(body["response_format"]["json_schema"]["strict"], true);
        assert_eq!(body["max_completion_tokens"], 200);
        assert_eq!(body["messages"][0]["role"], "system");
        assert!(body.get("tools").is_none());
        assert_eq!(OpenAi::new("/v1", false).body(&ask)["max_tokens"], 200);
        let azure = OpenAi::azure("", "sorter", "2024-10-21");
        assert_eq!(azure.path(), "/openai/deployments/sorter/chat/completions?api-version=2024-10-21");
    }

    #[test]
    fn an_answer_is_read_and_a_refusal_is_no_answer() {
        let read = |body: &str| OpenAi::new("", true).read(body.as_bytes());
        let whole = read(
            r#"{"choices":[{"message":{"content":"{}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#,
        );
        assert_eq!(
            whole,
            Some(Completion { content: "{}".into(), tokens_in: Some(7), tokens_out: Some(2), whole: true })
        );
        let refused =
            read(r#"{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}"#);
        assert_eq!(refused.unwrap().content, "");
        assert!(
            !read(r#"{"choices":[{"message":{"content":"{"},"finish_reason":"length"}]}"#).unwrap().whole
        );
        assert_eq!(read(r#"{"choices":[]}"#), None);
        assert_eq!(read("<html>"), None);
    }
}

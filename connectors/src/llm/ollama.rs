//! Ollama's chat (`POST /api/chat`), as its API documentation has it: `format` takes a JSON schema.

use super::provider::{Ask, Completion, Provider};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) struct Ollama {
    path: String,
    models: String,
}

impl Ollama {
    /// `base` is the path of the configured address.
    pub(super) fn new(base: &str) -> Self {
        Self { path: format!("{base}/api/chat"), models: format!("{base}/api/tags") }
    }
}

#[derive(Deserialize)]
struct Answer {
    message: Said,
    #[serde(default)]
    done_reason: Option<String>,
    /// Absent where the prompt was still in the server's cache.
    #[serde(default)]
    prompt_eval_count: Option<u64>,
    #[serde(default)]
    eval_count: Option<u64>,
}

#[derive(Deserialize)]
struct Said {
    content: String,
}

impl Provider for Ollama {
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
            "stream": false,
            "format": ask.schema,
            "options": { "temperature": 0, "num_predict": ask.max_output_tokens },
        })
    }

    fn read(&self, body: &[u8]) -> Option<Completion> {
        let answer: Answer = serde_json::from_slice(body).ok()?;
        Some(Completion {
            content: answer.message.content,
            tokens_in: answer.prompt_eval_count,
            tokens_out: answer.eval_count,
            whole: answer.done_reason.as_deref() != Some("length"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let body = r#"{"model":"m","message":{"role":"assistant","content":"{}"},"done":true,"done_reason":"stop","eval_count":3}"#;
        let read = Ollama::new("").read(body.as_bytes()).unwrap();
        assert_eq!(
            (read.content.as_str(), read.tokens_in, read.tokens_out, read.whole),
            ("{}", None, Some(3), true)
        );
        assert_eq!(Ollama::new("").read(br#"{"error":"model not found"}"#), None);
    }
}

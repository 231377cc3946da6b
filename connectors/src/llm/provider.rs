//! What a provider's protocol is: how a question is put on the wire, and how its answer is read.

use super::prompt::Message;
use serde_json::Value;

/// A model's answer as its server gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Completion {
    /// The text.
    pub(super) content: String,
    /// Tokens read and written, where the server tells.
    pub(super) tokens_in: Option<u64>,
    pub(super) tokens_out: Option<u64>,
    /// Whether the text is whole.
    pub(super) whole: bool,
}

/// A question as a protocol sees it.
pub(super) struct Ask<'a> {
    pub(super) model: &'a str,
    pub(super) messages: &'a [Message],
    /// JSON schema of the answer.
    pub(super) schema: &'a Value,
    pub(super) max_output_tokens: u32,
}

/// A provider of language models. Implementations are pure: the endpoint does the sending, with its limits.
pub(super) trait Provider: Send + Sync {
    /// Path and query below the base address.
    fn path(&self) -> &str;

    /// Where its list of models is, which costs nothing and tells whether the key is taken.
    fn models(&self) -> &str;

    /// The request's body.
    fn body(&self, ask: &Ask<'_>) -> Value;

    /// Reads the answer; none if it is not as the protocol has it.
    fn read(&self, body: &[u8]) -> Option<Completion>;
}

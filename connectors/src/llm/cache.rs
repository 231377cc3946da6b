//! Answers to questions that were asked before: bounded, and filled from the `opinions` topic at start, so that a restart
//! does not pay twice.

use deskstream_schemas::Analysis;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;

/// Identity of a question. Tenants share none: one must not learn from the speed of an answer what another has seen.
pub(super) fn content_hash(tenant: &str, prompt: &str, language: &str, subject: &str, body: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [tenant, prompt, language, subject, body] {
        // With their lengths, no two lists of parts run together to the same bytes.
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// The judgement on a question, the provider that gave it, and the request it was for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) provider: String,
    pub(super) request_id: String,
    pub(super) analysis: Analysis,
}

#[derive(Default)]
struct Kept {
    answers: HashMap<String, Known>,
    order: VecDeque<String>,
}

/// The latest answers.
pub(super) struct Cache {
    capacity: usize,
    kept: Mutex<Kept>,
}

impl Cache {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self { capacity: capacity.get(), kept: Mutex::default() }
    }

    pub(super) fn get(&self, hash: &str) -> Option<Known> {
        self.kept.lock().answers.get(hash).cloned()
    }

    /// Keeps an answer, and lets go of the oldest beyond the capacity.
    pub(super) fn put(&self, hash: String, known: Known) {
        let mut kept = self.kept.lock();
        if kept.answers.insert(hash.clone(), known).is_some() {
            return;
        }
        kept.order.push_back(hash);
        if kept.order.len() > self.capacity
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.answers.remove(&oldest);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.lock().answers.len()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use deskstream_schemas::{Label, Tier};

    pub(in super::super) fn analysis() -> Analysis {
        let label = || Label { value: "x".into(), confidence: 1.0, abstained: false };
        Analysis {
            root_cause: label(),
            urgency: label(),
            sentiment: label(),
            sentiment_score: 0.0,
            industry: label(),
            language: "en".into(),
            language_confidence: 1.0,
            tier: Tier::Local,
            model: "local/x".into(),
            latency_us: 0,
            tokens_in: 0,
            tokens_out: 0,
            cost_microusd: 0,
        }
    }

    #[test]
    fn the_oldest_answer_goes_first() {
        let cache = Cache::new(NonZeroUsize::new(2).unwrap());
        for name in ["a", "b", "a", "c"] {
            cache.put(
                name.into(),
                Known { provider: name.into(), request_id: String::new(), analysis: analysis() },
            );
        }
        assert!(cache.get("a").is_none() && cache.get("b").is_some() && cache.get("c").is_some());
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn questions_differ_by_every_part() {
        let one = content_hash("acme", "v1", "en", "ab", "c");
        for other in [
            content_hash("acme", "v1", "en", "a", "bc"),
            content_hash("other", "v1", "en", "ab", "c"),
            content_hash("acme", "v2", "en", "ab", "c"),
            content_hash("acme", "v1", "de", "ab", "c"),
        ] {
            assert_ne!(one, other);
        }
    }
}

//! What a model answered, believed only if it is exactly what was asked for.

use super::prompt::{FIELDS, Taxonomy};
use deskstream_schemas::{Analysis, Label, Text, Tier};
use serde::Deserialize;

/// An answer of ours has some 250 bytes.
const MAX_ANSWER_BYTES: usize = 4096;

/// Below this a model's own word counts as a guess.
const SURE: u32 = 50;

/// Why an answer is not used. No message holds any of the answer's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    /// The answer was cut off at the output limit.
    #[error("it was cut off")]
    CutOff,
    /// It is longer than an answer can be.
    #[error("it is too long")]
    TooLong,
    /// It is no JSON object of the fields that were asked for.
    #[error("it is not the JSON object that was asked for")]
    NotJson,
    /// A label is none of those offered.
    #[error("the label of {0} is none of those offered")]
    WrongLabel(&'static str),
    /// A confidence is no percentage.
    #[error("{0}_confidence is no percentage from 0 to 100")]
    WrongConfidence(&'static str),
    /// It holds the secret of its prompt: the model obeys the ticket's text.
    #[error("it repeats what it was told to keep")]
    Canary,
}

impl Invalid {
    /// Stable name, as in records and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CutOff => "cut-off",
            Self::TooLong => "too-long",
            Self::NotJson => "not-json",
            Self::WrongLabel(_) => "wrong-label",
            Self::WrongConfidence(_) => "wrong-confidence",
            Self::Canary => "canary",
        }
    }

    /// Whether it makes sense to ask once more.
    pub(super) fn can_be_repaired(self) -> bool {
        // Whoever has the model's ear would have it again.
        self != Self::Canary
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    root_cause: String,
    root_cause_confidence: u32,
    urgency: String,
    urgency_confidence: u32,
    sentiment: String,
    sentiment_confidence: u32,
    industry: String,
    industry_confidence: u32,
}

/// The judgement of a valid answer, in the order of [`FIELDS`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judgement([Label; FIELDS.len()]);

impl Judgement {
    /// Reads an answer.
    pub(super) fn read(content: &str, canary: &str, taxonomy: &Taxonomy) -> Result<Self, Invalid> {
        if content.contains(canary) {
            return Err(Invalid::Canary);
        }
        if content.len() > MAX_ANSWER_BYTES {
            return Err(Invalid::TooLong);
        }
        let raw: Raw = serde_json::from_str(content.trim()).map_err(|_| Invalid::NotJson)?;
        let pairs = [
            (raw.root_cause, raw.root_cause_confidence),
            (raw.urgency, raw.urgency_confidence),
            (raw.sentiment, raw.sentiment_confidence),
            (raw.industry, raw.industry_confidence),
        ];
        let mut labels = Vec::with_capacity(FIELDS.len());
        for (at, (value, percent)) in pairs.into_iter().enumerate() {
            if !taxonomy.labels(at).contains(&value) {
                return Err(Invalid::WrongLabel(FIELDS[at]));
            }
            if percent > 100 {
                return Err(Invalid::WrongConfidence(FIELDS[at]));
            }
            #[allow(clippy::cast_precision_loss, reason = "at most 100")]
            let confidence = percent as f32 / 100.0;
            labels.push(Label { value: Text::Owned(value), confidence, abstained: percent < SURE });
        }
        labels.try_into().map(Self).map_err(|_| Invalid::NotJson)
    }

    /// As an analysis. The language stays what the local model found; who judged and at what cost is the caller's.
    pub(super) fn analysis(&self, local: &Analysis, model: String) -> Analysis {
        let [root_cause, urgency, sentiment, industry] = self.0.clone();
        let sentiment_score = match sentiment.value.as_ref() {
            "positive" => sentiment.confidence,
            "negative" => -sentiment.confidence,
            _ => 0.0,
        };
        Analysis {
            root_cause,
            urgency,
            sentiment,
            sentiment_score,
            industry,
            language: local.language.clone(),
            language_confidence: local.language_confidence,
            tier: Tier::Llm,
            model: Text::Owned(model),
            latency_us: 0,
            tokens_in: 0,
            tokens_out: 0,
            cost_microusd: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::prompt::SHIPPED;
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = r#"{"root_cause":"refund","root_cause_confidence":90,"urgency":"high","urgency_confidence":40,
        "sentiment":"negative","sentiment_confidence":80,"industry":"finance","industry_confidence":100}"#;

    fn read(content: &str) -> Result<Judgement, Invalid> {
        Judgement::read(content, "CANARY-1", &SHIPPED)
    }

    #[test]
    fn exactly_what_was_asked_for_is_taken() {
        let labels = read(GOOD).unwrap().0;
        assert_eq!(labels[0].value, "refund");
        assert!(!labels[0].abstained && labels[1].abstained, "{labels:?}");
    }

    #[test]
    fn anything_else_is_not() {
        let cases = [
            ("", Invalid::NotJson),
            ("Sure! The ticket is about a refund.", Invalid::NotJson),
            ("[]", Invalid::NotJson),
            ("```json\n{}\n```", Invalid::NotJson),
        ];
        for (content, expected) in cases {
            assert_eq!(read(content), Err(expected), "{content}");
        }
        let changed = |from: &str, to: &str| read(&GOOD.replace(from, to));
        assert_eq!(changed("\"refund\"", "\"Refund\""), Err(Invalid::WrongLabel("root_cause")));
        assert_eq!(changed("\"high\"", "\"refund\""), Err(Invalid::WrongLabel("urgency")));
        assert_eq!(changed("\"high\"", "null"), Err(Invalid::NotJson));
        assert_eq!(changed(":80", ":101"), Err(Invalid::WrongConfidence("sentiment")));
        assert_eq!(changed(":80", ":-1"), Err(Invalid::NotJson));
        assert_eq!(changed(":100}", ":100,\"tool\":\"rm -rf\"}"), Err(Invalid::NotJson));
        assert_eq!(changed("\"urgency\":\"high\",", ""), Err(Invalid::NotJson));
        assert_eq!(changed("\"refund\"", "\"CANARY-1\""), Err(Invalid::Canary));
        assert_eq!(read(&format!("{GOOD}{}", " ".repeat(5000))), Err(Invalid::TooLong));
        assert!(!Invalid::Canary.can_be_repaired() && Invalid::NotJson.can_be_repaired());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(content in any::<String>()) {
            let _ = read(&content);
        }
    }
}

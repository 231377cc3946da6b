//! What a client asks for, understood or refused with the reason.

use serde::Deserialize;

use super::{
    avro::{Parsed, compact, identity},
    error::ApiError,
    record::Reference,
    state::{Identity, State},
};

/// A schema as a client sends it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proposal {
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
}

/// A proposal that has been understood.
pub(super) struct Candidate {
    pub(super) text: String,
    pub(super) parsed: Parsed,
    pub(super) identity: Identity,
}

/// Which version of a subject is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Latest,
    Number(i32),
}

impl Which {
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        match text.parse() {
            _ if text == "latest" || text == "-1" => Ok(Self::Latest),
            Ok(number @ 1..) => Ok(Self::Number(number)),
            _ => Err(ApiError::invalid_version(text)),
        }
    }
}

pub(super) fn check_subject(subject: &str) -> Result<(), ApiError> {
    // The two names stand for "all" and "none" in the keys of Confluent's registry.
    if subject.is_empty()
        || subject.chars().any(char::is_control)
        || subject == "__GLOBAL"
        || subject == "__EMPTY"
    {
        return Err(ApiError::invalid_subject(subject));
    }
    Ok(())
}

pub(super) fn understand(state: &State, proposal: &Proposal) -> Result<Candidate, ApiError> {
    if let Some(kind) = proposal.schema_type.as_deref().filter(|kind| *kind != "AVRO") {
        return Err(ApiError::invalid_schema(format!(
            "this registry takes schemaType AVRO only, not {kind}"
        )));
    }
    let text = proposal.schema.as_deref().filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| ApiError::invalid_schema("it is empty"))?;
    // A bare word is a schema too (`string`), though not JSON; Avro's own parsers take it.
    let quoted;
    let text = if text.trim().chars().all(|character| character.is_ascii_alphabetic()) {
        quoted = format!("\"{}\"", text.trim());
        &quoted
    } else {
        text
    };
    let references = proposal.references.clone().unwrap_or_default();
    let referenced = state
        .closure(&references)
        .ok_or_else(|| ApiError::invalid_schema("one of its references is not registered"))?;
    let identity = identity(text).map_err(|error| ApiError::invalid_schema(format!("not JSON: {error}")))?;
    let parsed = Parsed::new(text, &referenced).map_err(ApiError::invalid_schema)?;
    Ok(Candidate { text: compact(text), parsed, identity: (identity, references) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_latest_or_positive() {
        assert_eq!(Which::parse("latest"), Ok(Which::Latest));
        assert_eq!(Which::parse("-1"), Ok(Which::Latest));
        assert_eq!(Which::parse("2147483647"), Ok(Which::Number(i32::MAX)));
        for wrong in ["0", "-2", "2147483648", "abc", "", "1.5", "LATEST"] {
            assert_eq!(Which::parse(wrong).unwrap_err().code(), 42202, "{wrong}");
        }
    }

    #[test]
    fn proposals_are_understood_or_refused_with_a_reason() {
        let state = State::default();
        let schema = |text: &str| Proposal { schema: Some(text.into()), ..Proposal::default() };
        assert_eq!(understand(&state, &schema("string")).ok().unwrap().text, "\"string\"");
        assert_eq!(
            understand(&state, &schema(" {\"type\" : \"int\"} ")).ok().unwrap().text,
            "{\"type\":\"int\"}"
        );
        for wrong in ["", "  ", "{", "nonsense", "{\"type\":\"record\",\"name\":\"R\"}", "[\"int\",\"int\"]"]
        {
            assert_eq!(understand(&state, &schema(wrong)).err().unwrap().code(), 42201, "{wrong}");
        }
        let json = Proposal { schema_type: Some("JSON".into()), ..schema("{}") };
        assert_eq!(understand(&state, &json).err().unwrap().code(), 42201);
        let reference = Reference { name: "P".into(), subject: "p".into(), version: 1 };
        let dangling = Proposal { references: Some(vec![reference]), ..schema("\"P\"") };
        assert_eq!(understand(&state, &dangling).err().unwrap().code(), 42201);
    }

    #[test]
    fn subjects_have_names() {
        assert!(check_subject("deskstream.events-value").is_ok());
        assert!(check_subject("a/b c").is_ok());
        for wrong in ["", "a\nb", "__GLOBAL", "__EMPTY"] {
            assert_eq!(check_subject(wrong).unwrap_err().code(), 42208, "{wrong:?}");
        }
    }
}

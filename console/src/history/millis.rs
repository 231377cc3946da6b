//! Times: milliseconds from ClickHouse, RFC 3339 to callers.

use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => f.write_str("1970-01-01T00:00:00.000Z"),
        }
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialSchema for Millis {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Millis {}

/// A time as callers write it.
pub fn parse(field: &str, text: Option<&str>) -> Result<Option<i64>, crate::http::error::ApiError> {
    text.map(|text| {
        text.parse::<jiff::Timestamp>().map(|time| time.as_millisecond()).map_err(|_| {
            crate::http::error::ApiError::field(
                field,
                "is no time",
                "give RFC 3339, e.g. 2026-11-26T12:00:00Z",
            )
        })
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_full() {
        assert_eq!(Millis(1_793_491_200_000).to_string(), "2026-11-01T00:00:00.000Z");
        assert_eq!(parse("from", Some("2026-11-01T00:00:00Z")).unwrap(), Some(1_793_491_200_000));
        assert!(parse("from", Some("yesterday")).is_err());
    }
}

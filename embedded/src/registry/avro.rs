//! Avro schemas as the registry sees them: when two are the same, and when one may follow another.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    str::FromStr,
};

use apache_avro::{
    Schema,
    schema::{Name, RecordSchema},
    schema_compatibility::{Compatibility as Verdict, SchemaCompatibility},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a new version must be able to do with data of the older ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compatibility {
    /// Anything goes.
    None,
    /// Readers of the new version read data of the last one.
    #[default]
    Backward,
    /// Readers of the new version read data of every earlier one.
    BackwardTransitive,
    /// Readers of the last version read data of the new one.
    Forward,
    /// Readers of every earlier version read data of the new one.
    ForwardTransitive,
    /// Both ways, with the last version.
    Full,
    /// Both ways, with every earlier version.
    FullTransitive,
}

impl Compatibility {
    /// Whether all earlier versions count, or only the last.
    pub fn transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }

    fn new_reads_old(self) -> bool {
        !matches!(self, Self::None | Self::Forward | Self::ForwardTransitive)
    }

    fn old_reads_new(self) -> bool {
        !matches!(self, Self::None | Self::Backward | Self::BackwardTransitive)
    }
}

impl fmt::Display for Compatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl FromStr for Compatibility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_value(Value::String(text.to_uppercase())).map_err(|_| text.to_owned())
    }
}

/// A parsed schema with every named type written out where it is used.
///
/// apache-avro's check compares a reference by its name alone, and a reference with a definition not at all. So
/// where the definition of a type has moved to another field, it would find schemas incompatible that are not, and
/// where a field with the definition is gone, the reverse. Writing them out first leaves references only inside
/// their own type (recursion), where comparing names is right: the definitions around them are compared already.
#[derive(Debug)]
pub(super) struct Parsed(Schema);

impl Parsed {
    /// Parses `text`; `referenced` are the texts of the schemas that it and they refer to.
    pub(super) fn new(text: &str, referenced: &[String]) -> Result<Self, String> {
        let (schema, others) =
            Schema::parse_str_with_list(text, referenced).map_err(|error| error.to_string())?;
        let mut names = HashMap::new();
        others.iter().chain([&schema]).for_each(|schema| collect(schema, &mut names));
        Ok(Self(inline(&schema, &names, &mut HashSet::new())))
    }

    /// Why readers of `self` can't read all data of `writer`; `None` if they can.
    fn cannot_read(&self, writer: &Self) -> Option<String> {
        match SchemaCompatibility::can_read(&writer.0, &self.0) {
            Ok(Verdict::Full) => None,
            // An enum symbol or a union's branch that the reader lacks: some data can't be read.
            Ok(Verdict::Partial) => {
                Some("the reader lacks an enum symbol or a branch of a union that the writer has".into())
            }
            Err(error) => {
                let mut text = error.to_string();
                let mut source = std::error::Error::source(&error);
                while let Some(cause) = source {
                    text = format!("{text}: {cause}");
                    source = cause.source();
                }
                // A mismatch prints both schemas at length.
                Some(text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(500).collect())
            }
        }
    }

    /// Why `self` may not follow `earlier` (newest last) at this level; empty if it may.
    pub(super) fn follows(&self, earlier: &[(i32, &Self)], level: Compatibility) -> Vec<String> {
        let count = if level.transitive() { earlier.len() } else { 1 };
        let mut reasons = Vec::new();
        for (version, old) in earlier.iter().rev().take(count) {
            if level.new_reads_old()
                && let Some(reason) = self.cannot_read(old)
            {
                reasons.push(format!("{{new schema cannot read data of version {version}: {reason}}}"));
            }
            if level.old_reads_new()
                && let Some(reason) = old.cannot_read(self)
            {
                reasons.push(format!("{{version {version} cannot read data of the new schema: {reason}}}"));
            }
        }
        reasons
    }
}

/// All definitions of named types in `schema`.
fn collect<'s>(schema: &'s Schema, names: &mut HashMap<Name, &'s Schema>) {
    if let Some(name) = schema.name()
        && !matches!(schema, Schema::Ref { .. })
    {
        names.insert(name.clone(), schema);
    }
    match schema {
        Schema::Record(record) => record.fields.iter().for_each(|field| collect(&field.schema, names)),
        Schema::Array(array) => collect(&array.items, names),
        Schema::Map(map) => collect(&map.types, names),
        Schema::Union(union) => union.variants().iter().for_each(|variant| collect(variant, names)),
        _ => {}
    }
}

/// Copies `schema` with references replaced by what they name, except inside that itself (`open`).
fn inline(schema: &Schema, names: &HashMap<Name, &Schema>, open: &mut HashSet<Name>) -> Schema {
    match schema {
        Schema::Ref { name } if !open.contains(name) => match names.get(name) {
            Some(definition) => inline(definition, names, open),
            None => schema.clone(),
        },
        Schema::Record(record) => {
            let fresh = open.insert(record.name.clone());
            let fields = record
                .fields
                .iter()
                .map(|field| {
                    let mut field = field.clone();
                    field.schema = inline(&field.schema, names, open);
                    field
                })
                .collect();
            if fresh {
                open.remove(&record.name);
            }
            Schema::Record(RecordSchema { fields, ..record.clone() })
        }
        Schema::Array(array) => {
            let mut array = array.clone();
            *array.items = inline(&array.items, names, open);
            Schema::Array(array)
        }
        Schema::Map(map) => {
            let mut map = map.clone();
            *map.types = inline(&map.types, names, open);
            Schema::Map(map)
        }
        Schema::Union(union) => {
            let variants = union.variants().iter().map(|variant| inline(variant, names, open)).collect();
            Schema::union(variants).unwrap_or_else(|_| schema.clone())
        }
        other => other.clone(),
    }
}

/// The text without the white space between its tokens: what is stored and given out.
///
/// The order of attributes stays the author's, and so does every attribute, known to Avro or not.
pub(super) fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let mut quoted = false;
    let mut escaped = false;
    for character in text.chars() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            quoted = character == '"';
        }
        compact.push(character);
    }
    compact
}

/// Two schemas are the same if they have this in common: equal JSON, whatever the white space, the escapes and
/// the order of attributes. Documentation and unknown attributes count, as they do in Confluent's registry.
pub(super) fn identity(text: &str) -> Result<String, serde_json::Error> {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let map: BTreeMap<String, Value> = map.into_iter().collect();
                Value::Object(map.into_iter().map(|(key, value)| (key, sorted(value))).collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    Ok(sorted(serde_json::from_str(text)?).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Parsed {
        Parsed::new(text, &[]).unwrap()
    }

    fn record(fields: &str) -> Parsed {
        parsed(&format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#))
    }

    /// (old, new, new reads old, old reads new), after the Avro specification's "Schema Resolution".
    #[test]
    fn the_rules_of_schema_resolution_hold() {
        let cases = [
            // A field with a default may come; one without may go.
            (
                r#"{"name":"a","type":"int"}"#,
                r#"{"name":"a","type":"int"},{"name":"b","type":"int","default":1}"#,
                true,
                true,
            ),
            (
                r#"{"name":"a","type":"int"}"#,
                r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#,
                false,
                true,
            ),
            (
                r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#,
                r#"{"name":"a","type":"int"}"#,
                true,
                false,
            ),
            // Promotion goes one way.
            (r#"{"name":"a","type":"int"}"#, r#"{"name":"a","type":"long"}"#, true, false),
            (r#"{"name":"a","type":"float"}"#, r#"{"name":"a","type":"double"}"#, true, false),
            (r#"{"name":"a","type":"string"}"#, r#"{"name":"a","type":"bytes"}"#, true, true),
            (r#"{"name":"a","type":"string"}"#, r#"{"name":"a","type":"int"}"#, false, false),
            // A union may grow, and may be made of what was alone.
            (r#"{"name":"a","type":"int"}"#, r#"{"name":"a","type":["null","int"]}"#, true, false),
            (
                r#"{"name":"a","type":["null","int"]}"#,
                r#"{"name":"a","type":["null","int","string"]}"#,
                true,
                false,
            ),
            // Enum symbols: the reader needs them all, or a default.
            (
                r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["X"]}}"#,
                r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["X","Y"]}}"#,
                true,
                false,
            ),
            (
                r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["X"],"default":"X"}}"#,
                r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["X","Y"],"default":"X"}}"#,
                true,
                true,
            ),
            // A renamed field is found by the reader's alias.
            (r#"{"name":"a","type":"int"}"#, r#"{"name":"b","type":"int","aliases":["a"]}"#, true, false),
            (
                r#"{"name":"a","type":{"type":"fixed","name":"F","size":4}}"#,
                r#"{"name":"a","type":{"type":"fixed","name":"F","size":8}}"#,
                false,
                false,
            ),
        ];
        for (old_text, new_text, new_reads_old, old_reads_new) in cases {
            let (old, new) = (record(old_text), record(new_text));
            assert_eq!(new.cannot_read(&old).is_none(), new_reads_old, "{new_text} reads {old_text}");
            assert_eq!(old.cannot_read(&new).is_none(), old_reads_new, "{old_text} reads {new_text}");
        }
    }

    #[test]
    fn a_definition_may_move_to_another_field() {
        let point = r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}"#;
        let first = record(&format!(r#"{{"name":"a","type":{point}}},{{"name":"b","type":"P"}}"#));
        let second = record(&format!(r#"{{"name":"b","type":{point}}},{{"name":"a","type":"P"}}"#));
        assert_eq!(second.cannot_read(&first), None);
        // Without the first field, the definition is at the second.
        let third = record(&format!(r#"{{"name":"b","type":{point}}}"#));
        assert_eq!(third.cannot_read(&first), None);
    }

    #[test]
    fn a_change_behind_a_reference_is_seen() {
        let with = |point: &str, field: &str| {
            record(&format!(
                r#"{{"name":"{field}","type":{point},"default":{{"x":1,"y":1}}}},{{"name":"b","type":"P"}}"#
            ))
        };
        let old = with(r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}"#, "a");
        let point =
            r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]}"#;
        // The field that holds the definition has another name, so that only the references meet.
        let new = with(point, "c");
        assert!(new.cannot_read(&old).is_some());
    }

    #[test]
    fn recursive_types_end() {
        let list = |extra: &str| {
            parsed(&format!(
                r#"{{"type":"record","name":"L","fields":[{{"name":"v","type":"int"}},{{"name":"next","type":["null","L"]}}{extra}]}}"#
            ))
        };
        assert_eq!(list("").cannot_read(&list("")), None);
        assert_eq!(list(r#",{"name":"w","type":"int","default":0}"#).cannot_read(&list("")), None);
        assert!(list(r#",{"name":"w","type":"int"}"#).cannot_read(&list("")).is_some());
    }

    #[test]
    fn levels_look_the_right_way_and_far_enough() {
        let v1 = record(r#"{"name":"a","type":"int"}"#);
        let v2 = record(r#"{"name":"a","type":"int"},{"name":"b","type":"int","default":1}"#);
        // b loses its default: fine after v2, impossible after v1.
        let v3 = record(r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#);
        let earlier = [(1, &v1), (2, &v2)];
        let ok = |level| v3.follows(&earlier, level).is_empty();
        assert!(ok(Compatibility::None) && ok(Compatibility::Backward) && ok(Compatibility::Full));
        assert!(!ok(Compatibility::BackwardTransitive) && !ok(Compatibility::FullTransitive));
        assert!(ok(Compatibility::Forward) && ok(Compatibility::ForwardTransitive));
        let reasons = v3.follows(&earlier, Compatibility::FullTransitive);
        assert!(reasons[0].contains("version 1") && reasons[0].contains("'b'"), "{reasons:?}");
        assert!(v1.follows(&[], Compatibility::FullTransitive).is_empty());
    }

    #[test]
    fn references_are_resolved_across_schemas() {
        let point = r#"{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}"#;
        let user = r#"{"type":"record","name":"R","fields":[{"name":"p","type":"P"}]}"#;
        assert!(Parsed::new(user, &[]).is_err());
        let parsed = Parsed::new(user, &[point.to_owned()]).unwrap();
        let whole = record(&format!(r#"{{"name":"p","type":{point}}}"#));
        assert_eq!(parsed.cannot_read(&whole), None);
    }

    #[test]
    fn levels_are_read_in_any_case() {
        assert_eq!("Full_Transitive".parse(), Ok(Compatibility::FullTransitive));
        assert_eq!("FULLY".parse::<Compatibility>(), Err("FULLY".to_owned()));
        assert_eq!(Compatibility::BackwardTransitive.to_string(), "BACKWARD_TRANSITIVE");
    }

    #[test]
    fn identity_ignores_layout_only() {
        let same = [r#"{"type":"string","doc":"a b"}"#, "{\n \"doc\": \"a b\", \"type\":\"string\" }"];
        assert_eq!(identity(same[0]).unwrap(), identity(same[1]).unwrap());
        assert_ne!(identity(same[0]).unwrap(), identity(r#"{"type":"string","doc":"ab"}"#).unwrap());
        assert_eq!(compact(same[1]), r#"{"doc":"a b","type":"string"}"#);
        assert_eq!(compact(r#"{ "a" : "\" \\" , "b" : 1 }"#), r#"{"a":"\" \\","b":1}"#);
    }

    proptest! {
        #[test]
        fn compacting_changes_no_meaning(text in "[ \\\\\"a{}:,\n]{0,20}", key in "[ \\\\\"a\n]{0,6}") {
            let value = serde_json::json!({ key: text, "list": [1, null, { "x": " y " }] });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty), value.to_string());
            prop_assert_eq!(identity(&pretty).unwrap(), identity(&value.to_string()).unwrap());
        }
    }
}

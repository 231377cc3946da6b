//! Which column is what.

use serde::Deserialize;
use std::collections::BTreeMap;

/// What a ticket has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Field {
    Id,
    Subject,
    Body,
    CreatedAt,
    UpdatedAt,
    Status,
    Priority,
    Type,
    Channel,
    Tags,
    RequesterId,
    RequesterName,
    RequesterEmail,
    Assignee,
    Group,
    Organization,
    ExternalId,
}

/// Every field: its name, and the column names that mean it, best first, in letters and digits only.
const FIELDS: [(Field, &str, &[&str]); 17] = [
    (
        Field::Id,
        "id",
        &[
            "id",
            "ticketid",
            "ticketnumber",
            "ticketno",
            "ticket",
            "caseid",
            "casenumber",
            "issuekey",
            "number",
            "key",
        ],
    ),
    (
        Field::Subject,
        "subject",
        &["subject", "ticketsubject", "title", "summary", "shortdescription", "headline"],
    ),
    (
        Field::Body,
        "body",
        &[
            "body",
            "description",
            "ticketdescription",
            "text",
            "message",
            "content",
            "details",
            "comment",
            "conversation",
            "question",
            "tweet",
            "review",
        ],
    ),
    (
        Field::CreatedAt,
        "created_at",
        &[
            "createdat",
            "created",
            "creationdate",
            "createddate",
            "createdtime",
            "dateopened",
            "openedat",
            "opened",
            "opendate",
            "submittedat",
            "datecreated",
            "timestamp",
            "date",
            "time",
        ],
    ),
    (
        Field::UpdatedAt,
        "updated_at",
        &[
            "updatedat",
            "updated",
            "lastupdated",
            "lastupdatedat",
            "modifiedat",
            "modified",
            "lastmodified",
            "updateddate",
        ],
    ),
    (Field::Status, "status", &["status", "ticketstatus", "state"]),
    (Field::Priority, "priority", &["priority", "ticketpriority"]),
    (Field::Type, "type", &["type", "tickettype", "issuetype", "casetype"]),
    (Field::Channel, "channel", &["channel", "ticketchannel", "viachannel", "via", "source"]),
    (Field::Tags, "tags", &["tags", "labels", "ticketlabels"]),
    (Field::RequesterId, "requester_id", &["requesterid", "customerid", "userid", "contactid"]),
    (
        Field::RequesterName,
        "requester_name",
        &["requestername", "customername", "requester", "customer", "contactname"],
    ),
    (
        Field::RequesterEmail,
        "requester_email",
        &["requesteremail", "customeremail", "email", "emailaddress", "contactemail"],
    ),
    (Field::Assignee, "assignee", &["assigneeid", "assignee", "agentid", "agent", "owner", "assignedto"]),
    (Field::Group, "group", &["groupid", "group", "team", "queue", "assignmentgroup"]),
    (
        Field::Organization,
        "organization",
        &["organizationid", "organization", "organisation", "company", "account"],
    ),
    (Field::ExternalId, "external_id", &["externalid", "externalreference"]),
];

impl Field {
    /// The field's name, as in `--map NAME=COLUMN`.
    pub fn name(self) -> &'static str {
        FIELDS.iter().find(|(field, ..)| *field == self).map_or("", |(_, name, _)| name)
    }

    /// The field with that name.
    pub fn named(name: &str) -> Option<Self> {
        FIELDS.iter().find(|(_, known, _)| *known == name).map(|(field, ..)| *field)
    }

    /// Every field's name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().map(|(_, name, _)| *name)
    }
}

/// The columns can't be mapped.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// A mapping file can't be read.
    #[error("the mapping file is not `field = \"column\"` lines in TOML")]
    File(#[source] Box<toml::de::Error>),
    /// There is no such field.
    #[error("no field is called {name}: the fields are {}", Field::names().collect::<Vec<_>>().join(", "))]
    UnknownField {
        /// What was asked for.
        name: String,
    },
    /// The file has no such column.
    #[error("the file has no column {column} for {}: its columns are {}", .field.name(), .columns.join(", "))]
    UnknownColumn {
        /// The field it was meant for.
        field: Field,
        /// What was asked for.
        column: String,
        /// What there is.
        columns: Vec<String>,
    },
    /// Neither a subject nor a text was found.
    #[error(
        "no column looks like a ticket's text: say which one is, e.g. --map body=COLUMN; the columns are {}",
        .columns.join(", ")
    )]
    NoText {
        /// What there is.
        columns: Vec<String>,
    },
}

/// What the user said of columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    columns: BTreeMap<Field, String>,
}

impl Mapping {
    /// From `(field, column)` pairs.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, MappingError> {
        let mut columns = BTreeMap::new();
        for (name, column) in pairs {
            let field =
                Field::named(name).ok_or_else(|| MappingError::UnknownField { name: name.to_owned() })?;
            columns.insert(field, column.to_owned());
        }
        Ok(Self { columns })
    }

    /// From a mapping file: `subject = "Title"`, one line a field.
    pub fn from_toml(text: &str) -> Result<Self, MappingError> {
        let pairs: BTreeMap<String, String> =
            toml::from_str(text).map_err(|error| MappingError::File(Box::new(error)))?;
        Self::new(pairs.iter().map(|(name, column)| (name.as_str(), column.as_str())))
    }

    /// Adds what `other` says; it wins where both speak.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.columns.extend(other.columns);
        self
    }

    /// Finds each field's place among the columns.
    pub fn resolve(&self, columns: &[String]) -> Result<Resolved, MappingError> {
        let mut places = BTreeMap::new();
        for (field, column) in &self.columns {
            let exact = columns.iter().position(|c| c == column);
            let place = exact.or_else(|| columns.iter().position(|c| plain(c) == plain(column)));
            let place = place.ok_or_else(|| MappingError::UnknownColumn {
                field: *field,
                column: column.clone(),
                columns: columns.to_vec(),
            })?;
            places.insert(*field, place);
        }
        let plain_columns: Vec<String> = columns.iter().map(|column| plain(column)).collect();
        for (field, _, names) in FIELDS {
            let free = |place: &usize| !places.values().any(|taken| taken == place);
            let found =
                names.iter().find_map(|name| plain_columns.iter().position(|c| c == name).filter(free));
            if let (Some(place), false) = (found, places.contains_key(&field)) {
                places.insert(field, place);
            }
        }
        if !places.contains_key(&Field::Subject) && !places.contains_key(&Field::Body) {
            return Err(MappingError::NoText { columns: columns.to_vec() });
        }
        Ok(Resolved { places })
    }
}

/// Where each field stands among a file's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    places: BTreeMap<Field, usize>,
}

impl Resolved {
    /// The field's column.
    pub fn place(&self, field: Field) -> Option<usize> {
        self.places.get(&field).copied()
    }

    /// Whether a column is some field's.
    pub fn is_taken(&self, column: usize) -> bool {
        self.places.values().any(|place| *place == column)
    }

    /// One line for each field that was found.
    pub fn describe(&self, columns: &[String]) -> Vec<String> {
        let name = |place: &usize| columns.get(*place).map_or("?", String::as_str);
        self.places.iter().map(|(field, place)| format!("{} = {}", field.name(), name(place))).collect()
    }

    /// A short identity: another mapping makes other events of the same file.
    pub fn fingerprint(&self, columns: &[String]) -> u64 {
        xxhash_rust::xxh3::xxh3_64(self.describe(columns).join("\n").as_bytes())
    }
}

/// Letters and digits in lower case: `Ticket ID`, `ticket_id` and `TicketId` are one.
fn plain(column: &str) -> String {
    column.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn common_names_are_recognised() {
        let columns = columns(&[
            "Ticket ID",
            "Title",
            "Ticket Description",
            "Date Opened",
            "State",
            "Customer Email",
            "Colour",
        ]);
        let resolved = Mapping::default().resolve(&columns).unwrap();
        insta::assert_debug_snapshot!(resolved.describe(&columns), @r#"
        [
            "id = Ticket ID",
            "subject = Title",
            "body = Ticket Description",
            "created_at = Date Opened",
            "status = State",
            "requester_email = Customer Email",
        ]
        "#);
        assert!(!resolved.is_taken(6));
    }

    #[test]
    fn what_the_user_says_wins() {
        let columns = columns(&["id", "description", "what the customer wrote"]);
        let mapping = Mapping::from_toml("body = \"description\"").unwrap();
        let mapping = mapping.with(Mapping::new([("body", "What The Customer Wrote")]).unwrap());
        let resolved = mapping.resolve(&columns).unwrap();
        assert_eq!(resolved.place(Field::Body), Some(2));
        assert_eq!(resolved.place(Field::Id), Some(0));
    }

    #[test]
    fn complaints_name_what_there_is() {
        let columns = columns(&["a", "b"]);
        let message = |mapping: Result<Resolved, MappingError>| mapping.unwrap_err().to_string();
        assert!(
            message(Mapping::default().resolve(&columns)).contains("--map body=COLUMN; the columns are a, b")
        );
        let missing = Mapping::new([("subject", "c")]).unwrap();
        assert!(message(missing.resolve(&columns)).contains("no column c for subject: its columns are a, b"));
        assert!(Mapping::new([("sbject", "a")]).unwrap_err().to_string().contains("subject"));
        assert!(Mapping::from_toml("subject = 1").is_err());
    }
}

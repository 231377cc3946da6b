//! Rows of a file, whatever its format, and how a row becomes an event.

use super::json::Splitter;
use super::mapping::{Field, Mapping, MappingError, Resolved};
use super::time;
use crate::kafka::{event_id, is_opaque, unsealed};
use crate::zendesk::{decode, map};
use deskstream_schemas::{EventKind, Origin, Platform, Priority, TicketContent, TicketEvent, TicketStatus};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};

/// Objects looked at to find a JSON file's columns.
const SAMPLE: usize = 100;

/// A format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-, semicolon- or tab-separated, with a header line.
    Csv,
    /// JSON objects: one a line, or in a list.
    Jsonl,
    /// Tickets as Zendesk's API gives them: one a line, in a list, or in `{"tickets": […]}`.
    Zendesk,
}

impl Format {
    /// Judges by the name's ending and the first bytes.
    pub fn guess(name: &str, head: &[u8]) -> Self {
        let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let first = head.trim_ascii_start().first();
        if matches!(ending.as_str(), "csv" | "tsv") || !matches!(first, Some(b'{' | b'[' | 0xef)) {
            return Self::Csv;
        }
        let text = String::from_utf8_lossy(head);
        // A Zendesk ticket has all of these, and hardly anything else does.
        let zendesk = ["\"requester_id\"", "\"updated_at\"", "\"via\""].iter().all(|key| text.contains(key));
        if zendesk { Self::Zendesk } else { Self::Jsonl }
    }
}

/// Why a row can't be used. The row itself stays out of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum RowError {
    #[error("the row is not valid UTF-8")]
    NotUtf8,
    #[error("the row has another number of cells than the header")]
    WrongWidth,
    #[error("the row is no JSON object")]
    NotJson,
    #[error("the row is no Zendesk ticket")]
    NotATicket,
    #[error("the row has neither subject nor text")]
    NoText,
    #[error("{} is no date", .0.name())]
    BadTime(Field),
    #[error("the id has more than 64 characters, or others than letters, digits, dash and underscore")]
    BadId,
    #[error("the row is too large")]
    TooLarge,
}

impl RowError {
    /// Stable reason code.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotUtf8 => "invalid-utf8",
            Self::WrongWidth => "wrong-width",
            Self::NotJson => "not-json",
            Self::NotATicket => "bad-shape",
            Self::NoText => "no-text",
            Self::BadTime(_) => "bad-time",
            Self::BadId => "bad-id",
            Self::TooLarge => "too-large",
        }
    }
}

/// What all rows of an import share.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) tenant: String,
    /// First characters of the file's hash.
    pub(super) file: String,
    /// The mapping's fingerprint.
    pub(super) mapping: u64,
    /// Time of rows that have none.
    pub(super) began_at: i64,
    pub(super) received_at: i64,
}

impl Context {
    /// Another mapping makes another event of the same ticket: what was mapped wrongly can be put right.
    fn event_id(&self, ticket_id: &str, version: i64) -> String {
        let ticket_id = format!("{ticket_id}#{:x}", self.mapping);
        event_id(&self.tenant, Platform::Import, &ticket_id, version)
    }
}

/// An event with its content.
type Mapped = Box<(TicketEvent, TicketContent)>;

/// A row read: its line, its bytes where they are to be kept, and what it came to.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) event: Result<Mapped, (RowError, Vec<u8>)>,
}

/// Reads rows one after another.
pub(super) enum Rows<R: Read> {
    Csv { reader: Box<csv::Reader<R>>, columns: Vec<String>, resolved: Resolved, record: csv::ByteRecord },
    Json { splitter: Splitter<BufReader<R>>, columns: Vec<String>, resolved: Resolved },
    Zendesk { splitter: Splitter<BufReader<R>> },
}

/// The columns of a file, found from its beginning.
pub(super) fn columns(format: Format, head: &[u8]) -> io::Result<Vec<String>> {
    match format {
        Format::Zendesk => Ok(Vec::new()),
        Format::Csv => {
            let mut reader = csv_reader(head, delimiter(head));
            let headers = reader.byte_headers().map_err(io::Error::other)?;
            Ok(headers.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
        }
        Format::Jsonl => {
            let mut splitter = Splitter::new(head);
            let (mut names, mut order) = (BTreeSet::new(), Vec::new());
            for _ in 0..SAMPLE {
                let Some(piece) = splitter.next()? else { break };
                for name in flatten(&piece.bytes).unwrap_or_default().into_keys() {
                    if names.insert(name.clone()) {
                        order.push(name);
                    }
                }
            }
            Ok(order)
        }
    }
}

impl<R: Read> Rows<R> {
    pub(super) fn new(
        format: Format,
        input: R,
        head: &[u8],
        columns: Vec<String>,
        mapping: &Mapping,
    ) -> Result<Self, MappingError> {
        Ok(match format {
            Format::Csv => {
                let resolved = mapping.resolve(&columns)?;
                let reader = Box::new(csv_reader(input, delimiter(head)));
                Self::Csv { reader, columns, resolved, record: csv::ByteRecord::new() }
            }
            Format::Jsonl => {
                let resolved = mapping.resolve(&columns)?;
                Self::Json {
                    splitter: Splitter::new(BufReader::with_capacity(1 << 16, input)),
                    columns,
                    resolved,
                }
            }
            Format::Zendesk => {
                Self::Zendesk { splitter: Splitter::new(BufReader::with_capacity(1 << 16, input)) }
            }
        })
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Csv { reader, .. } => reader.position().byte(),
            Self::Json { splitter, .. } | Self::Zendesk { splitter } => splitter.position(),
        }
    }

    /// What the mapping came to, one line a field.
    pub(super) fn describe(&self) -> Vec<String> {
        match self {
            Self::Csv { columns, resolved, .. } | Self::Json { columns, resolved, .. } => {
                resolved.describe(columns)
            }
            Self::Zendesk { .. } => Vec::new(),
        }
    }

    pub(super) fn fingerprint(&self) -> u64 {
        match self {
            Self::Csv { columns, resolved, .. } | Self::Json { columns, resolved, .. } => {
                resolved.fingerprint(columns)
            }
            Self::Zendesk { .. } => 0,
        }
    }

    /// Passes over a row without reading it.
    pub(super) fn skip(&mut self) -> io::Result<bool> {
        match self {
            Self::Csv { reader, record, .. } => match reader.read_byte_record(record) {
                Ok(more) => Ok(more),
                Err(error) => csv_error(error).map(|_| true),
            },
            Self::Json { splitter, .. } | Self::Zendesk { splitter } => Ok(splitter.next()?.is_some()),
        }
    }

    /// The next row.
    pub(super) fn next(&mut self, context: &Context) -> io::Result<Option<Row>> {
        match self {
            Self::Csv { reader, columns, resolved, record } => {
                let line = reader.position().line();
                match reader.read_byte_record(record) {
                    Ok(false) => Ok(None),
                    Ok(true) => {
                        let line = record.position().map_or(line, csv::Position::line);
                        Ok(Some(csv_row(context, line, columns, resolved, record)))
                    }
                    Err(error) => csv_error(error)
                        .map(|line| Some(Row { line, event: Err((RowError::WrongWidth, joined(record))) })),
                }
            }
            Self::Json { splitter, columns, resolved } => {
                let Some(piece) = splitter.next()? else { return Ok(None) };
                let event = json_row(context, piece.line, columns, resolved, &piece.bytes, piece.whole);
                Ok(Some(Row { line: piece.line, event: event.map_err(|error| (error, piece.bytes)) }))
            }
            Self::Zendesk { splitter } => {
                let Some(piece) = splitter.next()? else { return Ok(None) };
                let event = zendesk_row(context, &piece.bytes);
                Ok(Some(Row { line: piece.line, event: event.map_err(|error| (error, piece.bytes)) }))
            }
        }
    }
}

fn csv_reader<R: Read>(input: R, delimiter: u8) -> csv::Reader<R> {
    csv::ReaderBuilder::new().delimiter(delimiter).buffer_capacity(1 << 16).from_reader(input)
}

/// The one of comma, semicolon and tab that the header line has most of.
fn delimiter(head: &[u8]) -> u8 {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| line.iter().filter(|byte| *byte == delimiter).count();
    *[b',', b';', b'\t'].iter().rev().max_by_key(|delimiter| count(delimiter)).unwrap_or(&b',')
}

/// The line of a row of another width; any other error ends the file.
fn csv_error(error: csv::Error) -> io::Result<u64> {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, .. } => Ok(pos.as_ref().map_or(0, csv::Position::line)),
        _ => Err(io::Error::other(error)),
    }
}

fn joined(record: &csv::ByteRecord) -> Vec<u8> {
    record.iter().collect::<Vec<_>>().join(&b","[..])
}

fn csv_row(
    context: &Context,
    line: u64,
    columns: &[String],
    resolved: &Resolved,
    record: &csv::ByteRecord,
) -> Row {
    let cell = |place: usize| record.get(place).and_then(|cell| std::str::from_utf8(cell).ok());
    let readable = record.iter().all(|cell| std::str::from_utf8(cell).is_ok());
    let mapped = if readable {
        let value = |field| resolved.place(field).and_then(cell).map(Cow::Borrowed);
        let others = columns.iter().enumerate().filter(|(place, _)| !resolved.is_taken(*place));
        let others = others.filter_map(|(place, name)| Some((name.clone(), cell(place)?.trim().to_owned())));
        row(context, line, value, others)
    } else {
        Err(RowError::NotUtf8)
    };
    Row { line, event: mapped.map_err(|error| (error, joined(record))) }
}

fn json_row(
    context: &Context,
    line: u64,
    columns: &[String],
    resolved: &Resolved,
    bytes: &[u8],
    whole: bool,
) -> Result<Mapped, RowError> {
    if bytes.is_empty() && !whole {
        return Err(RowError::TooLarge);
    }
    let mut cells = flatten(bytes).ok_or_else(|| {
        if std::str::from_utf8(bytes).is_err() { RowError::NotUtf8 } else { RowError::NotJson }
    })?;
    let mut found = BTreeMap::new();
    for (place, column) in columns.iter().enumerate() {
        if resolved.is_taken(place)
            && let Some(cell) = cells.remove(column)
        {
            found.insert(place, cell);
        }
    }
    let value = |field| {
        resolved.place(field).and_then(|place| found.get(&place)).map(|cell| Cow::Borrowed(cell.as_str()))
    };
    row(context, line, value, cells.into_iter())
}

fn zendesk_row(context: &Context, bytes: &[u8]) -> Result<Mapped, RowError> {
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(|_| {
        if std::str::from_utf8(bytes).is_err() { RowError::NotUtf8 } else { RowError::NotJson }
    })?;
    let ticket = decode::ticket(raw).map_err(|_| RowError::NotATicket)?;
    let mapped = map::rest(&context.tenant, &ticket, Origin::Import, context.received_at);
    let (event, content) = mapped.ok().flatten().ok_or(RowError::NotATicket)?;
    if content.subject.trim().is_empty() && content.body.trim().is_empty() {
        return Err(RowError::NoText);
    }
    let id = context.event_id(&event.ticket_id, event.version);
    Ok(Box::new((TicketEvent { event_id: id, platform: Platform::Import, ..event }, content)))
}

/// Maps a row's cells.
fn row<'a>(
    context: &Context,
    line: u64,
    value: impl Fn(Field) -> Option<Cow<'a, str>>,
    others: impl Iterator<Item = (String, String)>,
) -> Result<Mapped, RowError> {
    let text = |field| value(field).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let time = |field| match text(field) {
        Some(text) => time::parse(&text).map(Some).ok_or(RowError::BadTime(field)),
        None => Ok(None),
    };
    let (subject, body) = (text(Field::Subject), text(Field::Body));
    if subject.is_none() && body.is_none() {
        return Err(RowError::NoText);
    }
    let ticket_id = match text(Field::Id) {
        Some(id) if is_id(&id) => id,
        Some(_) => return Err(RowError::BadId),
        None => format!("{}-{line}", context.file),
    };
    let created_at = time(Field::CreatedAt)?;
    let version = time(Field::UpdatedAt)?.or(created_at).unwrap_or(context.began_at);
    let reference = |field| text(field).filter(|id| is_opaque(id));
    // Who is named rather than referred to belongs to what is sealed.
    let named = |field| text(field).filter(|id| !is_opaque(id));
    let requester = named(Field::RequesterId);
    let event = TicketEvent {
        event_id: context.event_id(&ticket_id, version),
        tenant: context.tenant.clone(),
        platform: Platform::Import,
        ticket_id,
        kind: if created_at.is_none_or(|at| at == version) { EventKind::Created } else { EventKind::Updated },
        origin: Origin::Import,
        occurred_at: version,
        received_at: context.received_at,
        created_at: created_at.unwrap_or(version),
        version,
        status: status(text(Field::Status).as_deref()),
        priority: priority(text(Field::Priority).as_deref()),
        ticket_type: text(Field::Type).map(|kind| kind.to_lowercase()),
        channel: text(Field::Channel).map(|channel| channel.to_lowercase()),
        requester_ref: reference(Field::RequesterId),
        assignee_ref: reference(Field::Assignee),
        group_ref: text(Field::Group),
        organization_ref: reference(Field::Organization),
        content: unsealed(),
    };
    let content = TicketContent {
        subject: subject.unwrap_or_default(),
        body: body.unwrap_or_default(),
        tags: text(Field::Tags).map(|tags| tags_of(&tags)).unwrap_or_default(),
        requester_name: text(Field::RequesterName)
            .or_else(|| requester.clone().filter(|name| !name.contains('@'))),
        requester_email: text(Field::RequesterEmail)
            .or_else(|| requester.clone().filter(|address| address.contains('@'))),
        external_id: text(Field::ExternalId),
        author_is_agent: false,
        fields: others
            .filter(|(_, value)| !value.is_empty())
            .chain(named(Field::Assignee).map(|name| ("assignee".to_owned(), name)))
            .chain(named(Field::Organization).map(|name| ("organization".to_owned(), name)))
            .collect(),
        ..TicketContent::default()
    };
    Ok(Box::new((event, content)))
}

fn is_id(id: &str) -> bool {
    id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn tags_of(text: &str) -> Vec<String> {
    let separators: &[char] = if text.contains([',', ';', '|']) { &[',', ';', '|'] } else { &[' '] };
    text.split(separators).map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

fn status(text: Option<&str>) -> TicketStatus {
    match text.map(str::to_lowercase).as_deref() {
        Some("new") => TicketStatus::New,
        Some("open" | "reopened" | "in progress" | "in_progress" | "active") => TicketStatus::Open,
        Some("pending" | "waiting" | "pending customer response" | "waiting on customer") => {
            TicketStatus::Pending
        }
        Some("hold" | "on hold" | "on-hold" | "on_hold") => TicketStatus::Hold,
        Some("solved" | "resolved" | "done" | "fixed") => TicketStatus::Solved,
        Some("closed" | "archived") => TicketStatus::Closed,
        _ => TicketStatus::Unknown,
    }
}

fn priority(text: Option<&str>) -> Option<Priority> {
    match text?.to_lowercase().as_str() {
        "low" | "minor" | "trivial" | "p4" => Some(Priority::Low),
        "normal" | "medium" | "moderate" | "p3" => Some(Priority::Normal),
        "high" | "major" | "p2" => Some(Priority::High),
        "urgent" | "critical" | "blocker" | "very high" | "highest" | "p1" => Some(Priority::Urgent),
        _ => None,
    }
}

/// An object's values as text by their path: `requester.email`. Lists of plain values are joined by commas.
fn flatten(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let Value::Object(object) = serde_json::from_slice(bytes).ok()? else { return None };
    let mut cells = BTreeMap::new();
    for (name, value) in object {
        flatten_into(&mut cells, name, value);
    }
    Some(cells)
}

fn flatten_into(cells: &mut BTreeMap<String, String>, name: String, value: Value) {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    match value {
        Value::Null => {}
        Value::Object(object) => {
            for (inner, value) in object {
                flatten_into(cells, format!("{name}.{inner}"), value);
            }
        }
        Value::Array(items) if items.iter().all(|item| plain(item).is_some()) => {
            cells.insert(name, items.iter().filter_map(plain).collect::<Vec<_>>().join(","));
        }
        Value::Array(items) => {
            cells.insert(name, Value::Array(items).to_string());
        }
        Value::String(text) => {
            cells.insert(name, text);
        }
        other => {
            cells.insert(name, other.to_string());
        }
    }
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;

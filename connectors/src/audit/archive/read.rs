//! Rows of an archived month. ClickHouse writes them; here they are read by another implementation of Parquet.

use super::super::rows::{ChainsError, Columns, row};
use super::super::verify::Row;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Map, MapAccessor};
use std::fs::File;

/// A month can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no Parquet, or a torn one.
    #[error("it is not the Parquet that was written")]
    Parquet(#[from] ParquetError),
    /// A column is missing or of another type.
    #[error("row {row}: column {column} is {found}")]
    Column {
        /// From 0.
        row: usize,
        /// Its name.
        column: &'static str,
        /// What is there.
        found: String,
    },
    /// A value is none of ours.
    #[error(transparent)]
    Row(#[from] ChainsError),
}

/// Gives each row to `step`, in the order in which they lie.
pub(super) fn rows(file: File, chain: &str, mut step: impl FnMut(&Row)) -> Result<u64, ReadError> {
    let reader = SerializedFileReader::new(file)?;
    let mut count = 0;
    for (number, record) in reader.get_row_iter(None)?.enumerate() {
        let record = record?;
        let find = |column: &'static str| {
            let field = record.get_column_iter().find(|(name, _)| *name == column).map(|(_, field)| field);
            field.ok_or(ReadError::Column { row: number, column, found: "missing".to_owned() })
        };
        let wrong =
            |column, field: &Field| ReadError::Column { row: number, column, found: field.to_string() };
        let text = |column| match find(column)? {
            Field::Str(text) => Ok(text.clone()),
            Field::Bytes(bytes) => bytes.as_utf8().map(str::to_owned).map_err(ReadError::from),
            other => Err(wrong(column, other)),
        };
        let time = |column| match find(column)? {
            Field::TimestampMillis(ms) | Field::Long(ms) => Ok(*ms),
            Field::TimestampMicros(us) => Ok(us / 1000),
            other => Err(wrong(column, other)),
        };
        let sequence = match find("sequence")? {
            Field::ULong(sequence) => *sequence,
            Field::Long(sequence) => u64::try_from(*sequence).unwrap_or(u64::MAX),
            other => return Err(wrong("sequence", other)),
        };
        let detail = match find("detail")? {
            Field::MapInternal(map) => pairs(map).ok_or_else(|| wrong("detail", &Field::Null))?,
            other => return Err(wrong("detail", other)),
        };
        let columns = Columns {
            sequence,
            chained_at: time("chained_at")?,
            hash: text("hash")?,
            audit_id: text("audit_id")?,
            tenant: text("tenant")?,
            at: time("at")?,
            actor_kind: text("actor_kind")?,
            actor: text("actor")?,
            action: text("action")?,
            resource: text("resource")?,
            outcome: text("outcome")?,
            detail,
            source_ip: text("source_ip")?,
            user_agent: text("user_agent")?,
            request_id: text("request_id")?,
        };
        step(&row(chain, columns)?);
        count += 1;
    }
    Ok(count)
}

fn pairs(map: &Map) -> Option<Vec<(String, String)>> {
    let (names, values) = (map.get_keys(), map.get_values());
    (0..map.len())
        .map(|at| Some((names.get_string(at).ok()?.clone(), values.get_string(at).ok()?.clone())))
        .collect()
}

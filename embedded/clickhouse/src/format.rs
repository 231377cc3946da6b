//! Answer formats: which can be sent in chunks, and what they are called in HTTP.
//!
//! The engine's streaming call makes each chunk a whole document of the format. For formats that are a plain
//! sequence of rows the chunks are simply joined; for those with a header the header of all but the first is
//! cut off; the rest (JSON, Parquet, Pretty, …) must be answered whole.

use crate::exception::{Code, Exception};
use crate::lexer::{Kind, Token};

/// How chunks become one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// Put one after the other.
    Rows,
    /// A header of this many lines, in which a line end within double quotes does not count.
    HeaderLines(usize),
    /// RowBinary's header: the number of columns, their names and, where true, their types.
    BinaryHeader(bool),
}

impl Join {
    /// How chunks of this format are joined; `None` if it must be answered whole.
    pub fn of(format: &str) -> Option<Self> {
        Some(match format.to_ascii_lowercase().as_str() {
            "tabseparated"
            | "tsv"
            | "tabseparatedraw"
            | "tsvraw"
            | "raw"
            | "csv"
            | "tskv"
            | "jsoneachrow"
            | "jsonlines"
            | "ndjson"
            | "jsonstringseachrow"
            | "jsoncompacteachrow"
            | "jsoncompactstringseachrow"
            | "rowbinary"
            | "native"
            | "lineasstring"
            | "msgpack"
            | "null" => Self::Rows,
            "tabseparatedwithnames"
            | "tsvwithnames"
            | "csvwithnames"
            | "jsoncompacteachrowwithnames"
            | "jsoncompactstringseachrowwithnames" => Self::HeaderLines(1),
            "tabseparatedwithnamesandtypes"
            | "tsvwithnamesandtypes"
            | "csvwithnamesandtypes"
            | "jsoncompacteachrowwithnamesandtypes"
            | "jsoncompactstringseachrowwithnamesandtypes" => Self::HeaderLines(2),
            "rowbinarywithnames" => Self::BinaryHeader(false),
            "rowbinarywithnamesandtypes" => Self::BinaryHeader(true),
            _ => return None,
        })
    }

    /// The length of a chunk's header.
    pub fn header_length(self, chunk: &[u8]) -> Result<usize, Exception> {
        let found = match self {
            Self::Rows => Some(0),
            Self::HeaderLines(lines) => end_of_lines(chunk, lines),
            Self::BinaryHeader(with_types) => end_of_binary_header(chunk, with_types),
        };
        found.ok_or_else(|| Exception::new(Code::LogicalError, "a chunk of the answer has no whole header"))
    }
}

fn end_of_lines(chunk: &[u8], lines: usize) -> Option<usize> {
    let (mut left, mut quoted) = (lines, false);
    for (at, byte) in chunk.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => {
                left -= 1;
                if left == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn end_of_binary_header(chunk: &[u8], with_types: bool) -> Option<usize> {
    let mut at = 0;
    let columns = varint(chunk, &mut at)?;
    let texts = columns.checked_mul(if with_types { 2 } else { 1 })?;
    for _ in 0..texts {
        let length = usize::try_from(varint(chunk, &mut at)?).ok()?;
        at = at.checked_add(length).filter(|&end| end <= chunk.len())?;
    }
    Some(at)
}

/// An unsigned LEB128 number.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Whether something asks for a form of the answer that joining could not keep: totals, extremes, settings of the
/// format itself (an array of rows, a byte-order mark, …).
pub fn is_shaped<'s>(tokens: &[Token<'_>], settings: impl IntoIterator<Item = &'s str>) -> bool {
    let shapes = |name: &str| {
        name.starts_with("output_format_")
            || name.starts_with("format_")
            || matches!(name, "extremes" | "totals")
    };
    tokens
        .iter()
        .filter(|token| token.kind == Kind::Word)
        .any(|token| shapes(&token.value.to_ascii_lowercase()))
        || settings.into_iter().any(shapes)
}

/// `Content-Type` as ClickHouse gives it.
pub fn content_type(format: &str) -> &'static str {
    let name = format.to_ascii_lowercase();
    if name.starts_with("json") || name == "ndjson" {
        "application/json; charset=UTF-8"
    } else if name.starts_with("tabseparated") || name.starts_with("tsv") {
        "text/tab-separated-values; charset=UTF-8"
    } else if name.starts_with("csvwithnames") {
        "text/csv; charset=UTF-8; header=present"
    } else if name.starts_with("csv") {
        "text/csv; charset=UTF-8; header=absent"
    } else if name.starts_with("rowbinary")
        || matches!(
            name.as_str(),
            "native" | "parquet" | "arrow" | "arrowstream" | "orc" | "avro" | "msgpack"
        )
    {
        "application/octet-stream"
    } else {
        "text/plain; charset=UTF-8"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::tokens;

    #[test]
    fn headers_are_measured() {
        assert_eq!(Join::HeaderLines(1).header_length(b"a\tb\n1\t2\n").unwrap(), 4);
        assert_eq!(Join::HeaderLines(2).header_length(b"\"a\n\",b\nx,y\n1,2\n").unwrap(), 11);
        assert_eq!(Join::BinaryHeader(true).header_length(b"\x01\x01n\x06UInt64\x00").unwrap(), 10);
        assert_eq!(Join::BinaryHeader(false).header_length(b"\x02\x01n\x02mm\x00").unwrap(), 6);
        assert!(Join::BinaryHeader(true).header_length(b"\x02\x01n\xff\xff\xff\xff\x0f").is_err());
        assert!(Join::HeaderLines(1).header_length(b"a").is_err());
    }

    #[test]
    fn what_cannot_be_joined_is_answered_whole() {
        for format in ["JSON", "Parquet", "PrettyCompact", "TSVRawWithNames", "Values", "Unheard"] {
            assert_eq!(Join::of(format), None, "{format}");
        }
        let shaped = |sql: &str| is_shaped(&tokens(sql).unwrap(), []);
        assert!(shaped("SELECT 1 SETTINGS output_format_json_array_of_rows = 1"));
        assert!(shaped("SELECT a, count() FROM t GROUP BY a WITH TOTALS"));
        assert!(!shaped("SELECT 1 FORMAT JSONEachRow"));
        assert!(is_shaped(&[], ["extremes"]));
    }
}

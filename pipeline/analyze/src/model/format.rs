//! The model file, version 1. All integers are little-endian.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic `DSKMODEL` |
//! | 4 | format version, 1 |
//! | 4 | `h`, length of the header |
//! | h | header, JSON: [`ModelHeader`] |
//! | 0–63 | zeros up to a multiple of 64 |
//! | 2^bits * row_width | weights, `i8`, row by row; -128 does not occur |
//! | 32 | SHA-256 of everything before |

use std::{collections::HashSet, ops::Range};

use sha2::{Digest, Sha256};

use super::{ModelError, ModelHeader};

/// The version this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"DSKMODEL";
const PREFIX: usize = 16;
const ALIGN: usize = 64;
const DIGEST: usize = 32;
/// A header holds label sets and a few numbers per label.
const MAX_HEADER: usize = 1 << 20;
/// Refused before it is read into memory.
pub(super) const MAX_FILE: u64 = 256 << 20;
/// Rows of 2^22 * 64 bytes would already be the file limit.
const MAX_BITS: u8 = 22;
const MIN_BITS: u8 = 6;
/// Heads share the rows of one table; a program that wants more wants several models.
const MAX_HEADS: usize = 32;
/// Labels of all heads together: a row is a cache line for each 64.
const MAX_LABELS: usize = 4096;

pub(super) fn encode(header: &ModelHeader, table: &[i8]) -> Result<Vec<u8>, ModelError> {
    if table.contains(&i8::MIN) {
        return Err(ModelError::Inconsistent("a weight is -128".into()));
    }
    let json = serde_json::to_vec(header).map_err(ModelError::Header)?;
    let header_len = u32::try_from(json.len())
        .map_err(|_| ModelError::Inconsistent("the header is longer than 4 GiB".into()))?;
    let mut out = Vec::with_capacity(PREFIX + json.len() + ALIGN + table.len() + DIGEST);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&header_len.to_le_bytes());
    out.extend_from_slice(&json);
    out.resize(out.len().next_multiple_of(ALIGN), 0);
    out.extend(table.iter().map(|&w| w as u8));
    let digest = Sha256::digest(&out);
    out.extend_from_slice(&digest);
    Ok(out)
}

/// A file's header, its version string and where the table lies.
pub(super) type Parsed = (ModelHeader, String, Range<usize>);

/// Checks a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, ModelError> {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    if bytes.get(..8) != Some(MAGIC) {
        return Err(ModelError::NotAModel);
    }
    let short = |expected: usize| ModelError::Length { found: bytes.len() as u64, expected: expected as u64 };
    let (Some(version), Some(header_len)) = (word(8), word(12)) else { return Err(short(PREFIX)) };
    if version != FORMAT_VERSION {
        return Err(ModelError::Version { found: version, supported: FORMAT_VERSION });
    }
    let header_len = header_len as usize;
    if header_len > MAX_HEADER {
        return Err(ModelError::Inconsistent(format!("the header claims {header_len} bytes")));
    }
    let table_start = (PREFIX + header_len).next_multiple_of(ALIGN);
    if bytes.len() < table_start + DIGEST {
        return Err(short(table_start + DIGEST));
    }
    let (content, digest) = bytes.split_at(bytes.len() - DIGEST);
    let header: ModelHeader = match serde_json::from_slice(&bytes[PREFIX..PREFIX + header_len]) {
        Ok(header) => header,
        // a header that can't be read is most likely a damaged one: say so if that is what it is
        Err(_) if Sha256::digest(content).as_slice() != digest => return Err(ModelError::Checksum),
        Err(error) => return Err(ModelError::Header(error)),
    };
    validate(&header)?;
    let table_len = header.features.rows() * usize::from(header.row_width);
    let expected = table_start + table_len + DIGEST;
    if bytes.len() != expected {
        return Err(short(expected));
    }
    if Sha256::digest(content).as_slice() != digest {
        return Err(ModelError::Checksum);
    }
    let version = format!("{}-{}", header.name, hex::encode(&digest[..6]));
    Ok((header, version, table_start..table_start + table_len))
}

fn validate(header: &ModelHeader) -> Result<(), ModelError> {
    let fail = |what: String| Err(ModelError::Inconsistent(what));
    let f = &header.features;
    if header.name.is_empty() || header.name.len() > 64 {
        return fail("the name has to have 1 to 64 bytes".into());
    }
    if !(MIN_BITS..=MAX_BITS).contains(&f.bits) {
        return fail(format!("{} hash bits, allowed are {MIN_BITS} to {MAX_BITS}", f.bits));
    }
    if f.char_ngrams.len() > 4 || f.char_ngrams.iter().any(|n| !(2..=8).contains(n)) {
        return fail(format!(
            "character n-grams {:?}, allowed are up to four lengths of 2 to 8",
            f.char_ngrams
        ));
    }
    if f.affixes.len() > 4 || f.affixes.iter().any(|n| !(2..=8).contains(n)) {
        return fail(format!("affixes {:?}, allowed are up to four lengths of 2 to 8", f.affixes));
    }
    if !(64..=1 << 20).contains(&f.max_bytes) {
        return fail(format!("max_bytes {}, allowed are 64 to 1048576", f.max_bytes));
    }
    if header.heads.is_empty() || header.heads.len() > MAX_HEADS {
        return fail(format!("{} heads, allowed are 1 to {MAX_HEADS}", header.heads.len()));
    }
    let mut column = 0;
    for (i, h) in header.heads.iter().enumerate() {
        let (name, n) = (&h.name, h.labels.len());
        if name.trim().is_empty() || header.heads[..i].iter().any(|other| other.name == *name) {
            return fail(format!("head {i} has an empty or a repeated name"));
        }
        if n < 2 || usize::from(h.fallback) >= n {
            return fail(format!("{name} has {n} labels and fallback {}", h.fallback));
        }
        if h.labels.iter().any(|l| l.trim().is_empty()) || h.labels.iter().collect::<HashSet<_>>().len() != n
        {
            return fail(format!("{name} has an empty or a repeated label"));
        }
        if h.scales.len() != n || h.biases.len() != n || usize::from(h.column) != column {
            return fail(format!("{name} has scales, biases or columns that do not match its labels"));
        }
        if h.scales.iter().chain(&h.biases).any(|x| !x.is_finite())
            || !(h.temperature.is_finite() && h.temperature > 0.0)
            || !(0.0..=1.0).contains(&h.abstain_below)
        {
            return fail(format!("{name} has a number out of range"));
        }
        column += n;
    }
    if column > MAX_LABELS {
        return fail(format!("{column} labels, allowed are {MAX_LABELS} over all heads"));
    }
    let width = column.next_multiple_of(8);
    if usize::from(header.row_width) != width {
        return fail(format!("rows have {} columns where the labels need {width}", header.row_width));
    }
    Ok(())
}

//! ClickHouse's format `Native`: a block of rows, column by column.
//!
//! A block is the number of columns and of rows, then each column: its name, its type, its values. Numbers are
//! little-endian, lengths are LEB128, `Array` and `Map` put the ends of all rows before the elements of all rows
//! (<https://clickhouse.com/docs/interfaces/formats/Native>). The server converts what it stores otherwise, such as
//! `String` into `LowCardinality(String)`.

use bytes::Bytes;
use std::borrow::Cow;
use tokio::sync::mpsc;

/// A block is sent in pieces of about this size. What is on its way is bounded by them, and memory that was just used is
/// used again: a block in one piece is 30 MB of fresh pages each time.
const CHUNK: usize = 256 * 1024;

/// Where a block is written: pieces go to whoever sends them.
pub struct Writer {
    chunk: Vec<u8>,
    sender: mpsc::Sender<Bytes>,
    /// Nobody takes pieces any more: the rest is not worth writing.
    abandoned: bool,
}

impl Writer {
    /// A writer, and where its pieces come out. Writing blocks while `ahead` of them wait.
    pub(super) fn new(ahead: usize) -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, pieces) = mpsc::channel(ahead);
        (Self { chunk: Vec::with_capacity(CHUNK), sender, abandoned: false }, pieces)
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK {
            self.flush();
        }
    }

    /// Hands over what is left. Must not be called in an asynchronous context, as any writing.
    pub(super) fn flush(&mut self) {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        if !self.abandoned && !chunk.is_empty() {
            self.abandoned = self.sender.blocking_send(chunk.into()).is_err();
        }
    }
}

/// A value of a column.
pub(super) trait Cell: Sized {
    /// The type, in ClickHouse's words.
    fn kind() -> Cow<'static, str>;

    /// Appends a column of these values. They are asked for as often as the format goes through them.
    fn write(values: impl Iterator<Item = Self> + Clone, out: &mut Writer);
}

/// Milliseconds since the Unix epoch: `DateTime64(3, 'UTC')`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Millis(pub i64);

/// Bytes as text in hexadecimal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hex<'a>(pub &'a [u8]);

/// The elements of one row of an `Array`.
#[derive(Clone)]
pub(super) struct Seq<I>(pub I);

/// The entries of one row of a `Map`.
#[derive(Clone)]
pub(super) struct Pairs<I>(pub I);

macro_rules! number {
    ($($type:ty: $kind:literal,)+) => {$(
        impl Cell for $type {
            fn kind() -> Cow<'static, str> {
                $kind.into()
            }

            fn write(values: impl Iterator<Item = Self> + Clone, out: &mut Writer) {
                values.for_each(|value| out.put(&value.to_le_bytes()));
            }
        }
    )+};
}

number! {
    u16: "UInt16",
    u32: "UInt32",
    u64: "UInt64",
    i32: "Int32",
    i64: "Int64",
    f32: "Float32",
    f64: "Float64",
}

impl Cell for bool {
    fn kind() -> Cow<'static, str> {
        "Bool".into()
    }

    fn write(values: impl Iterator<Item = Self> + Clone, out: &mut Writer) {
        values.for_each(|value| out.put(&[u8::from(value)]));
    }
}

impl Cell for Millis {
    fn kind() -> Cow<'static, str> {
        "DateTime64(3, 'UTC')".into()
    }

    fn write(values: impl Iterator<Item = Self> + Clone, out: &mut Writer) {
        i64::write(values.map(|value| value.0), out);
    }
}

impl Cell for &str {
    fn kind() -> Cow<'static, str> {
        "String".into()
    }

    fn write(values: impl Iterator<Item = Self> + Clone, out: &mut Writer) {
        values.for_each(|value| text(value, out));
    }
}

impl Cell for Hex<'_> {
    fn kind() -> Cow<'static, str> {
        "String".into()
    }

    fn write(values: impl Iterator<Item = Self> + Clone, out: &mut Writer) {
        values.for_each(|value| text(&hex::encode(value.0), out));
    }
}

impl<T: Cell + Default> Cell for Option<T> {
    fn kind() -> Cow<'static, str> {
        format!("Nullable({})", T::kind()).into()
    }

    fn write(values: impl Iterator<Item = Self> + Clone, out: &mut Writer) {
        values.clone().for_each(|value| out.put(&[u8::from(value.is_none())]));
        T::write(values.map(Option::unwrap_or_default), out);
    }
}

impl<T: Cell, I: Iterator<Item = T> + Clone> Cell for Seq<I> {
    fn kind() -> Cow<'static, str> {
        format!("Array({})", T::kind()).into()
    }

    fn write(values: impl Iterator<Item = Self> + Clone, out: &mut Writer) {
        ends(values.clone().map(|row| row.0.count()), out);
        T::write(values.flat_map(|row| row.0), out);
    }
}

impl<K: Cell, V: Cell, I: Iterator<Item = (K, V)> + Clone> Cell for Pairs<I> {
    fn kind() -> Cow<'static, str> {
        format!("Map({}, {})", K::kind(), V::kind()).into()
    }

    fn write(values: impl Iterator<Item = Self> + Clone, out: &mut Writer) {
        ends(values.clone().map(|row| row.0.count()), out);
        K::write(values.clone().flat_map(|row| row.0).map(|(key, _)| key), out);
        V::write(values.flat_map(|row| row.0).map(|(_, value)| value), out);
    }
}

/// Begins a block.
pub(super) fn begin(columns: usize, rows: usize, out: &mut Writer) {
    length(columns, out);
    length(rows, out);
}

/// Appends a column; its values must be as many as the block has rows.
pub(super) fn column<T: Cell>(name: &str, values: impl Iterator<Item = T> + Clone, out: &mut Writer) {
    text(name, out);
    text(&T::kind(), out);
    T::write(values, out);
}

fn ends(counts: impl Iterator<Item = usize>, out: &mut Writer) {
    let mut end = 0;
    for count in counts {
        end += count as u64;
        out.put(&end.to_le_bytes());
    }
}

fn text(value: &str, out: &mut Writer) {
    length(value.len(), out);
    out.put(value.as_bytes());
}

/// Unsigned LEB128.
fn length(mut value: usize, out: &mut Writer) {
    while value >= 0x80 {
        out.put(&[value as u8 | 0x80]);
        value >>= 7;
    }
    out.put(&[value as u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let (mut writer, mut pieces) = Writer::new(16);
        write(&mut writer);
        writer.flush();
        drop(writer);
        std::iter::from_fn(|| pieces.blocking_recv()).flatten().collect()
    }

    fn written<T: Cell>(values: impl Iterator<Item = T> + Clone) -> Vec<u8> {
        collected(|out| T::write(values, out))
    }

    #[test]
    fn a_block_names_its_columns_and_their_types() {
        let out = collected(|out| {
            begin(2, 1, out);
            column("id", [7_u16].into_iter(), out);
            column("at", [Some(Millis(1))].into_iter(), out);
        });
        let kind = b"Nullable(DateTime64(3, 'UTC'))";
        let mut expected = b"\x02\x01\x02id\x06UInt16\x07\x00\x02at".to_vec();
        expected.push(u8::try_from(kind.len()).unwrap());
        expected.extend_from_slice(kind);
        expected.extend_from_slice(b"\x00\x01\x00\x00\x00\x00\x00\x00\x00");
        assert_eq!(out, expected);
    }

    #[test]
    fn lengths_beyond_a_byte_take_two() {
        let long = "x".repeat(300);
        let out = written([long.as_str()].into_iter());
        assert_eq!((&out[..2], out.len()), (&[0xAC, 0x02][..], 302));
    }

    #[test]
    fn arrays_and_maps_put_all_ends_before_all_elements() {
        let rows: [&[u16]; 3] = [&[1, 2], &[], &[3]];
        let out = written(rows.iter().map(|row| Seq(row.iter().copied())));
        let ends = [2_u64, 2, 3].map(u64::to_le_bytes).concat();
        assert_eq!(out, [ends.clone(), [1_u16, 2, 3].map(u16::to_le_bytes).concat()].concat());

        let maps: [&[(&str, bool)]; 3] = [&[("a", true), ("b", false)], &[], &[("c", true)]];
        let out = written(maps.iter().map(|row| Pairs(row.iter().copied())));
        assert_eq!(out, [ends, b"\x01a\x01b\x01c\x01\x00\x01".to_vec()].concat());
        assert_eq!(<Pairs<std::iter::Empty<(&str, bool)>> as Cell>::kind(), "Map(String, Bool)");
    }

    #[test]
    fn pieces_are_bounded_and_make_up_the_whole() {
        let (mut writer, mut pieces) = Writer::new(2);
        let text = "x".repeat(1000);
        let writing = std::thread::spawn(move || {
            column("text", std::iter::repeat_n("x".repeat(1000).as_str(), 1000), &mut writer);
            writer.flush();
        });
        let all: Vec<Bytes> = std::iter::from_fn(|| pieces.blocking_recv()).collect();
        writing.join().unwrap();
        assert!(all.len() > 2 && all.iter().all(|piece| piece.len() < CHUNK + 2000));
        let whole = all.concat();
        assert_eq!(whole.len(), 12 + 1000 * (2 + text.len()));
        assert!(whole.ends_with(text.as_bytes()));
    }

    #[test]
    fn a_receiver_that_is_gone_stops_nobody() {
        let (mut writer, pieces) = Writer::new(1);
        drop(pieces);
        column("n", 0_u64..1_000_000, &mut writer);
        assert!(writer.abandoned);
    }

    #[test]
    fn what_is_null_is_told_before_the_values() {
        assert_eq!(written([None, Some(true), None].into_iter()), [1, 0, 1, 0, 1, 0]);
    }
}

//! Records as rows: which table, which partition of it, and the columns, borrowed from the record.
//!
//! Column names and types are sent with each block; the server refuses what its table does not have.

use super::batch::Placed;
use super::native::{Cell, Pairs, Seq, Writer};
use deskstream_schemas::{Record, Text};
use std::collections::BTreeMap;

/// A table: its columns, each with its value, and where the record lies in Kafka.
macro_rules! table {
    (
        $(#[doc = $doc:literal])+
        $table:literal: $record:ident is $type:ty, parted by $partition:expr;
        $($column:literal = $value:expr,)+
    ) => {
        $(#[doc = $doc])+
        impl $crate::clickhouse::rows::Table for $type {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] =
                &[$($column,)+ "kafka_topic", "kafka_partition", "kafka_offset"];

            #[allow(unused_variables, reason = "some tables have one partition")]
            fn partition_key(&self) -> u64 {
                let $record = self;
                $partition
            }

            fn block(rows: $crate::clickhouse::rows::Rows<'_, Self>, out: &mut $crate::clickhouse::native::Writer) {
                use $crate::clickhouse::native;
                native::begin(Self::COLUMNS.len(), rows.placed.len(), out);
                $(native::column(
                    $column,
                    rows.placed.iter().map(|placed| {
                        let $record = &placed.record;
                        $value
                    }),
                    out,
                );)+
                native::column("kafka_topic", rows.placed.iter().map(|_| rows.topic), out);
                native::column("kafka_partition", rows.placed.iter().map(|_| rows.partition), out);
                native::column("kafka_offset", rows.placed.iter().map(|placed| placed.offset), out);
            }
        }
    };
}

// After the macro, which they use.
mod operations;
mod opinions;
mod quality;
mod tickets;
mod windows;

/// Records of one partition of a topic, to become rows.
pub struct Rows<'a, T> {
    /// Full name of the topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The records, with their offsets.
    pub(super) placed: &'a [Placed<T>],
}

/// A record that has a table.
pub trait Table: Record + Sync {
    /// The table's name.
    const TABLE: &'static str;
    /// The columns that are written, in the order in which they are.
    const COLUMNS: &'static [&'static str];

    /// Tells rows of different table partitions apart, as the table's PARTITION BY does.
    fn partition_key(&self) -> u64;

    /// Appends the records as one block.
    fn block(rows: Rows<'_, Self>, out: &mut Writer);
}

/// The month of an instant in UTC, as `toYYYYMM` gives it.
fn month(ms: i64) -> u64 {
    civil(ms).map_or(0, |date| date.year().unsigned_abs() as u64 * 100 + date.month().unsigned_abs() as u64)
}

/// The year of an instant in UTC, as `toYear` gives it.
fn year(ms: i64) -> u64 {
    civil(ms).map_or(0, |date| date.year().unsigned_abs().into())
}

fn civil(ms: i64) -> Option<jiff::civil::Date> {
    Some(jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(ms).ok()?).date())
}

/// Counts are never negative; what claims to be is no count.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn small<T: TryInto<u32>>(value: T) -> u32 {
    value.try_into().unwrap_or(0)
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("")
}

/// A map of counts.
fn counts<N: Copy, C: Cell>(
    map: &BTreeMap<Text, N>,
    count: fn(N) -> C,
) -> Pairs<impl Iterator<Item = (&str, C)> + Clone> {
    Pairs(map.iter().map(move |(name, value)| (name.as_ref(), count(*value))))
}

/// Bucket indexes are numbers written as text, since Avro's maps have text keys.
fn buckets(map: &BTreeMap<Text, i64>) -> Pairs<impl Iterator<Item = (i32, u64)> + Clone> {
    Pairs(map.iter().filter_map(|(index, value)| Some((index.parse().ok()?, count(*value)))))
}

fn texts<T: AsRef<str>>(values: &[T]) -> Seq<impl Iterator<Item = &str> + Clone> {
    Seq(values.iter().map(AsRef::as_ref))
}

fn details<K: AsRef<str>>(map: &BTreeMap<K, String>) -> Pairs<impl Iterator<Item = (&str, &str)> + Clone> {
    Pairs(map.iter().map(|(name, value)| (name.as_ref(), value.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_years_are_those_of_utc() {
        assert_eq!(month(0), 197_001);
        assert_eq!(month(-1), 196_912);
        assert_eq!(month(1_793_491_199_999), 202_610, "2026-10-31T23:59:59.999Z");
        assert_eq!(month(1_793_491_200_000), 202_611);
        assert_eq!(year(1_793_491_200_000), 2026);
        assert_eq!(month(i64::MAX), 0, "beyond what a date can be");
    }

    #[test]
    fn what_is_no_count_counts_for_nothing() {
        assert_eq!((count(-1), small(-1_i32), small(7_i64)), (0, 0, 7));
    }
}

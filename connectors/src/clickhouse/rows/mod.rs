//! Records as rows: which table, which partition of it, and the columns, borrowed from the record.
//!
//! Column names and types are checked by the `clickhouse` crate against the table before the first insert.

use clickhouse::{Row, RowWrite};
use deskstream_schemas::{Record, Text};
use serde::Serializer;
use std::collections::BTreeMap;

/// A table: its row, where each column stands once with its type and value, and where the record lies in Kafka.
macro_rules! table {
    (
        $(#[doc = $doc:literal])+
        $row:ident of $table:literal: $record:ident is $type:ty, parted by $partition:expr;
        $($(#[$attribute:meta])* $column:ident: $kind:ty = $value:expr,)+
    ) => {
        $(#[doc = $doc])+
        #[derive(::clickhouse::Row, ::serde::Serialize)]
        #[allow(missing_docs, reason = "the columns are documented in sql/")]
        pub struct $row<'a> {
            $($(#[$attribute])* pub $column: $kind,)+
            pub kafka_topic: &'a str,
            pub kafka_partition: i32,
            pub kafka_offset: i64,
        }

        impl $crate::clickhouse::rows::Table for $type {
            const TABLE: &'static str = $table;
            type Row = $row<'static>;

            fn partition_key(&self) -> u64 {
                let $record = self;
                $partition
            }

            fn row<'a>(&'a self, place: $crate::clickhouse::rows::Place<'a>) -> $row<'a> {
                let $record = self;
                $row {
                    $($column: $value,)+
                    kafka_topic: place.topic,
                    kafka_partition: place.partition,
                    kafka_offset: place.offset,
                }
            }
        }
    };
}

// After the macro, which they use.
mod operations;
mod tickets;
mod windows;

/// A record's place in Kafka, kept with its row.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Full name of the topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// A record that has a table.
pub trait Table: Record + Sync {
    /// The table's name.
    const TABLE: &'static str;
    /// Its row.
    type Row: RowWrite + 'static;

    /// Tells rows of different table partitions apart, as the table's PARTITION BY does.
    fn partition_key(&self) -> u64;

    /// The record as a row.
    fn row<'a>(&'a self, place: Place<'a>) -> <Self::Row as Row>::Value<'a>;
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

fn counts32<S: Serializer>(map: &&BTreeMap<Text, i32>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(name, value)| (name.as_ref(), small(*value))))
}

fn counts64<S: Serializer>(map: &&BTreeMap<Text, i64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(name, value)| (name.as_ref(), count(*value))))
}

/// Bucket indexes are numbers written as text, since Avro's maps have text keys.
fn buckets<S: Serializer>(map: &&BTreeMap<Text, i64>, serializer: S) -> Result<S::Ok, S::Error> {
    let buckets: Vec<(i32, u64)> =
        map.iter().filter_map(|(index, value)| Some((index.parse().ok()?, count(*value)))).collect();
    serializer.collect_map(buckets)
}

fn detail<S: Serializer>(map: &&BTreeMap<Text, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(name, value)| (name.as_ref(), value.as_str())))
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

//! A Kafka source for timely dataflows.
//!
//! **Partitions** are fixed at start. **Order** is that of each partition. **Progress**: a batch travels at the
//! epoch in which it was polled; the capability follows the clock, so that an idle partition holds nothing back.
//! **Back-pressure**: it polls only while fewer than a set number of records are between it and the end of the
//! dataflow. **It never blocks**: librdkafka's queue wakes it, and is polled without waiting.

mod assignment;
mod credit;
mod operator;

pub use assignment::{
    AssignError, committed, committed_offsets, latest_of, open, own_partitions, partition_count, patiently,
    read_to_end,
};
pub use credit::Credit;
pub use operator::{Batch, Epochs, RawRecord, SourceOptions, kafka_source};

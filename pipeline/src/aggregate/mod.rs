//! `enriched` ⊎ `opinions` ⊎ reviews ⊎ `deadletter` ⊎ `outcomes` → latest state of each ticket → windows → alerts, write-back
//! commands, and how models agree with reviews.
//!
//! **Windows.** A window counts *events* by their event time, and *tickets* by the time of their creation, each
//! once, in its latest state. What an event adds to a window is a [`Tally`], an element of an Abelian group, and the
//! windows are a differential collection over that group: a correction adds the difference between the new
//! contribution and the old. Late data and corrections are therefore ordinary updates.
//!
//! **Second opinions** supersede: the ticket's part in its window under the local judgement is taken away, and its part
//! under the better one added. One that comes before its event, as when topics are read again, waits for it.
//!
//! **Reviews by humans** (from `control`) supersede both, in the same way, and are joined with what the models said of the
//! same text: the topic `reviews` holds the two side by side, and windows of quality are a collection over the group of
//! confusion counts. A corrected review takes away what the earlier one counted for.
//!
//! **Drift**: days are compared with the seven before, by the population stability index; the topic `drift` holds what they
//! are compared with, over a restart too.
//!
//! **Output is repeatable.** Windows, tickets and alerts are upserts; commands carry idempotency keys. Source
//! offsets are committed once everything that an epoch led to, on whichever worker, is acknowledged by Kafka.
//!
//! **Restart.** State is rebuilt by reading `enriched` again, from before the earliest window that was open at
//! the last commit. The replay is one instant (epoch 0): nothing is published for it but the windows' final
//! values, and no command is issued twice. Reviews are restored from the topic `reviews`, which is compacted: they are
//! needed for as long as somebody may correct them.

mod contribution;
mod corrections;
mod counts;
mod dataflow;
mod decide;
mod drift;
mod emit;
mod evaluate;
mod facts;
mod keep;
mod latest;
#[cfg(test)]
mod latest_tests;
mod opinions;
mod publish;
mod quality;
mod read_back;
mod replay;
mod reviewed;
#[cfg(test)]
mod reviewed_tests;
mod samples;
mod tally;

pub use dataflow::{Aggregate, AggregateOptions, Codecs, Input, build};
pub use evaluate::{Gauges, worker_of};
pub use facts::keeper_of;
pub use publish::Publisher;
pub use read_back::ReadBack;
pub use replay::{Progress, Replay, ReplayError};
pub use tally::{Dimension, Head, Sketch, Tally, WINDOW_SIZES_S, WindowKey};

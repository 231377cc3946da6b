//! `enriched` ⊎ `opinions` ⊎ `deadletter` ⊎ `outcomes` → latest state of each ticket → windows → alerts, and write-back commands.
//!
//! **Windows.** A window counts *events* by their event time, and *tickets* by the time of their creation, each
//! once, in its latest state. What an event adds to a window is a [`Tally`], an element of an Abelian group, and the
//! windows are a differential collection over that group: a correction adds the difference between the new
//! contribution and the old. Late data and corrections are therefore ordinary updates.
//!
//! **Second opinions** supersede: the ticket's part in its window under the local judgement is taken away, and its part
//! under the better one added. One that comes before its event, as when topics are read again, waits for it.
//!
//! **Output is repeatable.** Windows, tickets and alerts are upserts; commands carry idempotency keys. Source
//! offsets are committed once everything that an epoch led to, on whichever worker, is acknowledged by Kafka.
//!
//! **Restart.** State is rebuilt by reading `enriched` again, from before the earliest window that was open at
//! the last commit. The replay is one instant (epoch 0): nothing is published for it but the windows' final
//! values, and no command is issued twice.

mod dataflow;
mod decide;
mod emit;
mod evaluate;
mod facts;
mod latest;
#[cfg(test)]
mod latest_tests;
mod opinions;
mod publish;
mod replay;
mod tally;

pub use dataflow::{Aggregate, AggregateOptions, Codecs, Input, build};
pub use evaluate::{Gauges, route};
pub use publish::Publisher;
pub use replay::{Progress, Replay, ReplayError};
pub use tally::{Dimension, Sketch, Tally, WINDOW_SIZES_S, WindowKey};

//! Where partitions stand that have just become ours.

use super::insert::Deliver;
use super::position::{self, Committed, Start};
use crate::http::Backoff;
use deskstream_runtime::kafka;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::Duration;

const BROKER_TIMEOUT: Duration = Duration::from_secs(10);
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(5) };

/// Partitions, each with the id of its lane, and where to begin.
pub(super) type Starts = Vec<(i32, u64, Result<Start, position::Refusal>)>;

/// Asks the broker where partitions stand, again and again; `None` if the process ends meanwhile.
pub(super) async fn open(deliver: Arc<Deliver>, opening: Vec<(i32, u64)>) -> Option<Starts> {
    for wait in BACKOFF.waits() {
        let (asked, partitions) = (Arc::clone(&deliver), opening.clone());
        match tokio::task::spawn_blocking(move || ask(&asked, &partitions)).await {
            Ok(Ok(starts)) => return Some(starts),
            Ok(Err(error)) => {
                tracing::warn!(topic = deliver.topic, %error, "asking where partitions stand, trying again");
            }
            Err(error) => {
                tracing::error!(topic = deliver.topic, %error, "reading the group's metadata: another program uses the group?");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = deliver.shutdown.cancelled() => break,
        }
    }
    None
}

fn ask(deliver: &Deliver, opening: &[(i32, u64)]) -> Result<Starts, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(opening.len());
    for (partition, _) in opening {
        list.add_partition(&deliver.topic, *partition);
    }
    let committed = deliver.consumer.committed_offsets(list, BROKER_TIMEOUT)?;
    let mut starts = Vec::with_capacity(opening.len());
    for &(partition, id) in opening {
        let Some(element) = committed.find_partition(&deliver.topic, partition) else { continue };
        element.error()?;
        let position = match element.offset() {
            Offset::Offset(next) => Some(Committed::read(next, element.metadata())),
            _ => None,
        };
        let (low, high) = kafka::watermarks(&deliver.consumer, &deliver.topic, partition, BROKER_TIMEOUT)?;
        starts.push((
            partition,
            id,
            position.transpose().and_then(|position| position::start(position, low, high)),
        ));
    }
    Ok(starts)
}

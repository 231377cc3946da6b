//! An INSERT fed with data: from the request's body to the engine, chunk by chunk. Runs on a blocking thread.
//!
//! Memory is bounded by the channel, one compressed block, and the engine's own block; a slow engine makes the
//! channel full, which stops reading from the socket. The insert is committed only when the body has ended as HTTP
//! says it ends: a client that goes away in the middle leaves nothing of its last block. As in ClickHouse, an insert
//! larger than one block (`max_insert_block_size`, about a million rows) is atomic block by block only.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::compression::BlockReader;
use crate::exception::{Code, Exception};
use crate::ffi::{InsertStream, Statistics};
use crate::guard::Guard;
use crate::request::Request;
use crate::running::Ticket;
use crate::session::{self, Terms};
use crate::statement::InsertHead;

/// What comes from the body.
pub enum Feed {
    /// More data.
    Data(Bytes),
    /// The body ended properly. A channel that closes without it means that the client has gone.
    End,
}

/// An INSERT to run.
pub struct Insert {
    /// The statement without its data.
    pub head: InsertHead,
    /// The request it came with.
    pub request: Request,
    /// What it may use.
    pub terms: Terms,
    /// Its place among the running.
    pub ticket: Ticket,
    /// The most bytes of `VALUES` rows, which are SQL and so are judged whole.
    pub max_values: usize,
}

/// Runs an INSERT to its end.
pub fn run(insert: &Insert, guard: &Guard, mut feed: mpsc::Receiver<Feed>) -> Result<Statistics, Exception> {
    let Insert { head, request, terms, ticket, .. } = insert;
    guard.check(&head.sql)?;
    let mut connection = session::open(ticket.engine(), guard, request, terms)?;
    session::admit(&mut connection, &format!("{} FORMAT {}", head.sql, head.format), terms.access)?;
    let mut stream = connection.insert(&head.sql, &head.format, &request.parameters)?;

    let mut sink = if head.format.eq_ignore_ascii_case("Values") {
        Sink::Values { rows: Vec::new(), most: insert.max_values }
    } else {
        Sink::Engine
    };
    let mut blocks = request.decompress.then(BlockReader::default);
    let mut block = Vec::new();
    loop {
        match feed.blocking_recv() {
            None => {
                // Dropping the stream cancels it.
                return Err(Exception::new(
                    Code::NetworkError,
                    "the client went away in the middle of the data",
                ));
            }
            Some(Feed::End) => break,
            Some(Feed::Data(data)) => match &mut blocks {
                None => sink.take(&mut stream, &data)?,
                Some(blocks) => {
                    blocks.push(&data);
                    while blocks.next(&mut block)? {
                        sink.take(&mut stream, &block)?;
                    }
                }
            },
        }
    }
    if let Some(blocks) = blocks {
        blocks.finish()?;
    }
    if let Sink::Values { rows, .. } = &sink {
        let text = std::str::from_utf8(rows)
            .map_err(|_| Exception::new(Code::SyntaxError, "Syntax error: VALUES must be UTF-8 text"))?;
        guard.check(text)?;
        stream.append(rows)?;
    }
    Ok(stream.finish()?)
}

/// Where data goes: straight on, or, for `VALUES`, aside until it can be judged.
enum Sink {
    Engine,
    Values { rows: Vec<u8>, most: usize },
}

impl Sink {
    fn take(&mut self, stream: &mut InsertStream<'_>, data: &[u8]) -> Result<(), Exception> {
        match self {
            Self::Engine => Ok(stream.append(data)?),
            Self::Values { rows, most } if rows.len() + data.len() > *most => Err(Exception::new(
                Code::QueryIsTooLarge,
                format_args!(
                    "VALUES above {most} bytes: send the rows in another format, such as JSONEachRow"
                ),
            )),
            Self::Values { rows, .. } => {
                rows.extend_from_slice(data);
                Ok(())
            }
        }
    }
}

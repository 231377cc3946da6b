//! How the processes of one job find each other, and notice that one of them is gone.
//!
//! Each listens on its own address, calls the processes before it in the list and is called by those behind it. Both
//! sides of a call introduce themselves first, so that processes with another list, version, configuration or number
//! of workers never compute together, and strangers are sent away. (Timely's own start does none of this, waits without
//! end and reports on standard output.)
//!
//! A job lives and dies as a whole, since the progress of its dataflows needs every worker. When a connection breaks,
//! timely ends the workers by a panic; [`Peers::lost`] then tells whose connection it was. What was not committed is
//! read again at the next start.

use deskstream_runtime::health::Part;
use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use timely::communication::allocator::zero_copy::initialize::{
    CommsGuard, initialize_networking_from_sockets,
};
use timely::communication::allocator::zero_copy::stream::Stream;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Config, Hooks};
use tokio_util::sync::CancellationToken;

/// Peers that are not there yet are looked for again after this time.
const RETRY: Duration = Duration::from_millis(100);

/// Once connected, a peer has this long to introduce itself: it does so at once.
const POLITENESS: Duration = Duration::from_secs(2);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A peer whose machine is gone without a word is noticed within this time.
const SILENCE: Duration = Duration::from_secs(25);

const MAGIC: [u8; 8] = *b"dskstrm1";

/// The processes could not come together.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The own address can't be used.
    #[error(
        "can't listen on {address}, this process's line of --hosts: it must be a free port of this machine, and --process the number of its line"
    )]
    Listen {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has another idea of the job.
    #[error(
        "the process at {address} does not fit: {detail}; start all with the same version, configuration, --hosts and --workers"
    )]
    Unlike {
        /// The other's address.
        address: String,
        /// What differs.
        detail: String,
    },
    /// The process shall end before the others were there.
    #[error("told to end while waiting for the other processes")]
    Ended,
    /// The connections could not be used.
    #[error("set up the connections to the other processes: {0}")]
    Setup(String),
}

/// This process among the others.
#[derive(Debug, Clone)]
pub struct Membership {
    /// Addresses (host:port) of all processes, in order.
    pub hosts: Vec<String>,
    /// Which of them this one is.
    pub index: usize,
    /// Workers in each process.
    pub workers: usize,
    /// A hash of everything else that must be the same in all of them.
    pub fingerprint: u64,
}

/// What both sides of a connection say first: the magic, then four big-endian numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Introduction {
    index: u64,
    processes: u64,
    workers: u64,
    fingerprint: u64,
}

impl Introduction {
    const BYTES: usize = 40;

    fn of(member: &Membership) -> Self {
        Self {
            index: member.index as u64,
            processes: member.hosts.len() as u64,
            workers: member.workers as u64,
            fingerprint: member.fingerprint,
        }
    }

    fn write(&self, stream: &mut impl Write) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        for number in [self.index, self.processes, self.workers, self.fingerprint] {
            bytes.extend(number.to_be_bytes());
        }
        stream.write_all(&bytes)
    }

    fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; Self::BYTES];
        stream.read_exact(&mut bytes)?;
        let Some(numbers) = bytes.strip_prefix(&MAGIC) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a process of Deskstream"));
        };
        let mut numbers = numbers.chunks_exact(8).map(|chunk| {
            u64::from_be_bytes(chunk.try_into().expect("chunks_exact gives chunks of exactly that size"))
        });
        let mut next = || numbers.next().expect("the array holds four numbers");
        Ok(Self { index: next(), processes: next(), workers: next(), fingerprint: next() })
    }

    /// What keeps us from computing with the other, if anything.
    fn objection(&self, other: &Self) -> Option<String> {
        if other.processes != self.processes {
            return Some(format!("its --hosts has {} lines, ours {}", other.processes, self.processes));
        }
        if other.workers != self.workers {
            return Some(format!("it runs {} workers, this process {}", other.workers, self.workers));
        }
        if other.fingerprint != self.fingerprint {
            return Some("its version, configuration or --hosts is another".to_owned());
        }
        None
    }
}

/// The other processes, connected.
#[derive(Debug)]
pub struct Peers {
    /// One a process, none for this one.
    sockets: Vec<Option<TcpStream>>,
    member: Membership,
}

/// Tells which connection broke first.
#[derive(Debug, Clone, Default)]
pub struct Lost(Arc<Mutex<Option<String>>>);

impl Lost {
    /// The address of the process that was lost, and how.
    pub fn first(&self) -> Option<String> {
        self.0.lock().clone()
    }

    fn note(&self, address: &str, how: &str) {
        self.0.lock().get_or_insert_with(|| format!("{address} ({how})"));
    }
}

/// What timely's workers are made from.
pub struct Communication {
    /// One a worker.
    pub builders: Vec<AllocatorBuilder>,
    /// Joins the connections' threads; it panics if one of them did.
    pub threads: Option<CommsGuard>,
    /// Which peer was lost, should that happen.
    pub lost: Lost,
}

impl Communication {
    /// Of the workers of a single process.
    pub fn alone(workers: usize) -> Result<Self, ClusterError> {
        let (builders, _nothing) = Config::Process(workers).try_build().map_err(ClusterError::Setup)?;
        Ok(Self { builders, threads: None, lost: Lost::default() })
    }
}

impl Peers {
    /// Waits for all others. `part` tells for whom.
    pub fn meet(member: Membership, part: &Part, shutdown: &CancellationToken) -> Result<Self, ClusterError> {
        let own = &member.hosts[member.index];
        let listen = |source| ClusterError::Listen { address: own.clone(), source };
        let listener = TcpListener::bind(own.as_str()).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let mut sockets: Vec<Option<TcpStream>> = member.hosts.iter().map(|_| None).collect();
        loop {
            while let Ok((stream, _)) = listener.accept() {
                if let Some((index, stream)) = answer(&member, stream)? {
                    // A peer that calls again was restarted meanwhile: its earlier connection is dead.
                    sockets[index] = Some(stream);
                }
            }
            for (index, socket) in sockets.iter_mut().enumerate().take(member.index) {
                if socket.is_none() {
                    *socket = call(&member, index)?;
                }
            }
            // One that came and went before all were there must not be counted: its successor would wait for us in vain.
            sockets.iter_mut().for_each(|socket| drop(socket.take_if(|stream| is_closed(stream))));
            let missing = (0..sockets.len()).find(|i| *i != member.index && sockets[*i].is_none());
            let Some(missing) = missing else { return Ok(Self { sockets, member }) };
            part.not_ready(format!("waiting for process {missing} at {}", member.hosts[missing]));
            if shutdown.is_cancelled() {
                return Err(ClusterError::Ended);
            }
            std::thread::park_timeout(RETRY);
        }
    }

    /// Hands the connections to timely.
    pub fn communicate(self) -> Result<Communication, ClusterError> {
        let Self { sockets, member } = self;
        let lost = Lost::default();
        let hooks = Hooks::default();
        let process =
            ProcessBuilder::new_typed_vector(member.workers, hooks.refill.clone(), hooks.spill.clone());
        let wrapped = sockets.into_iter().zip(&member.hosts).map(|(stream, address)| {
            stream.map(|stream| Connection { stream, address: address.as_str().into(), lost: lost.clone() })
        });
        let (builders, threads) = initialize_networking_from_sockets(
            process,
            wrapped.collect(),
            member.index,
            member.workers,
            hooks,
        )
        .map_err(|error| ClusterError::Setup(error.to_string()))?;
        let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
        Ok(Communication { builders, threads: Some(threads), lost })
    }
}

/// Takes a call. Strangers, and peers that are gone again, are no errors.
fn answer(member: &Membership, stream: TcpStream) -> Result<Option<(usize, TcpStream)>, ClusterError> {
    let ours = Introduction::of(member);
    let greeted = || -> io::Result<(TcpStream, Introduction)> {
        let mut stream = prepare(stream)?;
        let theirs = Introduction::read(&mut stream)?;
        // Also to one that does not fit, so that both sides say so.
        ours.write(&mut stream)?;
        stream.set_read_timeout(None)?;
        Ok((stream, theirs))
    };
    let (stream, theirs) = match greeted() {
        Ok(greeted) => greeted,
        Err(error) => {
            tracing::warn!(%error, "a connection to the job's port was not from another process of it");
            return Ok(None);
        }
    };
    let index = usize::try_from(theirs.index).unwrap_or(usize::MAX);
    let address = member.hosts.get(index).cloned().unwrap_or_else(|| format!("line {index}"));
    let objection = ours.objection(&theirs).or_else(|| {
        (index <= member.index || index >= member.hosts.len())
            .then(|| format!("it says that it is process {index}: is --process right?"))
    });
    match objection {
        Some(detail) => Err(ClusterError::Unlike { address, detail }),
        None => Ok(Some((index, stream))),
    }
}

/// Calls a peer; none if it is not there yet.
fn call(member: &Membership, index: usize) -> Result<Option<TcpStream>, ClusterError> {
    let address = &member.hosts[index];
    let ours = Introduction::of(member);
    let greeted = || -> io::Result<(TcpStream, Introduction)> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for resolved in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&resolved, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    let mut stream = prepare(stream)?;
                    ours.write(&mut stream)?;
                    let theirs = Introduction::read(&mut stream)?;
                    stream.set_read_timeout(None)?;
                    return Ok((stream, theirs));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    let (stream, theirs) = match greeted() {
        Ok(greeted) => greeted,
        Err(error) => {
            tracing::debug!(%address, %error, "a process of the job is not there yet");
            return Ok(None);
        }
    };
    let objection = ours.objection(&theirs).or_else(|| {
        (theirs.index != index as u64).then(|| format!("it says that it is process {}", theirs.index))
    });
    match objection {
        Some(detail) => Err(ClusterError::Unlike { address: address.clone(), detail }),
        None => Ok(Some(stream)),
    }
}

/// Whether the other side has hung up.
fn is_closed(stream: &TcpStream) -> bool {
    let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    let blocking = stream.set_nonblocking(false);
    let gone = match peeked {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    };
    gone || blocking.is_err()
}

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(POLITENESS))?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new().with_time(SILENCE / 2).with_interval(SILENCE / 10).with_retries(5);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE))?;
    Ok(stream)
}

/// A connection that notes how it broke. After a clean end nobody reads the note.
struct Connection {
    stream: TcpStream,
    address: Arc<str>,
    lost: Lost,
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer);
        match &read {
            Ok(0) => self.lost.note(&self.address, "it closed the connection"),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.lost.note(&self.address, &error.to_string());
            }
            _ => {}
        }
        read
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(buffer);
        if let Err(error) = &written
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.lost.note(&self.address, &error.to_string());
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Stream for Connection {
    fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.try_clone()?;
        Ok(Self { stream, address: Arc::clone(&self.address), lost: self.lost.clone() })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.shutdown(how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskstream_runtime::health::Health;
    use std::thread::{JoinHandle, spawn};

    fn hosts(count: usize) -> Vec<String> {
        // All are held until all are drawn, so that no port is drawn twice.
        let drawn: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        drawn.iter().map(|l| l.local_addr().unwrap().to_string()).collect()
    }

    fn member(hosts: &[String], index: usize) -> Membership {
        Membership { hosts: hosts.to_vec(), index, workers: 2, fingerprint: 7 }
    }

    type Spoil = fn(&mut Membership);

    fn meeting(member: Membership, shutdown: &CancellationToken) -> JoinHandle<Result<Peers, ClusterError>> {
        let shutdown = shutdown.clone();
        spawn(move || Peers::meet(member, &Health::default().part("pipeline"), &shutdown))
    }

    #[test]
    fn three_meet_though_strangers_call_and_one_comes_twice() {
        let (hosts, go_on) = (hosts(3), CancellationToken::new());
        let first = meeting(member(&hosts, 0), &go_on);
        // A stranger, and a process that dies before all are there.
        let connect = || loop {
            if let Ok(stream) = TcpStream::connect(&hosts[0]) {
                return stream;
            }
            std::thread::yield_now();
        };
        connect().write_all(&[b'x'; Introduction::BYTES]).unwrap();
        let mut early = connect();
        Introduction::of(&member(&hosts, 2)).write(&mut early).unwrap();
        assert_eq!(Introduction::read(&mut early).unwrap(), Introduction::of(&member(&hosts, 0)));
        drop(early);
        let others = [meeting(member(&hosts, 2), &go_on), meeting(member(&hosts, 1), &go_on)];
        let mut met: Vec<_> = others.into_iter().map(|t| t.join().unwrap().unwrap()).collect();
        met.push(first.join().unwrap().unwrap());
        for peers in &mut met {
            let own = peers.member.index;
            for (index, socket) in peers.sockets.iter_mut().enumerate() {
                assert_eq!(socket.is_none(), index == own);
                if let Some(socket) = socket {
                    socket.write_all(&[u8::try_from(own).unwrap()]).unwrap();
                }
            }
        }
        for peers in &mut met {
            for (index, socket) in peers.sockets.iter_mut().enumerate() {
                let mut said = [9];
                let Some(socket) = socket else { continue };
                socket.read_exact(&mut said).unwrap();
                assert_eq!(usize::from(said[0]), index, "the socket leads to another process");
            }
        }
    }

    #[test]
    fn who_does_not_fit_is_told_on_both_sides() {
        let spoil: [(Spoil, &str); 3] = [
            (|m| m.workers = 3, "workers"),
            (|m| m.fingerprint = 8, "configuration"),
            (|m| m.hosts.push("127.0.0.1:1".into()), "lines"),
        ];
        for (spoil, word) in spoil {
            let (hosts, go_on) = (hosts(2), CancellationToken::new());
            let mut other = member(&hosts, 1);
            spoil(&mut other);
            let both = [meeting(member(&hosts, 0), &go_on), meeting(other, &go_on)];
            for meeting in both {
                let error = meeting.join().unwrap().unwrap_err().to_string();
                assert!(error.contains(word) && error.contains("127.0.0.1:"), "{error}");
            }
        }
    }

    #[test]
    fn waiting_ends_with_the_process_and_an_address_in_use_is_named() {
        let (hosts, stop) = (hosts(2), CancellationToken::new());
        let waiting = meeting(member(&hosts, 0), &stop);
        stop.cancel();
        assert!(matches!(waiting.join().unwrap(), Err(ClusterError::Ended)));
        let _taken = TcpListener::bind(&hosts[0]).unwrap();
        let error = meeting(member(&hosts, 0), &stop).join().unwrap().unwrap_err().to_string();
        assert!(error.contains(&hosts[0]) && error.contains("--process"), "{error}");
    }
}

//! A precise sentence encoder, for the tickets that the fast heads are unsure about.
//!
//! `all-MiniLM-L6-v2` (Apache-2.0, English) in int8, by ONNX Runtime: a text becomes a vector of [`WIDTH`] numbers, and a
//! [`crate::CascadeHead`] turns that into a label. It costs milliseconds where the fast heads cost microseconds, so it runs
//! on threads of its own beside the workers, behind a bounded queue. `scripts/encoder.sh` fetches its three files; without
//! them the fast heads stand.

mod error;
mod session;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use error::EncoderError;
use session::Session;

/// Numbers in a vector.
pub const WIDTH: usize = 384;
/// What vectors are comparable within: heads made with another encoder mean nothing.
pub const ID: &str = "minilm-l6-v2-int8-8199be6f699a";
/// Texts that wait for a thread, for each thread. More would only wait longer.
const QUEUE: usize = 16;

struct Job {
    text: String,
    index: usize,
    answer: Sender<(usize, Result<Vec<f32>, EncoderError>)>,
}

/// The encoder and its threads. Dropping it ends them.
pub struct Encoder {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Encoder {
    /// Where `scripts/encoder.sh` puts the files.
    #[must_use]
    pub fn default_folder() -> Option<PathBuf> {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
        Some(cache.join("deskstream").join("encoder"))
    }

    /// Opens the encoder in a folder that holds `libonnxruntime.so`, `model.onnx` and `tokenizer.json`, with one thread.
    ///
    /// # Errors
    /// `Missing` names the file and how to get it; `Checksum` if model or tokenizer are others; `Runtime` and `Tokenizer`.
    pub fn open(folder: &Path) -> Result<Self, EncoderError> {
        Self::with_threads(folder, 1)
    }

    /// As [`Encoder::open`], with so many threads, at least one. Each holds a model of its own (25 MB).
    ///
    /// # Errors
    /// As [`Encoder::open`].
    pub fn with_threads(folder: &Path, threads: usize) -> Result<Self, EncoderError> {
        let threads = threads.max(1);
        let sessions = Session::open(folder, threads)?;
        let (jobs, queue) = bounded(threads * QUEUE);
        let spawn = |(i, session): (usize, Session)| {
            let queue: Receiver<Job> = queue.clone();
            std::thread::Builder::new()
                .name(format!("encoder-{i}"))
                .spawn(move || work(session, &queue))
                .map_err(EncoderError::Thread)
        };
        let threads = sessions.into_iter().enumerate().map(spawn).collect::<Result<_, _>>()?;
        Ok(Encoder { jobs: Some(jobs), threads })
    }

    /// The vectors of texts, in their order, each of length 1. Waits while the queue is full: call it from a thread that may.
    ///
    /// # Errors
    /// `Runtime` or `Tokenizer` for the first text that can't be encoded; `Stopped` if a thread died.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let jobs = self.jobs.as_ref().ok_or(EncoderError::Stopped)?;
        let (answer, answers) = bounded(texts.len().max(1));
        for (index, text) in texts.iter().enumerate() {
            let job = Job { text: session::readable(text).to_owned(), index, answer: answer.clone() };
            jobs.send(job).map_err(|_| EncoderError::Stopped)?;
        }
        drop(answer);
        let mut vectors = vec![Vec::new(); texts.len()];
        for _ in texts {
            let (index, vector) = answers.recv().map_err(|_| EncoderError::Stopped)?;
            vectors[index] = vector?;
        }
        Ok(vectors)
    }

    /// Texts that wait for a thread now: for a metric.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.jobs.as_ref().map_or(0, Sender::len)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // a thread that panicked has nothing left to say
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("id", &ID).field("threads", &self.threads.len()).finish()
    }
}

fn work(mut session: Session, queue: &Receiver<Job>) {
    for job in queue {
        let vector = session.embed(&job.text);
        // whoever asked may have gone
        let _ = job.answer.send((job.index, vector));
    }
}

/// What the encoder reads of a ticket.
#[must_use]
pub fn ticket_text(subject: &str, body: &str) -> String {
    if subject.is_empty() { body.to_owned() } else { format!("{subject}\n{body}") }
}

/// The encoder is shared by reference.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<Encoder>>();
};

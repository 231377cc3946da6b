//! Why there is no vector.

use std::path::PathBuf;

/// The encoder can't be opened, or can't encode. The fast heads stand without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// A file can't be read.
    #[error("reading the encoder's file {path}: run scripts/encoder.sh to fetch it", path = path.display())]
    Missing {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Not the file that heads were made with.
    #[error(
        "{path} is another file than heads are made with (SHA-256 {found}, not {expected}): remove it and run scripts/encoder.sh",
        path = path.display()
    )]
    Checksum {
        /// Which.
        path: PathBuf,
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The library can't be loaded.
    #[error("loading ONNX Runtime from {path}: {message}", path = path.display())]
    Library {
        /// Which.
        path: PathBuf,
        /// What the loader says.
        message: String,
    },
    /// ONNX Runtime refused.
    #[error("running the encoder: {0}")]
    Runtime(String),
    /// The tokenizer refused.
    #[error("cutting a text into tokens: {0}")]
    Tokenizer(String),
    /// A thread can't be started.
    #[error("starting a thread of the encoder")]
    Thread(#[source] std::io::Error),
    /// Its threads are gone.
    #[error("the encoder's threads have ended")]
    Stopped,
}

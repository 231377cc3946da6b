//! Why a model file is refused.

use std::path::PathBuf;

/// A model file that can't be used. The program should keep its last good model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file could not be read.
    #[error("reading model file {path}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Larger than any model the format allows.
    #[error("model file has {bytes} bytes, at most {limit} are allowed: is this a model file?")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Does not begin with the magic bytes.
    #[error("not a deskstream model file: it does not begin with the model magic")]
    NotAModel,
    /// Written by another version of the format.
    #[error(
        "model file has format version {found}, this program reads {supported}: train it again with `deskstream train`"
    )]
    Version {
        /// In the file.
        found: u32,
        /// By this program.
        supported: u32,
    },
    /// Shorter or longer than its header says.
    #[error(
        "model file has {found} bytes where its header asks for {expected}: it was cut off or appended to, copy it again"
    )]
    Length {
        /// Bytes in the file.
        found: u64,
        /// Bytes announced.
        expected: u64,
    },
    /// The SHA-256 at the end does not match.
    #[error("model file is damaged: its checksum does not match, copy it again")]
    Checksum,
    /// The header is not the JSON expected.
    #[error("decoding the model header")]
    Header(#[source] serde_json::Error),
    /// A model of other questions, where one of analysis is wanted.
    #[error(
        "the model answers {found}, analysis needs {needed} first: give a model made by `deskstream train` without --labels"
    )]
    OtherHeads {
        /// Its heads.
        found: String,
        /// Those of analysis.
        needed: String,
    },
    /// The header contradicts itself.
    #[error("model header is inconsistent: {0}")]
    Inconsistent(String),
}

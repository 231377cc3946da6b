//! What the engine answers: bytes, counts, and what went wrong.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use super::Inner;
use super::api::{RawResult, text};

/// What the engine said went wrong: `Code: 60. DB::Exception: Table … does not exist. (UNKNOWN_TABLE)`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    message: String,
}

impl EngineError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// The text as the engine gave it.
    pub fn into_message(self) -> String {
        self.message
    }
}

/// What a statement would do, as the engine's own parser judges it (`chdb_query_class`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementClass {
    /// Leaves no trace: SELECT, SHOW, DESCRIBE, EXPLAIN, EXISTS, CHECK.
    ReadOnly,
    /// Changes a database.
    Mutating,
    /// Changes something beside the databases: functions, access, workloads.
    MutatingGlobal,
    /// SET, USE, SYSTEM, KILL, ATTACH, BACKUP, INTO OUTFILE, INSERT INTO FUNCTION, …
    Control,
    /// Does not parse, or is of a kind this engine does not classify: must not be run blindly.
    Unknown,
}

/// [`Connection::classify`]'s answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Analysis {
    /// Statements in the text; 0 if it does not parse.
    pub statements: u32,
    /// The most restricted class among them.
    pub class: StatementClass,
}

/// Rows and bytes a statement has read, returned and written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Statistics {
    /// Rows read from storage.
    pub read_rows: u64,
    /// Bytes read from storage.
    pub read_bytes: u64,
    /// Rows of the answer.
    pub result_rows: u64,
    /// Bytes of the answer, in the engine's memory format.
    pub result_bytes: u64,
    /// Rows written, including those of materialized views.
    pub written_rows: u64,
    /// Bytes written, including those of materialized views.
    pub written_bytes: u64,
}

impl Statistics {
    /// Adds what a further chunk reports (each reports what is new since the last).
    pub fn add(&mut self, other: &Self) {
        self.read_rows += other.read_rows;
        self.read_bytes += other.read_bytes;
        self.result_rows += other.result_rows;
        self.result_bytes += other.result_bytes;
        self.written_rows += other.written_rows;
        self.written_bytes += other.written_bytes;
    }
}

/// An answer, or a chunk of one: bytes that the engine allocated and this value frees.
pub struct Answer {
    inner: Arc<Inner>,
    pub(super) result: NonNull<c_void>,
}

// SAFETY: a result is a self-contained allocation of the engine (buffer and counters), read-only once made;
// the engine's allocator frees from any thread.
unsafe impl Send for Answer {}

impl Answer {
    pub(super) fn from_raw(inner: &Arc<Inner>, result: RawResult) -> Result<Self, EngineError> {
        let result = NonNull::new(result).ok_or_else(|| {
            EngineError::new("Code: 49. DB::Exception: the engine gave no result. (LOGICAL_ERROR)")
        })?;
        let answer = Self { inner: Arc::clone(inner), result };
        // SAFETY: `result` is a live result; the returned string, if any, lives as long as it.
        match unsafe { text((inner.api.chdb_result_error)(result.as_ptr())) } {
            Some(message) => Err(EngineError::new(message)),
            None => Ok(answer),
        }
    }

    /// What was read, returned and written for it.
    pub fn statistics(&self) -> Statistics {
        let (api, result) = (&self.inner.api, self.result.as_ptr());
        // SAFETY: plain getters on a live result.
        unsafe {
            Statistics {
                read_rows: (api.chdb_result_storage_rows_read)(result),
                read_bytes: (api.chdb_result_storage_bytes_read)(result),
                result_rows: (api.chdb_result_rows_read)(result),
                result_bytes: (api.chdb_result_bytes_read)(result),
                written_rows: (api.chdb_result_rows_written)(result),
                written_bytes: (api.chdb_result_bytes_written)(result),
            }
        }
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        let (api, result) = (&self.inner.api, self.result.as_ptr());
        // SAFETY: plain getters on a live result.
        let (data, length) = unsafe { ((api.chdb_result_buffer)(result), (api.chdb_result_length)(result)) };
        if data.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: the engine says `length` bytes at `data` belong to this result; nobody writes them, and
        // they live until `drop`, which the borrow of `self` outlasts.
        unsafe { std::slice::from_raw_parts(data, length) }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: `result` is live and freed once, here.
        unsafe { (self.inner.api.chdb_destroy_query_result)(self.result.as_ptr()) };
    }
}

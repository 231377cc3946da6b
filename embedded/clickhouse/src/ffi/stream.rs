//! Statements under way: answers that come, and data that goes, piece by piece.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use super::answer::{Answer, EngineError, Statistics};
use super::api::{SUCCESS, text};
use super::{Connection, Inner};

/// A SELECT under way. Dropped before its end, it is cancelled.
pub struct SelectStream<'c> {
    pub(super) connection: &'c mut Connection,
    pub(super) handle: Answer,
    pub(super) ended: bool,
}

impl SelectStream<'_> {
    /// The next chunk, or `None` at the end. Blocks until the engine has one.
    ///
    /// A chunk is a whole document of the format: with a header where the format has one.
    pub fn next(&mut self) -> Result<Option<Answer>, EngineError> {
        if self.ended {
            return Ok(None);
        }
        let raw = self.connection.raw();
        // SAFETY: both handles are live, and the connection is borrowed mutably, so no other statement or
        // fetch runs on it.
        let result =
            unsafe { (self.connection.inner.api.chdb_stream_fetch_result)(raw, self.handle.result.as_ptr()) };
        match Answer::from_raw(&self.connection.inner, result) {
            Ok(answer) if answer.as_ref().is_empty() => {
                self.ended = true;
                Ok(None)
            }
            Ok(answer) => Ok(Some(answer)),
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }
}

impl Drop for SelectStream<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let raw = self.connection.raw();
            // SAFETY: both handles are live; cancelling an unfinished stream is what the call is for.
            unsafe { (self.connection.inner.api.chdb_stream_cancel_query)(raw, self.handle.result.as_ptr()) };
        }
    }
}

/// An INSERT under way. Dropped before [`finish`](Self::finish), it is cancelled and leaves no row of the
/// block it is in.
pub struct InsertStream<'c> {
    pub(super) inner: Arc<Inner>,
    pub(super) handle: NonNull<c_void>,
    pub(super) _connection: PhantomData<&'c mut Connection>,
}

impl InsertStream<'_> {
    pub(super) fn error(&self) -> Option<EngineError> {
        // SAFETY: `handle` is live; the string lives as long as the handle's state, and is copied at once.
        unsafe { text((self.inner.api.chdb_stream_insert_error)(self.handle.as_ptr())) }.map(EngineError::new)
    }

    /// Gives the engine more of the data, in the stream's format, cut anywhere. Blocks while the engine is
    /// behind: this is the back-pressure.
    pub fn append(&mut self, data: &[u8]) -> Result<(), EngineError> {
        // SAFETY: `data` is readable for its length and copied by the call; `handle` is live.
        let state = unsafe {
            (self.inner.api.chdb_stream_append)(self.handle.as_ptr(), data.as_ptr().cast(), data.len())
        };
        if state == SUCCESS {
            return Ok(());
        }
        Err(self.error().unwrap_or_else(|| {
            EngineError::new(
                "Code: 394. DB::Exception: the insert was ended by the engine. (QUERY_WAS_CANCELLED)",
            )
        }))
    }

    /// Ends the data and commits. Blocks until the parts are written.
    pub fn finish(self) -> Result<Statistics, EngineError> {
        // SAFETY: `handle` is live; the call finalises it but does not free it: `drop` does, and the engine
        // ignores the cancel of a finalised stream.
        let result = unsafe { (self.inner.api.chdb_stream_done)(self.handle.as_ptr()) };
        Answer::from_raw(&self.inner, result).map(|answer| answer.statistics())
    }
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        // SAFETY: `handle` is live and freed once, here; cancelling first does nothing to a finished stream,
        // and for one that is not it stops the engine's worker before the handle goes.
        unsafe {
            (self.inner.api.chdb_stream_cancel_insert)(self.handle.as_ptr());
            (self.inner.api.chdb_destroy_insert_stream)(self.handle.as_ptr());
        }
    }
}

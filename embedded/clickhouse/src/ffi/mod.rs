//! The C interface of libchdb (the ClickHouse engine as a library), as typed safe Rust.
//!
//! The only module of the project with `unsafe`: this file and those below it. It follows `programs/local/chdb.h` of chdb-core 26.7
//! (Apache-2.0, <https://github.com/chdb-io/chdb-core>). What callers may rely on:
//!
//! - one [`Engine`] per process, on one data directory; it keeps one connection open, because closing the
//!   last connection stops the engine;
//! - a [`Connection`] runs one statement at a time, so everything that runs one borrows it mutably: a
//!   [`SelectStream`] or [`InsertStream`] must be gone before the next statement;
//! - a [`Answer`] owns its bytes and may outlive the connection;
//! - every call may block; none may be made on an async thread.
//!
//! The library is never unloaded: it owns threads and static state that do not survive `dlclose`.

mod answer;
mod api;
mod stream;

pub use answer::{Analysis, Answer, EngineError, StatementClass, Statistics};
pub use api::LoadError;
pub use stream::{InsertStream, SelectStream};

use std::ffi::{CString, c_char, c_int};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use api::{Api, RawAnalysis, RawConnection, SUCCESS, text};
use libloading::Library;

/// Named values for `{name:Type}` placeholders, in the engine's escaped text form (as HTTP carries them).
pub type Parameters = [(String, String)];

struct Inner {
    api: Api,
    /// `chdb --path=… --config-file=…`: the same for every connection, so all share one engine.
    arguments: Vec<CString>,
    /// Kept loaded for the life of the process: see the module's comment.
    _library: ManuallyDrop<Library>,
}

/// The running engine. Cloning is cheap; the engine stops when [`Engine::stop`] closes the last connection.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

impl Engine {
    /// Loads the library and starts the engine on `data`, with the given configuration file.
    ///
    /// Returns the engine and the connection that keeps it running.
    pub fn start(library: &Path, data: &Path, config: &Path) -> Result<(Self, Connection), LoadError> {
        // SAFETY: loading runs libchdb's static initialisers, which set up its allocator and registries and
        // have no precondition; the operator chose the file, and the downloader has verified its checksum.
        let loaded = unsafe { Library::new(library) }
            .map_err(|source| LoadError::Library { path: library.to_owned(), source })?;
        let loaded = ManuallyDrop::new(loaded);
        // SAFETY: libchdb 26.7 declares exactly these functions (chdb.h), and `ManuallyDrop` above, never
        // dropped, keeps the library loaded.
        let api = unsafe { Api::load(&loaded, library)? };
        // SAFETY: takes a plain flag. Called before the first connection, as the header asks, so that the
        // engine leaves SIGTERM, SIGSEGV and the rest to us.
        unsafe { (api.chdb_set_signal_handlers_enabled)(0) };

        let option = |name: &str, value: &Path| {
            let mut option = format!("--{name}=").into_bytes();
            option.extend_from_slice(std::os::unix::ffi::OsStrExt::as_bytes(value.as_os_str()));
            CString::new(option)
        };
        let arguments = vec![CString::new("chdb")?, option("path", data)?, option("config-file", config)?];
        let engine = Self { inner: Arc::new(Inner { api, arguments, _library: loaded }) };
        let keep = engine.connect().map_err(|_| LoadError::Refused(data.to_owned()))?;
        Ok((engine, keep))
    }

    /// The library's version, such as `26.7.3`.
    pub fn version(&self) -> String {
        // SAFETY: no arguments; returns a static NUL-terminated string.
        unsafe { text((self.inner.api.chdb_version)()) }.unwrap_or_default()
    }

    /// Opens a further connection: about 0.3 ms, with the session defaults of the configuration.
    pub fn connect(&self) -> Result<Connection, EngineError> {
        let mut arguments: Vec<*mut c_char> =
            self.inner.arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(arguments.len()).expect("three arguments fit an int");
        // SAFETY: `arguments` holds `count` pointers to NUL-terminated strings that live in `self.inner`
        // through the call; the engine copies what it keeps and does not write through them.
        let owner = unsafe { (self.inner.api.chdb_connect)(count, arguments.as_mut_ptr()) };
        let owner = NonNull::new(owner).ok_or_else(|| {
            EngineError::new("Code: 210. DB::Exception: the engine accepts no connection. (NETWORK_ERROR)")
        })?;
        Ok(Connection { inner: Arc::clone(&self.inner), owner })
    }
}

/// One session of the engine: one statement at a time, settings of its own.
pub struct Connection {
    inner: Arc<Inner>,
    owner: NonNull<RawConnection>,
}

// SAFETY: the engine's calls lock the connection and attach the calling thread for their duration, so a
// connection may move between threads. It is not `Sync`: one statement at a time is the caller's duty, which
// `&mut self` enforces.
unsafe impl Send for Connection {}

impl Connection {
    fn raw(&self) -> RawConnection {
        // SAFETY: `owner` came from `chdb_connect` and is closed only in `drop`; it points to the handle.
        unsafe { *self.owner.as_ptr() }
    }

    /// Asks the engine's parser what `sql` would do, without running it.
    pub fn classify(&mut self, sql: &str) -> Result<Analysis, EngineError> {
        let mut raw = RawAnalysis {
            struct_size: u32::try_from(size_of::<RawAnalysis>()).expect("16 bytes"),
            ..RawAnalysis::default()
        };
        // SAFETY: `sql` is readable for its length, no target database is given (NULL, 0), and `raw` is a
        // writable struct whose size is in its first field, as the header asks.
        let state = unsafe {
            (self.inner.api.chdb_classify_query_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                std::ptr::null(),
                0,
                &raw mut raw,
            )
        };
        if state != SUCCESS {
            return Err(EngineError::new(
                "Code: 49. DB::Exception: the engine could not judge the statement. (LOGICAL_ERROR)",
            ));
        }
        let class = match raw.query_class {
            0 => StatementClass::ReadOnly,
            1 => StatementClass::Mutating,
            2 => StatementClass::MutatingGlobal,
            3 => StatementClass::Control,
            _ => StatementClass::Unknown,
        };
        Ok(Analysis { statements: raw.statement_count, class })
    }

    /// Runs one statement and holds its whole answer.
    ///
    /// The engine would run several statements joined by `;`: [`classify`](Self::classify) first.
    pub fn query(&mut self, sql: &str, format: &str, parameters: &Parameters) -> Result<Answer, EngineError> {
        let bound = Bound::new(parameters);
        // SAFETY: `sql`, `format` and the arrays in `bound` are readable for the lengths given and live
        // through the call; the engine copies them.
        let result = unsafe {
            (self.inner.api.chdb_query_with_params_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                bound.names.as_ptr(),
                bound.name_lengths.as_ptr(),
                bound.values.as_ptr(),
                bound.value_lengths.as_ptr(),
                parameters.len(),
            )
        };
        Answer::from_raw(&self.inner, result)
    }

    /// Starts a SELECT whose answer comes in chunks. Other statements, and several, are refused unrun.
    ///
    /// Each chunk is a whole document of its format (see [`SelectStream::next`]).
    pub fn select(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &Parameters,
    ) -> Result<SelectStream<'_>, EngineError> {
        let bound = Bound::new(parameters);
        // SAFETY: as in `query`.
        let result = unsafe {
            (self.inner.api.chdb_stream_query_with_params_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                bound.names.as_ptr(),
                bound.name_lengths.as_ptr(),
                bound.values.as_ptr(),
                bound.value_lengths.as_ptr(),
                parameters.len(),
            )
        };
        // The handle is a result like any other: the same wrapper frees it, and holds its error.
        let handle = Answer::from_raw(&self.inner, result)?;
        Ok(SelectStream { connection: self, handle, ended: false })
    }

    /// Starts an INSERT that is fed with [`InsertStream::append`]. `sql` has no FORMAT clause and no data.
    pub fn insert(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &Parameters,
    ) -> Result<InsertStream<'_>, EngineError> {
        let bound = Bound::new(parameters);
        // SAFETY: as in `query`; the returned handle is never NULL and is freed in `InsertStream::drop`.
        let handle = unsafe {
            (self.inner.api.chdb_stream_insert_with_params_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                bound.names.as_ptr(),
                bound.name_lengths.as_ptr(),
                bound.values.as_ptr(),
                bound.value_lengths.as_ptr(),
                parameters.len(),
            )
        };
        let handle = NonNull::new(handle).ok_or_else(|| {
            EngineError::new("Code: 49. DB::Exception: the engine gave no insert stream. (LOGICAL_ERROR)")
        })?;
        let stream = InsertStream { inner: Arc::clone(&self.inner), handle, _connection: PhantomData };
        match stream.error() {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: `owner` came from `chdb_connect` and is closed once, here; streams borrow the connection,
        // so none is left.
        unsafe { (self.inner.api.chdb_close_conn)(self.owner.as_ptr()) };
    }
}

/// The parameter arrays the C functions take; borrows from the parameters it was made of.
struct Bound<'p> {
    names: Vec<*const c_char>,
    name_lengths: Vec<usize>,
    values: Vec<*const c_char>,
    value_lengths: Vec<usize>,
    _parameters: PhantomData<&'p Parameters>,
}

impl<'p> Bound<'p> {
    fn new(parameters: &'p Parameters) -> Self {
        Self {
            names: parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect(),
            name_lengths: parameters.iter().map(|(name, _)| name.len()).collect(),
            values: parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect(),
            value_lengths: parameters.iter().map(|(_, value)| value.len()).collect(),
            _parameters: PhantomData,
        }
    }
}

//! The C interface of libchdb (the ClickHouse engine as a library), as typed safe Rust.
//!
//! The only module of the project with `unsafe`. It follows `programs/local/chdb.h` of chdb-core 26.7
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

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

use libloading::Library;

/// A `chdb_connection`: what every call takes.
type RawConnection = *mut c_void;
/// A `chdb_connection *`: what connecting returns and closing takes.
type RawConnectionOwner = *mut RawConnection;
type RawResult = *mut c_void;
type RawInsert = *mut c_void;

/// `CHDBSuccess` of `enum chdb_state`.
const SUCCESS: c_int = 0;

/// `struct chdb_query_analysis_v1`.
#[repr(C)]
#[derive(Default)]
struct RawAnalysis {
    struct_size: u32,
    statement_count: u32,
    flags: u32,
    query_class: u32,
}

/// Declares the table of entry points and its loader together, so that a name and its type stand once.
macro_rules! entry_points {
    ($($name:ident: fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        struct Api { $($name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)* }

        impl Api {
            /// # Safety
            /// `library` must export these names with the types of chdb-core 26.7's `chdb.h`, and must
            /// stay loaded for as long as the table is used.
            unsafe fn load(library: &Library, path: &Path) -> Result<Self, LoadError> {
                Ok(Self { $($name: {
                    // SAFETY: the caller promises that the symbol has this type; the pointer is copied
                    // out and the library outlives it, by the caller's promise too.
                    *unsafe { library.get(concat!(stringify!($name), "\0").as_bytes()) }.map_err(|source| {
                        LoadError::Symbol { path: path.to_owned(), symbol: stringify!($name), source }
                    })?
                },)* })
            }
        }
    };
}

entry_points! {
    chdb_version: fn() -> *const c_char;
    chdb_set_signal_handlers_enabled: fn(c_int);
    chdb_connect: fn(c_int, *mut *mut c_char) -> RawConnectionOwner;
    chdb_close_conn: fn(RawConnectionOwner);
    chdb_classify_query_n: fn(RawConnection, *const c_char, usize, *const c_char, usize, *mut RawAnalysis) -> c_int;
    chdb_query_with_params_n: fn(
        RawConnection, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize
    ) -> RawResult;
    chdb_stream_query_with_params_n: fn(
        RawConnection, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize
    ) -> RawResult;
    chdb_stream_fetch_result: fn(RawConnection, RawResult) -> RawResult;
    chdb_stream_cancel_query: fn(RawConnection, RawResult);
    chdb_destroy_query_result: fn(RawResult);
    chdb_result_buffer: fn(RawResult) -> *const u8;
    chdb_result_length: fn(RawResult) -> usize;
    chdb_result_error: fn(RawResult) -> *const c_char;
    chdb_result_rows_read: fn(RawResult) -> u64;
    chdb_result_bytes_read: fn(RawResult) -> u64;
    chdb_result_storage_rows_read: fn(RawResult) -> u64;
    chdb_result_storage_bytes_read: fn(RawResult) -> u64;
    chdb_result_rows_written: fn(RawResult) -> u64;
    chdb_result_bytes_written: fn(RawResult) -> u64;
    chdb_stream_insert_with_params_n: fn(
        RawConnection, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize
    ) -> RawInsert;
    chdb_stream_append: fn(RawInsert, *const c_void, usize) -> c_int;
    chdb_stream_done: fn(RawInsert) -> RawResult;
    chdb_stream_cancel_insert: fn(RawInsert);
    chdb_stream_insert_error: fn(RawInsert) -> *const c_char;
    chdb_destroy_insert_stream: fn(RawInsert);
}

/// Why the engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The shared library is missing or cannot be loaded here.
    #[error("loading the ClickHouse engine from {path}: run `make setup` to get it, or give --lib")]
    Library {
        /// Where it was looked for.
        path: PathBuf,
        /// The loader's reason.
        #[source]
        source: libloading::Error,
    },
    /// The library is not the version this program was written for.
    #[error(
        "finding `{symbol}` in the ClickHouse engine {path}: another version of libchdb? run `make setup`"
    )]
    Symbol {
        /// The library.
        path: PathBuf,
        /// The function that is missing.
        symbol: &'static str,
        /// The loader's reason.
        #[source]
        source: libloading::Error,
    },
    /// A path or option holds a NUL byte.
    #[error("starting the ClickHouse engine: an option holds a NUL byte")]
    Nul(#[from] std::ffi::NulError),
    /// The engine refused to start; it has written its reason to standard error.
    #[error("starting the ClickHouse engine on {0}: it refused (its reason is in the lines above)")]
    Refused(PathBuf),
}

/// What the engine said went wrong: `Code: 60. DB::Exception: Table … does not exist. (UNKNOWN_TABLE)`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    message: String,
}

impl EngineError {
    fn new(message: impl Into<String>) -> Self {
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

/// An answer, or a chunk of one: bytes that the engine allocated and this value frees.
pub struct Answer {
    inner: Arc<Inner>,
    result: NonNull<c_void>,
}

// SAFETY: a result is a self-contained allocation of the engine (buffer and counters), read-only once made;
// the engine's allocator frees from any thread.
unsafe impl Send for Answer {}

impl Answer {
    fn from_raw(inner: &Arc<Inner>, result: RawResult) -> Result<Self, EngineError> {
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

/// A SELECT under way. Dropped before its end, it is cancelled.
pub struct SelectStream<'c> {
    connection: &'c mut Connection,
    handle: Answer,
    ended: bool,
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
    inner: Arc<Inner>,
    handle: NonNull<c_void>,
    _connection: PhantomData<&'c mut Connection>,
}

impl InsertStream<'_> {
    fn error(&self) -> Option<EngineError> {
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

/// Copies a C string, or says that there is none.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that lives through the call.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

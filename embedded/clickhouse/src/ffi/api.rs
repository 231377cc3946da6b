//! The entry points of libchdb, as `chdb.h` declares them, and how they are found in the library.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use libloading::Library;

/// A `chdb_connection`: what every call takes.
pub(super) type RawConnection = *mut c_void;
/// A `chdb_connection *`: what connecting returns and closing takes.
pub(super) type RawConnectionOwner = *mut RawConnection;
pub(super) type RawResult = *mut c_void;
pub(super) type RawInsert = *mut c_void;

/// `CHDBSuccess` of `enum chdb_state`.
pub(super) const SUCCESS: c_int = 0;

/// `struct chdb_query_analysis_v1`.
#[repr(C)]
#[derive(Default)]
pub(super) struct RawAnalysis {
    pub(super) struct_size: u32,
    pub(super) statement_count: u32,
    pub(super) flags: u32,
    pub(super) query_class: u32,
}

/// Declares the table of entry points and its loader together, so that a name and its type stand once.
macro_rules! entry_points {
    ($($name:ident: fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        pub(super) struct Api { $(pub(super) $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)* }

        impl Api {
            /// # Safety
            /// `library` must export these names with the types of chdb-core 26.7's `chdb.h`, and must
            /// stay loaded for as long as the table is used.
            pub(super) unsafe fn load(library: &Library, path: &Path) -> Result<Self, LoadError> {
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

/// Copies a C string, or says that there is none.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that lives through the call.
pub(super) unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

//! The engine's configuration: two files written into the data directory at each start.
//!
//! The session's user is always the engine's `default`; who may talk HTTP is judged before (see [`crate::auth`]).
//! Its grants leave out every source (`FILE`, `URL`, `REMOTE`, `S3`, …), access management, named collections,
//! BACKUP and SHUTDOWN: what reaches out of the data directory.

use std::io;
use std::path::{Path, PathBuf};

/// What the engine's user may do. Source access is absent on purpose.
const GRANTS: &str = "GRANT SHOW, SELECT, INSERT, ALTER, CREATE, CREATE TEMPORARY TABLE, DROP, UNDROP TABLE, TRUNCATE, \
    OPTIMIZE, KILL QUERY, dictGet, SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM DROP CACHE, SYSTEM FLUSH, \
    SYSTEM RELOAD DICTIONARY ON *.*";

/// Session defaults that differ from the library's.
///
/// libchdb starts as a desktop tool: it would take bare expressions as queries and open introspection functions.
/// `async_insert` has been on by default since 26.2, but the library's inserts are synchronous: say so.
const SETTINGS: &[(&str, &str)] =
    &[("allow_introspection_functions", "0"), ("implicit_select", "0"), ("async_insert", "0")];

/// Writes `config.xml` and `users.xml` into `directory` and returns the path of the first.
pub fn write(directory: &Path, max_memory: u64) -> io::Result<PathBuf> {
    std::fs::create_dir_all(directory)?;
    let users = directory.join("users.xml");
    let settings: String = SETTINGS.iter().map(|(name, value)| format!("<{name}>{value}</{name}>")).collect();
    std::fs::write(
        &users,
        format!(
            "<clickhouse>\n  <profiles><default>{settings}</default></profiles>\n  <users><default>\n    \
             <password></password><networks><ip>::/0</ip></networks><profile>default</profile>\
             <quota>default</quota>\n    <grants><query>{GRANTS}</query></grants>\n  </default></users>\n  \
             <quotas><default></default></quotas>\n</clickhouse>\n"
        ),
    )?;
    let config = directory.join("config.xml");
    std::fs::write(
        &config,
        format!(
            "<clickhouse>\n  <users_config>{}</users_config>\n  <timezone>UTC</timezone>\n  \
             <max_server_memory_usage>{max_memory}</max_server_memory_usage>\n</clickhouse>\n",
            escape(&users.to_string_lossy())
        ),
    )?;
    Ok(config)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

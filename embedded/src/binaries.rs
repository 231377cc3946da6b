//! Finds our own binaries: what the environment says, then beside the running one.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// The guard's binary name.
pub const GUARD: &str = "deskstream-guard";
/// The ClickHouse facade's binary name.
pub const CLICKHOUSE: &str = "deskstream-clickhouse";

/// Returns the path of the binary `name`.
///
/// Looked for in this order: the environment variable `NAME_BIN` (upper case, `-` as `_`:
/// `DESKSTREAM_GUARD_BIN`); the directory of the running binary; its parent, if that directory is cargo's
/// `deps/` (where test binaries lie) or `examples/`.
pub fn locate(name: &str) -> Result<PathBuf> {
    let variable = format!("{}_BIN", name.to_uppercase().replace('-', "_"));
    let me = env::current_exe().map_err(Error::file("find the running binary", name))?;
    find(name, env::var_os(&variable).map(PathBuf::from), &me).ok_or_else(|| Error::MissingBinary {
        name: name.into(),
        beside: me,
        variable,
    })
}

fn find(name: &str, given: Option<PathBuf>, me: &Path) -> Option<PathBuf> {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let directory = me.parent()?;
    let above = directory
        .file_name()
        .filter(|last| *last == "deps" || *last == "examples")
        .and_then(|_| directory.parent());
    given
        .into_iter()
        .chain([directory.join(&file)])
        .chain(above.map(|above| above.join(&file)))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_search_order_is_given_then_sibling_then_above_deps() {
        let root = tempfile::tempdir().unwrap();
        let deps = root.path().join("debug/deps");
        fs::create_dir_all(&deps).unwrap();
        let test = deps.join("some-test");
        assert_eq!(find("tool", None, &test), None);

        let above = root.path().join("debug/tool");
        fs::write(&above, "").unwrap();
        assert_eq!(find("tool", None, &test), Some(above.clone()));
        // Only cargo's own directories are looked above.
        assert_eq!(find("tool", None, &root.path().join("debug/bin/me")), None);

        let sibling = deps.join("tool");
        fs::write(&sibling, "").unwrap();
        assert_eq!(find("tool", None, &test), Some(sibling));
        assert_eq!(find("tool", Some(above.clone()), &test), Some(above));
    }

    #[test]
    fn a_missing_binary_names_the_variable() {
        let message = locate("no-such-tool").unwrap_err().to_string();
        assert!(message.contains("NO_SUCH_TOOL_BIN"), "{message}");
    }
}

//! What requesters' keys cost: a process holds all of them, so it has to be little, and known.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use deskstream_runtime::config::{KeysConfig, Kms, Secret};
use deskstream_runtime::seal::{LocalMaster, MasterKey, Vault};
use secrecy::ExposeSecret;
use std::time::Instant;

/// Just beyond the point at which both maps have grown to the next power of two: the worst ratio.
const REQUESTERS: u64 = 60_000;

/// As decision 0015 says.
const MOST_BYTES: u64 = 250;

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn a_requesters_key_takes_no_more_than_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master");
    std::fs::write(&path, MasterKey::generate().expose_secret()).unwrap();
    let master = Secret::from(format!("file:{}", path.display()).as_str());
    let keys = KeysConfig { kms: Kms::Local, master, older: vec![], vault: None };
    let vault = Vault::with_wrap(Box::new(LocalMaster::load(&keys).unwrap()));
    vault.learn(&vault.new_data_key("acme", "test").unwrap()).unwrap();
    let (before, began) = (resident(), Instant::now());
    for number in 0..REQUESTERS {
        let requester = format!("requester-{number}");
        vault.learn(&vault.new_requester_key("acme", &requester, "test").unwrap()).unwrap();
    }
    let each = resident().saturating_sub(before) / REQUESTERS;
    eprintln!(
        "{each} bytes and {:?} for each of {REQUESTERS}",
        began.elapsed() / u32::try_from(REQUESTERS).unwrap()
    );
    assert!(vault.has_requester_key("acme", "requester-7"));
    assert!((32..MOST_BYTES).contains(&each), "{each} bytes for each");
}

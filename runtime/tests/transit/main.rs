//! The client of Vault's Transit engine against a server of the same protocol, and against OpenBao itself where it is
//! installed (`scripts/openbao.sh`): the same promises are asked of both.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod real;
mod server;
mod stub;

use deskstream_runtime::config::{KeysConfig, Kms, Secret, VaultConfig};
use deskstream_runtime::seal::{
    KeyWrap, KeysError, LocalMaster, MasterKey, OpenError, Transit, TransitError, Vault, WrapError, Wraps,
};
use secrecy::ExposeSecret;
use server::Server;
use std::path::Path;
use std::time::{Duration, Instant};

const KEY: [u8; 32] = [42; 32];
const NAME: &str = "tenant-key/acme/k1";

fn secret(folder: &Path, name: &str, value: &str) -> Secret {
    let path = folder.join(name);
    std::fs::write(&path, value).unwrap();
    Secret::from(format!("file:{}", path.display()).as_str())
}

fn config(folder: &Path, server: &dyn Server) -> VaultConfig {
    deskstream_runtime::install_crypto_provider();
    VaultConfig {
        address: server.address().parse().unwrap(),
        token: secret(folder, "token", &server.token()),
        key: "deskstream".into(),
        mount: "transit".into(),
        namespace: None,
        ca: None,
        timeout: Duration::from_secs(5),
    }
}

fn refused(config: &VaultConfig) -> TransitError {
    Transit::connect(config).err().expect("it connected")
}

/// What every server has to answer alike.
fn contract(server: &dyn Server) {
    let folder = tempfile::tempdir().unwrap();
    let good = config(folder.path(), server);
    let transit = Transit::connect(&good).unwrap();
    assert_eq!(transit.current(), "vault:transit/deskstream:v1");
    let wrapped = transit.wrap(NAME, &KEY).unwrap();
    assert_eq!(wrapped.key_id, "vault:transit/deskstream:v1");
    assert!(wrapped.ciphertext.starts_with(b"vault:v1:"));
    assert_eq!(*transit.unwrap(NAME, &wrapped).unwrap(), KEY);

    // In the place of another, or changed: refused for good.
    let mut changed = wrapped.clone();
    *changed.ciphertext.last_mut().unwrap() = if changed.ciphertext.ends_with(b"A") { b'B' } else { b'A' };
    let mut garbage = wrapped.clone();
    garbage.ciphertext = b"hello".to_vec();
    for (name, wrapped) in [("tenant-key/other/k1", &wrapped), (NAME, &garbage)] {
        let error = transit.unwrap(name, wrapped).unwrap_err();
        assert!(matches!(error, WrapError::Tampered) && !error.transient(), "{error:?}");
    }
    assert!(transit.unwrap(NAME, &changed).is_err());

    // A whole vault on it, its key rotated while it runs, and then wrapped anew.
    let vault = Vault::with_wrap(Box::new(transit));
    let key = vault.new_data_key("acme", "test").unwrap();
    vault.learn(&key).unwrap();
    let sealed = vault.seal("acme", b"", b"x").unwrap();
    server.rotate("deskstream");
    let later = Vault::with_wrap(Box::new(Transit::connect(&good).unwrap()));
    assert_eq!(later.master_id(), "vault:transit/deskstream:v2");
    later.learn(&key).unwrap();
    assert_eq!(later.open(&sealed, b"").unwrap(), b"x");
    let rewrapped = later.rewrap(&key).unwrap().unwrap();
    assert_eq!(rewrapped.secret.as_ref().unwrap().key_id, "vault:transit/deskstream:v2");
    vault.learn(&rewrapped).unwrap();
    assert_eq!(vault.open(&sealed, b"").unwrap(), b"x");
    assert!(later.rewrap(&rewrapped).unwrap().is_none());

    // From a master key to the service, and back.
    let local = MasterKey::generate();
    let local = secret(folder.path(), "master", local.expose_secret());
    let mut keys = KeysConfig { kms: Kms::Local, master: local.clone(), older: vec![], vault: None };
    let before = Vault::with_wrap(Box::new(LocalMaster::load(&keys).unwrap()));
    let key = before.new_data_key("beta", "test").unwrap();
    keys = KeysConfig { kms: Kms::Vault, older: vec![local], vault: Some(good.clone()), ..keys };
    let moved = Vault::with_wrap(Box::new(Wraps::load(&keys).unwrap())).rewrap(&key).unwrap().unwrap();
    assert_eq!(moved.secret.as_ref().unwrap().key_id, "vault:transit/deskstream:v2");
    keys = KeysConfig { kms: Kms::Local, older: vec![], ..keys };
    let back = Vault::with_wrap(Box::new(Wraps::load(&keys).unwrap()));
    back.learn(&moved).unwrap();
    assert!(back.rewrap(&moved).unwrap().unwrap().secret.unwrap().key_id.starts_with("master-"));
    assert!(before.learn(&moved).is_err(), "a process without the service can't unwrap");

    // What is set wrongly is told, and nothing is made up in its place.
    let wrong = VaultConfig { token: secret(folder.path(), "wrong", "hvs.wrong-token"), ..good.clone() };
    let error = refused(&wrong);
    assert!(matches!(error, TransitError::Denied { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("wrong-token"));
    let error = refused(&VaultConfig { key: "absent".into(), ..good.clone() });
    assert!(matches!(error, TransitError::NoKey { .. }), "{error:?}");
    let error = refused(&VaultConfig { mount: "elsewhere".into(), ..good.clone() });
    assert!(matches!(error, TransitError::NoKey { .. } | TransitError::NotFound { .. }), "{error:?}");
    let error = refused(&VaultConfig { key: "signing".into(), ..good.clone() });
    assert!(matches!(error, TransitError::WrongType { .. }), "{error:?}");

    // A token that ended is read again from its file.
    let renewed = VaultConfig { token: secret(folder.path(), "renewed", "hvs.ended"), ..good.clone() };
    std::fs::write(folder.path().join("renewed"), server.token()).unwrap();
    Transit::connect(&renewed).unwrap();

    // Sealed while it is used: told, and worth asking again later.
    let transit = Transit::connect(&good).unwrap();
    server.seal();
    let error = transit.unwrap(NAME, &wrapped).unwrap_err();
    assert!(matches!(error, WrapError::Kms(TransitError::Sealed)) && error.transient(), "{error:?}");
    assert!(matches!(refused(&good), TransitError::Sealed));
    // What was unwrapped before goes on.
    assert_eq!(vault.open(&sealed, b"").unwrap(), b"x");
    assert!(matches!(vault.open(&sealed, b"other"), Err(OpenError::Tampered)));
}

#[test]
fn a_server_of_the_protocol() {
    contract(&stub::Stub::start());
}

#[test]
fn openbao() {
    match real::Real::start() {
        Some(server) => contract(&server),
        None => eprintln!("skipped: no OpenBao here, see scripts/openbao.sh"),
    }
}

#[test]
fn a_service_that_is_not_there_or_does_not_answer_is_told_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let server = stub::Stub::start();
    let good = config(folder.path(), &server);
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let timeout = Duration::from_millis(300);
    let began = Instant::now();
    let error = refused(&VaultConfig { address, timeout, ..good.clone() });
    assert!(matches!(error, TransitError::Timeout { .. }) && error.transient(), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(10));

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = format!("http://{closed}").parse().unwrap();
    let error = refused(&VaultConfig { address, ..good.clone() });
    assert!(matches!(error, TransitError::Unreachable { .. }) && error.transient(), "{error:?}");

    let ca = Some(folder.path().join("absent.pem"));
    let error = refused(&VaultConfig { ca, ..good });
    assert!(matches!(error, TransitError::Ca { .. }), "{error:?}");
}

#[test]
fn a_stumble_is_ridden_out_and_strangers_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let server = stub::Stub::start();
    let good = config(folder.path(), &server);
    let transit = Transit::connect(&good).unwrap();
    server.answer_next(&[
        (503, "{\"errors\":[\"Vault is sealed\"]}"),
        (500, "{\"errors\":[\"internal error\"]}"),
    ]);
    transit.wrap(NAME, &KEY).unwrap();
    for (status, body, wanted) in [
        (307, "", "redirect"),
        (200, "<html>hello</html>", "no Vault"),
        (200, "{\"data\":{}}", "no Vault"),
        (400, "{\"errors\":[\"some\\nreason\"]}", "400"),
    ] {
        server.answer_next(&[(status, body)]);
        let error = transit.wrap(NAME, &KEY).unwrap_err().to_string();
        assert!(error.contains(wanted) && !error.contains('\n'), "{status} {body}: {error}");
    }
}

#[test]
fn vault_without_its_section_is_refused() {
    let keys = KeysConfig {
        kms: Kms::Vault,
        master: Secret::from("env:NOT_SET_ANYWHERE"),
        older: vec![],
        vault: None,
    };
    assert!(matches!(Wraps::load(&keys).err().unwrap(), KeysError::Kms(TransitError::NotConfigured)));
}

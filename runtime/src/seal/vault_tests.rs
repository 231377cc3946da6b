//! What is sealed opens where it may, and nowhere else.

use super::*;
use crate::seal::Wraps;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

fn master(seed: u8) -> MasterKey {
    MasterKey::from_base64("keys.master", &STANDARD.encode([seed; 32])).unwrap()
}

fn vault(seed: u8) -> Vault {
    Vault::new(master(seed))
}

/// A key that was made at that time, taken in.
fn add(vault: &Vault, tenant: &str, at: i64) -> ControlEntity {
    let mut key = vault.new_data_key(tenant, "test").unwrap();
    key.updated_at = at;
    vault.learn(&key).unwrap();
    key
}

#[test]
fn another_process_opens_what_one_sealed() {
    let (writer, reader) = (vault(1), vault(1));
    let key = add(&writer, "acme", 1);
    let sealed = writer.seal("acme", b"record 1", b"secret").unwrap();
    assert_eq!(reader.open(&sealed, b"record 1"), Err(OpenError::UnknownKey(key.id.clone())));
    reader.learn(&key).unwrap();
    assert_eq!(reader.open(&sealed, b"record 1").unwrap(), b"secret");
    assert_eq!(reader.open(&sealed, b"record 2"), Err(OpenError::Tampered));
    reader.forget(&key.id);
    assert!(matches!(reader.open(&sealed, b"record 1"), Err(OpenError::Destroyed(_))));
}

#[test]
fn another_master_key_opens_nothing() {
    let key = vault(1).new_data_key("acme", "test").unwrap();
    let error = vault(2).learn(&key).unwrap_err();
    assert!(
        matches!(&error, LearnError::Wrap { source: WrapError::UnknownKey(id), .. } if id.starts_with("master-"))
    );
    assert!(!error.transient());
}

#[test]
fn a_key_in_the_place_of_another_is_refused() {
    let vault = vault(1);
    let key = add(&vault, "acme", 1);
    let other = add(&vault, "other", 1);
    // Another's wrapping, another tenant beside the id, another id: each is noticed.
    let swapped = ControlEntity { secret: other.secret.clone(), ..key.clone() };
    let moved = ControlEntity { tenant: "other".into(), ..key.clone() };
    let renamed = ControlEntity { id: other.id, tenant: "other".into(), ..key.clone() };
    let mut flipped = key;
    if let Some(sealed) = &mut flipped.secret {
        sealed.ciphertext[0] ^= 1;
    }
    for forged in [swapped, moved, renamed, flipped] {
        let error = vault.learn(&forged).unwrap_err();
        assert!(matches!(error, LearnError::Wrap { source: WrapError::Tampered, .. }), "{error:?}");
    }
}

#[test]
fn a_ciphertext_of_another_tenant_or_changed_does_not_open() {
    let vault = vault(1);
    let (key, other) = (add(&vault, "acme", 1), add(&vault, "other", 1));
    let sealed = vault.seal("acme", b"acme/1", b"secret").unwrap();
    let relabelled = Sealed { key_id: other.id, ..sealed.clone() };
    assert_eq!(vault.open(&relabelled, b"acme/1"), Err(OpenError::Tampered));
    assert_eq!(vault.open(&sealed, b"other/1"), Err(OpenError::Tampered));
    for at in 0..sealed.ciphertext.len() {
        let mut changed = sealed.clone();
        changed.ciphertext[at] ^= 0x80;
        assert_eq!(vault.open(&changed, b"acme/1"), Err(OpenError::Tampered));
    }
    for nonce in [Vec::new(), sealed.nonce[1..].to_vec()] {
        let changed = Sealed { nonce, ..sealed.clone() };
        assert_eq!(vault.open(&changed, b"acme/1"), Err(OpenError::Tampered));
    }
    assert_eq!(sealed.key_id, key.id);
}

#[test]
fn no_two_nonces_are_alike() {
    let vault = vault(1);
    add(&vault, "acme", 1);
    let nonces: HashSet<_> = (0..1000).map(|_| vault.seal("acme", b"", b"x").unwrap().nonce).collect();
    assert_eq!(nonces.len(), 1000);
}

#[test]
fn the_newest_key_seals_and_older_ones_still_open() {
    let vault = vault(1);
    let old = add(&vault, "acme", 1);
    let (sealed, secret) = (vault.seal("acme", b"", b"x").unwrap(), vault.tenant_secret("acme", "label"));
    let new = add(&vault, "acme", 2);
    assert_eq!(vault.seal("acme", b"", b"x").unwrap().key_id, new.id);
    assert_eq!(vault.open(&sealed, b"").unwrap(), b"x");
    // What hangs on the oldest key stays, and differs by purpose and tenant.
    assert!(secret.is_some() && secret == vault.tenant_secret("acme", "label"));
    assert_ne!(secret, vault.tenant_secret("acme", "other label"));
    add(&vault, "other", 1);
    assert_ne!(secret, vault.tenant_secret("other", "label"));
    assert_eq!(vault.tenant_secret("nobody", "label"), None);
    // With the newest gone the one before it seals again.
    vault.forget(&new.id);
    assert_eq!(vault.active_key("acme"), Some(old.id.clone()));
    vault.forget(&old.id);
    assert_eq!(vault.tenant_secret("acme", "label"), None);
}

#[test]
fn a_requester_is_erased_and_nobody_else() {
    let vault = vault(1);
    let tenant = add(&vault, "acme", 1);
    let keys = ["7", "8"].map(|r| vault.new_requester_key("acme", r, "test").unwrap());
    for key in &keys {
        vault.learn(key).unwrap();
        let shown = format!("{key:?}");
        assert!(!shown.contains("\"7\"") && !shown.contains("\"8\""), "{shown}");
    }
    let [seven, eight] = ["7", "8"].map(|r| vault.seal_for("acme", Some(r), b"a", b"x").unwrap());
    let none = vault.seal_for("acme", None, b"a", b"x").unwrap();
    assert_eq!(seven.key_id, keys[0].id);
    assert_eq!(vault.requester_keys("acme", Some("7")), [keys[0].id.clone()]);
    vault.forget(&keys[0].id);
    assert_eq!(vault.open(&seven, b"a"), Err(OpenError::Destroyed(keys[0].id.clone())));
    assert_eq!(vault.open(&eight, b"a").unwrap(), b"x");
    assert_eq!(vault.open(&none, b"a").unwrap(), b"x");
    assert!(!vault.has_requester_key("acme", "7"));
    // With the tenant's last key those of its requesters are gone, which it wrapped.
    vault.forget(&tenant.id);
    assert_eq!(vault.open(&eight, b"a"), Err(OpenError::Destroyed(keys[1].id.clone())));
    assert!(matches!(vault.seal_for("acme", Some("8"), b"a", b"x"), Err(SealError::NoKey(_))));
    assert_eq!(vault.requester_reference("acme", "8"), None);
}

#[test]
fn after_a_rotation_requesters_get_new_keys_and_old_ones_still_open() {
    let vault = vault(1);
    add(&vault, "acme", 1);
    let mut old = vault.new_requester_key("acme", "7", "test").unwrap();
    old.updated_at = 1;
    vault.learn(&old).unwrap();
    assert!(vault.has_requester_key("acme", "7"));
    let sealed = vault.seal_for("acme", Some("7"), b"", b"x").unwrap();
    add(&vault, "acme", 2);
    assert!(!vault.has_requester_key("acme", "7"));
    let mut new = vault.new_requester_key("acme", "7", "test").unwrap();
    new.updated_at = 2;
    vault.learn(&new).unwrap();
    assert!(vault.has_requester_key("acme", "7"));
    assert_eq!(vault.seal_for("acme", Some("7"), b"", b"x").unwrap().key_id, new.id);
    assert_eq!(vault.open(&sealed, b"").unwrap(), b"x");
    assert_eq!(vault.requester_keys("acme", Some("7")).len(), 2);
    vault.forget(&new.id);
    assert_eq!(vault.seal_for("acme", Some("7"), b"", b"x").unwrap().key_id, old.id);
}

#[test]
fn a_requesters_key_of_another_tenant_or_under_another_name_is_refused() {
    let vault = vault(1);
    add(&vault, "acme", 1);
    let mut key = vault.new_requester_key("acme", "7", "test").unwrap();
    key.id = "other/r/0000000000000001".into();
    assert!(matches!(vault.learn(&key), Err(LearnError::Open(OpenError::Tampered))));
}

#[test]
fn a_reference_is_the_same_in_every_process_and_says_nothing() {
    let (one, two) = (vault(1), vault(1));
    let key = add(&one, "acme", 1);
    two.learn(&key).unwrap();
    let reference = one.requester_reference("acme", "ana@example.com").unwrap();
    assert_eq!(two.requester_reference("acme", "ana@example.com").as_ref(), Some(&reference));
    assert_eq!(one.requester_references("acme", "ana@example.com"), std::slice::from_ref(&reference));
    assert!(crate::seal::is_reference(&reference) && !crate::seal::is_reference("ref_ana"));
    add(&one, "other", 1);
    assert_ne!(one.requester_reference("other", "ana@example.com"), Some(reference));
}

#[test]
fn a_new_master_key_wraps_and_the_old_one_is_no_longer_needed() {
    let before = vault(7);
    let key = add(&before, "acme", 1);
    let sealed = before.seal("acme", b"", b"x").unwrap();
    let both = LocalMaster::new(master(8), vec![master(7)]);
    let between = Vault::with_wrap(Box::new(Wraps::new(Box::new(both), Vec::new())));
    between.learn(&key).unwrap();
    let rewrapped = between.rewrap(&key).unwrap().unwrap();
    assert_eq!((rewrapped.version, rewrapped.updated_at), (2, key.updated_at));
    assert!(between.rewrap(&rewrapped).unwrap().is_none());
    let after = vault(8);
    let error = after.learn(&key).unwrap_err();
    assert!(matches!(error, LearnError::Wrap { source: WrapError::UnknownKey(_), .. }));
    after.learn(&rewrapped).unwrap();
    assert_eq!(after.open(&sealed, b"").unwrap(), b"x");
}

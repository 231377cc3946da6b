//! Keys of requesters, in memory: 32 bytes each and two map entries, so a million take some 150 MB.
//!
//! They are found by a keyed hash of tenant and requester under a key of the process's own: nothing that could be
//! read in a memory dump or a log tells who the requesters are.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::{HashMap, HashSet};
use zeroize::Zeroizing;

/// HMAC-SHA-256.
pub(super) fn mac(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Whether a key id is that of a requester's key: `tenant/r/number`.
pub(super) fn is_requester_key(id: &str) -> bool {
    parse(id).is_some()
}

fn parse(id: &str) -> Option<(&str, u64)> {
    let (tenant, number) = id.split_once("/r/")?;
    Some((tenant, u64::from_str_radix(number, 16).ok()?))
}

struct Entry {
    at: i64,
    who: [u8; 16],
    id: Box<str>,
    key: Zeroizing<[u8; 32]>,
}

/// The keys by number and, newest first in use, by requester.
pub(super) struct Requesters {
    hash: Zeroizing<[u8; 32]>,
    by_number: HashMap<u64, Entry>,
    newest: HashMap<[u8; 16], u64>,
}

impl Default for Requesters {
    fn default() -> Self {
        let mut hash = Zeroizing::new([0; 32]);
        rand::Rng::fill_bytes(&mut rand::rng(), hash.as_mut_slice());
        Self { hash, by_number: HashMap::new(), newest: HashMap::new() }
    }
}

impl Requesters {
    fn who(&self, tenant: &str, requester: &str) -> [u8; 16] {
        let mac = mac(&self.hash, format!("{tenant}/{requester}").as_bytes());
        let mut who = [0; 16];
        who.copy_from_slice(&mac[..16]);
        who
    }

    pub(super) fn insert(&mut self, tenant: &str, requester: &str, id: &str, at: i64, key: &[u8; 32]) {
        let Some((_, number)) = parse(id) else { return };
        let who = self.who(tenant, requester);
        let newer = self
            .newest
            .get(&who)
            .and_then(|number| self.by_number.get(number))
            .is_none_or(|old| (old.at, &*old.id) < (at, id));
        if newer {
            self.newest.insert(who, number);
        }
        self.by_number.insert(number, Entry { at, who, id: id.into(), key: Zeroizing::new(*key) });
    }

    pub(super) fn get(&self, id: &str) -> Option<&[u8; 32]> {
        let entry = self.by_number.get(&parse(id)?.1)?;
        // The number alone is no proof: the id names the tenant too.
        (&*entry.id == id).then_some(&*entry.key)
    }

    pub(super) fn newest(&self, tenant: &str, requester: &str) -> Option<(&str, &[u8; 32])> {
        let entry = self.by_number.get(self.newest.get(&self.who(tenant, requester))?)?;
        Some((&entry.id, &entry.key))
    }

    pub(super) fn ids(&self, tenant: &str, requester: Option<&str>) -> Vec<String> {
        let who = requester.map(|requester| self.who(tenant, requester));
        let of_tenant = format!("{tenant}/r/");
        let entries = self.by_number.values().filter(|entry| match who {
            Some(who) => entry.who == who,
            None => entry.id.starts_with(&of_tenant),
        });
        let ids: HashSet<_> = entries.map(|entry| entry.id.to_string()).collect();
        let mut ids: Vec<_> = ids.into_iter().collect();
        ids.sort();
        ids
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some((_, number)) = parse(id) else { return };
        let Some(gone) = self.by_number.remove(&number) else { return };
        if self.newest.get(&gone.who) == Some(&number) {
            self.newest.remove(&gone.who);
            let next = self.by_number.values().filter(|entry| entry.who == gone.who).max_by_key(|e| e.at);
            if let Some((_, number)) = next.and_then(|entry| parse(&entry.id)) {
                self.newest.insert(gone.who, number);
            }
        }
    }
}

//! Keys of requesters, in memory: one entry each in two maps, so a million take some 110 to 220 MB, as the maps grow
//! (`tests/requester_memory.rs` holds it to that).
//!
//! They are found by a keyed hash of tenant and requester under a key of the process's own: nothing that could be
//! read in a memory dump or a log tells who the requesters are.

use super::reference::mac;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Whether a key id is that of a requester's key: `tenant/r/number`.
pub(super) fn is_requester_key(id: &str) -> bool {
    parse(id).is_some()
}

fn parse(id: &str) -> Option<(&str, u64)> {
    let (tenant, number) = id.split_once("/r/")?;
    Some((tenant, u64::from_str_radix(number, 16).ok()?))
}

/// The id of a requester's key.
pub(super) fn key_id(tenant: &str, number: u64) -> String {
    format!("{tenant}/r/{number:016x}")
}

fn tenant_of(data_key: &str) -> &str {
    data_key.split_once('/').map_or(data_key, |(tenant, _)| tenant)
}

struct Entry {
    at: i64,
    who: [u8; 16],
    /// The tenant's data key that wraps it, by its place in `wrappers`.
    wrapper: u32,
    key: Zeroizing<[u8; 32]>,
}

/// The keys by number and, newest first in use, by requester.
pub(super) struct Requesters {
    hash: Zeroizing<[u8; 32]>,
    by_number: HashMap<u64, Entry>,
    newest: HashMap<[u8; 16], u64>,
    /// Ids of data keys: few, and of many entries.
    wrappers: Vec<Box<str>>,
}

impl Default for Requesters {
    fn default() -> Self {
        let mut hash = Zeroizing::new([0; 32]);
        rand::Rng::fill_bytes(&mut rand::rng(), hash.as_mut_slice());
        Self { hash, by_number: HashMap::new(), newest: HashMap::new(), wrappers: Vec::new() }
    }
}

impl Requesters {
    fn who(&self, tenant: &str, requester: &str) -> [u8; 16] {
        let mac = mac(&self.hash, format!("{tenant}/{requester}").as_bytes());
        let mut who = [0; 16];
        who.copy_from_slice(&mac[..16]);
        who
    }

    fn wrapper(&self, entry: &Entry) -> &str {
        &self.wrappers[entry.wrapper as usize]
    }

    fn place_of(&mut self, wrapper: &str) -> Option<u32> {
        let place = self.wrappers.iter().rposition(|known| &**known == wrapper).unwrap_or_else(|| {
            self.wrappers.push(wrapper.into());
            self.wrappers.len() - 1
        });
        u32::try_from(place).ok()
    }

    /// `wrapper` is the tenant's data key that wraps it.
    pub(super) fn insert(&mut self, wrapper: &str, requester: &str, id: &str, at: i64, key: &[u8; 32]) {
        let Some((tenant, number)) = parse(id) else { return };
        let who = self.who(tenant, requester);
        let Some(wrapper) = self.place_of(wrapper) else { return };
        let newer = self
            .newest
            .get(&who)
            .and_then(|number| Some((number, self.by_number.get(number)?)))
            .is_none_or(|(old, entry)| (entry.at, *old) < (at, number));
        if newer {
            self.newest.insert(who, number);
        }
        self.by_number.insert(number, Entry { at, who, wrapper, key: Zeroizing::new(*key) });
    }

    pub(super) fn get(&self, id: &str) -> Option<&[u8; 32]> {
        let (tenant, number) = parse(id)?;
        let entry = self.by_number.get(&number)?;
        // The number alone is no proof: the id names the tenant too.
        (tenant_of(self.wrapper(entry)) == tenant).then_some(&*entry.key)
    }

    /// The requester's newest key, with its number and the data key that wraps it.
    pub(super) fn newest(&self, tenant: &str, requester: &str) -> Option<(u64, &str, &[u8; 32])> {
        let number = *self.newest.get(&self.who(tenant, requester))?;
        let entry = self.by_number.get(&number)?;
        Some((number, self.wrapper(entry), &entry.key))
    }

    pub(super) fn ids(&self, tenant: &str, requester: Option<&str>) -> Vec<String> {
        let who = requester.map(|requester| self.who(tenant, requester));
        let chosen = self.by_number.iter().filter(|(_, entry)| match who {
            Some(who) => entry.who == who,
            None => tenant_of(self.wrapper(entry)) == tenant,
        });
        let mut ids: Vec<_> = chosen.map(|(number, _)| key_id(tenant, *number)).collect();
        ids.sort();
        ids
    }

    /// Removes every key of the tenant, and gives their ids.
    pub(super) fn remove_tenant(&mut self, tenant: &str) -> Vec<String> {
        let of_tenant: Vec<_> = self.wrappers.iter().map(|wrapper| tenant_of(wrapper) == tenant).collect();
        let mut ids = Vec::new();
        let newest = &mut self.newest;
        self.by_number.retain(|number, entry| {
            let gone = of_tenant[entry.wrapper as usize];
            if gone {
                ids.push(key_id(tenant, *number));
                newest.remove(&entry.who);
            }
            !gone
        });
        ids
    }

    pub(super) fn remove(&mut self, id: &str) {
        let Some((_, number)) = parse(id) else { return };
        if self.get(id).is_none() {
            return;
        }
        let Some(gone) = self.by_number.remove(&number) else { return };
        if self.newest.get(&gone.who) == Some(&number) {
            self.newest.remove(&gone.who);
            let others = self.by_number.iter().filter(|(_, entry)| entry.who == gone.who);
            if let Some((next, _)) = others.max_by_key(|(number, entry)| (entry.at, **number)) {
                let next = *next;
                self.newest.insert(gone.who, next);
            }
        }
    }
}

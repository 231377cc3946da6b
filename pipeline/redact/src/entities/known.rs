//! Names that a ticket itself reveals, and where they recur.

use super::token::{Shape, Token};
use super::words::{Hasher, flag};

/// Parts of mail boxes that are nobody's name.
const ROLES: &[&str] = &[
    "info",
    "support",
    "sales",
    "admin",
    "contact",
    "hello",
    "mail",
    "email",
    "noreply",
    "reply",
    "help",
    "service",
    "office",
    "team",
    "billing",
    "kontakt",
    "buchhaltung",
    "hilfe",
    "contacto",
    "ayuda",
    "ventas",
    "soporte",
    "aide",
    "ajuda",
    "contato",
    "suporte",
    "test",
    "user",
    "webmaster",
    "postmaster",
    "root",
    "the",
    "mrs",
];
/// A ticket has a few people; more names than these are somebody's attack on memory.
const MOST: usize = 256;

/// The names of the people of one ticket: its requester, agents, people in copy, and what their texts reveal.
///
/// The caller clears and fills it for each ticket and passes it with each of its fields to
/// [`Redactor::redact_field`](crate::Redactor::redact_with), which finds every recurrence in any letter case: whole
/// names, and first or last names alone if they have three letters or more and are no common words. Redaction adds
/// the people and e-mail addresses that it finds, so that a later field profits from an earlier one. It holds
/// hashes, no text.
#[derive(Clone, Default)]
pub struct TicketNames {
    /// Hashes of single words of names.
    words: Vec<u32>,
    /// A bit for each hash, for a quick no.
    seen: u64,
}

impl std::fmt::Debug for TicketNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketNames").field("words", &self.words.len()).finish_non_exhaustive()
    }
}

impl TicketNames {
    /// Forgets all names, and keeps the memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.seen = 0;
    }

    /// Adds somebody's name as the helpdesk has it.
    pub fn add_name(&mut self, name: &str) {
        if name.contains('@') {
            self.add_email(name);
        } else {
            name.split(|c: char| !c.is_alphanumeric()).for_each(|word| self.add_word(word));
        }
    }

    /// Adds the words of an address before its `@`.
    pub fn add_email(&mut self, address: &str) {
        let local = address.split('@').next().unwrap_or_default();
        let local = local.split('+').next().unwrap_or_default();
        for word in local.split(|c: char| !c.is_alphabetic()) {
            if !ROLES.iter().any(|role| role.eq_ignore_ascii_case(word)) {
                self.add_word(word);
            }
        }
    }

    fn add_word(&mut self, word: &str) {
        let letters = word.chars().count();
        if (3..=40).contains(&letters) && word.chars().all(char::is_alphabetic) {
            let key = Hasher::of(word);
            self.add_hash((key ^ (key >> 32)) as u32);
        }
    }

    pub(crate) fn add_hash(&mut self, hash: u32) {
        if self.words.len() < MOST && !self.holds(hash) {
            self.words.push(hash);
            self.seen |= 1 << (hash % 64);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn holds(&self, hash: u32) -> bool {
        self.seen & (1 << (hash % 64)) != 0 && self.words.contains(&hash)
    }

    /// Calls `found` with ranges of tokens that repeat a name.
    pub(crate) fn find(&self, tokens: &[Token], mut found: impl FnMut(usize, usize)) {
        let known = |t: &Token| t.shape.is_word() && t.len() > 2 && self.holds(t.hash);
        let mut at = 0;
        while at < tokens.len() {
            if !known(&tokens[at]) {
                at += 1;
                continue;
            }
            let mut to = at + 1;
            while let Some(next) = tokens.get(to) {
                let hyphen =
                    tokens.get(to + 1).is_some_and(known) && next.gap == 0 && next.shape == Shape::MARK;
                if known(next) {
                    to += 1;
                } else if hyphen {
                    to += 2;
                } else {
                    break;
                }
            }
            // A common word is a name only beside another part of the name.
            let common = |t: &Token| t.has(flag::COMMON | flag::FREQUENT) || t.value & flag::CLASS_MASK != 0;
            if to - at > 1 || !common(&tokens[at]) {
                found(at, to);
            }
            at = to;
        }
    }
}

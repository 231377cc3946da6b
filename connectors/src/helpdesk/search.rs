//! The helpdesk's own search, where it has one for tickets in its own words.
//!
//! Indexes lag by seconds to minutes, so that nothing that has to be exact rests on it: whether a note is there is looked for
//! in the ticket itself. It is for people: which tickets bear our tags, what was written back yesterday.

use crate::http::CallError;
use futures::future::BoxFuture;
use serde::Serialize;

/// A ticket that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// Its id.
    pub ticket_id: String,
    /// Its status, in the helpdesk's words.
    pub status: String,
    /// When it was last changed, as the helpdesk writes it.
    pub updated_at: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// What a search came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    /// The tickets, as many as were asked for at most.
    pub hits: Vec<Hit>,
    /// Whether there are more: than were asked for, or than the helpdesk gives.
    pub more: bool,
}

/// Searches the tickets of an account.
pub trait Search: Send + Sync {
    /// The tickets that a query in the helpdesk's own words fits, `most` of them at most.
    fn tickets<'a>(&'a self, query: &'a str, most: usize) -> BoxFuture<'a, Result<Hits, CallError>>;
}

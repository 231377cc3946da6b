//! Zendesk's search, by cursor: `/api/v2/search/export`, which unlike `/search` does not end after a thousand results.

use super::client::{Api, Meta, query};
use crate::helpdesk::{Hit, Hits, Search};
use crate::http::{Call, CallError, Effect};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;

const PAGE: usize = 100;

#[derive(Deserialize)]
struct Page {
    results: Vec<Ticket>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Deserialize)]
struct Ticket {
    id: u64,
    status: String,
    updated_at: String,
    #[serde(default)]
    tags: Vec<String>,
}

impl From<Ticket> for Hit {
    fn from(ticket: Ticket) -> Self {
        let Ticket { id, status, updated_at, tags } = ticket;
        Self { ticket_id: id.to_string(), status, updated_at, tags }
    }
}

impl Api {
    async fn search(&self, text: &str, most: usize) -> Result<Hits, CallError> {
        let (mut found, mut after) = (Hits::default(), None::<String>);
        let size = PAGE.min(most.max(1)).to_string();
        loop {
            let mut pairs = vec![("query", text), ("filter[type]", "ticket"), ("page[size]", size.as_str())];
            pairs.extend(after.as_deref().map(|after| ("page[after]", after)));
            let url = format!("/api/v2/search/export?{}", query(&pairs));
            let answer = self.http().call(&Call::get("search_export", &url)).await?;
            let page: Page = self.http().json("search_export", &answer, Effect::None)?;
            found.hits.extend(page.results.into_iter().map(Hit::from));
            match page.meta.next() {
                _ if found.hits.len() > most => {
                    found.hits.truncate(most);
                    found.more = true;
                    return Ok(found);
                }
                // A cursor that stays where it is would never end.
                Some(cursor) if after.as_ref() != Some(&cursor) => {
                    found.more = found.hits.len() >= most;
                    if found.more {
                        return Ok(found);
                    }
                    after = Some(cursor);
                }
                _ => return Ok(found),
            }
        }
    }
}

impl Search for Api {
    fn tickets<'a>(&'a self, query: &'a str, most: usize) -> BoxFuture<'a, Result<Hits, CallError>> {
        self.search(query, most).boxed()
    }
}

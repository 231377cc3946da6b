//! Freshdesk's search: thirty tickets a page, ten pages at most. A query is put between double quotes, as in
//! `"tag:'ds_urgency_high' AND status:2"`.

use super::client::Api;
use crate::helpdesk::{Hit, Hits, Search};
use crate::http::{Call, CallError, Effect};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;
use url::form_urlencoded;

const PAGE: usize = 30;
const MOST_PAGES: usize = 10;

#[derive(Deserialize)]
struct Page {
    results: Vec<Ticket>,
    #[serde(default)]
    total: usize,
}

#[derive(Deserialize)]
struct Ticket {
    id: u64,
    status: u64,
    updated_at: String,
    #[serde(default)]
    tags: Vec<String>,
}

impl From<Ticket> for Hit {
    fn from(ticket: Ticket) -> Self {
        let Ticket { id, status, updated_at, tags } = ticket;
        let named = ["open", "pending", "resolved", "closed"];
        let name = usize::try_from(status).ok().and_then(|code| named.get(code.checked_sub(2)?));
        let status = name.map_or_else(|| status.to_string(), |name| (*name).to_owned());
        Self { ticket_id: id.to_string(), status, updated_at, tags }
    }
}

impl Api {
    async fn search(&self, text: &str, most: usize) -> Result<Hits, CallError> {
        let quoted = format!("\"{}\"", text.trim().trim_matches('"'));
        let mut found = Hits::default();
        for number in 1..=MOST_PAGES {
            let pairs = [("query", quoted.as_str()), ("page", &number.to_string())];
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let url = format!("/api/v2/search/tickets?{query}");
            let answer = self.http().call(&Call::get("search_tickets", &url)).await?;
            let page: Page = self.http().json("search_tickets", &answer, Effect::None)?;
            let whole = page.results.len() >= PAGE;
            found.hits.extend(page.results.into_iter().map(Hit::from));
            found.more = page.total > found.hits.len().min(most);
            if !whole || found.hits.len() >= most {
                break;
            }
        }
        found.hits.truncate(most);
        Ok(found)
    }
}

impl Search for Api {
    fn tickets<'a>(&'a self, query: &'a str, most: usize) -> BoxFuture<'a, Result<Hits, CallError>> {
        self.search(query, most).boxed()
    }
}

//! Freshdesk at the webhook server.
//!
//! The request names a ticket; the ticket itself is read by API before anything is published. So whoever learns the
//! secret can make us read tickets, and can't make us believe anything of them. Requests whose ticket can't be read
//! now are refused, and Freshdesk sends them again after 5, 30 and 60 minutes; the poll finds the ticket before.

use super::client::Api;
use super::decode;
use super::map;
use super::verify::Verifier;
use crate::http::{Domain, Rates, SetupError};
use crate::webhook::{FetchError, Fetching, Reading, Receiver, SignatureError, Signed, Unreadable};
use deskstream_runtime::config::{FreshdeskConfig, FreshdeskPriority, Network};
use deskstream_schemas::{Origin, Platform};
use http::HeaderMap;
use jiff::Timestamp;
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Tickets being read, or waiting for their turn to be, at the same time; more requests get 503. An account takes
/// 200 to 700 requests a minute, so that more would not have their turn in time.
const FETCHES: usize = 64;

/// How long reading a ticket may take. How long Freshdesk waits for an answer is not documented.
const PATIENCE: Duration = Duration::from_secs(8);

/// One tenant's Freshdesk account.
pub struct FreshdeskReceiver {
    tenant: String,
    verifier: Verifier,
    sources: Vec<Network>,
    unset: Option<FreshdeskPriority>,
    api: Api,
    fetches: Semaphore,
}

impl FreshdeskReceiver {
    /// A receiver for the tenant's account.
    pub fn new(tenant: &str, config: &FreshdeskConfig, rates: &Rates) -> Result<Self, SetupError> {
        Ok(Self {
            tenant: tenant.to_owned(),
            verifier: Verifier::new(&config.webhook_secret.expose()),
            sources: config.webhook_sources.clone(),
            unset: config.unset_priority,
            // A client of its own: write-backs that are under way must not take its places.
            api: Api::sharing(tenant, config, rates, false)?,
            fetches: Semaphore::new(FETCHES),
        })
    }

    async fn fetch_back(&self, ticket: &str, received_at: i64) -> Result<Reading, FetchError> {
        let _place = self.fetches.try_acquire().map_err(|_| FetchError::Busy)?;
        let viewed = self.api.view(ticket, Some(Instant::now() + PATIENCE)).await.map_err(|error| {
            if error.domain() == Domain::User {
                tracing::error!(tenant = self.tenant, %error, "Freshdesk refuses us: check the account's API key");
            } else {
                tracing::warn!(tenant = self.tenant, %error, "a webhook's ticket can't be read now");
            }
            FetchError::Away
        })?;
        // A ticket that is gone, or that never was.
        let Some(payload) = viewed else { return Ok(Reading::Ignored) };
        let mapped = decode::ticket(&payload)
            .and_then(|read| map::ticket(&self.tenant, &read, Origin::Webhook, received_at, self.unset));
        match mapped {
            Ok(Some(mapped)) => Ok(Reading::Event(Box::new(mapped))),
            Ok(None) => Ok(Reading::Ignored),
            Err(error) => Err(FetchError::Unreadable { why: error.into(), payload }),
        }
    }
}

impl Receiver for FreshdeskReceiver {
    fn platform(&self) -> Platform {
        Platform::Freshdesk
    }

    fn admits(&self, source: Option<IpAddr>) -> bool {
        let allowed = |source| self.sources.iter().any(|network| network.contains(source));
        self.sources.is_empty() || source.is_some_and(allowed)
    }

    fn verify(
        &self,
        headers: &HeaderMap,
        _body: &[u8],
        _now: Timestamp,
    ) -> Result<Option<Signed>, SignatureError> {
        self.verifier.verify(headers).map(|()| None)
    }

    fn read(&self, body: &[u8], _received_at: i64) -> Result<Reading, Unreadable> {
        Ok(Reading::Named(decode::webhook(body)?))
    }

    fn fetch<'a>(&'a self, ticket: &'a str, received_at: i64) -> Fetching<'a> {
        Box::pin(self.fetch_back(ticket, received_at))
    }

    fn delivery_id<'a>(&self, _headers: &'a HeaderMap) -> Option<&'a str> {
        None
    }
}

/// What a body comes to as a webhook, and as the ticket that a webhook names: what of Freshdesk's reading takes input from
/// outside, apart from the requests between.
pub fn receive_named(tenant: &str, body: &[u8], received_at: i64) -> (Option<Reading>, Option<Reading>) {
    let named = decode::webhook(body).ok().map(Reading::Named);
    let read = decode::ticket(body)
        .and_then(|ticket| map::ticket(tenant, &ticket, Origin::Webhook, received_at, None));
    (named, read.ok().flatten().map(|mapped| Reading::Event(Box::new(mapped))))
}

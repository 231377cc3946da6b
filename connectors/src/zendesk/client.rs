//! The part of Zendesk's REST API that we use, over [`crate::http`].

use super::decode::{self, Comment};
use super::state::Audit;
pub use super::state::{CustomField, NewComment, Replaced, TicketState, Update, Updated};
use crate::helpdesk::note::{self, Written};
use crate::http::{
    Answer, Budget, Call, CallError, Cause, Client, ClientOptions, Effect, Hint, RateLimits, Rates,
    SetupError, Turn,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use deskstream_runtime::config::ZendeskConfig;
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::form_urlencoded;

pub(super) const SERVICE: &str = "zendesk";

/// What Zendesk counts as "Update Ticket", apart from and in addition to the account's limit. Its answers tell
/// the limit as `zendesk-ratelimit-tickets-update`. There is also one of 30 updates per ten minutes, user and
/// ticket, of which Zendesk tells only by refusing.
const UPDATES: &str = "tickets-update";

/// Requests of one client at the same time. An update takes Zendesk up to a second, so that this is enough for the
/// 2,500 requests a minute of its largest plan; the rate limits are the tighter bound of smaller ones.
const CONCURRENCY: usize = 64;

/// Comments are read newest first, a hundred a page: our note of an uncertain write is among the first few.
const COMMENT_PAGES: usize = 3;

/// A page of the incremental export.
pub struct Page {
    answer: Answer,
}

/// What a page holds.
#[derive(Deserialize)]
pub struct PageBody<'a> {
    /// Tickets, each read on its own: a strange one spoils no page.
    #[serde(borrow)]
    pub tickets: Vec<&'a RawValue>,
    /// The users whom the tickets name.
    #[serde(default, borrow)]
    pub users: Vec<&'a RawValue>,
    /// Where the next page begins; null at the very end of some exports.
    #[serde(default)]
    pub after_cursor: Option<String>,
    /// Whether there is no more for now.
    #[serde(default)]
    pub end_of_stream: bool,
}

/// From where to export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start<'a> {
    /// What changed since this Unix time.
    Time(i64),
    /// Where an earlier page ended.
    Cursor(&'a str),
}

/// One account's API.
pub struct Api {
    http: Client,
}

impl Api {
    /// The account of a tenant.
    pub fn new(tenant: &str, config: &ZendeskConfig) -> Result<Self, SetupError> {
        Self::with_options(config, ClientOptions::new(SERVICE, tenant, config.url.clone()))
    }

    /// As [`Api::new`], on the account's rates; `background` for what can wait.
    pub fn sharing(
        tenant: &str,
        config: &ZendeskConfig,
        rates: &Rates,
        background: bool,
    ) -> Result<Self, SetupError> {
        let options = ClientOptions::new(SERVICE, tenant, config.url.clone());
        Self::with_options(config, ClientOptions { rates: rates.clone(), background, ..options })
    }

    /// As [`Api::new`], with deadlines of one's own.
    pub fn with_options(config: &ZendeskConfig, mut options: ClientOptions) -> Result<Self, SetupError> {
        options.authorization = authorization(config);
        options.concurrency = CONCURRENCY;
        options.per_window = config.requests_per_minute.get();
        options.budgets = vec![Budget { name: UPDATES, per_window: config.updates_per_minute.get() }];
        Ok(Self { http: Client::new(options)? })
    }

    pub(super) fn http(&self) -> &Client {
        &self.http
    }

    /// What Zendesk last said of the account's limits.
    pub fn limits(&self) -> RateLimits {
        self.http.limits()
    }

    /// The id of the user that we are.
    pub async fn me(&self) -> Result<String, CallError> {
        #[derive(Deserialize)]
        struct Body {
            user: User,
        }
        #[derive(Deserialize)]
        struct User {
            id: Option<u64>,
        }
        let answer = self.http.call(&Call::get("users_me", "/api/v2/users/me")).await?;
        let body: Body = self.http.json("users_me", &answer, Effect::None)?;
        // Without valid credentials Zendesk answers 200 with an anonymous user without id.
        let id = body.user.id.ok_or_else(|| {
            let cause = Cause::Status { status: StatusCode::UNAUTHORIZED, code: None };
            self.http.refuse("users_me", &answer, cause, Effect::None, Hint::Never)
        })?;
        Ok(id.to_string())
    }

    /// A ticket; `None` if there is none.
    pub async fn show(&self, ticket: &str) -> Result<Option<TicketState>, CallError> {
        #[derive(Deserialize)]
        struct Body {
            ticket: TicketState,
        }
        let url = format!("/api/v2/tickets/{ticket}");
        let call = Call::get("tickets_show", &url);
        let answer = self.http.call(&call.accepting(&[StatusCode::NOT_FOUND, StatusCode::GONE])).await?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        self.http.json::<Body>("tickets_show", &answer, Effect::None).map(|body| Some(body.ticket))
    }

    /// Waits until a ticket may be updated: what is read after that is fresh when the update is sent.
    pub async fn update_turn(&self) -> Result<Turn<'_>, CallError> {
        self.http.reserve("tickets_update", UPDATES).await
    }

    /// A turn for a single update, if one comes at once.
    pub async fn update_turn_at_once(&self) -> Option<Turn<'_>> {
        self.http.reserve_at_once(UPDATES).await
    }

    /// Updates a ticket by one request, which is never repeated blindly. Without a turn it waits for one.
    pub async fn update(
        &self,
        ticket: &str,
        update: &Update,
        turn: Option<&Turn<'_>>,
    ) -> Result<Updated, CallError> {
        #[derive(Serialize)]
        struct Body<'a> {
            ticket: &'a Update,
        }
        #[derive(Deserialize)]
        struct Applied {
            audit: Option<Audit>,
        }
        let url = format!("/api/v2/tickets/{ticket}");
        let body = serde_json::to_vec(&Body { ticket: update }).expect("texts and truths are JSON");
        let mut call = Call::write("tickets_update", Method::PUT, &url, Bytes::from(body));
        (call.budget, call.turn) = (Some(UPDATES), turn);
        let refused = [
            StatusCode::BAD_REQUEST,
            StatusCode::NOT_FOUND,
            StatusCode::CONFLICT,
            StatusCode::GONE,
            StatusCode::UNPROCESSABLE_ENTITY,
        ];
        let answer = self.http.call(&call.accepting(&refused)).await?;
        Ok(match answer.status {
            StatusCode::CONFLICT => Updated::Conflict,
            StatusCode::NOT_FOUND | StatusCode::GONE => Updated::NotFound,
            status if !status.is_success() => Updated::Refused(status),
            _ => {
                // It was applied, whatever the rest of the answer looks like; a cut answer leaves that open.
                let applied: Applied = self.http.json("tickets_update", &answer, Effect::Unknown)?;
                Updated::Applied(applied.audit.map(Audit::replaced).unwrap_or_default())
            }
        })
    }

    /// Adds tags, whatever others there are.
    pub async fn add_tags(&self, ticket: &str, tags: &[String]) -> Result<(), CallError> {
        self.change_tags("tags_add", Method::PUT, ticket, tags).await
    }

    /// Removes tags, whatever others there are.
    pub async fn remove_tags(&self, ticket: &str, tags: &[String]) -> Result<(), CallError> {
        self.change_tags("tags_remove", Method::DELETE, ticket, tags).await
    }

    async fn change_tags(
        &self,
        endpoint: &'static str,
        method: Method,
        ticket: &str,
        tags: &[String],
    ) -> Result<(), CallError> {
        let url = format!("/api/v2/tickets/{ticket}/tags");
        let body = serde_json::json!({ "tags": tags }).to_string();
        let mut call = Call::write(endpoint, method, &url, Bytes::from(body));
        // Adding what is there and removing what is gone changes nothing.
        call.repeat = crate::http::Repeat::Safe;
        call.budget = Some(UPDATES);
        self.http.call(&call).await.map(drop)
    }

    /// Our own notes on a ticket, newest first.
    pub async fn notes(&self, ticket: &str) -> Result<Vec<Written>, CallError> {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            comments: Vec<Comment<'a>>,
            #[serde(default)]
            meta: Meta,
        }
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..COMMENT_PAGES {
            let mut pairs = vec![("sort", "-created_at"), ("page[size]", "100")];
            pairs.extend(after.as_deref().map(|after| ("page[after]", after)));
            let url = format!("/api/v2/tickets/{ticket}/comments?{}", query(&pairs));
            let call = Call::get("comments_list", &url);
            let answer = self.http.call(&call.accepting(&[StatusCode::NOT_FOUND])).await?;
            if answer.status == StatusCode::NOT_FOUND {
                break;
            }
            let body: Body<'_> = self.http.json("comments_list", &answer, Effect::None)?;
            let private = body.comments.iter().filter(|comment| comment.is_public != Some(true));
            found.extend(private.filter_map(|comment| note::read(comment.body.as_deref()?)));
            match body.meta.next() {
                Some(cursor) => after = Some(cursor),
                _ => break,
            }
        }
        Ok(found)
    }

    /// A page of the incremental export. A cursor that Zendesk no longer takes gives `None`.
    pub async fn export(&self, from: &Start<'_>) -> Result<Option<Page>, CallError> {
        let query = match from {
            Start::Time(seconds) => query(&[("start_time", &seconds.to_string()), ("include", "users")]),
            Start::Cursor(cursor) => query(&[("cursor", cursor), ("include", "users")]),
        };
        let url = format!("/api/v2/incremental/tickets/cursor?{query}");
        let call = Call::get("tickets_export", &url);
        let refused = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY];
        let accept: &[StatusCode] = if matches!(from, Start::Cursor(_)) { &refused } else { &[] };
        let answer = self.http.call(&call.accepting(accept)).await?;
        Ok(answer.status.is_success().then_some(Page { answer }))
    }

    /// Reads an answer's body.
    pub fn page_body<'a>(&self, page: &'a Page) -> Result<PageBody<'a>, CallError> {
        self.http.json("tickets_export", &page.answer, Effect::None)
    }
}

impl Page {
    /// What the answer said of limits.
    pub fn limits(&self) -> RateLimits {
        self.answer.limits
    }

    /// Requests sent for it.
    pub fn attempts(&self) -> u32 {
        self.answer.attempts
    }
}

/// By OAuth, or by an API token; the configuration has one of them.
fn authorization(config: &ZendeskConfig) -> Option<SecretString> {
    if let Some(token) = &config.oauth_token {
        return Some(SecretString::from(format!("Bearer {}", token.expose().expose_secret())));
    }
    let (email, token) = (config.email.as_ref()?, config.api_token.as_ref()?.expose());
    let pair = SecretString::from(format!("{email}/token:{}", token.expose_secret()));
    Some(SecretString::from(format!("Basic {}", STANDARD.encode(pair.expose_secret()))))
}

/// Where the next page of a list by cursor begins.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Meta {
    has_more: bool,
    after_cursor: Option<String>,
}

impl Meta {
    /// The next page's cursor, unless this is the last one.
    pub(super) fn next(self) -> Option<String> {
        self.after_cursor.filter(|_| self.has_more)
    }
}

pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Reads a ticket of a page.
pub fn read_ticket(ticket: &RawValue) -> Result<decode::Ticket<'_>, decode::DecodeError> {
    decode::ticket(ticket)
}

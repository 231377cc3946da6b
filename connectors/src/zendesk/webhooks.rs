//! Webhooks at Zendesk: event subscriptions, their secrets, and their end.
//!
//! Source: Zendesk developer documentation, "Webhooks API". An event subscription is sent by POST as JSON; its secret is
//! made by Zendesk, shown and changed at `signing_secret`.

use super::client::{Api, Meta};
use super::map;
use crate::helpdesk::{Registered, Webhook, WebhookError, Webhooks, Wrote, write};
use crate::http::{Call, CallError, Effect};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

/// How our webhooks are called at Zendesk.
const NAME: &str = "Deskstream";

/// Pages of a hundred: an account has a few webhooks.
const MOST_PAGES: usize = 20;

#[derive(Deserialize)]
struct Rest {
    id: String,
    name: String,
    endpoint: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    subscriptions: Vec<String>,
}

impl From<Rest> for Webhook {
    fn from(rest: Rest) -> Self {
        Self {
            id: rest.id,
            name: rest.name,
            endpoint: rest.endpoint,
            active: rest.status == "active",
            subscriptions: rest.subscriptions.len(),
        }
    }
}

#[derive(Deserialize)]
struct Secret {
    signing_secret: Inner,
}

#[derive(Deserialize)]
struct Inner {
    secret: SecretString,
}

impl Api {
    /// All webhooks of the account.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, CallError> {
        #[derive(Deserialize)]
        struct Page {
            webhooks: Vec<Rest>,
            #[serde(default)]
            meta: Meta,
        }
        let (mut found, mut after) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let mut pairs = vec![("page[size]", "100")];
            pairs.extend(after.as_deref().map(|after| ("page[after]", after)));
            let url = format!("/api/v2/webhooks?{}", super::client::query(&pairs));
            let answer = self.http().call(&Call::get("webhooks_list", &url)).await?;
            let page: Page = self.http().json("webhooks_list", &answer, Effect::None)?;
            found.extend(page.webhooks.into_iter().map(Webhook::from));
            match page.meta.next() {
                Some(cursor) => after = Some(cursor),
                _ => break,
            }
        }
        Ok(found)
    }

    async fn create_webhook(&self, endpoint: &str) -> Result<Wrote<Webhook>, CallError> {
        #[derive(Deserialize)]
        struct Body {
            webhook: Rest,
        }
        let webhook = json!({"webhook": {
            "name": NAME, "endpoint": endpoint, "http_method": "POST", "request_format": "json",
            "status": "active", "subscriptions": map::subscriptions(),
        }});
        let call = Call::write("webhooks_create", Method::POST, "/api/v2/webhooks", body(&webhook));
        Ok(match write::<Body>(self.http(), call).await? {
            Wrote::Applied(body) => Wrote::Applied(body.webhook.into()),
            Wrote::NotFound => Wrote::NotFound,
            Wrote::Refused(status) => Wrote::Refused(status),
        })
    }

    async fn secret(&self, id: &str, method: Method) -> Result<Wrote<SecretString>, CallError> {
        let url = format!("/api/v2/webhooks/{id}/signing_secret");
        // Rotating twice would leave the first answer's secret wrong: it is not repeated blindly.
        let call = if method == Method::GET {
            Call::get("webhooks_secret", &url)
        } else {
            Call { body: None, ..Call::write("webhooks_rotate", method, &url, Bytes::new()) }
        };
        Ok(match write::<Secret>(self.http(), call).await? {
            Wrote::Applied(body) => Wrote::Applied(body.signing_secret.secret),
            Wrote::NotFound => Wrote::NotFound,
            Wrote::Refused(status) => Wrote::Refused(status),
        })
    }

    async fn delete_webhook(&self, id: &str) -> Result<Wrote<()>, CallError> {
        let url = format!("/api/v2/webhooks/{id}");
        let call = Call { method: Method::DELETE, ..Call::get("webhooks_delete", &url) };
        let answer = self.http().call(&call.accepting(&[StatusCode::NOT_FOUND])).await?;
        Ok(if answer.status == StatusCode::NOT_FOUND { Wrote::NotFound } else { Wrote::Applied(()) })
    }
}

impl Webhooks for Api {
    fn list(&self) -> BoxFuture<'_, Result<Vec<Webhook>, WebhookError>> {
        async { Ok(self.webhooks().await?) }.boxed()
    }

    fn register<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Result<Registered, WebhookError>> {
        async move {
            // Looked for first, so that an answer that never came makes no second one.
            let known = self.webhooks().await?.into_iter().find(|webhook| webhook.endpoint == endpoint);
            let existed = known.is_some();
            let webhook = match known {
                Some(webhook) => webhook,
                None => WebhookError::had(self.create_webhook(endpoint).await?, endpoint)?,
            };
            let secret = WebhookError::had(self.secret(&webhook.id, Method::GET).await?, &webhook.id)?;
            Ok(Registered { webhook, secret, existed })
        }
        .boxed()
    }

    fn rotate_secret<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<SecretString, WebhookError>> {
        async move { WebhookError::had(self.secret(known(id)?, Method::POST).await?, id) }.boxed()
    }

    fn delete<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), WebhookError>> {
        async move { WebhookError::had(self.delete_webhook(known(id)?).await?, id) }.boxed()
    }
}

/// An id becomes part of a URL.
fn known(id: &str) -> Result<&str, WebhookError> {
    if map::is_id(id) { Ok(id) } else { Err(WebhookError::Unknown(id.to_owned())) }
}

fn body(value: &serde_json::Value) -> Bytes {
    Bytes::from(value.to_string())
}

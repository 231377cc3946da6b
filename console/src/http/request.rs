//! What is known of a request: its id, where it comes from, with what.

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// User agents are as long as their senders like.
const MAX_AGENT: usize = 200;

/// Id of a request, in its answer, the log and the audit trail.
#[derive(Debug, Clone)]
pub struct RequestId(Arc<str>);

/// A new one: a caller's own might be anybody's text.
impl Default for RequestId {
    fn default() -> Self {
        Self(uuid::Uuid::now_v7().to_string().into())
    }
}

impl RequestId {
    /// As a header.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("a UUID is a header")
    }
}

/// Where a request comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The sender's address.
    pub address: IpAddr,
    /// What the sender says it is.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: String,
}

impl Origin {
    /// Of a request. Behind a trusted proxy only the last address of `X-Forwarded-For` is the proxy's word.
    pub fn of(headers: &HeaderMap, extensions: &Extensions, trust_forwarded_for: bool) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
        let forwarded =
            forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        let address = if trust_forwarded_for { forwarded.or(peer) } else { peer };
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            address: address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            user_agent: agent.map(|agent| agent.chars().take(MAX_AGENT).collect()),
            request_id: extensions.get::<RequestId>().map_or_else(String::new, |id| id.0.to_string()),
        }
    }

    /// Addresses that are counted together: a host has a whole /64 of IPv6.
    pub fn neighbourhood(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => self.address,
            IpAddr::V6(address) => {
                let prefix = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(prefix.into())
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The guard has put it there; see there for proxies.
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::of(&parts.headers, &parts.extensions, false)))
    }
}

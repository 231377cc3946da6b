//! Where a request comes from: the address at the other end of its connection, or what a trusted proxy says.

use axum::http::request::Parts;
use std::net::IpAddr;

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// The sender's address. A proxy appends the address that it sees to `X-Forwarded-For`, so only the last one is its
/// word: those before are whatever the sender likes. A trusted proxy that says nothing is itself the sender.
pub(super) fn of(parts: &Parts, trust_forwarded_for: bool) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
    if !trust_forwarded_for {
        return peer;
    }
    match parts.headers.get_all("x-forwarded-for").iter().next_back() {
        None => peer,
        Some(value) => value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn source(headers: &[&str], trust: bool) -> Option<String> {
        let mut request = Request::builder();
        for value in headers {
            request = request.header("X-Forwarded-For", *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(Peer("192.0.2.1".parse().unwrap()));
        of(&parts, trust).map(|address| address.to_string())
    }

    #[test]
    fn only_the_proxys_own_word_counts_and_only_if_it_is_trusted() {
        let forged = ["203.0.113.7", "198.51.100.9, 203.0.113.8"];
        assert_eq!(source(&forged, false).as_deref(), Some("192.0.2.1"));
        assert_eq!(source(&forged, true).as_deref(), Some("203.0.113.8"));
        assert_eq!(source(&["2001:db8::7"], true).as_deref(), Some("2001:db8::7"));
        assert_eq!(source(&[], true).as_deref(), Some("192.0.2.1"));
        assert_eq!(source(&["unknown"], true), None, "no address is none that is allowed");
    }
}

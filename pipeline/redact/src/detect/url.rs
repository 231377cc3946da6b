//! URLs that carry credentials: `user:password@`, a token as user, secret query or fragment parameters, and the
//! webhook addresses that are secrets by themselves. The whole URL is reported, since what is left of it would
//! still say where the credential fits.

use super::chars::{skip, skip_back};
use super::{Sink, names};
use crate::mask;

/// RFC 3986 sets no limit; host names have 253 bytes, user information seldom more.
const AUTHORITY_MAX: usize = 512;
/// A user without a password that is this long is a token: `https://ghp_…@github.com/`.
const TOKEN_USER_MIN: usize = 20;

const SECRET_WEBHOOKS: &[&str] = &[
    "hooks.slack.com/services/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    "webhook.office.com/",
];

pub(super) fn find(text: &str, colons: &[u32], sink: &mut Sink<'_>) {
    let bytes = text.as_bytes();
    let mut seen_until = 0;
    let mut end = 0;
    for &colon in colons {
        let colon = colon as usize;
        if !bytes[colon..].starts_with(b"://") {
            continue;
        }
        let start = skip_back(bytes, colon, 20, |b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let start = start + bytes[start..colon].iter().take_while(|b| !b.is_ascii_alphabetic()).count();
        if colon - start < 2 {
            continue;
        }
        // URLs may stand inside URLs. The end of the outer one is the end of the inner one, and its parameters
        // were read with it, so that each byte is visited once.
        let is_outer = colon >= seen_until;
        if is_outer {
            seen_until = url_end(bytes, colon + 3);
            end = skip_back(bytes, seen_until, 8, |b| b".,;:!?)]}'*_".contains(&b)).max(colon + 3);
        }
        let authority_start = colon + 3;
        let authority_end =
            skip(bytes, authority_start, AUTHORITY_MAX, |b| is_url(b) && !b"/?#".contains(&b)).min(end);
        if authority_end <= authority_start {
            continue;
        }
        if has_user_secret(&bytes[authority_start..authority_end]) {
            sink.push(start, end, names::URL_USERINFO, 1.0);
        } else if is_outer {
            let rest = &bytes[authority_end..end];
            let is_webhook = SECRET_WEBHOOKS.iter().any(|hook| {
                let host_and_path = &bytes[authority_start..end];
                memchr::memmem::find(&host_and_path[..host_and_path.len().min(96)], hook.as_bytes())
                    .is_some_and(|at| host_and_path.len() > at + hook.len() + 8)
            });
            if is_webhook || has_secret_parameter(rest) {
                sink.push(start, end, names::URL_TOKEN, 0.9);
            }
        }
    }
}

/// A mask ends a URL: what it hides may have held a space.
fn url_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while bytes.get(end).is_some_and(|&b| is_url(b)) && !mask::starts_at(bytes, end) {
        end += 1;
    }
    end
}

fn is_url(byte: u8) -> bool {
    byte > b' ' && byte != 0x7F && !b"\"<>`\\^{|}".contains(&byte)
}

fn has_user_secret(authority: &[u8]) -> bool {
    let Some(at) = memchr::memrchr(b'@', authority) else { return false };
    let user_info = &authority[..at];
    if at + 1 == authority.len() {
        return false;
    }
    match memchr::memchr(b':', user_info) {
        Some(colon) => colon + 1 < user_info.len(),
        None => user_info.len() >= TOKEN_USER_MIN && memchr::memchr(b'.', user_info).is_none(),
    }
}

fn has_secret_parameter(rest: &[u8]) -> bool {
    rest.split(|b| b"?&#;".contains(b)).skip(1).any(|parameter| {
        let Some(equals) = memchr::memchr(b'=', parameter) else { return false };
        let (name, value) = (&parameter[..equals], &parameter[equals + 1..]);
        name.len() <= 64 && is_secret_parameter(name, value)
    })
}

fn is_secret_parameter(name: &[u8], value: &[u8]) -> bool {
    let mut lower = [0; 64];
    let lower = &mut lower[..name.len()];
    for (to, from) in lower.iter_mut().zip(name) {
        *to = if *from == b'-' { b'_' } else { from.to_ascii_lowercase() };
    }
    let name: &[u8] = lower;
    let ends = |suffixes: &[&[u8]]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    // A cursor into a list is no credential.
    if memchr::memmem::find(name, b"page").is_some() {
        return false;
    }
    let mixed = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
    if ends(&[b"password", b"passwd", b"pwd", b"passphrase"]) || name == b"pass" {
        value.len() >= 4
    } else if ends(&[
        b"token",
        b"secret",
        b"signature",
        b"apikey",
        b"api_key",
        b"access_key",
        b"credential",
        b"jwt",
    ]) || matches!(name, b"sig" | b"auth" | b"authorization" | b"access_key_id" | b"awsaccesskeyid")
    {
        value.len() >= 6
    } else if matches!(
        name,
        b"key" | b"session" | b"sid" | b"sessionid" | b"session_id" | b"code" | b"otp" | b"hash"
    ) {
        value.len() >= 16 && mixed
    } else {
        false
    }
}

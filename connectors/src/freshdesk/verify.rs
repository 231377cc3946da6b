//! Who sends a webhook: Freshdesk signs nothing, so an automation rule carries a secret that we share with it, as
//! the header `X-Webhook-Secret` or as the password of basic auth (its user name may be anything).
//!
//! A secret says who sends and nothing of what is sent, nor when; so what the request says is not believed beyond
//! the ticket's number, and the ticket is read by API.

use crate::webhook::SignatureError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const SECRET: HeaderName = HeaderName::from_static("x-webhook-secret");

/// Verifies the requests of one tenant.
#[derive(Clone)]
pub struct Verifier {
    digest: [u8; 32],
}

impl Verifier {
    /// A verifier with the rule's secret.
    pub fn new(secret: &SecretString) -> Self {
        Self { digest: Sha256::digest(secret.expose_secret().as_bytes()).into() }
    }

    /// Whether a request carries the secret. Digests are compared, so that neither where nor in length it differs
    /// can be told by the time that takes.
    pub fn verify(&self, headers: &HeaderMap) -> Result<(), SignatureError> {
        let by_header = only(headers, &SECRET);
        let by_password = only(headers, &AUTHORIZATION).and_then(password);
        let claimed = match (by_header, by_password) {
            (Some(secret), _) => secret.as_bytes().to_vec(),
            (None, Some(password)) => password,
            (None, None) => return Err(SignatureError::Missing),
        };
        let claimed: [u8; 32] = Sha256::digest(&claimed).into();
        if bool::from(claimed.ct_eq(&self.digest)) { Ok(()) } else { Err(SignatureError::Wrong) }
    }
}

/// The header's value, if it is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

fn password(authorization: &str) -> Option<Vec<u8>> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(encoded.trim()).ok()?;
    let colon = pair.iter().position(|b| *b == b':')?;
    Some(pair[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn verify(headers: &[(HeaderName, &str)]) -> Result<(), SignatureError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        Verifier::new(&SecretString::from("a-secret:of-the-tests")).verify(&map)
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn header_or_password_authenticate() {
        assert_eq!(verify(&[(SECRET, "a-secret:of-the-tests")]), Ok(()));
        assert_eq!(verify(&[(AUTHORIZATION, &basic("anyone:a-secret:of-the-tests"))]), Ok(()));
    }

    #[test]
    fn everything_else_does_not() {
        assert_eq!(verify(&[]), Err(SignatureError::Missing));
        let twice = [(SECRET, "a-secret:of-the-tests"), (SECRET, "a-secret:of-the-tests")];
        assert_eq!(verify(&twice), Err(SignatureError::Missing), "which of them a proxy saw is unknown");
        for wrong in ["", "a-secret:of-the-test", "a-secret:of-the-tests ", "A-secret:of-the-tests"] {
            assert_eq!(verify(&[(SECRET, wrong)]), Err(SignatureError::Wrong), "{wrong}");
            assert_eq!(verify(&[(AUTHORIZATION, &basic(&format!("u:{wrong}")))]), Err(SignatureError::Wrong));
        }
        for broken in ["Basic", "Basic !", "Bearer a-secret:of-the-tests", &basic("no-colon")] {
            assert_eq!(verify(&[(AUTHORIZATION, broken)]), Err(SignatureError::Missing), "{broken}");
        }
        let both = [(SECRET, "wrong"), (AUTHORIZATION, &basic("u:a-secret:of-the-tests"))];
        assert_eq!(verify(&both), Err(SignatureError::Wrong));
    }
}

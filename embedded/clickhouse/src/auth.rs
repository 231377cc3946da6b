//! Who may talk to the engine: user and password by Basic authorisation, `X-ClickHouse-User`/`-Key` headers or URL
//! parameters, as ClickHouse takes them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use crate::exception::{Code, Exception};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything the guard lets through.
    Full,
    /// Statements that leave no trace, with the settings as they are.
    ReadOnly,
}

/// A name, its password and its rights.
#[derive(Debug)]
pub struct Account {
    /// The user's name.
    pub user: String,
    /// The password; empty means that none must be given.
    pub password: SecretString,
    /// The rights.
    pub access: Access,
}

/// All accounts.
#[derive(Debug)]
pub struct Accounts(pub Vec<Account>);

impl Accounts {
    /// Judges a request's credentials; `url` are those of the URL's `user` and `password`.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        url: (Option<&str>, Option<&str>),
    ) -> Result<Access, Exception> {
        let header =
            |name: &str| headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        let by_header = (header("x-clickhouse-user"), header("x-clickhouse-key"));
        let basic = headers.get(AUTHORIZATION).map(|value| decode_basic(value.as_bytes())).transpose()?;

        let given = [basic.is_some(), by_header != (None, None), url != (None, None)];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err(Exception::new(
                Code::AuthenticationFailed,
                "Invalid authentication: give credentials in one way only (Basic, X-ClickHouse headers, or URL)",
            ));
        }
        let (user, password) = match (&basic, by_header, url) {
            (Some((user, password)), ..) => (Some(user.as_str()), Some(password.as_str())),
            (None, (None, None), url) => url,
            (None, by_header, _) => by_header,
        };
        let (user, password) = (user.unwrap_or("default"), password.unwrap_or(""));
        // Every account is compared, and the same way for an unknown name, so that time tells nothing.
        let mut found = None;
        for account in &self.0 {
            let same_password = account.password.expose_secret().as_bytes().ct_eq(password.as_bytes());
            let same_user = account.user.as_bytes().ct_eq(user.as_bytes());
            if bool::from(same_user & same_password) {
                found = Some(account.access);
            }
        }
        found.ok_or_else(|| {
            Exception::new(
                Code::AuthenticationFailed,
                format_args!(
                    "{user}: Authentication failed: password is incorrect, or there is no user with such name"
                ),
            )
        })
    }
}

fn decode_basic(value: &[u8]) -> Result<(String, String), Exception> {
    let malformed =
        || Exception::new(Code::AuthenticationFailed, "Invalid authentication: only Basic is taken");
    let text = std::str::from_utf8(value).map_err(|_| malformed())?;
    let (scheme, encoded) = text.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let pair = String::from_utf8(decoded).map_err(|_| malformed())?;
    let (user, password) = pair.split_once(':').ok_or_else(malformed)?;
    Ok((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn accounts() -> Accounts {
        let account = |user: &str, password: &str, access| Account {
            user: user.into(),
            password: SecretString::from(password),
            access,
        };
        Accounts(vec![account("desk", "sécret", Access::Full), account("reader", "r", Access::ReadOnly)])
    }

    fn with(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .collect()
    }

    #[test]
    fn each_way_of_giving_credentials_works() {
        let accounts = accounts();
        let basic = format!("Basic {}", BASE64_STANDARD.encode("desk:sécret"));
        let ok = |headers: &HeaderMap, url| accounts.authenticate(headers, url).unwrap();
        assert_eq!(ok(&with(&[("authorization", &basic)]), (None, None)), Access::Full);
        assert_eq!(
            ok(&with(&[("x-clickhouse-user", "reader"), ("x-clickhouse-key", "r")]), (None, None)),
            Access::ReadOnly
        );
        assert_eq!(ok(&HeaderMap::new(), (Some("reader"), Some("r"))), Access::ReadOnly);
    }

    #[test]
    fn anything_else_is_refused() {
        let accounts = accounts();
        let refused = |headers: &HeaderMap, url| {
            let error = accounts.authenticate(headers, url).unwrap_err();
            assert_eq!((error.code(), error.status().as_u16()), (516, 403));
        };
        refused(&HeaderMap::new(), (None, None));
        refused(&HeaderMap::new(), (Some("reader"), Some("wrong")));
        refused(&HeaderMap::new(), (Some("nobody"), Some("r")));
        refused(&with(&[("x-clickhouse-user", "reader")]), (Some("reader"), Some("r")));
        refused(&with(&[("authorization", "Bearer abc")]), (None, None));
        refused(&with(&[("authorization", "Basic !!!")]), (None, None));
    }

    #[test]
    fn a_password_is_not_printed() {
        assert!(!format!("{:?}", accounts()).contains("sécret"));
    }
}

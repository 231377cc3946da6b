//! What a request asks for, read from its URL and headers.
//!
//! The URL's parameters are a few words of the HTTP interface itself, `param_…` values for placeholders, and
//! session settings: everything else, which the engine then accepts or refuses by name.

use http::{HeaderMap, Method, Uri};
use url::form_urlencoded;

use crate::compression::Encoding;
use crate::exception::{Code, Exception};

/// Parameters of ClickHouse's HTTP interface that have no meaning here and no effect on an answer.
const WITHOUT_EFFECT: &[&str] =
    &["quota_key", "stacktrace", "buffer_size", "session_timeout", "session_check"];

/// The longest query id taken.
const MAX_QUERY_ID: usize = 256;

/// A request, without its body.
#[derive(Debug, Default)]
pub struct Request {
    /// SQL of the URL's `query`, empty if none.
    pub query: String,
    /// The session's database.
    pub database: Option<String>,
    /// The client's id for the statement.
    pub query_id: Option<String>,
    /// The format of the answer where the statement names none.
    pub default_format: Option<String>,
    /// Values for `{name:Type}`.
    pub parameters: Vec<(String, String)>,
    /// Session settings in the order given.
    pub settings: Vec<(String, String)>,
    /// The body is in compressed blocks.
    pub decompress: bool,
    /// The answer is to be in compressed blocks.
    pub compress: bool,
    /// Nothing is to be sent before the statement has ended.
    pub wait_end_of_query: bool,
    /// A GET, which ClickHouse keeps from writing.
    pub is_get: bool,
    /// The client takes LZ4 frames.
    pub accepts_lz4: bool,
    /// The URL's `user` and `password`.
    pub credentials: (Option<String>, Option<String>),
}

impl Request {
    /// Reads a request's head.
    pub fn read(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Self, Exception> {
        let header =
            |name: &str| headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        let mut request = Self {
            database: header("x-clickhouse-database").map(str::to_owned),
            default_format: header("x-clickhouse-format").map(str::to_owned),
            is_get: method == Method::GET,
            accepts_lz4: header("accept-encoding").is_some_and(accepts_lz4),
            ..Self::default()
        };
        let pairs = form_urlencoded::parse(uri.query().unwrap_or("").as_bytes());
        for (name, value) in pairs {
            request.set(&name, value.into_owned())?;
        }
        Ok(request)
    }

    /// Takes one parameter, of the URL or of a form.
    pub fn set(&mut self, name: &str, value: String) -> Result<(), Exception> {
        match name {
            "query" => {
                if !self.query.is_empty() {
                    self.query.push('\n');
                }
                self.query.push_str(&value);
            }
            "database" => self.database = Some(value),
            "query_id" => self.query_id = (!value.is_empty()).then_some(checked_id(value)?),
            "default_format" => self.default_format = Some(value),
            "compress" => self.compress = is_true(&value),
            "decompress" => self.decompress = is_true(&value),
            "wait_end_of_query" => {
                self.wait_end_of_query = is_true(&value);
            }
            "user" => self.credentials.0 = Some(value),
            "password" => self.credentials.1 = Some(value),
            "session_id" => {
                return Err(Exception::new(
                    Code::NotImplemented,
                    "the embedded engine has no HTTP sessions (session_id): give settings with each request",
                ));
            }
            "role" => {
                return Err(Exception::new(Code::NotImplemented, "the embedded engine has no roles (role)"));
            }
            "client_protocol_version" if value != "0" => {
                return Err(Exception::new(Code::NotImplemented, "only client_protocol_version=0 is known"));
            }
            "client_protocol_version" => {}
            name if WITHOUT_EFFECT.contains(&name) => {}
            name => match name.strip_prefix("param_") {
                Some("") => {
                    return Err(Exception::new(Code::BadArguments, "a parameter without a name: param_"));
                }
                Some(parameter) => self.parameters.push((parameter.to_owned(), value)),
                None => self.settings.push((checked_setting(name)?.to_owned(), value)),
            },
        }
        Ok(())
    }

    /// A setting's value, if the client gave it.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// How the answer is to be encoded. Blocks win, as in ClickHouse.
    pub fn encoding(&self) -> Encoding {
        if self.compress {
            Encoding::Blocks
        } else if self.accepts_lz4 && self.setting("enable_http_compression") != Some("0") {
            Encoding::Lz4Frame
        } else {
            Encoding::Plain
        }
    }
}

fn is_true(value: &str) -> bool {
    matches!(value, "1" | "true")
}

fn accepts_lz4(value: &str) -> bool {
    value
        .split(',')
        .any(|part| part.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("lz4")))
}

/// An id goes into a header, a log line and a setting's first line.
fn checked_id(id: String) -> Result<String, Exception> {
    if id.len() > MAX_QUERY_ID || !id.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(Exception::new(
            Code::BadArguments,
            format_args!("query_id must be at most {MAX_QUERY_ID} printable ASCII characters"),
        ));
    }
    Ok(id)
}

/// A setting's name goes into `SET name = …`.
fn checked_setting(name: &str) -> Result<&str, Exception> {
    let well_formed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if !well_formed {
        return Err(Exception::new(Code::BadArguments, format_args!("Unknown setting {name:?} in the URL")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Request, Exception> {
        Request::read(&Method::POST, &url.parse().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn parameters_are_told_apart() {
        let request =
            read("/?query=SELECT+1&database=d&param_x=a%27b&max_threads=2&compress=1&query_id=q-1").unwrap();
        assert_eq!(request.query, "SELECT 1");
        assert_eq!(request.parameters, [("x".to_owned(), "a'b".to_owned())]);
        assert_eq!(request.settings, [("max_threads".to_owned(), "2".to_owned())]);
        assert_eq!(request.encoding(), Encoding::Blocks);
        assert_eq!(request.query_id.as_deref(), Some("q-1"));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert_eq!(read("/?session_id=s").unwrap_err().code(), 48);
        assert_eq!(read("/?role=r").unwrap_err().code(), 48);
        assert_eq!(read("/?a%20b=1").unwrap_err().code(), 36);
        assert_eq!(read("/?query_id=a%0Ab").unwrap_err().code(), 36);
        assert_eq!(read("/?param_=1").unwrap_err().code(), 36);
    }

    #[test]
    fn lz4_frames_are_for_those_who_ask() {
        let mut headers = HeaderMap::new();
        headers.insert("accept-encoding", "gzip;q=1, LZ4;q=0.5".parse().unwrap());
        let read = |url: &str| Request::read(&Method::POST, &url.parse().unwrap(), &headers).unwrap();
        assert_eq!(read("/").encoding(), Encoding::Lz4Frame);
        assert_eq!(read("/?enable_http_compression=0").encoding(), Encoding::Plain);
        assert_eq!(read("/?compress=1").encoding(), Encoding::Blocks);
    }
}

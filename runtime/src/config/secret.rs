//! A secret in the configuration: where to read it, never the value itself.

use secrecy::SecretString;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;

/// A secret could not be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SecretError {
    #[error("environment variable {0} is not set")]
    NoVariable(String),
    #[error("can't read {path}")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0} is empty")]
    Empty(String),
    #[error("a secret is not written into the configuration: say \"env:NAME\" or \"file:PATH\"")]
    Literal,
}

/// A secret, read when the configuration is loaded.
#[derive(Clone)]
pub struct Secret {
    origin: String,
    value: Result<SecretString, String>,
}

impl Secret {
    /// A secret that is kept elsewhere than in an environment variable or a file.
    pub fn kept(origin: &'static str, value: SecretString) -> Self {
        Self { origin: origin.to_owned(), value: Ok(value) }
    }

    /// The value. Empty if it could not be read, which validation refuses before anyone asks.
    pub fn expose(&self) -> SecretString {
        self.value.clone().unwrap_or_default()
    }

    /// The value as it is now, where it may have changed since: none if it can't be read.
    pub fn read_again(&self) -> Option<SecretString> {
        Self::read(&self.origin).ok()
    }

    /// Where it is read from.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Why it could not be read.
    pub fn problem(&self) -> Option<&str> {
        self.value.as_ref().err().map(String::as_str)
    }

    fn read(origin: &str) -> Result<SecretString, SecretError> {
        let value = if let Some(name) = origin.strip_prefix("env:") {
            std::env::var(name).map_err(|_| SecretError::NoVariable(name.to_owned()))?
        } else if let Some(path) = origin.strip_prefix("file:") {
            std::fs::read_to_string(path).map_err(|source| SecretError::File { path: path.into(), source })?
        } else {
            return Err(SecretError::Literal);
        };
        let value = value.trim();
        if value.is_empty() {
            return Err(SecretError::Empty(origin.to_owned()));
        }
        Ok(SecretString::from(value))
    }
}

impl From<&str> for Secret {
    fn from(origin: &str) -> Self {
        let value = Self::read(origin).map_err(|e| match &e {
            SecretError::File { source, .. } => format!("{e}: {source}"),
            _ => e.to_string(),
        });
        // Someone may have put the secret itself here: then it must not be echoed.
        let origin = if matches!(value, Err(ref e) if e == &SecretError::Literal.to_string()) {
            "(literal)".to_owned()
        } else {
            origin.to_owned()
        };
        Self { origin, value }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.origin)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_file_is_read_and_trimmed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let secret = Secret::from(format!("file:{}", path.display()).as_str());
        assert_eq!(secret.expose().expose_secret(), "s3cret");
        assert!(!format!("{secret:?}").contains("s3cret"));
    }

    #[test]
    fn a_literal_is_refused_and_never_echoed() {
        let secret = Secret::from("hunter2");
        assert!(secret.problem().unwrap().contains("env:NAME"));
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}

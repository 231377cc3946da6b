//! E-mail over SMTP.
//!
//! One mail for each transition, to all recipients; module `message` says how mails of an episode hang together.
//!
//! # What an answer means
//! * 2xx to the message's end: delivered. The server has it from then on.
//! * 4xx, and a connection that fails: tried again. If it failed after the message was sent, it may arrive twice,
//!   with the same Message-ID.
//! * 5xx to everything: rejected. If it concerns some recipients only, the others get the mail, and the log names
//!   the refused ones by their place in the configuration.
//! * Recipients that the server took are not sent to again while others are deferred. That is remembered by the
//!   process only: after a crash they may get the mail twice.
//!
//! # Security
//! STARTTLS is required where it is configured: a server (or someone between) that does not offer it gets nothing.
//! Without TLS only this machine is spoken to. Passwords are never sent before TLS is up, and never logged.

mod message;

use super::channel::{Failure, Reply, Verdict};
use super::{DeliveryError, DeliveryOptions};
use crate::http::{Effect, Hint};
use deskstream_runtime::config::{EmailConfig, Secret, SmtpTls};
use deskstream_schemas::Alert;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use message::Envelope;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout, timeout_at};

/// How many [attempts](DeliveryOptions::attempt) long a whole exchange may take: servers make clients that they
/// don't know wait, some of them half a minute before the first word.
const EXCHANGE: u32 = 6;

/// How long the server may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// Code of a refusal that no server spoke.
const NO_CODE: u16 = 0;

/// Recipients of one server.
pub(super) struct Email {
    channel: String,
    server: String,
    port: u16,
    mode: SmtpTls,
    tls: Option<TlsParameters>,
    login: Option<(String, Secret)>,
    from: Mailbox,
    to: Vec<Mailbox>,
    attempt: Duration,
    /// What became of recipients of mails that are not done with, by Message-ID.
    open: Mutex<HashMap<String, Vec<Fate>>>,
}

/// What became of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Taken,
    Refused,
}

impl Email {
    pub(super) fn open(
        channel: &str,
        config: &EmailConfig,
        options: &DeliveryOptions,
    ) -> Result<Self, DeliveryError> {
        let setting = |setting: String, problem: &str, fix: &'static str| DeliveryError::Setting {
            channel: channel.to_owned(),
            setting,
            problem: problem.to_owned(),
            fix,
        };
        let mailbox = |text: &str, name: String| {
            // The address itself is not repeated: it is a person's.
            let parsed = text.parse::<Mailbox>().ok().filter(|parsed| {
                let address: &str = parsed.email.as_ref();
                address.is_ascii()
            });
            let fix = "write name@host or Name <name@host>, the address in ASCII";
            parsed.ok_or_else(|| setting(name, "is no address", fix))
        };
        let from = mailbox(&config.from, "from".to_owned())?;
        let numbered = config.to.iter().enumerate();
        let to = numbered.map(|(i, to)| mailbox(to, format!("to[{i}]"))).collect::<Result<Vec<_>, _>>()?;
        let tls = match config.tls {
            SmtpTls::None => None,
            SmtpTls::Starttls | SmtpTls::Implicit => {
                Some(tls(&config.server, config.ca.as_deref()).map_err(|problem| {
                    setting("ca".to_owned(), &problem, "name a PEM file with the certificates to trust")
                })?)
            }
        };
        Ok(Self {
            channel: channel.to_owned(),
            server: config.server.clone(),
            port: config.port(),
            mode: config.tls,
            tls,
            login: config.user.clone().zip(config.password.clone()),
            from,
            to,
            attempt: options.attempt,
            open: Mutex::default(),
        })
    }

    /// Sends a mail once. `repeat` says that an earlier try may have arrived.
    pub(super) async fn send(&self, alert: &Alert, repeat: bool) -> Result<Reply, Failure> {
        let envelope = Envelope { channel: &self.channel, from: &self.from, to: &self.to };
        let id = message::message_id(&envelope, alert, alert.state);
        let Ok(mail) = message::mail(&envelope, alert, repeat, SystemTime::now()) else {
            let fix = "this is a bug: report it with the alert's rule";
            return Ok(refused(NO_CODE, "the mail can't be written".to_owned(), fix));
        };
        let mut fates = self.open.lock().remove(&id).unwrap_or_else(|| vec![Fate::Open; self.to.len()]);
        // Set while only the server knows whether it has taken the message.
        let doubt = AtomicBool::new(false);
        match self.exchange(&mail, &mut fates, &doubt).await {
            Ok(()) => Ok(self.told(&fates)),
            Err(Stop::Final(reply)) => Ok(reply),
            Err(Stop::Again { cause, code }) => {
                self.open.lock().insert(id, fates);
                let effect = if doubt.into_inner() { Effect::Unknown } else { Effect::None };
                Err(Failure { cause, effect, hint: Hint::Backoff, status: code, attempts: 1 })
            }
        }
    }

    /// The verdict once nothing is open.
    fn told(&self, fates: &[Fate]) -> Reply {
        let refused = fates.iter().enumerate().filter(|(_, fate)| **fate == Fate::Refused);
        let places: Vec<_> = refused.map(|(place, _)| format!("to[{place}]")).collect();
        if !places.is_empty() {
            tracing::error!(
                channel = self.channel,
                recipients = places.join(", "),
                "the mail server refuses recipients: the others have the mail; check alerts.channels"
            );
        }
        Reply { verdict: Verdict::Accepted, status: 250, attempts: 1, thread: None }
    }

    async fn exchange(&self, mail: &[u8], fates: &mut [Fate], doubt: &AtomicBool) -> Result<(), Stop> {
        let deadline = Instant::now() + self.attempt * EXCHANGE;
        let late = || Stop::Again { cause: "no answer in time".to_owned(), code: None };
        let mut connection = timeout_at(deadline, self.connect()).await.map_err(|_| late())??;
        let transaction = self.transaction(&mut connection, mail, fates, doubt);
        let result = timeout_at(deadline, transaction).await.unwrap_or_else(|_| Err(late()));
        // What was agreed stands, whether or not the server hears the farewell.
        drop(timeout(FAREWELL, connection.quit()).await);
        result
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Stop> {
        let hello = ClientId::Domain(self.from.email.domain().to_owned());
        let implicit = self.tls.clone().filter(|_| self.mode == SmtpTls::Implicit);
        let address = (self.server.as_str(), self.port);
        let connected =
            AsyncSmtpConnection::connect_tokio1(address, Some(self.attempt), &hello, implicit, None).await;
        let mut connection = connected.map_err(|error| stop(&error, "the connection"))?;
        if let Some(tls) = self.tls.clone().filter(|_| self.mode == SmtpTls::Starttls) {
            if !connection.can_starttls() {
                let cause = "the server does not offer STARTTLS".to_owned();
                return Err(Stop::Again { cause, code: None });
            }
            connection.starttls(tls, &hello).await.map_err(|error| stop(&error, "STARTTLS"))?;
        }
        if let Some((user, password)) = &self.login {
            let password = password.expose().expose_secret().to_owned();
            let login = connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &Credentials::new(user.clone(), password))
                .await;
            login.map_err(|error| stop(&error, "the user and password"))?;
        }
        Ok(connection)
    }

    async fn transaction(
        &self,
        connection: &mut AsyncSmtpConnection,
        mail: &[u8],
        fates: &mut [Fate],
        doubt: &AtomicBool,
    ) -> Result<(), Stop> {
        let from = Mail::new(Some(self.from.email.clone()), Vec::new());
        connection.command(from).await.map_err(|error| stop(&error, "the sender"))?;
        let (mut taken, mut deferred, mut last) = (Vec::new(), None, NO_CODE);
        for (place, to) in self.to.iter().enumerate() {
            if fates[place] != Fate::Open {
                continue;
            }
            match connection.command(Rcpt::new(to.email.clone(), Vec::new())).await {
                Ok(_) => taken.push(place),
                Err(error) if error.is_permanent() => {
                    last = code(&error).unwrap_or(NO_CODE);
                    fates[place] = Fate::Refused;
                }
                Err(error) if error.is_transient() => deferred = code(&error),
                Err(error) => return Err(stop(&error, "a recipient")),
            }
        }
        if !taken.is_empty() {
            connection.command(Data).await.map_err(|error| stop(&error, "the mail"))?;
            doubt.store(true, Ordering::Relaxed);
            let answer = connection.message(mail).await;
            if answer.as_ref().is_ok() || answer.as_ref().is_err_and(|error| code(error).is_some()) {
                doubt.store(false, Ordering::Relaxed);
            }
            answer.map_err(|error| stop(&error, "the mail"))?;
            taken.into_iter().for_each(|place| fates[place] = Fate::Taken);
        }
        if let Some(code) = deferred {
            let left = fates.iter().filter(|fate| **fate == Fate::Open).count();
            let cause = format!("the server put off {left} of {} recipients ({code})", fates.len());
            return Err(Stop::Again { cause, code: Some(code) });
        }
        if fates.contains(&Fate::Taken) {
            return Ok(());
        }
        let reason = format!("the server answered {last} to every recipient");
        Err(Stop::Final(refused(last, reason, "check alerts.channels: to")))
    }
}

/// Why an exchange went no further.
enum Stop {
    /// It may go through later.
    Again { cause: String, code: Option<u16> },
    /// The same mail will never go through.
    Final(Reply),
}

/// What an answer to `what` means. The server's words are not kept: they quote addresses.
fn stop(error: &Error, what: &'static str) -> Stop {
    let code = code(error);
    let said = code.map_or_else(String::new, |code| format!(" ({code})"));
    if let (true, Some(code)) = (error.is_permanent(), code) {
        let reason = format!("the server refuses {what}{said}");
        let fix = match what {
            "the user and password" => "check alerts.channels: user and password",
            "the sender" => "check alerts.channels: from is an address that the server lets us send as",
            _ => "look at the mail server's log for the reason",
        };
        return Stop::Final(refused(code, reason, fix));
    }
    let cause = if error.is_transient() {
        format!("the server put off {what}{said}")
    } else if error.is_tls() {
        "TLS with the server failed: check its name and certificate".to_owned()
    } else if error.is_client() {
        format!("the server does not offer what {what} needs")
    } else if error.is_response() {
        "the server does not speak SMTP, or hung up".to_owned()
    } else {
        "no connection to the server, or it was lost".to_owned()
    };
    Stop::Again { cause, code }
}

fn refused(status: u16, reason: String, fix: &'static str) -> Reply {
    Reply { verdict: Verdict::Refused { reason, fix }, status, attempts: 1, thread: None }
}

fn code(error: &Error) -> Option<u16> {
    error.status().map(u16::from)
}

/// Trusts the system's certificates, as requests over HTTP do, or only those of the file.
fn tls(server: &str, ca: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder = TlsParametersBuilder::new(server.to_owned());
    if let Some(path) = ca {
        let pem = std::fs::read(path).map_err(|error| format!("can't be read ({error})"))?;
        let certificate = Certificate::from_pem(&pem).map_err(|_| "is no PEM file".to_owned())?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|_| "gives no usable certificates".to_owned())
}

//! A mail server for tests, strict where real ones are: order of commands, line lengths, bare line feeds, 8-bit
//! text, dot-stuffing. RFC 5321 with STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4954); commands are answered by a
//! script where that says so.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How the server protects itself.
#[derive(Clone, Default)]
pub struct Options {
    /// TLS from the first byte, instead of by STARTTLS.
    pub implicit: bool,
    /// No TLS at all, as behind someone who strips it.
    pub plain: bool,
    /// User and password, which it then asks for.
    pub login: Option<(&'static str, &'static str)>,
}

/// What is wrong with the next command that begins like this.
#[derive(Clone)]
pub struct Fault {
    /// Start of the command, or `.` for the message's end.
    pub at: &'static str,
    /// What it gets instead; without one the server hangs up. At `.` the message is kept first in that case.
    pub reply: Option<&'static str>,
}

/// A mail that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
    pub tls: bool,
    pub login: bool,
}

impl Delivered {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Default)]
struct State {
    faults: Vec<Fault>,
    mails: Vec<Delivered>,
    offences: Vec<String>,
    sessions: usize,
}

pub struct SmtpServer {
    pub port: u16,
    /// The server's certificate, as PEM.
    pub certificate: String,
    state: Arc<Mutex<State>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl SmtpServer {
    pub async fn start(options: Options) -> Self {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().sessions += 1;
                let (options, acceptor) = (options.clone(), acceptor.clone());
                let session = Session { options, state: Arc::clone(&shared), tls: false, login: false };
                // A client that goes away is no failure of the server.
                tokio::spawn(async move { drop(serve(session, stream, acceptor).await) });
            }
        });
        Self { port, certificate: made.cert.pem(), state, accepting }
    }

    /// Adds a fault, used once, after those already there.
    pub fn fault(&self, at: &'static str, reply: Option<&'static str>) {
        self.state.lock().faults.push(Fault { at, reply });
    }

    pub fn mails(&self) -> Vec<Delivered> {
        self.state.lock().mails.clone()
    }

    /// Connections so far.
    pub fn sessions(&self) -> usize {
        self.state.lock().sessions
    }

    /// What clients did against the protocol.
    pub fn offences(&self) -> Vec<String> {
        self.state.lock().offences.clone()
    }
}

struct Session {
    options: Options,
    state: Arc<Mutex<State>>,
    tls: bool,
    login: bool,
}

/// How a session over one stream went on.
enum Next {
    Upgrade,
    End,
}

async fn serve(mut session: Session, stream: TcpStream, acceptor: TlsAcceptor) -> std::io::Result<()> {
    if session.options.implicit {
        session.tls = true;
        let mut stream = BufReader::new(acceptor.accept(stream).await?);
        session.converse(&mut stream, true).await?;
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    if let Next::Upgrade = session.converse(&mut stream, true).await? {
        if !stream.buffer().is_empty() {
            session.offence("commands were sent before TLS was agreed");
        }
        session.tls = true;
        let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
        session.converse(&mut stream, false).await?;
    }
    Ok(())
}

impl Session {
    fn offence(&self, what: impl Into<String>) {
        self.state.lock().offences.push(what.into());
    }

    fn fault(&self, command: &str) -> Option<Fault> {
        let mut state = self.state.lock();
        let place = state.faults.iter().position(|fault| command.starts_with(fault.at))?;
        Some(state.faults.remove(place))
    }

    async fn converse<S>(&mut self, stream: &mut BufReader<S>, greet: bool) -> std::io::Result<Next>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if greet {
            say(stream, "220 mail.example ESMTP").await?;
        }
        let (mut hello, mut from, mut to) = (false, None::<String>, Vec::new());
        loop {
            let Some(line) = self.line(stream, 512).await? else { return Ok(Next::End) };
            let verb = line.split([' ', ':']).next().unwrap_or("").to_ascii_uppercase();
            if let Some(fault) = self.fault(&line) {
                match fault.reply {
                    Some(reply) => say(stream, reply).await?,
                    None => return Ok(Next::End),
                }
                continue;
            }
            match verb.as_str() {
                "EHLO" => {
                    (hello, from, to) = (true, None, Vec::new());
                    say(stream, &self.extensions()).await?;
                }
                "STARTTLS" if !self.tls && !self.options.plain => {
                    say(stream, "220 go ahead").await?;
                    return Ok(Next::Upgrade);
                }
                "AUTH" if hello => {
                    let reply = self.authenticate(&line);
                    say(stream, reply).await?;
                }
                "MAIL" if hello && from.is_none() => {
                    if self.options.login.is_some() && !self.login {
                        say(stream, "530 5.7.0 authentication required").await?;
                        continue;
                    }
                    from = Some(address(&line));
                    say(stream, "250 2.1.0 ok").await?;
                }
                "RCPT" if from.is_some() => {
                    to.push(address(&line));
                    say(stream, "250 2.1.5 ok").await?;
                }
                "DATA" if !to.is_empty() => {
                    say(stream, "354 end with a dot").await?;
                    let Some(text) = self.text(stream).await? else { return Ok(Next::End) };
                    let fault = self.fault(".");
                    if let Some(reply) = fault.as_ref().and_then(|fault| fault.reply) {
                        say(stream, reply).await?;
                    } else {
                        let (from, to) = (from.take().unwrap(), std::mem::take(&mut to));
                        let mail = Delivered { from, to, text, tls: self.tls, login: self.login };
                        self.state.lock().mails.push(mail);
                        if fault.is_some() {
                            return Ok(Next::End);
                        }
                        say(stream, "250 2.0.0 queued").await?;
                    }
                    (from, to) = (None, Vec::new());
                }
                "NOOP" => say(stream, "250 ok").await?,
                "RSET" => {
                    (from, to) = (None, Vec::new());
                    say(stream, "250 ok").await?;
                }
                "QUIT" => {
                    say(stream, "221 bye").await?;
                    return Ok(Next::End);
                }
                _ => {
                    self.offence(format!("bad sequence: {line}"));
                    say(stream, "503 5.5.1 bad sequence of commands").await?;
                }
            }
        }
    }

    fn extensions(&self) -> String {
        let mut said = "250-mail.example\r\n250-SIZE 1048576\r\n".to_owned();
        if !self.tls && !self.options.plain {
            said.push_str("250-STARTTLS\r\n");
        }
        if self.options.login.is_some() && (self.tls || self.options.plain) {
            said.push_str("250-AUTH PLAIN\r\n");
        }
        said + "250 ENHANCEDSTATUSCODES"
    }

    fn authenticate(&mut self, line: &str) -> &'static str {
        if !self.tls && !self.options.plain {
            self.offence("credentials were sent before TLS");
            return "538 5.7.11 encryption required";
        }
        let given = line.strip_prefix("AUTH PLAIN ").and_then(|text| BASE64_STANDARD.decode(text).ok());
        let wanted = self.options.login.map(|(user, password)| format!("\0{user}\0{password}").into_bytes());
        self.login = given.is_some() && given == wanted;
        if self.login { "235 2.7.0 welcome" } else { "535 5.7.8 wrong user or password" }
    }

    /// A line without its end; `None` when the client is gone.
    async fn line<S>(&self, stream: &mut BufReader<S>, most: usize) -> std::io::Result<Option<String>>
    where
        S: AsyncRead + Unpin,
    {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        if line.len() > most {
            self.offence(format!("a line of {} bytes", line.len()));
        }
        if !line.ends_with(b"\r\n") || line[..line.len() - 2].contains(&b'\r') {
            self.offence("a line without its CRLF, or with a CR within");
        }
        if !line.is_ascii() {
            self.offence("8-bit text that was not agreed");
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn text<S>(&self, stream: &mut BufReader<S>) -> std::io::Result<Option<String>>
    where
        S: AsyncRead + Unpin,
    {
        let mut text = String::new();
        loop {
            let Some(line) = self.line(stream, 1000).await? else { return Ok(None) };
            match line.strip_prefix('.') {
                Some("") => return Ok(Some(text)),
                Some(rest) if rest.starts_with('.') => text.push_str(rest),
                Some(_) => self.offence("a line that begins with a single dot"),
                None => text.push_str(&line),
            }
            text.push_str("\r\n");
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    line: &str,
) -> std::io::Result<()> {
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.get_mut().flush().await
}

fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or("").to_owned()
}

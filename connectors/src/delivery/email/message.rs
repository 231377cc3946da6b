//! The mail about a transition: plain text and simple HTML that say the same, and the headers that make the mails
//! of an episode one conversation.
//!
//! The firing mail's Message-ID is made from channel and dedup key, so its repeat is the same message to whoever
//! compares ids, and the resolved mail names it in In-Reply-To and References without anything being remembered.
//! Subjects stay the same but for `Re:`, since some mail services thread by them too.

use super::super::message::{cut, number, state, summary, timestamp};
use deskstream_schemas::{Alert, AlertState};
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::SystemTime;

/// Ours: a subject is read in a list.
const MAX_SUBJECT: usize = 150;

/// Ours: the rest is in the console.
const MAX_TEXT: usize = 4000;

/// Ours, for each fact.
const MAX_FACT: usize = 300;

/// What a mail of a channel says besides the alert.
pub(super) struct Envelope<'a> {
    pub(super) channel: &'a str,
    pub(super) from: &'a Mailbox,
    pub(super) to: &'a [Mailbox],
}

/// The mail, as it goes over the wire. `repeat` says that an earlier try may have arrived.
pub(super) fn mail(
    envelope: &Envelope<'_>,
    alert: &Alert,
    repeat: bool,
    now: SystemTime,
) -> Result<Vec<u8>, lettre::error::Error> {
    let firing = message_id(envelope, alert, AlertState::Firing);
    let subject = cut(
        &format!("[{}] {} for {}", alert.severity.as_str(), subject_of(alert), alert.tenant),
        MAX_SUBJECT,
    );
    let mut mail = Message::builder()
        .from(envelope.from.clone())
        .date(now)
        .message_id(Some(message_id(envelope, alert, alert.state)))
        // Nobody's absence is to be told to us (RFC 3834).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    mail = match alert.state {
        AlertState::Firing => mail.subject(subject),
        AlertState::Resolved => {
            mail.in_reply_to(firing.clone()).references(firing).subject(format!("Re: {subject}"))
        }
    };
    for to in envelope.to {
        mail = mail.to(to.clone());
    }
    let facts = facts(alert, repeat);
    let mail =
        mail.multipart(MultiPart::alternative_plain_html(plain(alert, &facts), html(alert, &facts)))?;
    Ok(mail.formatted())
}

fn subject_of(alert: &Alert) -> String {
    if alert.group.is_empty() { alert.rule.clone() } else { format!("{} ({})", alert.rule, alert.group) }
}

/// An id that only this transition has, in the sender's domain.
pub(super) fn message_id(envelope: &Envelope<'_>, alert: &Alert, state: AlertState) -> String {
    let digest = Sha256::digest(format!("{}/{}", envelope.channel, alert.dedup_key).as_bytes());
    let mut id = String::from("<");
    for byte in &digest[..16] {
        // Writing to a string does not fail.
        let _ = write!(id, "{byte:02x}");
    }
    let state = match state {
        AlertState::Firing => "firing",
        AlertState::Resolved => "resolved",
    };
    let _ = write!(id, ".{state}@{}>", envelope.from.email.domain());
    id
}

fn facts(alert: &Alert, repeat: bool) -> Vec<(String, String)> {
    let mut facts: Vec<(&str, String)> = vec![
        ("Severity", alert.severity.as_str().to_owned()),
        ("Tenant", alert.tenant.clone()),
        ("Rule", alert.rule.clone()),
        ("Value", number(alert.value)),
        ("Threshold", number(alert.threshold)),
        ("Since", timestamp(alert.started_at)),
    ];
    if !alert.group.is_empty() {
        facts.insert(3, ("Group", alert.group.clone()));
    }
    if alert.state == AlertState::Resolved {
        facts.push(("Until", timestamp(alert.changed_at)));
    }
    let mut facts: Vec<_> = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    facts.extend(alert.labels.iter().map(|(name, value)| (name.clone(), value.clone())));
    if repeat {
        let note = "this may be one: the answer to an earlier try was lost";
        facts.push(("Repeat".to_owned(), note.to_owned()));
    }
    facts.into_iter().map(|(name, value)| (cut(&name, MAX_FACT), cut(&value, MAX_FACT))).collect()
}

fn plain(alert: &Alert, facts: &[(String, String)]) -> String {
    let mut text = format!("{}: {}\n\n", state(alert), cut(&summary(alert), MAX_TEXT));
    for (name, value) in facts {
        let _ = writeln!(text, "{name}: {value}");
    }
    text
}

fn html(alert: &Alert, facts: &[(String, String)]) -> String {
    let mut html = format!(
        "<html><body><p><strong>{}</strong>: {}</p><table>",
        state(alert),
        escape(&cut(&summary(alert), MAX_TEXT))
    );
    for (name, value) in facts {
        let _ = write!(html, "<tr><td>{}</td><td>{}</td></tr>", escape(name), escape(value));
    }
    html.push_str("</table></body></html>");
    html
}

/// Text of others stays text.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::super::message::tests::alert;
    use super::*;
    use std::time::UNIX_EPOCH;

    fn mailbox(text: &str) -> Mailbox {
        text.parse().unwrap()
    }

    fn written(alert: &Alert) -> String {
        let (from, to) = (
            mailbox("Deskstream <alerts@example.com>"),
            [mailbox("a@example.org"), mailbox("b@example.org")],
        );
        let envelope = Envelope { channel: "mail", from: &from, to: &to };
        String::from_utf8(mail(&envelope, alert, false, UNIX_EPOCH).unwrap()).unwrap()
    }

    fn header<'a>(mail: &'a str, name: &str) -> Option<&'a str> {
        let head = mail.split("\r\n\r\n").next().unwrap();
        head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    #[test]
    fn both_texts_say_what_when_and_how_bad() {
        let resolved = Alert { state: AlertState::Resolved, group: "billing".into(), ..alert() };
        insta::assert_snapshot!(plain(&alert(), &facts(&alert(), false)));
        insta::assert_snapshot!(plain(&resolved, &facts(&resolved, true)));
        insta::assert_snapshot!(html(&resolved, &facts(&resolved, true)));
    }

    #[test]
    fn the_mails_of_an_episode_are_a_conversation() {
        let firing = written(&alert());
        let resolved = written(&Alert { state: AlertState::Resolved, ..alert() });
        let id = header(&firing, "Message-ID").unwrap();
        assert_eq!(header(&firing, "In-Reply-To"), None);
        assert_eq!(header(&resolved, "In-Reply-To"), Some(id));
        assert_eq!(header(&resolved, "References"), Some(id));
        assert_ne!(header(&resolved, "Message-ID"), Some(id));
        assert_eq!(header(&written(&alert()), "Message-ID"), Some(id), "a repeat is the same message");
        let next = written(&Alert { dedup_key: "deskstream/error-rate/acme//9".into(), ..alert() });
        assert_ne!(header(&next, "Message-ID"), Some(id));
        assert_eq!(header(&firing, "Subject"), Some("[critical] error-rate for acme"));
        assert_eq!(header(&resolved, "Subject"), Some("Re: [critical] error-rate for acme"));
        assert_eq!(header(&firing, "To"), Some("a@example.org, b@example.org"));
        assert_eq!(header(&firing, "Auto-Submitted"), Some("auto-generated"));
    }

    #[test]
    fn no_text_of_others_makes_a_header_or_a_tag() {
        let evil = "x\r\nBcc: eve@example.net\r\n\r\n<img src=x onerror=alert(1)>ü";
        let alert = Alert {
            rule: evil.into(),
            tenant: evil.into(),
            group: evil.into(),
            summary: evil.into(),
            labels: [(evil.to_owned(), evil.to_owned())].into(),
            ..alert()
        };
        assert_eq!(header(&written(&alert), "Bcc"), None);
        assert!(!html(&alert, &facts(&alert, false)).contains("<img"));
    }

    #[test]
    fn every_line_fits_smtp_and_is_ascii() {
        let long = Alert { summary: "Störung ".repeat(2000), group: "ü".repeat(900), ..alert() };
        let mail = written(&long);
        assert!(mail.is_ascii());
        assert!(mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
        assert!(mail.len() < 60_000, "{}", mail.len());
    }
}

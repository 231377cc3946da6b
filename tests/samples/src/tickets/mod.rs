//! An endless, seeded stream of realistic support tickets with planted personal data.
//!
//! The same seed gives the same tickets, in any order of asking: [`Generator::at`] needs no predecessors.
//! Texts are put together from phrase books in five languages (mostly English), with variation in wording,
//! tone, length (200 B to 4 KiB of body, about 1 KiB in the mean), typing mistakes, log excerpts and quoted
//! mails. Every value of personal data that went into a text is returned beside it ([`Planted`]), so that a
//! leak test can look for it downstream. Mistakes are never made inside a planted value.

mod compose;
mod draft;
mod english;
mod french;
mod german;
mod incident;
mod names;
mod phrases;
mod pii;
mod portuguese;
mod spanish;
mod spin;
mod typos;

pub use incident::Outage;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// Documented, portable and fast: the stream of a seed stays the same across platforms and versions.
pub(crate) type Random = Xoshiro256PlusPlus;

/// A kind of personal data or secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PiiKind {
    /// E-mail address.
    Email,
    /// Phone number, in a national or international form.
    Phone,
    /// Payment card number that passes Luhn's check.
    PaymentCard,
    /// IBAN with right check digits, with or without spaces.
    Iban,
    /// US social security number.
    Ssn,
    /// IPv4 address.
    IpV4,
    /// IPv6 address.
    IpV6,
    /// URL with a user and password, or a token, in it.
    CredentialUrl,
    /// The password or token inside such a URL.
    UrlSecret,
    /// API key, access token or private key of a known form; all dummies.
    ApiKey,
    /// Date of birth; a word before it says so.
    DateOfBirth,
    /// Passport number; a word before it says so.
    Passport,
    /// Driving licence number; a word before it says so.
    DrivingLicence,
    /// The requester's name: found by named-entity recognition, not by a pattern.
    PersonName,
}

impl PiiKind {
    /// Whether a pattern with a validator can find it, as opposed to knowledge of names.
    pub fn structured(self) -> bool {
        self != Self::PersonName
    }
}

/// A value that stands, as it is, in a ticket's subject or body.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Planted {
    /// What it is.
    pub kind: PiiKind,
    /// The exact text.
    pub value: String,
}

/// Language of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Language {
    English,
    German,
    Spanish,
    French,
    Portuguese,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::English, Self::German, Self::Spanish, Self::French, Self::Portuguese];

    /// ISO 639-1 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Spanish => "es",
            Self::French => "fr",
            Self::Portuguese => "pt",
        }
    }
}

/// Line of business of the helpdesk's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Industry {
    Saas,
    Ecommerce,
    Finance,
}

/// What a ticket is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Cause {
    Outage,
    Performance,
    Login,
    Bug,
    Integration,
    Billing,
    Refund,
    Shipping,
    Damaged,
    PaymentDeclined,
    Fraud,
    Transfer,
    HowTo,
    FeatureRequest,
    Cancellation,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Outage,
        Self::Performance,
        Self::Login,
        Self::Bug,
        Self::Integration,
        Self::Billing,
        Self::Refund,
        Self::Shipping,
        Self::Damaged,
        Self::PaymentDeclined,
        Self::Fraud,
        Self::Transfer,
        Self::HowTo,
        Self::FeatureRequest,
        Self::Cancellation,
    ];
}

/// How pressing a ticket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Urgency {
    Low,
    Normal,
    High,
    Critical,
}

/// The requester's mood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Mood {
    Happy,
    Neutral,
    Worried,
    Frustrated,
    Angry,
}

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

/// A ticket, and what is true of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedTicket {
    /// Subject line.
    pub subject: String,
    /// Body, plain text.
    pub body: String,
    /// Who writes. Name and address are personal data whether or not they also stand in the text.
    pub requester: Requester,
    /// Every value of personal data in subject and body.
    pub planted: Vec<Planted>,
    /// Tags as an intake form sets them.
    pub tags: Vec<String>,
    /// Language.
    pub language: Language,
    /// Line of business.
    pub industry: Industry,
    /// What it is about.
    pub cause: Cause,
    /// How pressing it is.
    pub urgency: Urgency,
    /// The requester's mood.
    pub mood: Mood,
}

/// What tickets are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Share of tickets with structured personal data in their text, 0 to 1.
    pub pii_share: f64,
    /// Share of tickets in English, 0 to 1; the rest is spread over the other languages.
    pub english_share: f64,
    /// Share of tickets by careless typists, 0 to 1.
    pub careless_share: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { pii_share: 0.6, english_share: 0.7, careless_share: 0.35 }
    }
}

/// The stream. It never ends.
#[derive(Debug, Clone)]
pub struct Generator {
    seed: u64,
    next: u64,
    settings: Settings,
}

/// Streams of one seed that must not resemble one another.
#[derive(Clone, Copy)]
enum Stream {
    Tickets = 1,
    Requesters,
    FollowUps,
    Replies,
    Incidents,
}

impl Generator {
    /// Starts the stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self::with_settings(seed, Settings::default())
    }

    /// Starts the stream of a seed with other proportions.
    pub fn with_settings(seed: u64, settings: Settings) -> Self {
        Self { seed, next: 0, settings }
    }

    /// The next ticket.
    pub fn next_ticket(&mut self) -> GeneratedTicket {
        let ticket = self.at(self.next);
        self.next += 1;
        ticket
    }

    /// Ticket number `index` of this seed, counted from 0.
    pub fn at(&self, index: u64) -> GeneratedTicket {
        compose::ticket(&mut self.random(Stream::Tickets, index), &self.settings)
    }

    /// A person who might write next.
    pub fn next_requester(&mut self) -> Requester {
        let mut random = self.advance(Stream::Requesters);
        compose::requester(&mut random, Language::English)
    }

    /// A requester's second message, and what is planted in it.
    pub fn next_follow_up(&mut self) -> (String, Vec<Planted>) {
        let mut random = self.advance(Stream::FollowUps);
        compose::follow_up(&mut random)
    }

    /// An agent's answer.
    pub fn next_agent_reply(&mut self) -> String {
        let mut random = self.advance(Stream::Replies);
        compose::agent_reply(&mut random)
    }

    /// An outage to write incident tickets about.
    pub fn next_outage(&mut self) -> Outage {
        let mut random = self.advance(Stream::Incidents);
        Outage::new(&mut random)
    }

    /// One of many angry, urgent tickets about `outage`.
    pub fn next_incident_ticket(&mut self, outage: &Outage) -> GeneratedTicket {
        let mut random = self.advance(Stream::Incidents);
        incident::ticket(&mut random, outage, &self.settings)
    }

    fn advance(&mut self, stream: Stream) -> Random {
        let random = self.random(stream, self.next);
        self.next += 1;
        random
    }

    fn random(&self, stream: Stream, index: u64) -> Random {
        // Odd multipliers keep neighbouring seeds, streams and indices apart; seeding mixes further.
        let mixed = self
            .seed
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add((stream as u64).wrapping_mul(0xD1B5_4A32_D192_ED03))
            .wrapping_add(index.wrapping_mul(0x8CB9_2BA7_2F3D_8DD7));
        Random::seed_from_u64(mixed)
    }
}

impl Iterator for Generator {
    type Item = GeneratedTicket;

    fn next(&mut self) -> Option<GeneratedTicket> {
        Some(self.next_ticket())
    }
}

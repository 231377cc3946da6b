//! Tickets about one outage, as they come in by the dozen.

use super::compose::{Plan, phrases_of, write};
use super::phrases::{CausePhrases, book};
use super::spin::{Slots, pick, spin};
use super::{Cause, GeneratedTicket, Industry, Language, Mood, Random, Settings, Urgency};
use rand::RngExt;

/// What everybody writes about at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// The part that is down.
    pub feature: &'static str,
    /// The product it belongs to.
    pub product: &'static str,
    /// What an agent answers when it is over.
    pub resolution: String,
}

const RESOLUTION: &str = "Hello, {feature} [is back|has been restored] since {time}. [We are sorry for the trouble|We apologise for the interruption]; a report will follow on our status page.";

const PHRASES: CausePhrases = CausePhrases {
    cause: Cause::Outage,
    subjects: &[
        "[URGENT|URGENT!!|Critical]: {feature} is [down|completely down|not responding]",
        "{product} [outage|is down] - [nothing works|we are blocked]",
        "[Production down|Total outage] since {time}",
        "[Unacceptable|Again?!] {feature} [down|dead] [right now|for everyone]",
    ],
    openings: &[
        "{feature} [has been down|is not responding] since {time} and [our whole team|all of our {count} agents] [cannot work|is blocked|are standing still].",
        "[Everything is down|Nothing works]. {product} answers {error} to [every request|everybody here] since {time}.",
        "We are in the middle of an outage: {feature} [fails|times out] for [all users|every customer], {count} [complaints|calls] so far.",
    ],
    details: &[
        "[We are losing|This is costing us] {amount} [every minute|per hour].",
        "Our own customers [are furious|keep calling] and we have [nothing|no answer] to tell them.",
        "Your status page still shows [green|all systems operational], which is [a joke|simply not true].",
        "[Refreshing|Logging out and in|Another browser] does not help, we tried {browser} too.",
        "This is the [second|third] outage [this month|this quarter].",
        "If this is not [fixed|back] within the hour we will [invoke our SLA|start moving away from {product}].",
    ],
};

impl Outage {
    pub(super) fn new(random: &mut Random) -> Self {
        let book = book(Language::English);
        let slots = Slots::new(random, book);
        let resolution = spin(random, book, &slots, RESOLUTION);
        Self { feature: slots.feature, product: slots.product, resolution }
    }
}

pub(super) fn ticket(random: &mut Random, outage: &Outage, settings: &Settings) -> GeneratedTicket {
    let language = if random.random_bool(0.85) { Language::English } else { pick(random, &Language::ALL) };
    let book = book(language);
    let mut slots = Slots::new(random, book);
    slots.product = outage.product;
    if language == Language::English {
        slots.feature = outage.feature;
    }
    let phrases = if language == Language::English { &PHRASES } else { phrases_of(book, Cause::Outage) };
    let plan = Plan {
        language,
        industry: Industry::Saas,
        cause: Cause::Outage,
        urgency: Urgency::Critical,
        mood: Mood::Angry,
        target: random.random_range(220..800),
        plants: random.random_bool(settings.pii_share),
    };
    write(random, settings, &plan, book, &slots, phrases)
}

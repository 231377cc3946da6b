//! Puts a ticket together from its phrase book.

use super::draft::{Draft, Style};
use super::names::MAIL_HOSTS;
use super::phrases::{CausePhrases, PhraseBook, book};
use super::pii::{self, plant};
use super::spin::{Slots, pick, spin, spin_one};
use super::{
    Cause, GeneratedTicket, Industry, Language, Mood, PiiKind, Planted, Random, Requester, Settings, Urgency,
};
use rand::RngExt;
use rand::seq::SliceRandom;

/// Bodies are cut off here, between sentences.
const LONGEST_BODY: usize = 4_096;
/// Shorter ones get another sentence.
const SHORTEST_BODY: usize = 200;

pub(super) fn requester(random: &mut Random, language: Language) -> Requester {
    let name = pii::name(random, language);
    let email = pii::address(random, &name);
    Requester { name, email }
}

/// What is decided before the first word.
pub(super) struct Plan {
    pub(super) language: Language,
    pub(super) industry: Industry,
    pub(super) cause: Cause,
    pub(super) urgency: Urgency,
    pub(super) mood: Mood,
    pub(super) target: usize,
    /// Whether any structured personal data goes into the text.
    pub(super) plants: bool,
}

fn plan(random: &mut Random, settings: &Settings) -> Plan {
    let language = if random.random_bool(settings.english_share) {
        Language::English
    } else {
        pick(
            random,
            &[
                Language::German,
                Language::German,
                Language::Spanish,
                Language::Spanish,
                Language::French,
                Language::Portuguese,
            ],
        )
    };
    let cause = pick(random, &Cause::ALL);
    let industry = match cause {
        Cause::Shipping | Cause::Damaged | Cause::Refund => Industry::Ecommerce,
        Cause::Transfer | Cause::Fraud => Industry::Finance,
        Cause::Integration | Cause::FeatureRequest | Cause::Bug | Cause::Outage => Industry::Saas,
        Cause::PaymentDeclined => pick(random, &[Industry::Ecommerce, Industry::Finance]),
        _ => pick(random, &[Industry::Saas, Industry::Ecommerce, Industry::Finance]),
    };
    let urgency = match cause {
        Cause::Outage | Cause::Fraud => pick(random, &[Urgency::High, Urgency::Critical, Urgency::Critical]),
        Cause::FeatureRequest | Cause::HowTo => pick(random, &[Urgency::Low, Urgency::Low, Urgency::Normal]),
        Cause::Login | Cause::PaymentDeclined | Cause::Transfer => {
            pick(random, &[Urgency::Normal, Urgency::High, Urgency::High])
        }
        _ => pick(random, &[Urgency::Low, Urgency::Normal, Urgency::Normal, Urgency::High]),
    };
    let mood = match cause {
        Cause::FeatureRequest | Cause::HowTo => pick(random, &[Mood::Happy, Mood::Neutral, Mood::Neutral]),
        Cause::Fraud => pick(random, &[Mood::Worried, Mood::Worried, Mood::Angry]),
        Cause::Outage => pick(random, &[Mood::Worried, Mood::Frustrated, Mood::Angry]),
        _ => pick(
            random,
            &[
                Mood::Happy,
                Mood::Neutral,
                Mood::Neutral,
                Mood::Worried,
                Mood::Frustrated,
                Mood::Frustrated,
                Mood::Angry,
            ],
        ),
    };
    let (target, plants) = (target(random), random.random_bool(settings.pii_share));
    Plan { language, industry, cause, urgency, mood, target, plants }
}

/// Body length aimed at: many short, few long, about 850 bytes in the mean.
fn target(random: &mut Random) -> usize {
    match random.random_range(0..100) {
        0..25 => random.random_range(SHORTEST_BODY..450),
        25..70 => random.random_range(450..1_000),
        70..92 => random.random_range(1_000..1_900),
        _ => random.random_range(1_900..3_700),
    }
}

pub(super) fn ticket(random: &mut Random, settings: &Settings) -> GeneratedTicket {
    let plan = plan(random, settings);
    let book = book(plan.language);
    let slots = Slots::new(random, book);
    write(random, settings, &plan, book, &slots, phrases_of(book, plan.cause))
}

/// Every book has phrases for every cause; a test holds it to that.
pub(super) fn phrases_of(book: &'static PhraseBook, cause: Cause) -> &'static CausePhrases {
    book.causes.iter().find(|phrases| phrases.cause == cause).unwrap_or(&book.causes[0])
}

/// Writes a ticket to a plan.
pub(super) fn write(
    random: &mut Random,
    settings: &Settings,
    plan: &Plan,
    book: &PhraseBook,
    slots: &Slots,
    phrases: &CausePhrases,
) -> GeneratedTicket {
    let requester = requester(random, plan.language);
    let style = Style::new(random, settings, plan.mood);
    let kinds = kinds(random, plan);
    let mut within = Vec::new();

    let mut subject = Draft::new();
    subject.text(&spin_one(random, book, slots, phrases.subjects));
    if !kinds.is_empty() && random.random_bool(0.08) {
        subject.text(" (");
        subject.planted(Planted { kind: PiiKind::Email, value: requester.email.clone() });
        subject.text(")");
    }

    let mut body = Draft::new();
    if random.random_bool(0.85) {
        body.text(&spin_one(random, book, slots, book.greetings));
        body.text("\n\n");
    }
    body.text(&spin_one(random, book, slots, phrases.openings));
    let mut sentences = sentences(random, plan, book, phrases);
    let mut kinds = kinds.into_iter();
    let planted_after = sentences.len().min(3);
    for (i, template) in sentences.drain(..).enumerate() {
        let wanted = body.length < plan.target || i < 2;
        if !wanted || body.length > LONGEST_BODY - 700 {
            break;
        }
        body.text(if random.random_bool(0.2) { "\n\n" } else { " " });
        body.text(&spin(random, book, slots, template));
        if i + 1 == planted_after {
            plant_sentences(random, &mut body, &mut kinds, plan, book, slots, &requester, &mut within);
        }
    }
    plant_sentences(random, &mut body, &mut kinds, plan, book, slots, &requester, &mut within);
    blocks(random, &mut body, plan, book, slots);
    for template in book.details {
        if body.length >= SHORTEST_BODY {
            break;
        }
        body.text(" ");
        body.text(&spin(random, book, slots, template));
    }
    sign(random, &mut body, plan, book, slots, &requester);

    let (subject, mut planted) = subject.finish(random, &style);
    let (body, in_body) = body.finish(random, &style);
    planted.extend(in_body);
    planted.extend(within);
    planted.sort_by(|a, b| (a.kind, &a.value).cmp(&(b.kind, &b.value)));
    planted.dedup();
    let tags = tags(random, plan);
    GeneratedTicket {
        subject,
        body,
        requester,
        planted,
        tags,
        language: plan.language,
        industry: plan.industry,
        cause: plan.cause,
        urgency: plan.urgency,
        mood: plan.mood,
    }
}

/// Sentences in the order they are used; the first two always are.
fn sentences(
    random: &mut Random,
    plan: &Plan,
    book: &PhraseBook,
    phrases: &CausePhrases,
) -> Vec<&'static str> {
    let mut details = phrases.details.to_vec();
    details.shuffle(random);
    let mut general = book.details.to_vec();
    general.shuffle(random);
    let mut sentences = vec![details.pop().unwrap_or(book.details[0])];
    sentences.push(pick(random, book.mood[plan.mood as usize]));
    sentences.push(pick(random, book.urgency[plan.urgency as usize]));
    sentences.extend(details);
    sentences.extend(general);
    sentences
}

/// Which kinds of personal data go in. The kinds fit the cause: nobody sends a passport with a lost parcel.
fn kinds(random: &mut Random, plan: &Plan) -> Vec<PiiKind> {
    if !plan.plants {
        return Vec::new();
    }
    let usual: &[PiiKind] = match (plan.industry, plan.cause) {
        (_, Cause::Integration | Cause::Bug | Cause::Outage | Cause::Performance) => {
            &[PiiKind::ApiKey, PiiKind::IpV4, PiiKind::IpV6, PiiKind::CredentialUrl, PiiKind::Email]
        }
        (_, Cause::Login) => {
            &[PiiKind::Email, PiiKind::Phone, PiiKind::IpV4, PiiKind::DateOfBirth, PiiKind::IpV6]
        }
        (Industry::Finance, _) => &[
            PiiKind::Iban,
            PiiKind::PaymentCard,
            PiiKind::Ssn,
            PiiKind::DateOfBirth,
            PiiKind::Passport,
            PiiKind::DrivingLicence,
            PiiKind::Phone,
        ],
        (_, Cause::Billing | Cause::Refund | Cause::PaymentDeclined | Cause::Cancellation) => {
            &[PiiKind::PaymentCard, PiiKind::Iban, PiiKind::Email, PiiKind::Phone]
        }
        _ => &[PiiKind::Email, PiiKind::Phone, PiiKind::Phone, PiiKind::PaymentCard],
    };
    let count = pick(random, &[1, 1, 1, 2, 2, 3, 4]);
    let mut kinds: Vec<PiiKind> = usual.to_vec();
    kinds.shuffle(random);
    // Social security numbers and driving licences of the form made here are American.
    kinds.retain(|kind| {
        plan.language == Language::English || !matches!(kind, PiiKind::Ssn | PiiKind::DrivingLicence)
    });
    kinds.truncate(count);
    kinds
}

#[allow(clippy::too_many_arguments, reason = "one step of `write`, which holds all of these")]
fn plant_sentences(
    random: &mut Random,
    body: &mut Draft,
    kinds: &mut impl Iterator<Item = PiiKind>,
    plan: &Plan,
    book: &PhraseBook,
    slots: &Slots,
    requester: &Requester,
    within: &mut Vec<Planted>,
) {
    for kind in kinds {
        let Some((_, templates)) = book.pii.iter().find(|(known, _)| *known == kind) else { continue };
        let template = pick(random, templates);
        let sentence = spin(random, book, slots, template);
        body.text(" ");
        body.sentence_with(&sentence, plant(random, kind, plan.language, requester), within);
    }
}

/// Steps, a log excerpt or a quoted mail, as long tickets have.
fn blocks(random: &mut Random, body: &mut Draft, plan: &Plan, book: &PhraseBook, slots: &Slots) {
    let technical = matches!(
        plan.cause,
        Cause::Bug | Cause::Integration | Cause::Outage | Cause::Performance | Cause::Login
    );
    if plan.target > 900 && technical && random.random_bool(0.6) {
        body.text("\n\n");
        body.text(book.steps_heading);
        for i in 1..=random.random_range(2..=book.steps.len()) {
            body.text(&format!("\n{i}. {}", spin(random, book, slots, book.steps[i - 1])));
        }
    }
    if plan.target > 1_100 && technical {
        log(random, body, plan, book);
    }
    while body.length + 500 < plan.target {
        quote(random, body, plan, book, slots);
    }
}

/// Lines such as a server writes, each with an address.
fn log(random: &mut Random, body: &mut Draft, plan: &Plan, book: &PhraseBook) {
    body.text("\n\n");
    body.text(book.log_heading);
    let lines = (plan.target.saturating_sub(body.length) / 110).clamp(2, 16);
    for _ in 0..lines {
        let (hour, minute, second) =
            (random.random_range(0..24), random.random_range(0..60), random.random_range(0..60));
        let level = pick(random, &["ERROR", "WARN ", "INFO "]);
        body.text(&format!(
            "\n2026-11-{:02}T{hour:02}:{minute:02}:{second:02}Z {level} ",
            random.random_range(1..28)
        ));
        body.text(pick(
            random,
            &[
                "upstream request failed status=502 retry=3 client=",
                "token refresh rejected: invalid_grant peer=",
                "slow query 8412 ms on orders_by_account from=",
                "webhook delivery attempt 4 timed out remote=",
                "session closed by peer addr=",
            ],
        ));
        let kind = if random.random_bool(0.85) { PiiKind::IpV4 } else { PiiKind::IpV6 };
        let requester = Requester { name: String::new(), email: String::new() };
        if plan.plants {
            for value in plant(random, kind, plan.language, &requester) {
                body.planted(value);
            }
        } else {
            body.text("-");
        }
        body.text(&format!(" id={:08x}", random.random::<u32>()));
    }
}

fn quote(random: &mut Random, body: &mut Draft, plan: &Plan, book: &PhraseBook, slots: &Slots) {
    let address = format!("support{}@{}", random.random_range(1..9), pick(random, &MAIL_HOSTS));
    let (before, after) = book.quote_heading.split_once("{}").unwrap_or((book.quote_heading, ""));
    body.text("\n\n");
    body.text(before);
    if plan.plants {
        body.planted(Planted { kind: PiiKind::Email, value: address });
    } else {
        body.text("Support");
    }
    body.text(after);
    for _ in 0..random.random_range(2..5) {
        let template = pick(random, book.quotes);
        body.text(&format!("\n> {}", spin(random, book, slots, template)));
    }
}

fn sign(
    random: &mut Random,
    body: &mut Draft,
    plan: &Plan,
    book: &PhraseBook,
    slots: &Slots,
    requester: &Requester,
) {
    let polite = !matches!(plan.mood, Mood::Angry) || random.random_bool(0.4);
    if polite && random.random_bool(0.9) {
        body.text("\n\n");
        body.text(&spin_one(random, book, slots, book.closings));
    }
    if random.random_bool(0.7) {
        body.text("\n");
        body.planted(Planted { kind: PiiKind::PersonName, value: requester.name.clone() });
        if plan.plants && random.random_bool(0.15) {
            body.text("\n");
            for value in plant(random, PiiKind::Phone, plan.language, requester) {
                body.planted(value);
            }
        }
    }
}

fn tags(random: &mut Random, plan: &Plan) -> Vec<String> {
    let mut tags = Vec::new();
    if random.random_bool(0.5) {
        tags.push(pick(random, &["web_form", "email_intake", "mobile_app", "chat_handover"]).to_owned());
    }
    if random.random_bool(0.3) {
        let industry = match plan.industry {
            Industry::Saas => "saas",
            Industry::Ecommerce => "shop",
            Industry::Finance => "banking",
        };
        tags.push(industry.to_owned());
    }
    if random.random_bool(0.1) {
        tags.push("vip".to_owned());
    }
    tags
}

const FOLLOW_UPS: &[&str] = &[
    "Any [news|update] on this? [It is still not working.|Nothing has changed on our side.] You can reach me at {}.",
    "I [tried|followed] the steps you sent, [no luck|same result]. Please call me: {}.",
    "Adding a detail: it also happens with {feature}. My colleague's address is {} in case you need a second account.",
    "[Hello?|Hi again,] it has been {count} hours. My direct line is {}.",
];
const PLAIN_FOLLOW_UPS: &[&str] = &[
    "Thanks, that [worked|did the trick]! You can close this.",
    "[Still broken|Same error] for us, {error} every time.",
    "It works again since {time}. What was it?",
    "I would like to [speak to a manager|escalate this], this is taking [far too long|days].",
];

pub(super) fn follow_up(random: &mut Random) -> (String, Vec<Planted>) {
    let book = book(Language::English);
    let slots = Slots::new(random, book);
    if random.random_bool(0.6) {
        return (spin_one(random, book, &slots, PLAIN_FOLLOW_UPS), Vec::new());
    }
    let template = pick(random, FOLLOW_UPS);
    let kind = if template.contains("address") || template.contains("reach me at") {
        PiiKind::Email
    } else {
        PiiKind::Phone
    };
    let writer = requester(random, Language::English);
    let (mut draft, mut within) = (Draft::new(), Vec::new());
    let values = plant(random, kind, Language::English, &writer);
    draft.sentence_with(&spin(random, book, &slots, template), values, &mut within);
    draft.finish(random, &Style::plain())
}

const AGENT_REPLIES: &[&str] = &[
    "Hello, thank you for [writing in|contacting us]. [I have passed this to our engineers|I am looking into it now] and will [get back to you|update you] [today|as soon as I know more].",
    "Hi, could you [tell us|let us know] which version of {product} you are on, and whether {feature} shows {error} as well?",
    "Hello, the [refund|credit] of {amount} for {order} was [issued|booked] {day}; banks take up to five working days.",
    "Hi there, we [released a fix|rolled back a change] at {time}. Please try again and [tell us|let us know] if it persists.",
];

pub(super) fn agent_reply(random: &mut Random) -> String {
    let book = book(Language::English);
    let slots = Slots::new(random, book);
    spin_one(random, book, &slots, AGENT_REPLIES)
}

//! Templates: `[one|another]` stands for one of its parts, which may hold further brackets; `{slot}` for a
//! value; `{}` is left in place for a planted one.

use super::Random;
use super::phrases::PhraseBook;
use rand::RngExt;
use rand::seq::IndexedRandom;

/// Values that stay the same throughout one ticket.
pub(super) struct Slots {
    pub(super) product: &'static str,
    pub(super) order: String,
    pub(super) amount: String,
    pub(super) plan: &'static str,
    pub(super) item: &'static str,
    pub(super) feature: &'static str,
}

const PRODUCTS: [&str; 8] = [
    "Northwind Desk",
    "Ledgerly",
    "Paperplane",
    "Cartwheel",
    "Tidewater Pay",
    "Bluebarn",
    "Fernway Bank",
    "Quillbase",
];
const PLANS: [&str; 5] = ["Starter", "Team", "Business", "Pro", "Enterprise"];
const BROWSERS: [&str; 6] =
    ["Chrome 141", "Firefox 143", "Safari 19", "Edge 140", "the Android app", "the iOS app"];
const ERRORS: [&str; 8] =
    ["ERR_502", "E-1042", "500", "403 Forbidden", "timeout", "SYNC_FAILED", "0x80070005", "TXN-311"];

impl Slots {
    pub(super) fn new(random: &mut Random, book: &PhraseBook) -> Self {
        let currency = ["$", "€", "£"].choose(random).copied().unwrap_or("$");
        let amount = format!("{currency}{}.{:02}", random.random_range(4..1900), random.random_range(0..100));
        Self {
            product: pick(random, &PRODUCTS),
            order: format!("#{}", random.random_range(10_000..9_999_999)),
            amount,
            plan: pick(random, &PLANS),
            item: pick(random, book.items),
            feature: pick(random, book.features),
        }
    }
}

/// One of a list that is never empty.
pub(super) fn pick<T: Copy>(random: &mut Random, list: &[T]) -> T {
    list[random.random_range(0..list.len())]
}

/// Expands one template of a list.
pub(super) fn spin_one(random: &mut Random, book: &PhraseBook, slots: &Slots, templates: &[&str]) -> String {
    let template = pick(random, templates);
    spin(random, book, slots, template)
}

/// Expands a template.
pub(super) fn spin(random: &mut Random, book: &PhraseBook, slots: &Slots, template: &str) -> String {
    let chosen = choose_parts(random, template);
    let mut text = String::with_capacity(chosen.len() + 32);
    let mut rest = chosen.as_str();
    while let Some(start) = rest.find('{') {
        let Some(length) = rest[start..].find('}') else { break };
        text.push_str(&rest[..start]);
        let slot = &rest[start + 1..start + length];
        match slot {
            "product" => text.push_str(slots.product),
            "order" => text.push_str(&slots.order),
            "amount" => text.push_str(&slots.amount),
            "plan" => text.push_str(slots.plan),
            "item" => text.push_str(slots.item),
            "feature" => text.push_str(slots.feature),
            "day" => text.push_str(pick(random, book.days)),
            "browser" => text.push_str(pick(random, &BROWSERS)),
            "error" => text.push_str(pick(random, &ERRORS)),
            "count" => text.push_str(&random.random_range(2..60).to_string()),
            "time" => {
                text.push_str(&format!(
                    "{:02}:{:02}",
                    random.random_range(0..24),
                    random.random_range(0..60)
                ));
            }
            _ => text.push_str("{}"),
        }
        rest = &rest[start + length + 1..];
    }
    text.push_str(rest);
    text
}

fn choose_parts(random: &mut Random, template: &str) -> String {
    let mut text = template.to_owned();
    // Innermost brackets first: the last opening one has no other inside.
    while let Some(open) = text.rfind('[') {
        let Some(length) = text[open..].find(']') else { break };
        let parts: Vec<&str> = text[open + 1..open + length].split('|').collect();
        let part = pick(random, &parts).to_owned();
        text.replace_range(open..=open + length, &part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::phrases::book;
    use super::super::{Cause, Language};
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn brackets_nest() {
        let mut random = Random::seed_from_u64(1);
        for _ in 0..50 {
            let text = choose_parts(&mut random, "a [b|c [d|e]] f");
            assert!(["a b f", "a c d f", "a c e f"].contains(&text.as_str()), "{text}");
        }
    }

    #[test]
    fn every_book_covers_every_cause_and_leaves_no_template_mark() {
        let mut random = Random::seed_from_u64(2);
        for language in Language::ALL {
            let book = book(language);
            let slots = Slots::new(&mut random, book);
            for cause in Cause::ALL {
                let found = book.causes.iter().filter(|phrases| phrases.cause == cause).count();
                assert_eq!(found, 1, "{language:?} {cause:?}");
            }
            let of_causes = book
                .causes
                .iter()
                .flat_map(|phrases| [phrases.subjects, phrases.openings, phrases.details])
                .flatten();
            let moods = book.mood.iter().chain(book.urgency.iter()).copied().flatten();
            let others =
                [book.greetings, book.closings, book.details, book.steps, book.quotes].into_iter().flatten();
            for template in of_causes.chain(moods).chain(others) {
                let text = spin(&mut random, book, &slots, template);
                assert!(
                    !text.is_empty() && !text.contains(['[', ']', '|', '{', '}']),
                    "{template} -> {text}"
                );
            }
            for (kind, templates) in book.pii {
                for template in *templates {
                    let text = spin(&mut random, book, &slots, template);
                    assert_eq!(text.matches("{}").count(), 1, "{language:?} {kind:?}: {template}");
                }
            }
        }
    }
}

//! Named entities: people, organisations, places and addresses in running text.
//!
//! 1. `token` cuts the text into words and looks each up in one hash table of names and common words (`words`).
//! 2. `tagger` keeps windows around words that may be names; the rest of the text, most of it, goes no further.
//! 3. A linear-chain model over hashed features (`features`, `clusters`, `model`) tags the windows.
//! 4. `known` finds where the names of the ticket recur.
//!
//! Findings of the other detectors and masks are *covered*: no entity reaches into them. Since a tagged word is
//! context for its neighbours, the text is tagged again with what was found covered until nothing more is found
//! (mostly once more, only if something was found), so that a redacted text holds nothing that a second redaction
//! would find. Cost is linear in the text's length, and nothing is allocated once the buffers have grown.

mod clusters;
mod evidence;
mod features;
mod known;
mod model;
mod signature;
mod tagger;
mod token;
mod words;

#[cfg(feature = "train")]
pub mod train;

pub use known::TicketNames;
pub use model::{EntityModel, EntityModelError};

use features::Case;
use tagger::{Chain, Entity};
use token::Token;

use crate::detect::names;
use crate::finding::{Detector, Span};
use crate::kind::PiiKind;
use crate::merge;

/// Passes over one text. The second finds little and the third next to nothing; the limit bounds the cost.
const PASSES: usize = 6;

/// Memory of one call.
#[derive(Default)]
pub(crate) struct Scratch {
    tokens: Vec<Token>,
    covered: Vec<(u32, u32)>,
    /// Places of tokens that the last pass has covered.
    changed: Vec<u32>,
    entities: Vec<Entity>,
    chain: Chain,
    /// The names of a text that is no ticket's.
    nobody: TicketNames,
}

/// How much of a text the model had to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Words and marks.
    pub tokens: usize,
    /// Those that the model saw.
    pub tagged: usize,
}

const DETECTORS: [Detector; 4] =
    [names::ENTITY_PERSON, names::ENTITY_ORGANIZATION, names::ENTITY_LOCATION, names::ENTITY_ADDRESS];

/// Appends the entities of `text` to `spans`, which hold what the other detectors found and are not sorted.
pub(crate) fn find(
    model: &EntityModel,
    text: &str,
    enabled: &[bool; PiiKind::ALL.len()],
    min_score: f32,
    ticket: Option<&mut TicketNames>,
    scratch: &mut Scratch,
    spans: &mut Vec<Span>,
) -> Reach {
    let Scratch { tokens, covered, changed, entities, chain, nobody } = scratch;
    nobody.clear();
    let ticket = ticket.unwrap_or(nobody);
    for span in spans.iter().filter(|span| span.kind == PiiKind::Email) {
        ticket.add_email(text.get(span.start as usize..span.end as usize).unwrap_or_default());
    }
    let mut reach = Reach::default();
    merge::union(spans, covered);
    token::tokenize(text, covered, &model.words, tokens);
    let mut last_case = None;
    for pass in 0..PASSES {
        let case = Case::of(tokens);
        chain.prefilter(tokens, case);
        if pass == 0 {
            reach.tokens = tokens.len();
            reach.tagged = chain.windows.iter().map(|w| (w.1 - w.0) as usize).sum();
        } else if last_case == Some(case) {
            // What is far from anything new would be judged as before.
            chain.keep_near(changed);
        }
        last_case = Some(case);
        entities.clear();
        chain.tag(model, text, tokens, case, entities);
        let before = spans.len();
        for entity in entities.iter() {
            let detector = DETECTORS[usize::from(entity.kind)];
            if !enabled[detector.kind().index()] || entity.score < min_score {
                continue;
            }
            let Some(entity) = evidence::supported(entity, tokens, case) else { continue };
            if entity.kind == tagger::PERSON && entity.to - entity.from <= 4 {
                tokens[entity.from..entity.to]
                    .iter()
                    .filter(|t| t.shape.is_word() && t.len() > 2)
                    .for_each(|t| ticket.add_hash(t.hash));
            }
            spans.push(span(tokens, entity.from, entity.to, detector, entity.score));
        }
        if enabled[PiiKind::Person.index()] {
            // Inside an address or organisation it is found already.
            let is_found = |spans: &[Span], from: usize, to: usize| {
                spans.iter().any(|s| s.start <= tokens[from].start && s.end >= tokens[to - 1].end)
            };
            signature::find(tokens, |from, to| {
                if !is_found(&spans[before..], from, to) {
                    tokens[from..to].iter().filter(|t| t.len() > 2).for_each(|t| ticket.add_hash(t.hash));
                    spans.push(span(tokens, from, to, names::TICKET_NAME, 0.9));
                }
            });
            if !ticket.is_empty() {
                ticket.find(tokens, |from, to| {
                    if !is_found(&spans[before..], from, to) {
                        spans.push(span(tokens, from, to, names::TICKET_NAME, 0.95));
                    }
                });
            }
        }
        if spans.len() == before {
            break;
        }
        merge::union(&spans[before..], covered);
        token::cover(tokens, covered, changed);
    }
    reach
}

fn span(tokens: &[Token], from: usize, to: usize, detector: Detector, score: f32) -> Span {
    Span { start: tokens[from].start, end: tokens[to - 1].end, kind: detector.kind(), detector, score }
}

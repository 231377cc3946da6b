//! What the words of an entity must show beyond the tagger's opinion.
//!
//! The tagger was taught to rather mark too much than too little, and technical text (`epoch 1717755750`, `line 694,
//! column 32`, `kernel 5.16`) is unlike anything that it was taught. A name is written like one or known as one, and has
//! no figures in it; an address has a figure, and a word that is written like a name or leads to a door.

use super::features::Case;
use super::tagger::{self, Entity};
use super::token::{Shape, Token, gap, short};
use super::words::{Hasher, flag};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Tokens before an entity in which words such as `name` or `Mr` vouch for a name that nobody knows.
const REACH: usize = 2;

/// The score of what the tagger marks only because it was taught to rather mark too much.
const DOUBTFUL: f32 = 0.5;

/// A word in small letters that no list holds may be a name if the tagger has no doubt: `kaite`, `messi`. Slips of the
/// pen score less.
const CERTAIN: f32 = 0.99;

/// Marks between what is left of an address and what was found of it.
const BESIDE: usize = 2;

/// More digits than a house or a founding year has.
const LONG_FIGURE: usize = 4;

/// Words of technical text and of commerce that stand where names do, beside a figure or a code.
const TECHNICAL: &str = "line column col row rows page step port ports asset batch serial kernel voucher coupon shares \
    epoch shipment parcel order commande bestellung pedido ordine bestelling sku ean upc gtin isbn iso rfc mtu ttl gb mb \
    kb tb gib mib kib mbit gbit ghz mhz khz dpi fps rpm dhl ups usps gls dpd hermes fedex model modell modelo modello part \
    item ticket case invoice rechnung facture factura fattura fatura week woche semaine semana settimana version release \
    build commit branch sha md5 checksum hash token session request error code exit status http https tcp udp dns api url \
    json xml csv pdf sql cpu gpu ram ssd hdd usb hdmi wifi lan vpn ip mac id uid uuid guid pid timeout retry attempt thread \
    worker node pod cluster region zone bucket queue topic partition offset table index slot rack floor level stage phase \
    test unit color colour size option channel track chapter section figure table appendix question answer";

static UNNAMED: LazyLock<HashSet<u32>> = LazyLock::new(|| {
    let hash = |word: &str| {
        let mut hasher = Hasher::new();
        word.bytes().for_each(|byte| hasher.push(byte));
        short(hasher.finish())
    };
    TECHNICAL.split_whitespace().map(hash).collect()
});

/// An abbreviation is written in capitals, too.
const ABBREVIATION: usize = 4;

/// What of the entity its words bear out, if anything.
pub(super) fn supported(found: &Entity, tokens: &[Token], case: Case) -> Option<Entity> {
    let mut entity = *found;
    if entity.kind == tagger::PERSON {
        // `name ist Ana`: the model takes a neighbour along rather than miss a part of the name.
        // `não chegou. oliveira`: nobody's name goes on over the end of a sentence; titles and initials are short.
        let ends = |at: &usize| tokens[*at].is_mark(b'.') && tokens[*at - 1].len() > ABBREVIATION;
        let lower = |at: &usize| tokens[*at - 1].shape == Shape::LOWER;
        if let Some(at) = (found.from + 1..found.to).rev().find(|at| ends(at) && lower(at)) {
            entity.from = at + 1;
        }
        let beside =
            |at: usize| is_everyday(tokens[at]) || is_polite(tokens[at]) || tokens[at].shape == Shape::MARK;
        while entity.from < entity.to && beside(entity.from) {
            entity.from += 1;
        }
        while entity.from < entity.to && beside(entity.to - 1) {
            entity.to -= 1;
        }
    }
    (entity.from < entity.to && supports(&entity, tokens, case)).then_some(entity)
}

fn supports(found: &Entity, tokens: &[Token], case: Case) -> bool {
    let &Entity { from, to, kind, score } = found;
    let entity = &tokens[from..to];
    let words = || entity.iter().filter(|token| token.shape.is_word());
    let figures = || entity.iter().filter(|token| is_figure(token.shape));
    let written_or_known = |flags: u16| {
        words().any(|word| {
            !is_unnamed(*word) && (is_written_like_a_name(*word) || word.has(flags)) && !is_polite(*word)
        })
    };
    // Where nouns have capitals, a capital is no evidence, and a doubt is a noun of a trade that no list holds.
    if case == Case::Nouns && score <= DOUBTFUL && !words().any(|word| is_known(*word, kind)) {
        return is_vouched_for(tokens, from);
    }
    if kind != tagger::ADDRESS && is_part_of_code(tokens, from, to) {
        return false;
    }
    match kind {
        tagger::PERSON => {
            figures().next().is_none()
                && !words().any(|word| is_everyday(*word))
                && (score > DOUBTFUL
                    || words().any(|word| word.shape != Shape::LOWER || word.has(flag::FIRST)))
                && words().any(|word| {
                    is_name(*word) || ((score > CERTAIN || is_vouched_for(tokens, from)) && !is_common(*word))
                })
        }
        tagger::ORGANIZATION => {
            figures().all(|figure| figure.len() <= LONG_FIGURE)
                && figures().count() < words().count().max(1)
                && written_or_known(flag::COMPANY)
        }
        tagger::LOCATION => figures().next().is_none() && written_or_known(flag::PLACE | flag::COUNTRY),
        // What is left of an address that another detector has found in part stands beside its finding.
        tagger::ADDRESS => {
            let beside = |at: Option<usize>| {
                at.and_then(|at| tokens.get(at)).is_some_and(|token| token.shape == Shape::COVERED)
            };
            let near = (0..=BESIDE).any(|n| beside(from.checked_sub(n + 1)) || beside(Some(to + n)));
            let street = words().any(|word| word.has(flag::STREET) && !is_unnamed(*word));
            let bare = words().next().is_none();
            (near && (!bare || (score > DOUBTFUL && entity.len() == 1)))
                || (figures().next().is_some()
                    && (street || (score > DOUBTFUL && written_or_known(flag::STREET))))
        }
        _ => false,
    }
}

/// On a list of this kind, and no common word.
fn is_known(word: Token, kind: u8) -> bool {
    let flags = match kind {
        tagger::PERSON => flag::FIRST | flag::LAST,
        tagger::ORGANIZATION => flag::COMPANY,
        tagger::LOCATION => flag::PLACE | flag::COUNTRY,
        _ => flag::STREET,
    };
    word.has(flags) && (kind == tagger::ADDRESS || !is_common(word))
}

/// Written like a name, or known as one and as nothing else.
fn is_name(word: Token) -> bool {
    let known = word.has(flag::FIRST | flag::LAST);
    if is_written_like_a_name(word) {
        !is_unnamed(word) && (known || !is_common(word))
    } else {
        known && !is_common(word)
    }
}

/// In small letters, and too frequent to be part of a name but as a particle (`de`, `van`).
fn is_everyday(word: Token) -> bool {
    word.shape == Shape::LOWER
        && word.has(flag::FREQUENT)
        && !word.has(flag::FIRST)
        && word.value & flag::CLASS_MASK != flag::PARTICLE
}

fn is_common(word: Token) -> bool {
    word.has(flag::COMMON | flag::FREQUENT) || is_unnamed(word)
}

fn is_written_like_a_name(word: Token) -> bool {
    let abbreviation = word.shape == Shape::UPPER && word.len() <= ABBREVIATION && !word.has(flag::NAME);
    word.shape.has_capital() && !abbreviation
}

fn is_unnamed(word: Token) -> bool {
    UNNAMED.contains(&word.hash) || (word.has(flag::FREQUENT) && !word.shape.has_capital())
}

fn is_vouched_for(tokens: &[Token], from: usize) -> bool {
    tokens[from.saturating_sub(REACH)..from].iter().any(|token| {
        matches!(token.value & flag::CLASS_MASK, flag::NAMED | flag::TITLE | flag::GREETING | flag::CLOSING)
    })
}

/// `ZBLI-7467-BZMS`, `Chrome/140`: joined to a figure, or to what another detector has found, by a hyphen or a slash.
fn is_part_of_code(tokens: &[Token], from: usize, to: usize) -> bool {
    let joined = |mark: Option<usize>, figure: Option<usize>, glued: [usize; 2]| {
        let (Some(mark), Some(figure)) =
            (mark.and_then(|at| tokens.get(at)), figure.and_then(|at| tokens.get(at)))
        else {
            return false;
        };
        (mark.is_mark(b'-') || mark.is_mark(b'/'))
            && (is_figure(figure.shape) || figure.shape == Shape::COVERED)
            && glued.iter().all(|&at| tokens.get(at).is_some_and(|token| token.gap == gap::NONE))
    };
    joined(from.checked_sub(1), from.checked_sub(2), [from.wrapping_sub(1), from])
        || joined(Some(to), Some(to + 1), [to, to + 1])
}

fn is_polite(word: Token) -> bool {
    matches!(word.value & flag::CLASS_MASK, flag::GREETING | flag::CLOSING)
}

fn is_figure(shape: Shape) -> bool {
    shape.is_number() || shape == Shape::LETTER_DIGIT
}

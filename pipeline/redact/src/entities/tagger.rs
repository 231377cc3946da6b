//! Which words may be names (the prefilter), and which are (a linear-chain model, decoded by Viterbi).

use super::clusters::Path;
use super::features::{self, Case};
use super::model::{EntityModel, TAGS};
use super::token::{Shape, Token, gap};
use super::words::flag;

/// Kinds in the order of the tags: `1 + 2k` begins kind k, `2 + 2k` goes on with it, 0 is none.
pub(crate) const PERSON: u8 = 0;
pub(crate) const ORGANIZATION: u8 = 1;
pub(crate) const LOCATION: u8 = 2;
pub(crate) const ADDRESS: u8 = 3;

/// Tokens on each side of a candidate that the model sees too.
const REACH: usize = 2;
/// Behind a number, where addresses go on.
const REACH_NUMBER: usize = 3;
/// Digits of a postal code.
const LONGEST_CODE: usize = 6;
/// Nothing that decides about a window lies further from it: features, evidence, and candidates that would join it to
/// another window.
const LOCAL: u32 = 12;
/// Longer entities are cut: it bounds what a decoding can cost, and nobody is called so.
const LONGEST_WINDOW: usize = 4096;

/// Tokens `from..to` are of `kind`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entity {
    pub from: usize,
    pub to: usize,
    pub kind: u8,
    pub score: f32,
}

/// Memory of the tagger.
#[derive(Default)]
pub(crate) struct Chain {
    best: Vec<[i32; TAGS]>,
    back: Vec<[u8; TAGS]>,
    local: Vec<[i32; TAGS]>,
    tags: Vec<u8>,
    paths: Vec<Path>,
    pub(crate) windows: Vec<(u32, u32)>,
}

/// Whether the model has to look at token `at`.
fn is_candidate(tokens: &[Token], at: usize, case: Case) -> bool {
    let token = tokens[at];
    let before = |n: usize| at.checked_sub(n).map_or(Token::OUTSIDE, |i| tokens[i]);
    let class = |t: Token| t.value & flag::CLASS_MASK;
    if !token.shape.is_word() {
        // A house or a postal code beside what is left of an address.
        let beside = [before(1), before(2), tokens.get(at + 1).copied().unwrap_or(Token::OUTSIDE)];
        return token.shape.is_number()
            && token.len() <= LONGEST_CODE
            && beside.iter().any(|token| token.shape == Shape::COVERED);
    }
    let common = token.has(flag::COMMON | flag::FREQUENT);
    if token.shape != Shape::INITIAL && token.len() > 1 && !token.has(flag::FREQUENT) {
        let (p1, p2) = (before(1), before(2));
        let opens = |t: Token| matches!(class(t), flag::TITLE | flag::GREETING | flag::CLOSING | flag::NAMED);
        if opens(p1) || opens(p2) {
            return true;
        }
    }
    if token.has(flag::STREET | flag::COMPANY) {
        let near = tokens.get(at + 1..).unwrap_or_default().iter().take(3);
        let number = near.chain(tokens[at.saturating_sub(3)..at].iter()).any(|t| t.shape.is_number());
        return number || (token.shape.has_capital() && !token.has(flag::FREQUENT));
    }
    match token.shape {
        Shape::LOWER => {
            // `jake` and `canada` stand among the common words of some list.
            let known = token.has(flag::FIRST | flag::COUNTRY) && !token.has(flag::FREQUENT);
            token.len() > 2
                && class(token) == 0
                && (known || (!common && (case == Case::Lower || token.value == 0 || token.has(flag::NAME))))
        }
        Shape::INITIAL => false,
        Shape::UPPER => {
            !common && token.len() > 2 && (token.value != 0 || case == Case::Upper || token.len() > 4)
        }
        _ => {
            let starts = token.gap >= gap::LINE || before(1).shape == Shape::MARK;
            let frequent = token.has(flag::FREQUENT);
            // `Credit Karma`: common words, but two of them in capitals.
            let pair = |t: Token| t.shape == Shape::CAPITAL && t.value & flag::CLASS_MASK == 0;
            let paired = || {
                (pair(before(1)) && token.gap == gap::SPACE)
                    || tokens.get(at + 1).is_some_and(|next| pair(*next) && next.gap == gap::SPACE)
            };
            !common
                || (token.has(flag::NAME) && !(starts && frequent))
                || (!starts && (!frequent || paired()))
        }
    }
}

impl Chain {
    /// Finds the windows that may hold entities; the rest of the text never reaches the model.
    pub(crate) fn prefilter(&mut self, tokens: &[Token], case: Case) {
        self.windows.clear();
        for at in 0..tokens.len() {
            if !is_candidate(tokens, at, case) {
                continue;
            }
            let numbers = tokens[at.saturating_sub(REACH)..at].iter().any(|t| t.shape.is_number());
            let from = at.saturating_sub(if numbers { REACH_NUMBER } else { REACH }) as u32;
            let after = tokens.get(at + 1..).unwrap_or_default().iter().take(REACH_NUMBER);
            let reach = if after.clone().any(|t| t.shape.is_number()) { REACH_NUMBER + 1 } else { REACH };
            let to = (at + reach + 1).min(tokens.len()) as u32;
            match self.windows.last_mut() {
                Some(last) if last.1 >= from => last.1 = to,
                _ => self.windows.push((from, to)),
            }
        }
    }

    /// Leaves out the windows that lie away from all of these places, which are sorted.
    pub(crate) fn keep_near(&mut self, places: &[u32]) {
        self.windows.retain(|&(from, to)| {
            let next = places.partition_point(|&place| place + LOCAL < from);
            places.get(next).is_some_and(|&place| place < to + LOCAL)
        });
    }

    /// Appends the entities inside the windows.
    pub(crate) fn tag(
        &mut self,
        model: &EntityModel,
        text: &str,
        tokens: &[Token],
        case: Case,
        found: &mut Vec<Entity>,
    ) {
        self.paths.clear();
        self.paths.resize(tokens.len(), 0);
        for window in 0..self.windows.len() {
            let (from, to) = self.windows[window];
            let (mut from, to) = (from as usize, to as usize);
            // Two more on each side are context of the first and the last.
            let around = from.saturating_sub(2)..(to + 2).min(tokens.len());
            for (path, token) in self.paths[around.clone()].iter_mut().zip(&tokens[around]) {
                if token.shape.is_word() {
                    *path = model.clusters.get(token.hash);
                }
            }
            while from < to {
                let end = to.min(from + LONGEST_WINDOW);
                self.decode(model, text, tokens, from, end, case);
                self.collect(tokens, from, found);
                from = end;
            }
        }
    }

    /// Viterbi over `tokens[from..to]`.
    fn decode(
        &mut self,
        model: &EntityModel,
        text: &str,
        tokens: &[Token],
        from: usize,
        to: usize,
        case: Case,
    ) {
        let Self { best, back, local, tags, paths, .. } = self;
        best.clear();
        back.clear();
        local.clear();
        for at in from..to {
            // What is covered belongs to no entity and ends one.
            let scores = if tokens[at].shape == Shape::COVERED {
                let mut scores = [-30_000; TAGS];
                scores[0] = 0;
                scores
            } else {
                model.scores(&features::of(text, tokens, paths, at, case))
            };
            local.push(scores);
            let mut row = [0; TAGS];
            let mut pointers = [0; TAGS];
            if let Some(last) = best.last() {
                for tag in 0..TAGS {
                    let mut top = (i32::MIN, 0);
                    for (previous, score) in last.iter().enumerate() {
                        let score = score + model.transitions[previous][tag];
                        if score > top.0 {
                            top = (score, previous as u8);
                        }
                    }
                    row[tag] = top.0 + scores[tag];
                    pointers[tag] = top.1;
                }
            } else {
                for tag in 0..TAGS {
                    row[tag] = model.starts[tag] + scores[tag];
                }
            }
            best.push(row);
            back.push(pointers);
        }
        tags.clear();
        tags.resize(to - from, 0);
        let Some(last) = best.last() else { return };
        let mut tag = (0..TAGS).max_by_key(|&tag| last[tag]).unwrap_or_default() as u8;
        for at in (0..to - from).rev() {
            tags[at] = tag;
            tag = back[at][usize::from(tag)];
        }
    }

    fn collect(&self, tokens: &[Token], offset: usize, found: &mut Vec<Entity>) {
        let mut at = 0;
        while at < self.tags.len() {
            let tag = self.tags[at];
            if tag == 0 {
                at += 1;
                continue;
            }
            let kind = (tag - 1) / 2;
            let (mut from, mut to) = (at, at + 1);
            while to < self.tags.len() && self.tags[to] == 2 * kind + 2 {
                to += 1;
            }
            at = to;
            let margin: i32 =
                (from..to).map(|i| self.local[i][usize::from(self.tags[i])] - self.local[i][0]).sum();
            let margin = margin as f32 / (to - from) as f32 / SCALE;
            let mark = |i: usize| tokens[offset + i].shape == Shape::MARK;
            while from < to && mark(from) {
                from += 1;
            }
            // `Inc.` keeps its full stop.
            while to > from && mark(to - 1) {
                to -= 1;
            }
            if from < to {
                let score = (1.0 / (1.0 + (-margin).exp())).max(0.5);
                let entity = Entity { from: offset + from, to: offset + to, kind, score };
                match found.last_mut() {
                    // A number and a street that touch are one address, though the number alone would show nothing.
                    Some(last) if kind == ADDRESS && last.kind == ADDRESS && last.to == entity.from => {
                        *last = Entity { to: entity.to, score: last.score.max(score), ..*last };
                    }
                    _ => found.push(entity),
                }
            }
        }
    }
}

/// Weights are stored in steps of 1/16: finer than training noise, coarse enough for eight bits.
pub(crate) const SCALE: f32 = 16.0;

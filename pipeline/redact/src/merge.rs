//! Resolves overlaps between findings, once, on offsets of one text.

use crate::finding::Span;

/// Sorts and merges overlapping spans in place.
///
/// Overlapping findings become one span over their union, so that no part of either stays in the text. It takes
/// kind, detector and score of the winner: what is to be hidden beats what is to be kept, then the longer
/// finding wins, then the higher priority, then the higher score. A finding to be kept that overlaps one to be
/// hidden is dropped rather than hidden whole.
pub(crate) fn merge(spans: &mut Vec<Span>, kept: impl Fn(&Span) -> bool) {
    if spans.len() < 2 {
        return;
    }
    spans.sort_unstable_by_key(|span| (span.start, std::cmp::Reverse(span.end)));

    // First the hidden spans among themselves, then the kept ones against them.
    let any_kept = spans.iter().any(&kept);
    if any_kept {
        let mut all = std::mem::take(spans);
        let mut keep: Vec<Span> = all.iter().copied().filter(|span| kept(span)).collect();
        all.retain(|span| !kept(span));
        merge_sorted(&mut all);
        merge_sorted(&mut keep);
        keep.retain(|span| {
            let next = all.partition_point(|hidden| hidden.end <= span.start);
            all.get(next).is_none_or(|hidden| hidden.start >= span.end)
        });
        all.extend(keep);
        all.sort_unstable_by_key(|span| span.start);
        *spans = all;
    } else {
        merge_sorted(spans);
    }
}

fn merge_sorted(spans: &mut Vec<Span>) {
    struct Winner {
        rank: (u32, u8, f32),
    }
    let rank = |span: &Span| (span.end - span.start, span.kind.priority(), span.score);
    let mut write = 0;
    let mut winner = Winner { rank: (0, 0, 0.0) };
    for read in 0..spans.len() {
        let span = spans[read];
        if read > 0 && span.start < spans[write - 1].end {
            let merged = &mut spans[write - 1];
            merged.end = merged.end.max(span.end);
            if rank(&span) > winner.rank {
                winner.rank = rank(&span);
                merged.kind = span.kind;
                merged.detector = span.detector;
                merged.score = span.score;
            }
        } else {
            spans[write] = span;
            write += 1;
            winner.rank = rank(&span);
        }
    }
    spans.truncate(write);
}

/// Makes `ranges` the sorted union of the spans.
pub(crate) fn union(spans: &[Span], ranges: &mut Vec<(u32, u32)>) {
    ranges.clear();
    ranges.extend(spans.iter().map(|span| (span.start, span.end)));
    union_of(ranges);
}

/// Sorts ranges and unites those that overlap.
pub(crate) fn union_of(ranges: &mut Vec<(u32, u32)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let overlaps = next.0 < last.1;
        if overlaps {
            last.1 = last.1.max(next.1);
        }
        overlaps
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::names;
    use crate::kind::PiiKind;

    fn span(start: u32, end: u32, kind: PiiKind) -> Span {
        let detector = match kind {
            PiiKind::Email => names::EMAIL,
            PiiKind::UrlCredentials => names::URL_USERINFO,
            _ => names::PHONE_NATIONAL,
        };
        Span { start, end, kind, detector, score: 0.8 }
    }

    fn merged(mut spans: Vec<Span>, keep: &[PiiKind]) -> Vec<(u32, u32, PiiKind)> {
        merge(&mut spans, |span| keep.contains(&span.kind));
        spans.iter().map(|s| (s.start, s.end, s.kind)).collect()
    }

    #[test]
    fn the_longer_wins_and_nothing_stays_uncovered() {
        use PiiKind::{Email, Phone, UrlCredentials};
        let spans =
            vec![span(20, 30, Phone), span(5, 12, Email), span(0, 18, UrlCredentials), span(26, 40, Email)];
        assert_eq!(merged(spans, &[]), [(0, 18, UrlCredentials), (20, 40, Email)]);
        // Touching is not overlapping.
        assert_eq!(merged(vec![span(5, 9, Email), span(0, 5, Phone)], &[]), [(0, 5, Phone), (5, 9, Email)]);
        // At equal length the priority decides.
        assert_eq!(merged(vec![span(0, 9, Phone), span(0, 9, Email)], &[]), [(0, 9, Email)]);
    }

    #[test]
    fn what_is_hidden_beats_what_is_kept() {
        use PiiKind::{Email, Phone, UrlCredentials};
        let spans = vec![span(0, 18, UrlCredentials), span(5, 12, Email), span(20, 25, UrlCredentials)];
        assert_eq!(merged(spans, &[UrlCredentials]), [(5, 12, Email), (20, 25, UrlCredentials)]);
        let chain = vec![span(0, 4, Phone), span(3, 8, Email), span(7, 10, Phone)];
        assert_eq!(merged(chain, &[Email]), [(0, 4, Phone), (7, 10, Phone)]);
    }
}

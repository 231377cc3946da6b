//! Our tags and theirs: the merge that never touches a tag we don't own.

use std::collections::BTreeSet;

/// The tags that a ticket shall have: all of its own that don't begin with `prefix`, and of ours exactly
/// `wanted`. A wanted tag without the prefix is not ours to set, and is left out.
pub fn merge(current: &[String], prefix: &str, wanted: &[String]) -> Vec<String> {
    let theirs = current.iter().filter(|tag| !is_ours(tag, prefix)).cloned();
    let ours = wanted.iter().filter(|tag| is_ours(tag, prefix)).map(|tag| clean(tag));
    theirs.chain(ours).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Whether a tag is ours. An empty prefix owns nothing.
pub fn is_ours(tag: &str, prefix: &str) -> bool {
    !prefix.is_empty()
        && tag.len() >= prefix.len()
        && tag.as_bytes()[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
}

/// The same tags in whatever order.
pub fn same(a: &[String], b: &[String]) -> bool {
    a.iter().collect::<BTreeSet<_>>() == b.iter().collect::<BTreeSet<_>>()
}

/// What a concurrent writer had done that our write undid, told by the tags that our write replaced.
///
/// `updated_stamp` has a resolution of one second, so two writes within one can slip past it.
#[derive(Debug, PartialEq, Eq)]
pub struct Undone {
    /// Tags that someone had added meanwhile, and that we removed.
    pub removed: Vec<String>,
    /// Tags that someone had removed meanwhile, and that we brought back.
    pub revived: Vec<String>,
}

/// Compares the tags that our write replaced with those we had read before it.
pub fn undone(read: &[String], replaced: &[String], prefix: &str) -> Option<Undone> {
    let minus = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|tag| !is_ours(tag, prefix) && !b.contains(tag)).cloned().collect()
    };
    let undone = Undone { removed: minus(replaced, read), revived: minus(read, replaced) };
    (!undone.removed.is_empty() || !undone.revived.is_empty()).then_some(undone)
}

/// Zendesk's tags are lower case and hold no spaces, Freshdesk's no commas; what a helpdesk would change on its own
/// would never compare equal.
fn clean(tag: &str) -> String {
    tag.chars().map(|c| if c.is_whitespace() || c == ',' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PREFIX: &str = "ds_";

    fn list(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn only_our_own_are_replaced() {
        let merged =
            merge(&list(&["vip", "ds_low", "DS_old"]), PREFIX, &list(&["ds_high", "refund", "ds_Two Words"]));
        assert_eq!(merged, list(&["ds_high", "ds_two_words", "vip"]));
    }

    #[test]
    fn a_write_that_slipped_past_the_stamp_is_seen() {
        let read = list(&["vip", "ds_a"]);
        assert_eq!(undone(&read, &list(&["ds_b", "vip"]), PREFIX), None);
        assert_eq!(
            undone(&read, &list(&["urgent", "ds_a"]), PREFIX),
            Some(Undone { removed: list(&["urgent"]), revived: list(&["vip"]) })
        );
    }

    fn tags() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("(ds_)?[a-d]{1,2}", 0..8)
    }

    fn theirs(tags: &[String]) -> BTreeSet<&String> {
        tags.iter().filter(|tag| !is_ours(tag, PREFIX)).collect()
    }

    proptest! {
        #[test]
        fn what_is_not_ours_stays_as_it_is(current in tags(), wanted in tags()) {
            let merged = merge(&current, PREFIX, &wanted);
            prop_assert_eq!(theirs(&merged), theirs(&current));
            let ours: BTreeSet<_> = merged.iter().filter(|tag| is_ours(tag, PREFIX)).collect();
            prop_assert_eq!(ours, wanted.iter().filter(|tag| is_ours(tag, PREFIX)).collect());
        }

        #[test]
        fn merging_twice_is_merging_once(current in tags(), wanted in tags()) {
            let once = merge(&current, PREFIX, &wanted);
            prop_assert_eq!(merge(&once, PREFIX, &wanted), once);
        }

        /// An agent's edit before our merge or after it leads to the same tags.
        #[test]
        fn agents_edits_and_ours_commute(
            current in tags(), wanted in tags(),
            added in proptest::collection::vec("[e-h]{1,2}", 0..4), removed in tags(),
        ) {
            let edit = |tags: &[String]| -> Vec<String> {
                let kept = tags.iter().filter(|tag| is_ours(tag, PREFIX) || !removed.contains(tag));
                kept.chain(&added).cloned().collect::<BTreeSet<_>>().into_iter().collect()
            };
            let edit_first = merge(&edit(&current), PREFIX, &wanted);
            let merge_first = edit(&merge(&current, PREFIX, &wanted));
            prop_assert!(same(&edit_first, &merge_first), "{edit_first:?} {merge_first:?}");
        }

        /// Putting back what `undone` names restores what the other writer had made of the ticket.
        #[test]
        fn undone_restores_the_other_writers_tags(read in tags(), replaced in tags(), wanted in tags()) {
            let mut written = merge(&read, PREFIX, &wanted);
            if let Some(undone) = undone(&read, &replaced, PREFIX) {
                written.retain(|tag| !undone.revived.contains(tag));
                written.extend(undone.removed);
            }
            prop_assert_eq!(theirs(&written), theirs(&replaced));
        }
    }
}

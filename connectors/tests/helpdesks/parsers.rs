//! The parsers of webhooks on what no helpdesk sends: real bodies with bytes changed, cut and put together. `make fuzz`
//! does that for longer, and looks where it gets.

use deskstream_connectors::freshdesk::receive_named;
use deskstream_connectors::intercom::notification;
use deskstream_connectors::webhook::Reading;
use deskstream_connectors::zendesk::map::{Own, webhook};
use proptest::prelude::*;

const NOW: i64 = 1_795_435_200_000;

const BODIES: [&str; 7] = [
    include_str!("../../fuzz/seeds/zendesk/created.json"),
    include_str!("../../fuzz/seeds/zendesk/comment.json"),
    include_str!("../../fuzz/seeds/zendesk/tags.json"),
    include_str!("../../fuzz/seeds/freshdesk/webhook.json"),
    include_str!("../../fuzz/seeds/freshdesk/ticket.json"),
    include_str!("../../fuzz/seeds/intercom/created.json"),
    include_str!("../../fuzz/seeds/intercom/noted.json"),
];

fn readings(body: &[u8]) -> Vec<Reading> {
    let own = Own { user_id: Some("3"), tag_prefix: "ds_" };
    let (named, read) = receive_named("acme", body, NOW);
    let zendesk = webhook("acme", body, NOW, own).ok();
    let intercom = notification("acme", "ds_", body, NOW).ok();
    [zendesk, named, read, intercom].into_iter().flatten().collect()
}

/// An id becomes part of a URL and of a record's key.
fn is_sound(reading: &Reading) -> bool {
    let plain =
        |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    match reading {
        Reading::Event(event) => plain(&event.0.ticket_id) && !event.0.event_id.is_empty(),
        Reading::Named(id) => plain(id),
        Reading::Ignored | Reading::OwnUpdate(_) => true,
    }
}

#[test]
fn the_seeds_are_read() {
    let read: Vec<_> = BODIES.iter().map(|body| readings(body.as_bytes())).collect();
    let events = read.iter().flatten().filter(|reading| matches!(reading, Reading::Event(_))).count();
    assert!(events >= 4, "{read:?}");
    assert!(read.iter().flatten().all(is_sound));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_body_is_read_or_refused(
        which in 0..BODIES.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut body = BODIES[which].as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        for reading in readings(&body) {
            prop_assert!(is_sound(&reading), "{reading:?}");
        }
    }

    #[test]
    fn values_of_another_type_are_read_or_refused(
        which in 0..BODIES.len(),
        at in any::<prop::sample::Index>(),
        value in prop_oneof![
            Just("null"), Just("true"), Just("-1"), Just("1e999"), Just("18446744073709551616"), Just("\"\""),
            Just("[]"), Just("{}"), Just("[[[[]]]]"), Just("\"\\ud800\""), Just("\"../agents/me\""),
        ],
    ) {
        // The value behind one of its colons.
        let body = BODIES[which];
        let colons: Vec<_> = body.match_indices(": ").map(|(at, _)| at + 2).collect();
        let from = colons[at.index(colons.len())];
        let end = body[from..].find([',', '}']).map_or(body.len(), |end| from + end);
        let changed = format!("{}{value}{}", &body[..from], &body[end..]);
        for reading in readings(changed.as_bytes()) {
            prop_assert!(is_sound(&reading), "{reading:?}");
        }
    }
}

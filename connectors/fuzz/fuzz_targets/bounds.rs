//! What holds of everything that a webhook comes to.

use deskstream_connectors::webhook::Reading;

/// Of each text at most so many copies are kept: whole, and its parts.
const COPIES: usize = 4;

/// Names of ours: ids, the tenant.
const OWN_BYTES: usize = 4096;

/// What is kept of a body is bounded by the body, and an id that goes into a URL is no path.
pub fn hold(reading: &Reading, body: &[u8]) {
    match reading {
        Reading::Event(event) => {
            let (event, content) = event.as_ref();
            // JSON escapes shrink when they are read; "\u0041" is longer than what it says.
            let kept = format!("{event:?}{content:?}").len();
            let names = std::mem::size_of_val(event) + std::mem::size_of_val(content);
            // Debug output escapes: six times a byte at most, and the names of fields.
            assert!(kept <= COPIES * 6 * body.len() + 4 * names + OWN_BYTES, "{kept} of {}", body.len());
            assert!(!event.ticket_id.contains(['/', '?', '#', '.']), "{:?}", event.ticket_id);
            assert!(!event.event_id.is_empty() && event.event_id.len() <= 128);
        }
        Reading::Named(id) => {
            assert!(!id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{id:?}");
        }
        Reading::Ignored | Reading::OwnUpdate(_) => {}
    }
}

//! Zendesk's event webhooks.
#![no_main]

#[path = "bounds.rs"]
mod bounds;

use deskstream_connectors::zendesk::map::{Own, webhook};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let own = Own { user_id: Some("3"), tag_prefix: "ds_" };
    if let Ok(reading) = webhook("acme", data, 1_795_435_200_000, own) {
        bounds::hold(&reading, data);
    }
});

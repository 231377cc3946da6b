//! Freshdesk's webhooks, and the tickets that its API gives for them.
#![no_main]

#[path = "bounds.rs"]
mod bounds;

use deskstream_connectors::freshdesk::receive_named;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (named, read) = receive_named("acme", data, 1_795_435_200_000);
    for reading in [named, read].into_iter().flatten() {
        bounds::hold(&reading, data);
    }
});

//! Intercom's notifications.
#![no_main]

#[path = "bounds.rs"]
mod bounds;

use deskstream_connectors::intercom::notification;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(reading) = notification("acme", "ds_", data, 1_795_435_200_000) {
        bounds::hold(&reading, data);
    }
});

//! Loopback ports that can be kept over a restart.
//!
//! Port 0 would give one from the kernel's ephemeral range. That is wrong for a server that clients reconnect
//! to: while it is down, a client's own outgoing connection may be given that very port (even a connection to
//! itself, by TCP's simultaneous open), and the server can't bind it again. So ports are drawn at random from
//! below that range, and tried.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
};

use crate::{Error, Result};

/// Below Linux's ephemeral ports (32768 and up), above the well-known ones.
const RANGE: Range<u16> = 12_000..32_000;

/// How many draws before giving up: with one port in ten taken, 200 misses in a row don't happen.
const DRAWS: usize = 200;

/// Draws `count` different loopback ports that are free at this moment.
///
/// Another process may take one before it is bound: callers retry with new ports.
pub fn free(count: usize, what: &str) -> Result<Vec<u16>> {
    // All are held until all are found, so that they differ.
    let mut held: Vec<(u16, TcpListener)> = Vec::with_capacity(count);
    for _ in 0..DRAWS * count {
        if held.len() == count {
            break;
        }
        let port = rand::random_range(RANGE);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    if held.len() < count {
        return Err(Error::NoPort { what: what.into() });
    }
    Ok(held.into_iter().map(|(port, _)| port).collect())
}

/// Whether `port` can be bound on loopback now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The loopback address of `port`.
pub fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_bound() {
        let ports = free(8, "test").unwrap();
        let mut listeners = Vec::new();
        for port in &ports {
            assert!(RANGE.contains(port));
            listeners.push(TcpListener::bind(loopback(*port)).unwrap());
        }
        assert_eq!(listeners.len(), 8);
        assert!(!is_free(ports[0]));
    }
}

//! Addresses of crypto currencies: Bitcoin in base58check and bech32 (BIP 173, BIP 350), and Ethereum with the
//! checksum that its letter case carries (EIP-55).

use sha2::{Digest, Sha256};

use super::super::chars::{skip, word_at, word_before};
use super::super::{Sink, names};

/// The longest bech32 address that is in use: 62 characters of pay to taproot, and some room.
const MAX: usize = 92;

/// Reads an address that starts at `start`.
pub(super) fn find(bytes: &[u8], start: usize, sink: &mut Sink<'_>) -> bool {
    if word_before(bytes, start) {
        return false;
    }
    let end = skip(bytes, start, MAX, |b| b.is_ascii_alphanumeric());
    if word_at(bytes, end) || bytes.get(end) == Some(&b'_') {
        return false;
    }
    let value = &bytes[start..end];
    let score = match value {
        [b'0', b'x' | b'X', rest @ ..] if rest.len() == 40 => ethereum(rest),
        [b'b' | b'B' | b't' | b'T', b'c' | b'C' | b'b' | b'B', b'1', ..] => bech32(value).then_some(0.99),
        [b'1' | b'3', ..] if (26..=35).contains(&value.len()) => base58_check(value).then_some(0.99),
        _ => None,
    };
    score.is_some_and(|score| sink.push(start, end, names::CRYPTO_WALLET, score))
}

/// Version, 20 bytes of hash and four of checksum: 25 bytes.
fn base58_check(address: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0_u8; 25];
    for c in address {
        let Some(digit) = ALPHABET.iter().position(|a| a == c) else { return false };
        let mut carry = digit as u32;
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let once = Sha256::digest(&bytes[..21]);
    let twice = Sha256::digest(once);
    matches!(bytes[0], 0 | 5) && twice[..4] == bytes[21..]
}

fn bech32(address: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3];
    let upper = address.iter().any(u8::is_ascii_uppercase);
    if address.len() < 14 || (upper && address.iter().any(u8::is_ascii_lowercase)) {
        return false;
    }
    let mut check = 1_u32;
    let mut step = |value: u32| {
        let top = check >> 25;
        check = (check & 0x01FF_FFFF) << 5 ^ value;
        for (i, generator) in GENERATOR.iter().enumerate() {
            check ^= if top >> i & 1 == 1 { *generator } else { 0 };
        }
    };
    let (prefix, data) = (&address[..2], &address[3..]);
    prefix.iter().for_each(|b| step(u32::from(b.to_ascii_lowercase() >> 5)));
    step(0);
    prefix.iter().for_each(|b| step(u32::from(b.to_ascii_lowercase() & 31)));
    for c in data {
        let Some(value) = ALPHABET.iter().position(|a| *a == c.to_ascii_lowercase()) else { return false };
        step(value as u32);
    }
    matches!(check, 1 | 0x2BC8_30A3)
}

/// Forty hex digits behind `0x`: in one case there is no checksum, in mixed case there is one, which a typing error
/// or an old wallet may have missed.
fn ethereum(address: &[u8]) -> Option<f32> {
    if !address.iter().all(u8::is_ascii_hexdigit) || address.iter().all(|b| Some(b) == address.first()) {
        return None;
    }
    let upper = address.iter().any(u8::is_ascii_uppercase);
    let lower = address.iter().any(u8::is_ascii_lowercase);
    Some(match upper && lower {
        false => 0.85,
        true if is_eip55(address) => 0.99,
        true => 0.6,
    })
}

fn is_eip55(address: &[u8]) -> bool {
    let mut lower = [0; 40];
    for (to, from) in lower.iter_mut().zip(address) {
        *to = from.to_ascii_lowercase();
    }
    let hash = sha3::Keccak256::digest(lower);
    address.iter().enumerate().all(|(i, b)| {
        let nibble = hash[i / 2] >> (if i % 2 == 0 { 4 } else { 0 }) & 15;
        b.is_ascii_digit() || b.is_ascii_uppercase() == (nibble >= 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_addresses_pass_and_changed_ones_do_not() {
        for address in ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"] {
            assert!(base58_check(address.as_bytes()), "{address}");
            assert!(!base58_check(address.replace('n', "m").replace('P', "Q").as_bytes()), "{address}");
        }
        // BIP 173 and BIP 350
        for address in [
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ] {
            assert!(bech32(address.as_bytes()), "{address}");
            assert!(!bech32(address.replace(['8', '9'], "7").as_bytes()), "{address}");
        }
        // EIP-55
        assert_eq!(ethereum(b"5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"), Some(0.99));
        assert_eq!(ethereum(b"fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"), Some(0.99));
        assert_eq!(ethereum(b"fb6916095ca1df60bB79Ce92cE3Ea74c37c5d359"), Some(0.6));
        assert_eq!(ethereum(b"0000000000000000000000000000000000000000"), None);
    }
}

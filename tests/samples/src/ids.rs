//! Identifiers in the forms the vendors use.

use uuid::Uuid;

/// Crockford's base 32, without I, L, O and U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new ULID. Its 128 bits (48 of milliseconds, then random) are those of a version 7 UUID, whose text form
/// alone differs.
pub(crate) fn ulid() -> String {
    let bits = Uuid::now_v7().as_u128();
    (0..26).rev().map(|i| char::from(CROCKFORD[((bits >> (5 * i)) & 31) as usize])).collect()
}

/// `length` lower-case hexadecimal digits from the system's randomness; at most 64.
pub(crate) fn hex(length: usize) -> String {
    let mut text = Uuid::new_v4().simple().to_string();
    text.push_str(&Uuid::new_v4().simple().to_string());
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulids_are_26_characters_and_rise_with_time() {
        let first = ulid();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let second = ulid();
        assert_eq!(first.len(), 26);
        assert!(first.bytes().all(|b| CROCKFORD.contains(&b)));
        assert!(first < second);
    }
}

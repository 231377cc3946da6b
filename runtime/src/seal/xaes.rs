//! XAES-256-GCM: key derivation and the two halves of its nonce.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

pub const NONCE_BYTES: usize = 24;

/// First half of a nonce: it chooses the derived key.
pub type Prefix = [u8; 12];

/// The key that a key and the first half of a nonce give.
pub fn derive(key: &[u8; 32], prefix: &Prefix) -> Aes256Gcm {
    let cipher = Aes256::new(key.into());
    // CMAC's first subkey: AES_K(0) doubled in GF(2¹²⁸).
    let mut block = aes_gcm::aes::Block::default();
    cipher.encrypt_block(&mut block);
    let carry = block[0] >> 7;
    let mut subkey = Zeroizing::new([0u8; 16]);
    for i in 0..16 {
        let next = if i < 15 { block[i + 1] >> 7 } else { 0 };
        subkey[i] = (block[i] << 1) | next;
    }
    subkey[15] ^= carry * 0x87;

    let mut derived = Zeroizing::new([0u8; 32]);
    for (counter, half) in (1u8..).zip(derived.chunks_mut(16)) {
        let mut message = aes_gcm::aes::Block::default();
        message[1] = counter;
        message[2] = b'X';
        message[4..].copy_from_slice(prefix);
        message.iter_mut().zip(subkey.iter()).for_each(|(m, k)| *m ^= k);
        cipher.encrypt_block(&mut message);
        half.copy_from_slice(&message);
    }
    Aes256Gcm::new((&*derived).into())
}

/// Encrypts under a derived key; the result ends in the 128-bit tag.
pub fn seal(cipher: &Aes256Gcm, suffix: &Prefix, aad: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
    cipher.encrypt(&Nonce::from(*suffix), Payload { msg: plaintext, aad }).ok()
}

/// Decrypts what [`seal`] made, if neither it nor the additional data was changed.
pub fn open(cipher: &Aes256Gcm, suffix: &Prefix, aad: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
    cipher.decrypt(&Nonce::from(*suffix), Payload { msg: ciphertext, aad }).ok()
}

/// The two halves of a nonce; none if it has another length.
pub fn halves(nonce: &[u8]) -> Option<(Prefix, Prefix)> {
    if nonce.len() != NONCE_BYTES {
        return None;
    }
    Some((nonce[..12].try_into().ok()?, nonce[12..].try_into().ok()?))
}

/// The nonce that two halves make.
pub fn join(prefix: &Prefix, suffix: &Prefix) -> Vec<u8> {
    let mut nonce = Vec::with_capacity(NONCE_BYTES);
    nonce.extend_from_slice(prefix);
    nonce.extend_from_slice(suffix);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two vectors of the C2SP specification.
    #[test]
    fn follows_the_specification() {
        let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
        let (prefix, suffix) = (nonce[..12].try_into().unwrap(), nonce[12..].try_into().unwrap());
        let vectors = [
            (1u8, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            (3u8, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
        ];
        for (key, aad, expected) in vectors {
            let cipher = derive(&[key; 32], &prefix);
            let sealed = seal(&cipher, &suffix, aad.as_bytes(), b"XAES-256-GCM").unwrap();
            let hex: String = sealed.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, expected);
            assert_eq!(open(&cipher, &suffix, aad.as_bytes(), &sealed).unwrap(), b"XAES-256-GCM");
        }
    }
}

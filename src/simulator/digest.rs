//! Names that look random and are not: SHAs, UUIDs, signatures.
//!
//! A run of the simulator gives the same names each time, so a failing test can be read twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::merge_request::{CommitSha, WordError};

/// Forty hex digits made from a counter and some text.
pub(super) fn sha(counter: u64, content: &str) -> Result<CommitSha, WordError> {
    let digits = hex_of(format!("{counter}\0{content}").as_bytes());
    CommitSha::parse(digits.get(..40).unwrap_or_default())
}

/// The SHA-256 of some bytes in hex.
pub(super) fn hex_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A UUID of version 4 in shape.
pub(super) fn uuid(random: &mut fastrand::Rng) -> String {
    let bits = random.u128(..);
    let bits =
        (bits & !(0xf000_u128 << 64) & !(0xc000_u128 << 48)) | (0x4000_u128 << 64) | (0x8000_u128 << 48);
    let digits = format!("{bits:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// `X-Gitlab-Signature` of a status check: lower-case hex HMAC-SHA256 of the raw body (contract section 3.1).
pub(super) fn status_check_signature(secret: &str, body: &[u8]) -> Option<String> {
    hmac(secret.as_bytes(), body).map(hex::encode)
}

/// `webhook-signature` of a hook: base64 HMAC-SHA256 over id, time and body (contract section 4.2).
pub(super) fn webhook_signature(token: &str, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(token.strip_prefix("whsec_")?).ok()?;
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    hmac(&key, &signed).map(|mac| format!("v1,{}", STANDARD.encode(mac)))
}

fn hmac(key: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(bytes);
    Some(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"object_kind":"merge_request","external_approval_rule":{"id":1,"name":"QA","external_url":"https://example.com/"}}"#;

    #[test]
    fn the_signature_of_a_status_check_is_the_vector_s() {
        assert_eq!(
            status_check_signature("correct horse battery staple", BODY).as_deref(),
            Some("2ea8d5f8badce9947c78e5fdb7814ea90648b7c6272979902cc717c163b0b9b2")
        );
    }

    #[test]
    fn the_signature_of_a_hook_is_the_vector_s() {
        let token = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let signature = webhook_signature(token, "f5e5f430-f57b-4e6e-9fac-d9128cd7232f", 1_744_300_000, BODY);
        assert_eq!(signature.as_deref(), Some("v1,lbR1txJ30vL4I7INwfTyBPbgKRfG0UhxxKyDpZIP1xM="));
    }

    #[test]
    fn names_repeat_from_run_to_run_and_differ_within_one() {
        assert_eq!(sha(1, "a"), sha(1, "a"));
        assert_ne!(sha(1, "a"), sha(2, "a"));
        let (mut one, mut two) = (fastrand::Rng::with_seed(7), fastrand::Rng::with_seed(7));
        let name = uuid(&mut one);
        assert_eq!(name, uuid(&mut two));
        assert_ne!(name, uuid(&mut one));
        assert_eq!((name.len(), name.get(14..15)), (36, Some("4")));
    }
}

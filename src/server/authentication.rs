//! Who sent a delivery: signatures and tokens, compared in constant time.
//!
//! Two schemes, told apart before the body is read: a status-check delivery has no event header and carries
//! `X-Gitlab-Signature` (contract section 3.1); an ordinary hook has `X-Gitlab-Event` and carries `webhook-signature`
//! (section 4.2), else `X-Gitlab-Token`. What must never be: a wrong signature excused by another credential, a header
//! that stands twice, a comparison that tells by its time how far it came.

use std::time::Duration;

use actix_web::http::header::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::merge_request::{CheckName, ProjectId};
use crate::shared_secret::derive_secret;

type HmacSha256 = Hmac<Sha256>;

const EVENT: &str = "x-gitlab-event";
const SIGNATURE: &str = "x-gitlab-signature";
const TOKEN: &str = "x-gitlab-token";
const WEBHOOK_ID: &str = "webhook-id";
const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
const WEBHOOK_SIGNATURE: &str = "webhook-signature";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// How far a signed timestamp may lie from our clock (Standard Webhooks).
const TIMESTAMP_WINDOW: Duration = Duration::from_secs(300);
/// A longer key is nobody's: GitLab sends a UUID.
const LONGEST_KEY: usize = 128;

/// Everything that a delivery can be verified with; several of each are valid at once, so that a rotation can overlap.
pub struct Secrets {
    /// `webhooks.status_check_secrets`.
    pub status_check: Vec<SecretString>,
    /// `webhooks.master_secret`.
    pub master: Option<SecretString>,
    /// `webhooks.tokens`.
    pub tokens: Vec<SecretString>,
    /// `webhooks.signing_tokens`, decoded.
    pub signing: Vec<SigningKey>,
}

/// A signing token's 32 bytes.
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Decodes `whsec_` and the base64 of 32 bytes.
    pub fn parse(token: &SecretString) -> Option<Self> {
        let bytes = STANDARD.decode(token.expose_secret().strip_prefix("whsec_")?).ok()?;
        (bytes.len() == 32).then_some(Self(bytes))
    }
}

/// Which of GitLab's two ways a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No event header: it can only be a status-check delivery.
    StatusCheck,
    /// With an event header.
    Hook,
}

/// A credential is wrong, missing, doubled or malformed. Nobody outside learns which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused(
    /// Which, for the log.
    pub(super) &'static str,
);

/// A delivery being verified while its body arrives.
pub(super) struct Verification {
    kind: Kind,
    idempotency_key: Option<String>,
    scheme: Scheme,
}

enum Scheme {
    /// A plain token that was right: nothing depends on the body.
    Token,
    /// The body must sign to `expected` with one of the keys.
    Signed { running: Vec<HmacSha256>, expected: Vec<Vec<u8>> },
    /// As above, and the project's own derived secret is a further key that only the body can name.
    SignedOrDerived { running: Vec<HmacSha256>, expected: Vec<u8> },
    /// No credential at all: only `webhooks.allow_unsigned` can let it in.
    Unsigned,
}

/// How a body was vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Voucher {
    /// By a credential of ours.
    Verified,
    /// By the derived secret of a project, if it matches [`derived_secret_signs`].
    Derived {
        /// The signature that came.
        signature: Vec<u8>,
    },
    /// By nothing.
    Unsigned,
}

impl Verification {
    /// Reads the headers. A wrong token is refused here, before a byte of the body is kept.
    pub(super) fn begin(headers: &HeaderMap, secrets: &Secrets, now: i64) -> Result<Self, Refused> {
        let kind = kind_of(headers)?;
        let idempotency_key = key_of(headers, kind)?;
        let scheme = match kind {
            Kind::StatusCheck => status_check_scheme(headers, secrets)?,
            Kind::Hook => hook_scheme(headers, secrets, now)?,
        };
        Ok(Self { kind, idempotency_key: idempotency_key.map(str::to_owned), scheme })
    }

    /// Which way it came.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// What is the same at each repetition of one event: `webhook-id` where it was signed, else `Idempotency-Key`.
    pub(super) fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// Whether nothing vouches for it.
    pub(super) fn is_unsigned(&self) -> bool {
        matches!(self.scheme, Scheme::Unsigned)
    }

    /// Takes in a piece of the body.
    pub(super) fn update(&mut self, piece: &[u8]) {
        match &mut self.scheme {
            Scheme::Signed { running, .. } | Scheme::SignedOrDerived { running, .. } => {
                for hmac in running {
                    hmac.update(piece);
                }
            }
            Scheme::Token | Scheme::Unsigned => {}
        }
    }

    /// Judges the whole body.
    pub(super) fn finish(self) -> Result<Voucher, Refused> {
        match self.scheme {
            Scheme::Token => Ok(Voucher::Verified),
            Scheme::Unsigned => Ok(Voucher::Unsigned),
            Scheme::Signed { running, expected } => {
                let right = running
                    .iter()
                    .any(|hmac| expected.iter().any(|expected| hmac.clone().verify_slice(expected).is_ok()));
                if right { Ok(Voucher::Verified) } else { Err(Refused("the signature is wrong")) }
            }
            Scheme::SignedOrDerived { running, expected } => {
                let right = running.into_iter().any(|hmac| hmac.verify_slice(&expected).is_ok());
                Ok(if right { Voucher::Verified } else { Voucher::Derived { signature: expected } })
            }
        }
    }
}

/// Whether `signature` signs `body` with the secret of one project's check, which is derived from the master secret.
pub(super) fn derived_secret_signs(
    master: &SecretString,
    project: ProjectId,
    check: &CheckName,
    body: &[u8],
    signature: &[u8],
) -> bool {
    let secret = derive_secret(master, project, check);
    let Some(hmac) = keyed(secret.expose_secret().as_bytes()) else { return false };
    hmac.chain_update(body).verify_slice(signature).is_ok()
}

fn kind_of(headers: &HeaderMap) -> Result<Kind, Refused> {
    Ok(if single(headers, EVENT)?.is_some() { Kind::Hook } else { Kind::StatusCheck })
}

/// GitLab says the same in both headers (contract section 4.1). Of a signed delivery only what was signed counts: whoever sends
/// a recorded one again could leave the other header out, or put another key there.
fn key_of(headers: &HeaderMap, kind: Kind) -> Result<Option<&str>, Refused> {
    let given = single(headers, IDEMPOTENCY_KEY)?;
    let signed = kind == Kind::Hook && headers.contains_key(WEBHOOK_SIGNATURE);
    let key = if signed { single(headers, WEBHOOK_ID)? } else { given };
    match key {
        Some(key) if signed && !(1..=LONGEST_KEY).contains(&key.len()) => {
            Err(Refused("`webhook-id` is empty or too long"))
        }
        key => Ok(key.filter(|key| (1..=LONGEST_KEY).contains(&key.len()))),
    }
}

fn status_check_scheme(headers: &HeaderMap, secrets: &Secrets) -> Result<Scheme, Refused> {
    let Some(signature) = single(headers, SIGNATURE)? else {
        // A hook's credential without its event header is no status check's.
        let of_a_hook = headers.contains_key(TOKEN) || headers.contains_key(WEBHOOK_SIGNATURE);
        return if of_a_hook {
            Err(Refused("a hook's credential without `X-Gitlab-Event`"))
        } else {
            Ok(Scheme::Unsigned)
        };
    };
    let lower_hex =
        signature.len() == 64 && signature.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let expected = if lower_hex { hex::decode(signature).ok() } else { None };
    let expected = expected.ok_or(Refused("the signature is not 64 lower-case hex digits"))?;
    let running =
        secrets.status_check.iter().filter_map(|secret| keyed(secret.expose_secret().as_bytes())).collect();
    Ok(match &secrets.master {
        Some(_) => Scheme::SignedOrDerived { running, expected },
        None => Scheme::Signed { running, expected: vec![expected] },
    })
}

fn hook_scheme(headers: &HeaderMap, secrets: &Secrets, now: i64) -> Result<Scheme, Refused> {
    if headers.contains_key(SIGNATURE) {
        return Err(Refused("a status check's signature on an ordinary hook"));
    }
    let token = single(headers, TOKEN)?;
    if let Some(signatures) = single(headers, WEBHOOK_SIGNATURE)? {
        return signed_hook(headers, signatures, secrets, now);
    }
    let token = token.ok_or(Refused("neither signature nor token"))?;
    let given = Sha256::digest(token.as_bytes());
    // No early end: the time must not tell which of the tokens came close.
    let right = secrets.tokens.iter().fold(subtle::Choice::from(0), |right, known| {
        right | Sha256::digest(known.expose_secret().as_bytes()).ct_eq(&given)
    });
    if bool::from(right) { Ok(Scheme::Token) } else { Err(Refused("the token is wrong")) }
}

fn signed_hook(
    headers: &HeaderMap,
    signatures: &str,
    secrets: &Secrets,
    now: i64,
) -> Result<Scheme, Refused> {
    let id = single(headers, WEBHOOK_ID)?.ok_or(Refused("`webhook-id` is missing"))?;
    let timestamp = single(headers, WEBHOOK_TIMESTAMP)?.ok_or(Refused("`webhook-timestamp` is missing"))?;
    let sent: i64 = timestamp.parse().map_err(|_| Refused("`webhook-timestamp` is not a number"))?;
    if now.abs_diff(sent) > TIMESTAMP_WINDOW.as_secs() {
        return Err(Refused("`webhook-timestamp` is too far from now"));
    }
    let expected: Vec<_> = signatures
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .collect();
    let prefix = format!("{id}.{timestamp}.");
    let running =
        secrets.signing.iter().filter_map(|key| Some(keyed(&key.0)?.chain_update(&prefix))).collect();
    Ok(Scheme::Signed { running, expected })
}

/// The value of a header that may stand once at most.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refused> {
    let mut values = headers.get_all(name);
    let value = values.next();
    if values.next().is_some() {
        return Err(Refused("a header stands twice"));
    }
    value.map(|value| value.to_str().map_err(|_| Refused("a header is not ASCII"))).transpose()
}

/// HMAC takes keys of any length; none is only how the library's type says so.
fn keyed(key: &[u8]) -> Option<HmacSha256> {
    HmacSha256::new_from_slice(key).ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const BODY: &[u8] = br#"{"object_kind":"merge_request","external_approval_rule":{"id":1,"name":"QA","external_url":"https://example.com/"}}"#;
    const HEX: &str = "2ea8d5f8badce9947c78e5fdb7814ea90648b7c6272979902cc717c163b0b9b2";
    const WHSEC: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const V1: &str = "v1,lbR1txJ30vL4I7INwfTyBPbgKRfG0UhxxKyDpZIP1xM=";
    const ID: &str = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f";
    const THEN: i64 = 1_744_300_000;

    fn secrets() -> Secrets {
        Secrets {
            status_check: vec!["old".into(), "correct horse battery staple".into()],
            master: None,
            tokens: vec!["first".into(), "second".into()],
            signing: vec![SigningKey::parse(&WHSEC.into()).unwrap()],
        }
    }

    fn verify(
        secrets: &Secrets,
        now: i64,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Voucher, Refused> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let mut verification = Verification::begin(&map, secrets, now)?;
        for piece in body.chunks(7) {
            verification.update(piece);
        }
        verification.finish()
    }

    fn signed_headers(signature: &str) -> Vec<(&'static str, &str)> {
        vec![
            (EVENT, "Merge Request Hook"),
            (WEBHOOK_ID, ID),
            (WEBHOOK_TIMESTAMP, "1744300000"),
            (WEBHOOK_SIGNATURE, signature),
        ]
    }

    #[test]
    fn the_contracts_vectors_hold() {
        assert_eq!(verify(&secrets(), THEN, &[(SIGNATURE, HEX)], BODY), Ok(Voucher::Verified));
        assert_eq!(verify(&secrets(), THEN, &signed_headers(V1), BODY), Ok(Voucher::Verified));
        let several = format!("v1,AAAA {V1}");
        assert_eq!(verify(&secrets(), THEN, &signed_headers(&several), BODY), Ok(Voucher::Verified));
    }

    #[test]
    fn another_library_signs_as_we_verify() {
        let oracle = standardwebhooks::Webhook::new(WHSEC).unwrap();
        let signature = oracle.sign(ID, THEN, BODY).unwrap();
        assert_eq!(verify(&secrets(), THEN, &signed_headers(&signature), BODY), Ok(Voucher::Verified));
    }

    #[test]
    fn a_wrong_truncated_doubled_or_shouted_signature_is_refused() {
        let shouted = HEX.to_uppercase();
        for wrong in [
            HEX.get(..63).unwrap(),
            HEX.get(..32).unwrap(),
            "",
            &shouted,
            &HEX.replace('2', "3"),
            "sha256=abc",
        ] {
            assert!(verify(&secrets(), THEN, &[(SIGNATURE, wrong)], BODY).is_err(), "{wrong}");
        }
        assert!(verify(&secrets(), THEN, &[(SIGNATURE, HEX), (SIGNATURE, HEX)], BODY).is_err());
        assert!(verify(&secrets(), THEN, &[(SIGNATURE, HEX)], &BODY[1..]).is_err());
    }

    #[test]
    fn a_wrong_signature_is_not_excused_by_a_right_token() {
        let mut headers = signed_headers("v1,AAAA");
        headers.push((TOKEN, "first"));
        assert!(verify(&secrets(), THEN, &headers, BODY).is_err());
        let headers = [(EVENT, "Note Hook"), (TOKEN, "first"), (SIGNATURE, "00")];
        assert!(verify(&secrets(), THEN, &headers, BODY).is_err());
    }

    #[test]
    fn a_signature_out_of_its_time_is_refused() {
        for now in [THEN + 301, THEN - 301] {
            assert!(verify(&secrets(), now, &signed_headers(V1), BODY).is_err());
        }
        assert!(verify(&secrets(), THEN + 299, &signed_headers(V1), BODY).is_ok());
    }

    #[test]
    fn any_of_several_tokens_opens_and_nothing_else_does() {
        let token = |value| verify(&secrets(), THEN, &[(EVENT, "Note Hook"), (TOKEN, value)], b"{}");
        assert_eq!(token("second"), Ok(Voucher::Verified));
        for wrong in ["", "secon", "second ", "Second", "first,second"] {
            assert!(token(wrong).is_err(), "{wrong}");
        }
        let doubled = [(EVENT, "Note Hook"), (TOKEN, "first"), (TOKEN, "first")];
        assert!(verify(&secrets(), THEN, &doubled, b"{}").is_err());
        assert!(verify(&secrets(), THEN, &[(EVENT, "Note Hook")], b"{}").is_err());
        assert!(verify(&secrets(), THEN, &[(TOKEN, "first")], b"{}").is_err());
    }

    #[test]
    fn without_secrets_no_signature_is_right() {
        let none = Secrets { status_check: vec![], master: None, tokens: vec![], signing: vec![] };
        assert!(verify(&none, THEN, &[(SIGNATURE, HEX)], BODY).is_err());
        assert!(verify(&none, THEN, &signed_headers(V1), BODY).is_err());
        assert_eq!(verify(&none, THEN, &[], BODY), Ok(Voucher::Unsigned));
    }

    #[test]
    fn a_derived_secret_counts_for_its_project_and_check_alone() {
        let master: SecretString = "master".into();
        let check = CheckName::default();
        let secret = derive_secret(&master, ProjectId::new(7), &check);
        let signature =
            keyed(secret.expose_secret().as_bytes()).unwrap().chain_update(BODY).finalize().into_bytes();
        let signs = |project, check: &CheckName| {
            derived_secret_signs(&master, ProjectId::new(project), check, BODY, &signature)
        };
        assert!(signs(7, &check));
        assert!(!signs(8, &check));
        assert!(!signs(7, &CheckName::parse("other").unwrap()));
    }
}

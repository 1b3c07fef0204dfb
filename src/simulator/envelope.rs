//! A delivery before it is sent: the body as it was when the event happened, and how to sign it.

use std::time::Duration;

use actix_web::web::Bytes;

use crate::merge_request::StatusCheckId;

/// To whom GitLab sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// The URL of an external status check.
    StatusCheck(StatusCheckId),
    /// An ordinary hook, by its id.
    Hook(u64),
}

/// A delivery, sealed.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) recipient: Recipient,
    pub(super) event: &'static str,
    pub(super) action: Option<String>,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// Standard Webhooks: the id, and the token to sign with at the moment of sending.
    pub(super) standard_webhook: Option<(String, Option<String>)>,
    /// How long GitLab waits for an answer.
    pub(super) timeout: Duration,
    /// How often it tries again after a transport failure; never after an answer.
    pub(super) retries: u32,
}

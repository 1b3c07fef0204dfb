//! The token that every call carries, and how it is replaced while the service runs.
//!
//! What must never be: a token in a message, or one that was replaced in the file still counting as refused.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use super::access::{ClientError, ReadToken};

/// The token in force, as a header.
pub(super) struct Credential {
    state: Mutex<State>,
    read_again: Option<ReadToken>,
    /// How often it was replaced.
    replaced: watch::Sender<u64>,
}

struct State {
    bearer: HeaderValue,
    /// What the last look found in place of it: half a token may be written at that moment.
    sighted: Option<HeaderValue>,
}

impl Credential {
    pub(super) fn new(token: &SecretString, read_again: Option<ReadToken>) -> Result<Self, ClientError> {
        let state = Mutex::new(State { bearer: bearer(token).ok_or(ClientError::Token)?, sighted: None });
        Ok(Self { state, read_again, replaced: watch::Sender::new(0) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The header of a call.
    pub(super) fn bearer(&self) -> HeaderValue {
        self.state().bearer.clone()
    }

    /// Looks for another token; two looks must find the same one. Says whether there is a new one.
    pub(super) fn look(&self) -> bool {
        let Some(found) = self.read() else { return false };
        let mut state = self.state();
        if found == state.bearer {
            state.sighted = None;
            return false;
        }
        if state.sighted.as_ref() != Some(&found) {
            state.sighted = Some(found);
            return false;
        }
        self.replace(state, found);
        true
    }

    /// GitLab refused a token: whether there is another one by now. It is tried as it is found, for nothing is lost by it.
    pub(super) fn is_outdated(&self, refused: &HeaderValue) -> bool {
        if self.state().bearer != *refused {
            return true;
        }
        let Some(found) = self.read().filter(|found| found != refused) else { return false };
        self.replace(self.state(), found);
        true
    }

    fn read(&self) -> Option<HeaderValue> {
        let token = self.read_again.as_ref()?()?;
        bearer(&token)
    }

    fn replace(&self, mut state: MutexGuard<'_, State>, bearer: HeaderValue) {
        *state = State { bearer, sighted: None };
        drop(state);
        self.replaced.send_modify(|times| *times += 1);
        tracing::info!("GitLab's token was replaced");
    }

    /// How often the token was replaced.
    pub(super) fn replaced(&self) -> watch::Receiver<u64> {
        self.replaced.subscribe()
    }
}

fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
    bearer.set_sensitive(true);
    Some(bearer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_token_is_replaced_by_what_two_looks_found_and_by_a_refusal_at_once() {
        let file = Arc::new(Mutex::new("old".to_owned()));
        let reading = Arc::clone(&file);
        let read: ReadToken = Arc::new(move || Some(SecretString::from(reading.lock().unwrap().clone())));
        let credential = Credential::new(&"old".into(), Some(read)).unwrap();
        let write = |text: &str| text.clone_into(&mut file.lock().unwrap());
        let old = credential.bearer();
        assert!(!credential.look() && !credential.is_outdated(&old));
        write("ne");
        assert!(!credential.look(), "half of it");
        write("new");
        assert!(!credential.look());
        assert!(credential.look());
        assert_eq!(credential.bearer(), "Bearer new");
        assert!(credential.is_outdated(&old), "a call that was under way");
        let new = credential.bearer();
        write("newer");
        assert!(credential.is_outdated(&new));
        assert_eq!(
            (credential.bearer().to_str().unwrap(), *credential.replaced().borrow()),
            ("Bearer newer", 2)
        );
        assert!(!format!("{:?}", credential.bearer()).contains("newer"));
    }
}

//! What the token is that we call with: whose, for what, until when (contract section 8).

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::merge_request::UserId;

use super::client::Client;
use super::error::Error;

const SELF: &str = "GET /personal_access_tokens/self";
const INFO: &str = "GET /oauth/token/info";

/// What a token says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnToken {
    /// Whose it is, where GitLab says so.
    pub user: Option<UserId>,
    /// `api`, `read_api`, …
    pub scopes: BTreeSet<String>,
    /// From when on it is not accepted any more; none where it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// A personal access token, which is what project and group access tokens and those of service accounts are as well.
#[derive(Deserialize)]
struct Personal {
    user_id: Option<u64>,
    scopes: BTreeSet<String>,
    expires_at: Option<Date>,
}

/// A token that an application was given.
#[derive(Deserialize)]
struct Granted {
    scope: BTreeSet<String>,
    expires_in: Option<i64>,
}

impl Client {
    /// Reads what the token is; none if this GitLab does not tell (before 15.5) or its answer can't be read for one of
    /// these. A token that is not accepted is an error.
    pub async fn own_token(&self) -> Result<Option<OwnToken>, Error> {
        match self.read::<Personal>(SELF, "personal_access_tokens/self").await {
            Ok(token) => Ok(Some(OwnToken {
                user: token.user_id.map(UserId::new),
                scopes: token.scopes,
                // GitLab's day begins in UTC, and on that day the token is not accepted any more.
                expires_at: token
                    .expires_at
                    .and_then(|day| Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())),
            })),
            // 400: not one of these, so an application's. 404: GitLab before 15.5.
            Err(Error::Refused { status: 400, .. } | Error::NotFound { .. }) => self.granted_token().await,
            Err(error) => Err(error),
        }
    }

    async fn granted_token(&self) -> Result<Option<OwnToken>, Error> {
        // Not a part of the API: it lies beside it.
        match self.read_dated::<Granted>(INFO, "../../oauth/token/info").await {
            Ok(answer) => {
                let rest = answer.value.expires_in.map(jiff::SignedDuration::from_secs);
                let expires_at = answer.date.zip(rest).and_then(|(now, rest)| now.checked_add(rest).ok());
                Ok(Some(OwnToken { user: None, scopes: answer.value.scope, expires_at }))
            }
            // It knows no personal access tokens.
            Err(Error::Unauthorized { .. } | Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

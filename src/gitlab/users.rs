//! `/users`: which account a commit's email address belongs to.

use serde::Deserialize;

use super::client::Client;
use super::error::Error;

const SEARCH: &str = "GET /users?search=";

/// A user as other answers embed it.
#[derive(Debug, Clone, Deserialize)]
pub struct BasicUser {
    /// The numeric id.
    pub id: u64,
    /// The name without `@`.
    pub username: String,
    /// `active`, `blocked`, …
    #[serde(default)]
    pub state: Option<String>,
}

impl Client {
    /// Finds the users that GitLab connects with an email address: by public address, or by any for an
    /// administrator's token.
    pub async fn users_by_email(&self, email: &str) -> Result<Vec<BasicUser>, Error> {
        self.read_list(SEARCH, "users", &[("search", email)]).await
    }
}

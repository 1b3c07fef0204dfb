//! `/users`: which account an email address or a username belongs to.

use serde::Deserialize;

use super::client::Client;
use super::error::Error;

const SEARCH: &str = "GET /users?search=";
const BY_USERNAME: &str = "GET /users?username=";

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

    /// Finds the user with a username, in any case: one, or none.
    pub async fn users_by_username(&self, username: &str) -> Result<Vec<BasicUser>, Error> {
        self.read_list(BY_USERNAME, "users", &[("username", username)]).await
    }
}

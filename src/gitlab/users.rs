//! `/users`: which account a commit's email address belongs to.

use serde::Deserialize;

use crate::merge_request::UserId;

use super::client::Client;
use super::error::Error;

const SEARCH: &str = "GET /users?search=";
const ONE: &str = "GET /users/:id";

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

/// A user by itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Whether GitLab keeps it for a machine: an access token, a service account, GitLab itself.
    pub bot: bool,
}

impl Client {
    /// Reads what kind of account a user is.
    pub async fn account(&self, user: UserId) -> Result<Account, Error> {
        self.read(ONE, &format!("users/{user}")).await
    }

    /// Finds the users that GitLab connects with an email address: by public address, or by any for an
    /// administrator's token.
    pub async fn users_by_email(&self, email: &str) -> Result<Vec<BasicUser>, Error> {
        self.read_list(SEARCH, "users", &[("search", email)]).await
    }
}

//! `/users` and `/user`: which account a commit's email address or a username belongs to, what kind of account it is, and
//! which is our own.

use serde::Deserialize;

use crate::merge_request::{User, UserId};

use super::client::Client;
use super::error::Error;

const SEARCH: &str = "GET /users?search=";
const NAMED: &str = "GET /users?username=";
const ONE: &str = "GET /users/:id";
const MYSELF: &str = "GET /user";

/// A user as other answers embed it.
#[derive(Debug, Clone, Deserialize)]
pub struct BasicUser {
    /// The numeric id.
    pub id: u64,
    /// The name without `@`.
    pub username: String,
    /// `active`, `blocked`, …
    pub state: String,
}

impl BasicUser {
    /// Who it is.
    pub fn user(&self) -> User {
        User { id: UserId::new(self.id), username: self.username.clone() }
    }

    /// Whether the account can still be used.
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }
}

/// What kind of account a user is.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Whether it is a bot's: that of an access token, a service account, or one of GitLab's own.
    pub bot: bool,
}

/// A user that a search found: by an address, or by a part of the name.
#[derive(Debug, Clone, Deserialize)]
pub struct FoundUser {
    /// The numeric id.
    pub id: u64,
    /// The name without `@`.
    pub username: String,
    /// The name in full, which everybody chooses freely.
    pub name: String,
}

/// The user that the token belongs to.
#[derive(Debug, Clone, Deserialize)]
pub struct Myself {
    /// The numeric id.
    pub id: UserId,
    /// The name without `@`.
    pub username: String,
    /// Whether it is a bot's account, where GitLab says so.
    pub bot: Option<bool>,
    /// Whether it is an administrator; GitLab tells nobody else.
    #[serde(default)]
    pub is_admin: bool,
}

impl Client {
    /// Reads whose the token is.
    pub async fn myself(&self) -> Result<Myself, Error> {
        self.read(MYSELF, "user").await
    }

    /// Finds the users with a username: one or none.
    pub async fn users_named(&self, username: &str) -> Result<Vec<BasicUser>, Error> {
        self.read_list(NAMED, "users", &[("username", username)]).await
    }

    /// Reads what kind of account a user is.
    pub async fn account(&self, user: UserId) -> Result<Account, Error> {
        self.read(ONE, &format!("users/{user}")).await
    }

    /// Finds the users that GitLab connects with an email address: by public address, or by any for an
    /// administrator's token.
    pub async fn users_by_email(&self, email: &str) -> Result<Vec<FoundUser>, Error> {
        self.read_list(SEARCH, "users", &[("search", email)]).await
    }
}

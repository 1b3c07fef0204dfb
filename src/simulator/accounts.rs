//! Users and their tokens.

use jiff::Timestamp;

use crate::merge_request::UserId;

/// Whether an account may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountState {
    /// It may.
    #[default]
    Active,
    /// An administrator blocked it.
    Blocked,
}

/// A user of this GitLab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) id: UserId,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) state: AccountState,
    pub(super) bot: bool,
    pub(super) admin: bool,
    pub(super) public_email: Option<String>,
}

impl Account {
    /// `active` or `blocked`.
    pub(super) fn state_word(&self) -> &'static str {
        match self.state {
            AccountState::Active => "active",
            AccountState::Blocked => "blocked",
        }
    }

    /// The address that this user's commits carry when nothing else is said.
    pub(super) fn commit_email(&self) -> String {
        self.public_email.clone().unwrap_or_else(|| format!("{}@example.com", self.username))
    }
}

/// A user to be created; `"ana".into()` is an active person whose public address is `ana@example.com`.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewUser {
    pub(super) id: Option<u64>,
    pub(super) username: String,
    pub(super) state: AccountState,
    pub(super) bot: bool,
    pub(super) admin: bool,
    pub(super) public_email: Option<String>,
}

impl NewUser {
    /// An active person.
    pub fn named(username: &str) -> Self {
        Self {
            id: None,
            username: username.to_owned(),
            state: AccountState::Active,
            bot: false,
            admin: false,
            public_email: Some(format!("{username}@example.com")),
        }
    }

    /// With this id.
    pub fn id(mut self, id: u64) -> Self {
        self.id = Some(id);
        self
    }

    /// A bot.
    pub fn bot(mut self) -> Self {
        self.bot = true;
        self
    }

    /// An administrator: sees everything and may everything.
    pub fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// Blocked.
    pub fn blocked(mut self) -> Self {
        self.state = AccountState::Blocked;
        self
    }

    /// With this public address, or with none.
    pub fn public_email(mut self, email: Option<&str>) -> Self {
        self.public_email = email.map(str::to_owned);
        self
    }
}

impl From<&str> for NewUser {
    fn from(username: &str) -> Self {
        Self::named(username)
    }
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Read and write.
    #[default]
    Api,
    /// Read.
    ReadApi,
    /// Only `/user` and the token itself.
    ReadUser,
}

impl Scope {
    /// GitLab's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::ReadApi => "read_api",
            Self::ReadUser => "read_user",
        }
    }
}

/// A token by which somebody calls the API.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) id: u64,
    pub(super) user: UserId,
    pub(super) scope: Scope,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) revoked: bool,
    /// Whether an application was given it (OAuth).
    pub(super) granted: bool,
}

/// A token to be created; the plain one has scope `api` and does not expire.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewToken {
    pub(super) user: UserId,
    pub(super) value: Option<String>,
    pub(super) scope: Scope,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) granted: bool,
}

impl NewToken {
    /// A token with scope `api`.
    pub fn of(user: UserId) -> Self {
        Self { user, value: None, scope: Scope::Api, expires_at: None, granted: false }
    }

    /// With this value.
    pub fn value(mut self, value: &str) -> Self {
        self.value = Some(value.to_owned());
        self
    }

    /// With this scope.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Given to an application (OAuth).
    pub fn granted(mut self) -> Self {
        self.granted = true;
        self
    }

    /// Good until then.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }
}

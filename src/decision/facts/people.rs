//! Who somebody is, and to what they belong.

use super::reader::Reader;
use crate::decision::doubt::{known, unknown};
use crate::gitlab::{self, Error};
use crate::merge_request::UserId;
use crate::policy::fact::{AccessLevel, Account, Facts, Known, Unknown};

/// GitLab: below a guest's 10 stand "no access" (0) and "minimal access" (5), which single sign-on gives everybody of a
/// top-level group: they can see nothing in it.
const LEAST_ACCESS: u8 = 10;

impl Reader<'_> {
    pub(super) async fn group_level(&self, path: &str, user: UserId) -> Known<Option<AccessLevel>> {
        self.active_level(self.gitlab.group_member(path, user).await)
    }

    /// The project was read with the merge request, so a 404 means "no member".
    pub(super) async fn project_level(&self, facts: &Facts, user: UserId) -> Known<Option<AccessLevel>> {
        let project = facts.merge_request.merge_request.project;
        self.active_level(self.gitlab.project_member(project, user).await)
    }

    /// Whose an email address is; nobody's when it is not exactly one user's.
    pub(super) async fn owner_of(&self, email: &str) -> Known<Option<UserId>> {
        known(self.gitlab.users_by_email(email).await.map(|users| match &*users {
            [user] => Some(UserId::new(user.id)),
            _ => None,
        }))
    }

    pub(super) async fn user_named(&self, _username: &str) -> Known<Option<UserId>> {
        Known::Unknown(Unknown { why: "it is not read yet".to_owned(), curable: false })
    }

    /// What kind of account it is.
    pub(super) async fn account(&self, user: UserId) -> Known<Account> {
        known(self.gitlab.account(user).await.map(|account| Account { bot: account.bot }))
    }

    /// The role of an active, unexpired membership; a 404 proves that there is none.
    pub(super) fn active_level(&self, member: Result<gitlab::Member, Error>) -> Known<Option<AccessLevel>> {
        let member = match member {
            Ok(member) => member,
            Err(Error::NotFound { .. }) => return Known::Value(None),
            Err(error) => return Known::Unknown(unknown(error)),
        };
        let is_active = |state: &Option<String>| state.as_deref().is_none_or(|state| state == "active");
        let today = self.now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let expired = member.expires_at.is_some_and(|day| day <= today);
        let has_access = member.access_level >= LEAST_ACCESS;
        if is_active(&member.state) && is_active(&member.membership_state) && !expired && has_access {
            Known::Value(Some(AccessLevel(member.access_level)))
        } else {
            Known::Value(None)
        }
    }
}

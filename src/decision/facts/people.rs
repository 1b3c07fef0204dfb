//! Who somebody is, and to what they belong.

use super::reader::Reader;
use crate::decision::doubt::{known, unknown};
use crate::gitlab::{self, Error};
use crate::merge_request::UserId;
use crate::policy::fact::{AccessLevel, Account, Facts, Known};

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

    /// As [`Self::project_level`], by direct memberships alone.
    pub(super) async fn direct_project_level(
        &self,
        facts: &Facts,
        user: UserId,
    ) -> Known<Option<AccessLevel>> {
        let project = facts.merge_request.merge_request.project;
        self.active_level(self.gitlab.direct_project_member(project, user).await)
    }

    /// Whose an email address is; nobody's when it is not exactly one user's.
    pub(super) async fn owner_of(&self, email: &str) -> Known<Option<UserId>> {
        if let Some(id) = private_owner(email, self.gitlab.host()) {
            return Known::Value(Some(id));
        }
        if !email.contains('@') {
            return Known::Value(None);
        }
        known(self.gitlab.users_by_email(email).await.map(|users| {
            let mut found = users.iter().filter(|user| !is_called_so(user, email));
            found.next().filter(|_| found.next().is_none()).map(|user| UserId::new(user.id))
        }))
    }

    /// Whose a username is. GitLab finds it whatever its case.
    pub(super) async fn user_named(&self, username: &str) -> Known<Option<UserId>> {
        known(self.gitlab.users_named(username).await.map(|users| {
            let named = users.iter().find(|user| user.username.eq_ignore_ascii_case(username));
            named.map(|user| UserId::new(user.id))
        }))
    }

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
        let is_awaited = member.membership_state.as_deref().is_some_and(|state| state != "active");
        let today = self.now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let expired = member.expires_at.is_some_and(|day| day <= today);
        let has_access = member.access_level >= LEAST_ACCESS;
        if member.state == "active" && !is_awaited && !expired && has_access {
            Known::Value(Some(AccessLevel(member.access_level)))
        } else {
            Known::Value(None)
        }
    }
}

/// GitLab finds users by their addresses, and by parts of their names as well: whoever calls themselves by an address owns
/// nothing by it.
fn is_called_so(user: &gitlab::FoundUser, email: &str) -> bool {
    let email = email.to_lowercase();
    user.name.to_lowercase().contains(&email) || user.username.to_lowercase().contains(&email)
}

/// GitLab: `<id>-<username>@users.noreply.<host>` is a user's private commit email and names the user by itself. Whoever
/// owns another such host could claim anybody, so only the host that is called counts.
fn private_owner(email: &str, host: &str) -> Option<UserId> {
    let (local, domain) = email.split_once('@')?;
    let (id, _) = local.split_once('-')?;
    let private = domain.strip_prefix("users.noreply.").is_some_and(|of| of.eq_ignore_ascii_case(host));
    let number = private && id.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| id.parse().ok()).flatten().map(UserId::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_commit_email_names_its_user_only_on_the_host_that_is_called() {
        let owner = |email| private_owner(email, "gitlab.example.com");
        assert_eq!(owner("42-ana@users.noreply.gitlab.example.com"), Some(UserId::new(42)));
        for other in [
            "42-ana@users.noreply.evil.example.com",
            "42-ana@users.noreply.gitlab.example.com.evil.org",
            "42-ana@gitlab.example.com",
            "x42-ana@users.noreply.gitlab.example.com",
            "-ana@users.noreply.gitlab.example.com",
        ] {
            assert_eq!(owner(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_that_looks_like_an_address_owns_nothing() {
        let called = |username: &str, name: &str| {
            let user = serde_json::json!({"id": 5, "username": username, "name": name});
            is_called_so(&serde_json::from_value(user).unwrap(), "Release@corp.example")
        };
        assert!(
            called("mallory", "release@corp.example") && called("mallory", "The real RELEASE@CORP.EXAMPLE")
        );
        assert!(!called("release", "Release"));
    }
}

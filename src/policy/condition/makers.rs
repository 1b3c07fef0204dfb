//! Who made the commits of a change: the users behind the email addresses that stand in them.
//!
//! An address is a claim of whoever wrote the commit. One that belongs to nobody GitLab knows may be anybody's.

use std::collections::{BTreeMap, BTreeSet};

use crate::merge_request::UserId;
use crate::policy::fact::{Commit, FactKey, Known, Unknown};
use crate::policy::finding::Stop;

/// Who made the commits, as far as their emails tell.
#[derive(Default)]
pub(super) struct Makers {
    /// Those whose emails are known.
    pub(super) users: BTreeSet<UserId>,
    /// Emails that belong to nobody.
    pub(super) unmatched: Vec<String>,
    needs: BTreeSet<FactKey>,
    unknown: Option<Unknown>,
}

impl Makers {
    /// Reads them off the emails that the commits claim.
    pub(super) fn read(commits: &[Commit], emails: &BTreeMap<String, Known<Option<UserId>>>) -> Self {
        let mut makers = Self::default();
        for email in commits.iter().flat_map(claimed_emails).collect::<BTreeSet<_>>() {
            match emails.get(&email) {
                _ if email.is_empty() => makers.unmatched.push(email),
                Some(Known::Value(Some(id))) => {
                    makers.users.insert(*id);
                }
                Some(Known::Value(None)) => makers.unmatched.push(email),
                Some(Known::Unknown(unknown))
                    if makers.unknown.as_ref().is_none_or(|known| known.curable) =>
                {
                    makers.unknown = Some(unknown.clone());
                }
                Some(Known::Unknown(_)) => {}
                None => {
                    makers.needs.insert(FactKey::Email(email));
                }
            }
        }
        makers
    }

    /// What keeps others from being found; none once all emails are known.
    pub(super) fn stop(self) -> Option<Stop> {
        if self.needs.is_empty() { self.unknown.map(Stop::Unknown) } else { Some(Stop::Needs(self.needs)) }
    }
}

/// Every email that a commit claims, in lower case.
fn claimed_emails(commit: &Commit) -> impl Iterator<Item = String> + '_ {
    let direct = [commit.author_email.as_str(), commit.committer_email.as_str()];
    let co_authors = commit.message.lines().filter_map(co_author_email);
    direct.into_iter().chain(co_authors).map(|email| email.trim().to_lowercase())
}

/// The address in a `Co-authored-by: Name <address>` trailer.
fn co_author_email(line: &str) -> Option<&str> {
    const TRAILER: &str = "co-authored-by:";
    let line = line.trim_start();
    let head = line.get(..TRAILER.len())?;
    let rest = head.eq_ignore_ascii_case(TRAILER).then(|| line.get(TRAILER.len()..)).flatten()?;
    match rest.rsplit_once('<') {
        Some((_, address)) => Some(address.split('>').next().unwrap_or(address)),
        None => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_authors_are_read_from_trailers_in_any_case() {
        assert_eq!(co_author_email("Co-authored-by: Ana <ana@x.org>"), Some("ana@x.org"));
        assert_eq!(co_author_email("  CO-AUTHORED-BY: Ana B <c> <ana@x.org> "), Some("ana@x.org"));
        assert_eq!(co_author_email("Co-authored-by: ana@x.org"), Some(" ana@x.org"));
        assert_eq!(co_author_email("Signed-off-by: Ana <ana@x.org>"), None);
        assert_eq!(co_author_email("ö"), None);
    }

    #[test]
    fn a_private_address_is_asked_for_like_any_other() {
        let email = "42-ana@users.noreply.elsewhere.example";
        let commit = Commit {
            author_email: email.to_owned(),
            ..crate::policy::example::code(1, &[]).commits.remove(0)
        };
        let asked = |emails: &BTreeMap<_, _>| Makers::read(std::slice::from_ref(&commit), emails);
        let mut emails = crate::policy::example::facts().emails;
        assert!(asked(&emails).users.iter().all(|id| id.get() != 42), "its number is another GitLab's");
        assert!(
            matches!(asked(&emails).stop(), Some(Stop::Needs(keys)) if keys == [FactKey::Email(email.to_owned())].into())
        );
        emails.insert(email.to_owned(), Known::Value(None));
        assert_eq!(asked(&emails).unmatched, [email]);
    }
}

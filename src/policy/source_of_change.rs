//! Which events can change which facts: what wakes a merge request beside its own events, and what a webhook must tell of.
//!
//! The one table of it. A family of facts that nobody tells of is named here as well: only a sweep finds its changes.

use super::fact::Family;
use crate::companion::Companion;

/// From where a change of a family's facts is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the events of the merge request itself.
    OwnEvents,
    /// From these events, which nothing but a webhook tells.
    Companions(&'static [Companion]),
    /// From the clock.
    Clock,
    /// From nobody.
    Nobody,
}

impl Family {
    /// From where a change is heard first of all.
    pub fn source(self) -> Source {
        match self {
            Self::MergeRequest
            | Self::Versions
            | Self::Code
            | Self::OlderCode
            | Self::Parentage
            | Self::Approvals
            | Self::Reviewers
            | Self::LabelEvents => Source::OwnEvents,
            Self::Time => Source::Clock,
            // GitLab tells of statuses of others as of the pipeline that they belong to.
            Self::Pipeline | Self::CommitStatuses => Source::Companions(&[Companion::Pipeline]),
            Self::Jobs => Source::Companions(&[Companion::Pipeline, Companion::Job]),
            Self::Threads | Self::Comments => Source::Companions(&[Companion::Note]),
            Self::Emoji => Source::Companions(&[Companion::Emoji]),
            Self::Issues => Source::Companions(&[Companion::Issue]),
            // Of the target branch.
            Self::Behind | Self::Conflicts | Self::CodeOwners => Source::Companions(&[Companion::Push]),
            Self::Memberships | Self::People => Source::Companions(&[Companion::Member]),
            Self::Project => Source::Companions(&[Companion::Project]),
            Self::Accounts | Self::Emails | Self::OtherMergeRequests | Self::Signatures => Source::Nobody,
        }
    }

    /// Whether an event can change facts of the family.
    pub fn is_changed_by(self, companion: Companion) -> bool {
        let tells =
            matches!(self.source(), Source::Companions(companions) if companions.contains(&companion));
        // What is decided by other policies may be decided by other facts.
        tells || companion == Companion::Move || self.also_changed_by().contains(&companion)
    }

    /// What else can change them, now and then.
    pub fn also_changed_by(self) -> &'static [Companion] {
        match self {
            // GitLab: where the target branch is rewritten, or gets commits of the merge request, there is a new diff
            // version of the same head, and no event tells of it.
            Self::Versions | Self::Code | Self::OlderCode | Self::Parentage | Self::People => {
                &[Companion::Push]
            }
            // GitLab before 19.3: of a review that was submitted its comments alone are told.
            Self::Reviewers => &[Companion::Note],
            Self::MergeRequest
            | Self::Time
            | Self::Approvals
            | Self::Pipeline
            | Self::Jobs
            | Self::CommitStatuses
            | Self::Threads
            | Self::Comments
            | Self::Emoji
            | Self::LabelEvents
            | Self::Memberships
            | Self::Accounts
            | Self::Emails
            | Self::Project
            | Self::Behind
            | Self::Conflicts
            | Self::Issues
            | Self::OtherMergeRequests
            | Self::CodeOwners
            | Self::Signatures => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const README: &str = include_str!("../../policies/README.md");

    fn words(families: impl Iterator<Item = Family>) -> String {
        families.map(Family::word).collect::<Vec<_>>().join(", ")
    }

    /// The table, seen from the other side.
    #[test]
    fn each_event_changes_what_it_is_about() {
        let expected = BTreeMap::from([
            (Companion::Note, "threads, comments, states of reviewers"),
            (Companion::Pipeline, "the pipeline, jobs, commit statuses"),
            (Companion::Job, "jobs"),
            (Companion::Emoji, "emoji"),
            (Companion::Issue, "issues"),
            (
                Companion::Push,
                "versions, files and commits, files of older versions, people, the target branch, conflicts, \
                 CODEOWNERS, parents of commits",
            ),
            (Companion::Member, "memberships, people"),
            (Companion::Project, "the project"),
        ]);
        for companion in Companion::ALL {
            let changed = Family::ALL.into_iter().filter(|family| family.is_changed_by(companion));
            match expected.get(&companion) {
                Some(expected) => assert_eq!(words(changed), *expected, "{companion:?}"),
                None => assert_eq!((companion, changed.count()), (Companion::Move, Family::ALL.len())),
            }
            assert_eq!(Companion::parse(companion.as_str()), Some(companion));
        }
    }

    /// A family without a source must be named here: only a sweep finds that its facts changed.
    #[test]
    fn only_these_families_change_without_a_word() {
        let silent = Family::ALL.into_iter().filter(|family| family.source() == Source::Nobody);
        assert_eq!(words(silent), "accounts, commit emails, other merge requests, signatures");
    }

    #[test]
    fn the_table_of_the_reference_says_from_where_each_family_is_heard() {
        let table = README.split("<!-- sources -->\n").nth(1).unwrap();
        let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let rows: Vec<Vec<_>> = lines.map(|line| line.split('|').map(str::trim).collect()).collect();
        let told = |companions: &[Companion]| {
            companions.iter().map(|companion| companion.as_str()).collect::<Vec<_>>().join(", ")
        };
        let expected: Vec<_> = Family::ALL
            .into_iter()
            .map(|family| {
                let source = match family.source() {
                    Source::OwnEvents => "the merge request".to_owned(),
                    Source::Companions(companions) => told(companions),
                    Source::Clock => "the clock".to_owned(),
                    Source::Nobody => "nobody".to_owned(),
                };
                (family.word(), source, told(family.also_changed_by()))
            })
            .collect();
        let found: Vec<_> = rows.iter().map(|row| (row[1], row[2].to_owned(), row[3].to_owned())).collect();
        assert_eq!(found, expected);
    }
}

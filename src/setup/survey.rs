//! What a project has of ours in GitLab, and what the token's user may see and do there.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::installation::Installation;
use crate::gitlab::{CheckedProject, Error, ExternalStatusCheck, Hook, HookPlace, Myself, ProtectedBranch};
use crate::merge_request::ProjectId;

/// Roles that decide something.
pub(super) const DEVELOPER: u8 = 30;
pub(super) const MAINTAINER: u8 = 40;
const OWNER: u8 = 50;

/// A project as it was found; what could not be read is a finding.
pub(super) struct Sight {
    /// The project.
    pub(super) project: CheckedProject,
    /// The role of the token's user in it.
    pub(super) role: Result<u8, Finding>,
    /// Whether GitLab has no status checks for it, and verdicts are told in other ways.
    pub(super) is_without_checks: bool,
    /// Its status checks.
    pub(super) checks: Result<Vec<ExternalStatusCheck>, Finding>,
    /// Its protected branches.
    pub(super) protected: Result<Vec<ProtectedBranch>, Finding>,
    /// Its own webhooks.
    pub(super) hooks: Result<Vec<Hook>, Finding>,
    /// Webhooks of the groups above it, as far as they are shown.
    pub(super) above: Vec<(HookPlace, Hook)>,
    /// Whether those of one of these groups are not shown.
    pub(super) above_is_hidden: bool,
}

/// Looks at projects, and at each group above them once.
pub(super) struct Survey<'a> {
    installation: &'a Installation,
    myself: &'a Myself,
    /// None where they are not shown.
    groups: BTreeMap<String, Option<Vec<(HookPlace, Hook)>>>,
}

impl<'a> Survey<'a> {
    /// Nothing was looked at yet.
    pub(super) fn new(installation: &'a Installation, myself: &'a Myself) -> Self {
        Self { installation, myself, groups: BTreeMap::new() }
    }

    /// Looks at a project.
    pub(super) async fn look(&mut self, project: CheckedProject) -> Sight {
        let gitlab = &self.installation.gitlab;
        let (path, id) = (project.path_with_namespace.clone(), project.id);
        let role = self.role(id, &path).await;
        let (checks, protected, hooks) = tokio::join!(
            gitlab.external_status_checks(id),
            gitlab.protected_branches(id),
            gitlab.hooks(HookPlace::Project(id)),
        );
        let level = role.clone().ok();
        let has_none = checks.as_ref().is_err_and(|error| has_no_checks(level, error));
        let is_without_checks = self.installation.answers_otherwise && has_none;
        let checks = if is_without_checks {
            Ok(Vec::new())
        } else {
            checks.map_err(|error| checks_unread(&path, level, &error))
        };
        let protected = protected.map_err(|error| unread("protected-branches", &path, level, &error));
        let hooks = hooks.map_err(|error| unread("webhook", &path, level, &error));
        let (above, above_is_hidden) = self.hooks_above(&path).await;
        Sight { project, role, is_without_checks, checks, protected, hooks, above, above_is_hidden }
    }

    async fn role(&self, project: ProjectId, path: &str) -> Result<u8, Finding> {
        if self.myself.is_admin {
            return Ok(OWNER);
        }
        match self.installation.gitlab.project_member(project, self.myself.id).await {
            Ok(member) if member.membership_state.as_deref() == Some("awaiting") => Ok(0),
            Ok(member) => Ok(member.access_level),
            Err(Error::NotFound { .. }) => Ok(0),
            Err(error) => Err(unread("role", path, None, &error)),
        }
    }

    /// The hooks of the groups above a project, and whether some are not shown, which is no finding by itself: most need
    /// none.
    async fn hooks_above(&mut self, path: &str) -> (Vec<(HookPlace, Hook)>, bool) {
        let gitlab = &self.installation.gitlab;
        let (mut found, mut hidden) = (Vec::new(), false);
        for (at, _) in path.match_indices('/') {
            let Some(group) = path.get(..at) else { continue };
            if !self.groups.contains_key(group) {
                let hooks = match gitlab.group(group).await {
                    Ok(group) => {
                        let place = HookPlace::Group(group.id);
                        let hooks = gitlab.hooks(place).await.ok();
                        hooks.map(|hooks| hooks.into_iter().map(|hook| (place, hook)).collect())
                    }
                    Err(_) => None,
                };
                self.groups.insert(group.to_owned(), hooks);
            }
            match self.groups.get(group) {
                Some(Some(hooks)) => found.extend(hooks.iter().cloned()),
                _ => hidden = true,
            }
        }
        (found, hidden)
    }
}

/// Whether GitLab has no status checks. 401 has two meanings (contract section 8): who calls is known by now, so it is the role
/// or the licence.
fn has_no_checks(level: Option<u8>, error: &Error) -> bool {
    match error {
        Error::Unauthorized { .. } => level.is_some_and(|level| level >= MAINTAINER),
        other => matches!(other, Error::NotFound { .. }),
    }
}

fn checks_unread(path: &str, level: Option<u8>, error: &Error) -> Finding {
    match error {
        Error::Unauthorized { .. } if has_no_checks(level, error) => unlicensed(path),
        Error::Unauthorized { .. } => hidden("status-check", path, level),
        Error::NotFound { .. } => no_such_route(path),
        other => unread("status-check", path, level, other),
    }
}

/// That the project needs no external status checks.
pub(super) fn answered_otherwise(path: &str) -> Finding {
    let what = "GitLab has no external status checks for it; verdicts are told in the other ways that `answers` names";
    Finding::fine("licence", path, what)
}

/// That the project has no external status checks to be had.
pub(super) fn unlicensed(path: &str) -> Finding {
    let what = "external status checks are not licensed here (401): they need GitLab Ultimate";
    Finding::wrong("licence", path, what, "put the project under a group with Ultimate")
}

/// That this GitLab knows no external status checks.
pub(super) fn no_such_route(path: &str) -> Finding {
    let what =
        "this GitLab has no external status checks (404): they need the Enterprise Edition with Ultimate";
    Finding::wrong("licence", path, what, "install GitLab EE 14.1 or later with an Ultimate licence")
}

fn unread(topic: &'static str, path: &str, level: Option<u8>, error: &Error) -> Finding {
    match error {
        Error::Forbidden { .. } | Error::Unauthorized { .. } => hidden(topic, path, level),
        other => Finding::unknown(topic, path, other.to_string(), "try again"),
    }
}

fn hidden(topic: &'static str, path: &str, level: Option<u8>) -> Finding {
    let whose = level.map_or("whose role is not known", role_noun);
    let what = format!("GitLab shows this to Maintainers only, not to the token's user, {whose}");
    let remedy = "ask with a Maintainer's token: `COUNTERSIGN__GITLAB__TOKEN_FILE=… countersign doctor`";
    Finding::unknown(topic, path, what, remedy)
}

/// A role with its article.
pub(super) fn role_noun(level: u8) -> &'static str {
    match level {
        50.. => "an Owner",
        40.. => "a Maintainer",
        30.. => "a Developer",
        20.. => "a Reporter",
        15.. => "a Planner",
        10.. => "a Guest",
        _ => "no member",
    }
}

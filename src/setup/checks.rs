//! The status checks that a project is to have, beside those that it has. Pure.

use std::collections::BTreeSet;

use secrecy::SecretString;

use super::change::{Change, branch_names};
use super::finding::Finding;
use super::grounds::{Grounds, Part};
use super::installation::address_of;
use crate::gitlab::{CheckedProject, ExternalStatusCheck, ProtectedBranch};
use crate::merge_request::{CheckName, StatusCheckId};
use crate::policy::Coverage;

/// The status checks of a project.
pub(super) fn plan(
    grounds: &Grounds<'_>,
    project: &CheckedProject,
    present: &[ExternalStatusCheck],
    protected: &[ProtectedBranch],
) -> Part {
    let mut part = Part::default();
    for name in grounds.names(present) {
        let subject = &project.path_with_namespace;
        let Some(coverage) = grounds.policies.coverage(&name, subject) else {
            part.findings.push(unspoken(&name, subject));
            continue;
        };
        let ours: Vec<_> = present
            .iter()
            .filter(|check| grounds.name_of(&check.external_url).as_ref() == Some(&name))
            .collect();
        if ours.len() > 1 {
            let names: Vec<_> = ours.iter().map(|check| format!("`{}`", check.name)).collect();
            let what = format!("the status checks {} are all `{name}` to the policies", names.join(" and "));
            let remedy = "delete all but one of them in GitLab";
            part.findings.push(Finding::warning("status-check", subject, what, remedy));
        }
        let branches = bound_to(grounds, &coverage, protected, subject, &mut part);
        if ours.is_empty() {
            missing_check(grounds, project, &name, present, branches, &mut part);
        } else {
            for check in ours {
                present_check(grounds, project, &name, check, branches.clone(), &mut part);
            }
        }
    }
    part
}

/// That a check is asked and everything fails.
pub(super) fn unspoken(name: &CheckName, subject: &str) -> Finding {
    let what = format!("no policy speaks for check `{name}` of this project: every merge request fails");
    let remedy =
        "name the project under `applies_to.projects` of a policy, or the check under `applies_to.checks`";
    Finding::wrong("policies", subject, what, remedy)
}

/// The protected branches that the policies name.
fn bound_to(
    grounds: &Grounds<'_>,
    coverage: &Coverage<'_>,
    protected: &[ProtectedBranch],
    subject: &str,
    part: &mut Part,
) -> Vec<ProtectedBranch> {
    let branches = coverage.branches(protected.iter().map(|branch| branch.name.as_str()));
    // GitLab before 15.0 looks for the branch's very name: a check that is bound to a wildcard would apply nowhere.
    let wildcard = branches.bound_to.iter().any(|name| name.contains('*'));
    let everywhere = grounds.is_before(15, 0) && wildcard;
    let bound: Vec<_> = protected
        .iter()
        .filter(|branch| !everywhere && branches.bound_to.contains(&branch.name.as_str()))
        .cloned()
        .collect();
    if !branches.unprotected.is_empty() {
        let names: Vec<_> = branches.unprotected.iter().map(|name| format!("`{name}`")).collect();
        let then = if bound.is_empty() {
            "so the check is not bound to branches and applies on all of them"
        } else {
            "where the check does not apply, and anybody may push"
        };
        let what = format!("the policies name {}, not protected in GitLab, {then}", names.join(", "));
        let remedy = format!("protect it in GitLab, then `countersign install {subject}`");
        part.findings.push(Finding::warning("protected-branches", subject, what, remedy));
    }
    bound
}

fn missing_check(
    grounds: &Grounds<'_>,
    project: &CheckedProject,
    name: &CheckName,
    present: &[ExternalStatusCheck],
    branches: Vec<ProtectedBranch>,
    part: &mut Part,
) {
    let subject = &project.path_with_namespace;
    let Some(public_url) = &grounds.installation.public_url else {
        let what = "no status check of ours is there, and which address it should call is not configured";
        part.findings.push(Finding::wrong("status-check", subject, what, "set `server.public_url`"));
        return;
    };
    let url = address_of(public_url, name);
    // GitLab takes a name once only.
    let Some(namesake) = present.iter().find(|check| check.name == name.as_str()) else {
        if let Some(signing) = signed_with(grounds, project, name, part) {
            let (name, secret) = (name.to_string(), signing.secret());
            part.changes.push(Change::CreateCheck { project: project.id, name, url, branches, secret });
        }
        return;
    };
    let from = without_query(&namesake.external_url);
    if !grounds.wishes.adopt {
        let what = format!("status check `{name}` calls {from}, which is not below `server.public_url`");
        let remedy = format!("if it is ours, `countersign install --adopt {subject}` lets it call {url}");
        part.findings.push(Finding::wrong("status-check", subject, what, remedy));
        return;
    }
    let check = StatusCheckId::new(namesake.id);
    part.changes.push(Change::MoveCheck {
        project: project.id,
        check,
        name: namesake.name.clone(),
        from,
        to: url,
    });
    if let Some(Signing::Signed(secret)) = signed_with(grounds, project, name, part) {
        let first = namesake.hmac != Some(true);
        part.changes.push(Change::SetSecret {
            project: project.id,
            check,
            name: namesake.name.clone(),
            secret,
            first,
        });
    }
    bind(project, namesake, branches, part);
}

/// How the deliveries of a check are to be signed.
enum Signing {
    Signed(SecretString),
    Unsigned,
}

impl Signing {
    fn secret(self) -> Option<SecretString> {
        match self {
            Self::Signed(secret) => Some(secret),
            Self::Unsigned => None,
        }
    }
}

/// How a new check is to be signed; none if no delivery of it would be taken.
fn signed_with(
    grounds: &Grounds<'_>,
    project: &CheckedProject,
    name: &CheckName,
    part: &mut Part,
) -> Option<Signing> {
    if grounds.is_before(17, 3) {
        return unsigned(grounds, project, part).then_some(Signing::Unsigned);
    }
    match grounds.installation.credentials.shared_secret(project.id, name) {
        Some(secret) => Some(Signing::Signed(secret)),
        None => without_secret(grounds, project, name, part).then_some(Signing::Unsigned),
    }
}

fn present_check(
    grounds: &Grounds<'_>,
    project: &CheckedProject,
    name: &CheckName,
    check: &ExternalStatusCheck,
    branches: Vec<ProtectedBranch>,
    part: &mut Part,
) {
    let subject = &project.path_with_namespace;
    let id = StatusCheckId::new(check.id);
    let secret = grounds.installation.credentials.shared_secret(project.id, name);
    let url = without_query(&check.external_url);
    let what = format!("`{}` calls {url} on {}", check.name, branch_names(&check.protected_branches));
    part.findings.push(Finding::fine("status-check", subject, what));
    match (check.hmac, secret) {
        // Only a GitLab that can sign says whether it does.
        _ if grounds.is_before(17, 3) || check.hmac.is_none() => {
            unsigned(grounds, project, part);
        }
        (Some(true), Some(secret)) if grounds.wishes.rotate => {
            part.changes.push(Change::SetSecret {
                project: project.id,
                check: id,
                name: check.name.clone(),
                secret,
                first: false,
            });
        }
        (Some(true), Some(_)) => {
            let what = format!(
                "`{}` has a shared secret; GitLab does not show which (--rotate sets it)",
                check.name
            );
            part.findings.push(Finding::fine("shared-secret", subject, what));
        }
        (Some(true), None) => {
            let what = format!("GitLab signs for `{}` with a secret that is not configured here", check.name);
            let remedy = "set `webhooks.master_secret`, then `countersign install --rotate`";
            part.findings.push(Finding::wrong("shared-secret", subject, what, remedy));
        }
        (_, Some(secret)) => {
            part.changes.push(Change::SetSecret {
                project: project.id,
                check: id,
                name: check.name.clone(),
                secret,
                first: true,
            });
        }
        (_, None) => {
            without_secret(grounds, project, name, part);
        }
    }
    bind(project, check, branches, part);
}

fn bind(project: &CheckedProject, check: &ExternalStatusCheck, to: Vec<ProtectedBranch>, part: &mut Part) {
    let ids = |branches: &[ProtectedBranch]| branches.iter().map(|branch| branch.id).collect::<BTreeSet<_>>();
    if ids(&check.protected_branches) != ids(&to) {
        let (name, from) = (check.name.clone(), check.protected_branches.clone());
        part.changes.push(Change::BindCheck {
            project: project.id,
            check: StatusCheckId::new(check.id),
            name,
            from,
            to,
        });
    }
}

/// A GitLab that can't sign: whether its deliveries are let in all the same.
fn unsigned(grounds: &Grounds<'_>, project: &CheckedProject, part: &mut Part) -> bool {
    let subject = &project.path_with_namespace;
    let allowed = grounds.installation.allow_unsigned.contains(subject);
    let gitlab = grounds.gitlab();
    part.findings.push(if allowed {
        let what = format!("{gitlab} can't sign; `webhooks.allow_unsigned` lets its deliveries in");
        Finding::fine("shared-secret", subject, what)
    } else {
        let what = format!("{gitlab} can't sign its deliveries, so they are refused (401)");
        let remedy = "upgrade GitLab to 17.3, or name the project in `webhooks.allow_unsigned`";
        Finding::wrong("shared-secret", subject, what, remedy)
    });
    allowed
}

/// A check without a secret, and none to give it: whether its deliveries are let in all the same.
fn without_secret(
    grounds: &Grounds<'_>,
    project: &CheckedProject,
    name: &CheckName,
    part: &mut Part,
) -> bool {
    let subject = &project.path_with_namespace;
    let allowed = grounds.installation.allow_unsigned.contains(subject);
    let remedy = "set `webhooks.master_secret`";
    part.findings.push(if allowed {
        let what =
            format!("check `{name}` is not signed, though {} could: anybody can send", grounds.gitlab());
        Finding::warning("shared-secret", subject, what, remedy)
    } else {
        let what = format!("there is no secret that check `{name}` could be signed with");
        Finding::wrong("shared-secret", subject, what, remedy)
    });
    allowed
}

/// What an address is without its query, which may hold a secret.
fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

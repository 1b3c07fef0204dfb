//! Which projects are meant: named ones, those of a group, or those that the token reaches.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::installation::Installation;
use crate::gitlab::{self, CheckedProject, ListedProject};
use crate::merge_request::ProjectId;
use crate::scope::{ProjectScope, ScopeError};

/// The least role of a member.
const GUEST: u8 = 10;
/// What helps where nothing is seen.
const UNSEEN: &str = "look for a slip in the path, or make the token's user a member";

/// Which projects are meant.
#[derive(Debug, Clone)]
pub enum Selection {
    /// Those in which the token's user has a role, as far as they are served: so many of them.
    Joined {
        /// How many at most.
        most: usize,
    },
    /// These.
    Named(Vec<Naming>),
    /// Those of a group.
    Group {
        /// Its full path.
        path: String,
        /// Whether those of its subgroups are meant, too.
        deep: bool,
    },
}

/// A project by name, or several by a glob.
#[derive(Debug, Clone)]
pub enum Naming {
    /// By its full path or its id.
    One(String),
    /// By a glob over full paths.
    Glob(ProjectScope),
}

impl Naming {
    /// Reads `shop/pay`, `42` or `shop/**`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.contains(['*', '?', '[', '{', '!']) {
            return ProjectScope::compile([text]).map(Self::Glob);
        }
        Ok(Self::One(text.trim_matches('/').to_owned()))
    }
}

/// The projects that are meant, as far as they were found.
pub struct Selected {
    /// They.
    pub projects: Vec<CheckedProject>,
    /// What was named and could not be read.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub left_out: usize,
}

/// Reads the projects that are meant; an error if not even a list of them could be had.
pub async fn select(installation: &Installation, selection: &Selection) -> Result<Selected, gitlab::Error> {
    let gitlab = &installation.gitlab;
    let mut selected = Selected { projects: Vec::new(), findings: Vec::new(), left_out: 0 };
    let mut listed = match selection {
        Selection::Joined { .. } => within(gitlab.joined_projects(GUEST).await?, &installation.scope),
        Selection::Group { path, deep } => match gitlab.group_projects(path, *deep).await {
            Ok(listed) => within(listed, &installation.scope),
            Err(gitlab::Error::NotFound { .. }) => {
                let what = "there is no such group, or the token's user does not see it";
                selected.findings.push(Finding::wrong("group", path, what, UNSEEN));
                Vec::new()
            }
            Err(error) => return Err(error),
        },
        Selection::Named(namings) => {
            let mut found = Vec::new();
            for naming in namings {
                match naming {
                    Naming::Glob(glob) => {
                        let served = within(gitlab.joined_projects(GUEST).await?, &installation.scope);
                        found.extend(within(served, glob));
                    }
                    Naming::One(name) => match gitlab.checked_project(name).await {
                        Ok(project) => selected.projects.push(project),
                        Err(error) => selected.findings.push(unread(name, &error)),
                    },
                }
            }
            found
        }
    };
    if let Selection::Joined { most } = selection {
        selected.left_out = listed.len().saturating_sub(*most);
        listed.truncate(*most);
    }
    let mut seen: BTreeSet<ProjectId> = BTreeSet::new();
    selected.projects.retain(|project| seen.insert(project.id));
    for project in listed {
        if !seen.insert(project.id) {
            continue;
        }
        match gitlab.checked_project(&project.id.to_string()).await {
            Ok(project) => selected.projects.push(project),
            Err(error) => selected.findings.push(unread(&project.path_with_namespace, &error)),
        }
    }
    if selected.projects.is_empty() && selected.findings.is_empty() {
        let what = "none is found within `gitlab.projects` of which the token's user is a member";
        selected.findings.push(Finding::wrong("project", "projects", what, UNSEEN));
    }
    Ok(selected)
}

/// Whether a project has nothing to do with us.
pub(super) fn outside(installation: &Installation, project: &CheckedProject) -> Option<Finding> {
    let subject = &project.path_with_namespace;
    if !installation.scope.contains(subject) {
        let what = "outside of `gitlab.projects`: its deliveries get 200 and are not evaluated";
        return Some(Finding::wrong("scope", subject, what, "add the project to `gitlab.projects`"));
    }
    if project.archived {
        let what = "archived: nothing can be answered or set up";
        return Some(Finding::wrong("archived", subject, what, "unarchive it, or leave it out"));
    }
    None
}

fn within(projects: Vec<ListedProject>, scope: &ProjectScope) -> Vec<ListedProject> {
    projects.into_iter().filter(|project| scope.contains(&project.path_with_namespace)).collect()
}

fn unread(name: &str, error: &gitlab::Error) -> Finding {
    match error {
        gitlab::Error::NotFound { .. } => {
            let what = "there is no such project, or the token's user does not see it";
            Finding::wrong("project", name, what, UNSEEN)
        }
        gitlab::Error::Refused { status: 301, .. } => {
            let what = "the project was moved to another path";
            Finding::wrong("project", name, what, "name it by its present path, or by its id")
        }
        other => Finding::unknown("project", name, other.to_string(), "try again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_from_a_glob() {
        assert!(matches!(Naming::parse("shop/pay").unwrap(), Naming::One(name) if name == "shop/pay"));
        assert!(matches!(Naming::parse("42").unwrap(), Naming::One(_)));
        let Naming::Glob(glob) = Naming::parse("shop/*").unwrap() else { panic!("no glob") };
        assert!(glob.contains("shop/pay") && !glob.contains("shop/a/b"));
        assert!(Naming::parse("shop/[").is_err());
    }
}

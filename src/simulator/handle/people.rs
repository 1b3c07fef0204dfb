//! Users, groups, projects, members, tokens.

use jiff::Timestamp;

use super::gitlab::Gitlab;
use crate::merge_request::{CommitSha, ProjectId, User, UserId};
use crate::simulator::accounts::{AccountState, NewToken, NewUser, Token};
use crate::simulator::companions::MemberDeed;
use crate::simulator::error::SimulatorError;
use crate::simulator::namespaces::{Membership, NewGroup, NewProject, Place, Visibility};

impl Gitlab {
    /// Creates a user; the same username again is the same user.
    pub fn create_user(&self, new: impl Into<NewUser>) -> UserId {
        let new = new.into();
        self.world(|world| world.ensure_user(&new))
    }

    /// A user in the words of the product.
    pub fn user(&self, id: UserId) -> Option<User> {
        self.world(|world| world.user_words(id))
    }

    /// Blocks a user, whose tokens stop working.
    pub fn block_user(&self, id: UserId) -> Result<(), SimulatorError> {
        self.world(|world| {
            let account = world.users.get_mut(&id).ok_or(SimulatorError::NoUser(id))?;
            account.state = AccountState::Blocked;
            Ok(())
        })
    }

    /// Deletes a user: what they did stays, and says no more who did it.
    pub fn delete_user(&self, id: UserId) -> Result<(), SimulatorError> {
        self.world(|world| {
            let account = world.users.remove(&id).ok_or(SimulatorError::NoUser(id))?;
            world.usernames.remove(&account.username);
            Ok(())
        })
    }

    /// Creates a group and those above it; the same path again is the same group. Returns its id.
    pub fn create_group(&self, new: impl Into<NewGroup>) -> u64 {
        let new = new.into();
        self.world(|world| world.ensure_group(&new))
    }

    /// Creates a project and the groups above it; the same path again is the same project.
    pub fn create_project(&self, new: impl Into<NewProject>) -> ProjectId {
        let new = new.into();
        self.world(|world| world.ensure_project(new))
    }

    /// Makes somebody a member of a group or project; a second time changes the membership. Hooks of groups hear of theirs,
    /// those of the instance of all.
    pub fn add_member(&self, place: impl Into<Place>, member: Membership) -> Result<(), SimulatorError> {
        let place = place.into();
        self.world(|world| {
            world.user(member.user)?;
            let (user, level) = (member.user, member.level);
            let members = world.members_of(&place)?;
            let count = members.len();
            members.retain(|other| other.user != member.user);
            let deed = if members.len() == count { MemberDeed::Joins } else { MemberDeed::Changes };
            members.push(member);
            world.announce_member(&place, user, level, deed)
        })
    }

    /// Ends a direct membership.
    pub fn remove_member(&self, place: impl Into<Place>, user: UserId) -> Result<(), SimulatorError> {
        let place = place.into();
        self.world(|world| {
            let members = world.members_of(&place)?;
            let left = members.iter().find(|member| member.user == user).map(|member| member.level);
            members.retain(|member| member.user != user);
            left.map_or(Ok(()), |level| world.announce_member(&place, user, level, MemberDeed::Leaves))
        })
    }

    /// Invites a group to a group or project; its members have at most `level` there.
    pub fn invite_group(
        &self,
        place: impl Into<Place>,
        group: &str,
        level: u8,
    ) -> Result<(), SimulatorError> {
        let place = place.into();
        self.world(|world| {
            world.group_mut(group)?;
            let invited = match &place {
                Place::Group(path) => &mut world.group_mut(path)?.invited,
                Place::Project(id) => &mut world.project_mut(*id)?.invited,
            };
            invited.push((group.to_owned(), level));
            Ok(())
        })
    }

    /// Creates a token and returns its value.
    pub fn create_token(&self, new: NewToken) -> Result<String, SimulatorError> {
        self.world(|world| {
            world.user(new.user)?;
            let id = world.fresh_id();
            let value = new.value.unwrap_or_else(|| format!("glpat-{id:020}"));
            let token = Token {
                id,
                user: new.user,
                scope: new.scope,
                expires_at: new.expires_at,
                revoked: false,
                granted: new.granted,
            };
            world.tokens.insert(value.clone(), token);
            Ok(value)
        })
    }

    /// Creates a bot that is a Developer in a group or project, and a token for it: what an operator would do
    /// for the product.
    pub fn create_bot(
        &self,
        username: &str,
        place: impl Into<Place>,
    ) -> Result<(UserId, String), SimulatorError> {
        let user = self.create_user(NewUser::named(username).bot());
        self.add_member(place, Membership::new(user, 30))?;
        Ok((user, self.create_token(NewToken::of(user))?))
    }

    /// Revokes a token.
    pub fn revoke_token(&self, value: &str) {
        self.world(|world| {
            if let Some(token) = world.tokens.get_mut(value) {
                token.revoked = true;
            }
        });
    }

    /// Lets a token expire at that moment.
    pub fn expire_token(&self, value: &str, at: Timestamp) {
        self.world(|world| {
            if let Some(token) = world.tokens.get_mut(value) {
                token.expires_at = Some(at);
            }
        });
    }

    /// GitLab tells the hooks of a project that the access token of one of its bots will expire.
    pub fn tell_of_expiring_token(&self, project: ProjectId, user: UserId) -> Result<(), SimulatorError> {
        self.world(|world| world.announce_expiring_token(project, user))
    }

    /// Changes who sees a group or project. Of a project the instance's hooks hear.
    pub fn set_visibility(
        &self,
        place: impl Into<Place>,
        visibility: Visibility,
    ) -> Result<(), SimulatorError> {
        let place = place.into();
        self.world(|world| {
            match &place {
                Place::Group(path) => world.group_mut(path)?.visibility = visibility,
                Place::Project(id) => {
                    world.project_mut(*id)?.visibility = visibility;
                    world.announce_project(*id, None)?;
                }
            }
            Ok(())
        })
    }

    /// Deletes a group (not what lies in it): it answers 404.
    pub fn delete_group(&self, path: &str) -> Result<(), SimulatorError> {
        let gone = self.world(|world| world.groups.remove(path));
        gone.map(drop).ok_or_else(|| SimulatorError::NoGroup(path.to_owned()))
    }

    /// Changes a project's settings, of which the instance's hooks hear.
    pub fn configure_project(
        &self,
        project: ProjectId,
        setting: ProjectSetting,
    ) -> Result<(), SimulatorError> {
        self.world(|world| {
            let changed = world.project_mut(project)?;
            match setting {
                ProjectSetting::Archived(value) => changed.archived = value,
                ProjectSetting::ChecksMustPass(value) => changed.checks_must_pass = value,
                ProjectSetting::ResetsApprovals(value) => changed.resets_approvals = value,
                ProjectSetting::MergeMethod(value) => changed.merge_method = value,
                ProjectSetting::SquashOption(value) => changed.squash_option = value,
                // An approval rule is none of the project's own settings.
                ProjectSetting::ReporterApprover(approver) => {
                    changed.approvers.push(approver);
                    return Ok(());
                }
            }
            world.announce_project(project, None)
        })
    }

    /// Changes a project's topics, of which the instance's hooks hear.
    pub fn set_topics(&self, project: ProjectId, topics: &[&str]) -> Result<(), SimulatorError> {
        self.world(|world| {
            world.project_mut(project)?.topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
            world.announce_project(project, None)
        })
    }

    /// Renames a project, or moves it to another group; a GET by the old path answers 301, anything else 404. The instance's
    /// hooks hear of it.
    pub fn move_project(&self, project: ProjectId, path: &str) -> Result<(), SimulatorError> {
        self.world(|world| {
            if let Some((parent, _)) = path.rsplit_once('/') {
                world.ensure_group(&NewGroup::at(parent));
            }
            let moved = world.project_mut(project)?;
            let old = std::mem::replace(&mut moved.path, path.to_owned());
            moved.moved_from.push(old.clone());
            world.paths.remove(&old);
            world.paths.insert(path.to_owned(), project);
            world.announce_project(project, Some(&old))
        })
    }

    /// Deletes a project; merge requests from it have no source project any more.
    pub fn delete_project(&self, project: ProjectId) -> Result<(), SimulatorError> {
        self.world(|world| {
            let path = world.project(project)?.path.clone();
            world.projects.remove(&project);
            world.paths.remove(&path);
            world.merge_requests.retain(|which, _| which.project != project);
            for merge_request in world.merge_requests.values_mut() {
                merge_request.source_project =
                    merge_request.source_project.filter(|source| *source != project);
            }
            Ok(())
        })
    }

    /// Protects a branch or a wildcard.
    pub fn protect_branch(&self, project: ProjectId, name: &str) -> Result<u64, SimulatorError> {
        self.world(|world| world.protect(project, name))
    }

    /// Commits one file to a branch; without content the file goes. Only push hooks hear of it.
    pub fn write_file(
        &self,
        project: ProjectId,
        branch: &str,
        path: &str,
        content: Option<&str>,
    ) -> Result<CommitSha, SimulatorError> {
        self.world(|world| {
            let before = world.branch_head(project, branch)?;
            let sha = world.commit_on(project, branch, &format!("Write {path}"), "root@example.com")?;
            world.project_mut(project)?.repository.write(&sha, path, content.map(str::as_bytes));
            world.snapshots.clear();
            world.announce_branch_push(project, branch, (&before, &sha), path)?;
            Ok(sha)
        })
    }
}

/// What can be changed about a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectSetting {
    /// Whether it is archived: nothing can be answered.
    Archived(bool),
    /// "Status checks must succeed".
    ChecksMustPass(bool),
    /// Whether a push removes approvals.
    ResetsApprovals(bool),
    /// How it merges: `merge`, `rebase_merge` or `ff`.
    MergeMethod(&'static str),
    /// What it makes of squashing: `never`, `always`, `default_on` or `default_off`; none where GitLab does not say.
    SquashOption(Option<&'static str>),
    /// A Reporter who may approve, and still may not answer status checks.
    ReporterApprover(UserId),
}

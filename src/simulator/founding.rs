//! Users, groups and projects come into being; what is there already stays as it is.

use super::accounts::{Account, NewUser};
use super::error::SimulatorError;
use super::namespaces::{Group, Membership, NewGroup, NewProject, Place, Project, ProtectedBranch};
use super::repository::Repository;
use super::world::World;
use crate::merge_request::{ProjectId, UserId};

impl World {
    /// The user of that name, made if need be.
    pub(super) fn ensure_user(&mut self, new: &NewUser) -> UserId {
        if let Some(id) = self.usernames.get(&new.username) {
            return *id;
        }
        let id = UserId::new(self.id_or_fresh(new.id));
        let account = Account {
            id,
            username: new.username.clone(),
            name: new.username.clone(),
            state: new.state,
            bot: new.bot,
            admin: new.admin,
            public_email: new.public_email.clone(),
        };
        self.users.insert(id, account);
        self.usernames.insert(new.username.clone(), id);
        id
    }

    /// The group at that path and those above it, made if need be.
    pub(super) fn ensure_group(&mut self, new: &NewGroup) -> u64 {
        if let Some(group) = self.groups.get(&new.path) {
            return group.id;
        }
        if let Some((parent, _)) = new.path.rsplit_once('/') {
            self.ensure_group(&NewGroup::at(parent));
        }
        let id = self.id_or_fresh(new.id);
        let (path, visibility) = (new.path.clone(), new.visibility);
        let group = Group { id, path: path.clone(), visibility, members: Vec::new(), invited: Vec::new() };
        self.groups.insert(path, group);
        id
    }

    /// The project at that path and the groups above it, made if need be.
    pub(super) fn ensure_project(&mut self, new: NewProject) -> ProjectId {
        if let Some(id) = self.paths.get(&new.path) {
            return *id;
        }
        if let Some((parent, _)) = new.path.rsplit_once('/') {
            self.ensure_group(&NewGroup::at(parent));
        }
        let id = ProjectId::new(self.id_or_fresh(new.id));
        let names = std::iter::once(&new.default_branch).chain(&new.protected_branches);
        let protected: Vec<ProtectedBranch> =
            names.map(|name| ProtectedBranch { id: self.fresh_id(), name: name.clone() }).collect();
        let project = Project {
            id,
            path: new.path.clone(),
            moved_from: Vec::new(),
            visibility: new.visibility,
            archived: false,
            default_branch: new.default_branch,
            checks_must_pass: new.checks_must_pass,
            has_merge_trains: false,
            resets_approvals: new.resets_approvals,
            approvals_required: new.approvals_required,
            topics: Vec::new(),
            merge_method: "merge",
            squash_option: Some("default_off"),
            protected_branches: protected,
            members: Vec::new(),
            invited: Vec::new(),
            approvers: Vec::new(),
            checks: Vec::new(),
            repository: Repository::default(),
            next_iid: 1,
            commit_statuses: Vec::new(),
        };
        self.paths.insert(new.path, id);
        self.projects.insert(id, project);
        id
    }

    /// Who belongs to a place directly.
    pub(super) fn members_of(&mut self, place: &Place) -> Result<&mut Vec<Membership>, SimulatorError> {
        match place {
            Place::Group(path) => self.group_mut(path).map(|group| &mut group.members),
            Place::Project(id) => self.project_mut(*id).map(|project| &mut project.members),
        }
    }
}

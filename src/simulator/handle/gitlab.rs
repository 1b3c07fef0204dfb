//! The handle itself, and who does what is done by it.

use std::sync::Arc;

use crate::merge_request::{MergeRequestRef, UserId};
use crate::simulator::error::SimulatorError;
use crate::simulator::payload::Happening;
use crate::simulator::shared::Shared;
use crate::simulator::world::World;

/// A GitLab to talk to. Cheap to clone; all clones are the same GitLab.
#[derive(Clone)]
pub struct Gitlab {
    pub(super) shared: Arc<Shared>,
    pub(super) actor: Option<UserId>,
}

impl Gitlab {
    /// A handle to what a simulator shares.
    pub(in crate::simulator) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, actor: None }
    }

    /// The same GitLab, with this user doing what is done. Otherwise a merge request's author does it.
    #[must_use]
    pub fn acting_as(&self, user: UserId) -> Self {
        Self { shared: Arc::clone(&self.shared), actor: Some(user) }
    }

    /// Does something with the world.
    pub(super) fn world<R>(&self, deed: impl FnOnce(&mut World) -> R) -> R {
        self.shared.world(deed)
    }

    /// Who does it.
    pub(super) fn actor(&self, world: &World, which: MergeRequestRef) -> Result<UserId, SimulatorError> {
        let author = world.merge_request(which)?.author;
        let actor = self.actor.unwrap_or(author);
        world.user(actor).map(|account| account.id)
    }

    /// Something happens to a merge request: its `updated_at` moves and everybody is told.
    pub(super) fn announce(
        &self,
        world: &mut World,
        which: MergeRequestRef,
        happening: Happening,
    ) -> Result<(), SimulatorError> {
        let actor = self.actor(world, which)?;
        world.happen(which, actor, happening)
    }
}

impl std::fmt::Debug for Gitlab {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gitlab").field("actor", &self.actor).finish_non_exhaustive()
    }
}

//! What the server and all handles of one simulator share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::calls::Calls;
use super::faults::Faults;
use super::post_office::PostOffice;
use super::world::World;
use crate::clock::Clock;

/// One simulator's insides.
pub(super) struct Shared {
    world: Mutex<World>,
    pub(super) clock: Clock,
    pub(super) calls: Calls,
    pub(super) faults: Faults<Arc<Shared>>,
    pub(super) post_office: Arc<PostOffice>,
}

impl Shared {
    /// Puts the parts together.
    pub(super) fn new(world: World, clock: Clock, post_office: Arc<PostOffice>) -> Self {
        let (calls, faults) = (Calls::default(), Faults::new());
        Self { world: Mutex::new(world), clock, calls, faults, post_office }
    }

    /// Does something with the world; what the world then has to say goes to the post office, in that order.
    pub(super) fn world<R>(&self, deed: impl FnOnce(&mut World) -> R) -> R {
        let mut world: MutexGuard<'_, World> = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.now();
        let result = deed(&mut world);
        for envelope in std::mem::take(&mut world.outbox) {
            self.post_office.post(envelope);
        }
        result
    }
}

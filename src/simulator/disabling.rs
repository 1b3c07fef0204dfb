//! Hooks that GitLab stops calling after failures (contract section 4.3): those of projects and groups, where it is told to.

use jiff::SignedDuration;

use super::envelope::Recipient;
use super::hooks::{Hook, HookDisabled, HookPlace};
use super::world::World;

/// After so many failures in a row GitLab stops for a minute, and after each further one for twice as long.
const RESTS_AFTER: u32 = 4;
/// After so many it stops for good.
const ENDS_AFTER: u32 = 40;
/// GitLab never stops for longer than that, until it stops for good.
const LONGEST_REST: i64 = 24 * 60;

impl World {
    /// Whether and how long GitLab does not call a hook.
    pub(super) fn disabled(&self, hook: &Hook) -> Option<HookDisabled> {
        hook.disabled.or_else(|| self.disabled_by_failures(hook))
    }

    fn disabled_by_failures(&self, hook: &Hook) -> Option<HookDisabled> {
        if !self.disables_failing_hooks || hook.place == HookPlace::System {
            return None;
        }
        let (failures, last) = self.post_office.failures(Recipient::Hook(hook.id))?;
        if failures >= ENDS_AFTER {
            return Some(HookDisabled::ForGood);
        }
        let doublings = failures.checked_sub(RESTS_AFTER)?;
        let minutes = 1_i64.checked_shl(doublings).map_or(LONGEST_REST, |minutes| minutes.min(LONGEST_REST));
        let until = last + SignedDuration::from_mins(minutes);
        (until > self.clock.now()).then_some(HookDisabled::Until(until))
    }
}

//! What a condition is built with: where to note mistakes, and where to leave its path globs.

use super::diagnostic::Collector;
use super::pattern::PathGlobsBuilder;

/// Handed through while one policy is built.
pub(super) struct Builder<'a, 'b> {
    pub(super) notes: &'a mut Collector<'b>,
    pub(super) globs: &'a mut PathGlobsBuilder,
}

//! From the states of the rules to the word on the check: the precedence of outcomes, in one place.
//!
//! Any violated rule fails; else any unknown leaves it undecided; else any waiting one makes it wait; else it passes.
//! When no blocking rule applies, the strictest `otherwise` of the policies decides.

use jiff::Timestamp;

use super::evaluation::{Enforce, RuleEvaluation, RuleState, Truth, Verdict};
use super::frame::Otherwise;

/// Whether a rule said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Ground {
    /// No blocking rule did.
    #[default]
    None,
    /// One is met if it applies, and whether it applies is open.
    Open(Truth),
    /// One did.
    Sure,
}

/// What the rules come to together.
#[derive(Debug, Default)]
pub(super) struct Tally {
    worst: Option<Verdict>,
    pub(super) ground: Ground,
    pub(super) recheck_at: Option<Timestamp>,
}

impl Tally {
    /// Adds one rule; only blocking ones count.
    pub(super) fn add(&mut self, rule: &RuleEvaluation, ground: Ground) {
        match rule.enforce {
            Enforce::Block => {}
            Enforce::Warn | Enforce::Shadow => return,
        }
        let verdict = match rule.state {
            RuleState::Skipped => None,
            RuleState::Passed => Some(Verdict::Passed),
            RuleState::Violated => Some(Verdict::Failed),
            RuleState::Waiting => Some(Verdict::Waiting),
            RuleState::Unknown { curable } => Some(undecided(curable)),
        };
        self.worst = worse(self.worst, verdict);
        self.ground = match (self.ground, ground) {
            (Ground::Sure, _) | (_, Ground::Sure) => Ground::Sure,
            (Ground::Open(one), Ground::Open(other)) => Ground::Open(Truth::any([one, other])),
            (Ground::Open(truth), Ground::None) | (Ground::None, Ground::Open(truth)) => Ground::Open(truth),
            (Ground::None, Ground::None) => Ground::None,
        };
    }

    /// The precedence of outcomes, in one place. `otherwise` is the strictest of the policies; none if there is none.
    pub(super) fn verdict(&self, otherwise: Option<Otherwise>) -> Verdict {
        let fallback = match (self.ground, otherwise) {
            // No policy speaks for the merge request, or none of its rules: neither is a pass by itself.
            (Ground::None | Ground::Open(_) | Ground::Sure, None) | (Ground::None, Some(Otherwise::Fail)) => {
                Some(Verdict::Failed)
            }
            (Ground::Sure, Some(Otherwise::Pass | Otherwise::Wait | Otherwise::Fail)) => None,
            (Ground::None | Ground::Open(_), Some(Otherwise::Pass)) => Some(Verdict::Passed),
            // What is met may not apply, and then nothing would: the doubt stays a doubt.
            (Ground::Open(Truth::Unknown { curable }), Some(Otherwise::Wait | Otherwise::Fail)) => {
                Some(undecided(curable))
            }
            (Ground::None, Some(Otherwise::Wait))
            | (
                Ground::Open(Truth::Unsettled | Truth::True | Truth::Violated | Truth::Waiting),
                Some(Otherwise::Wait | Otherwise::Fail),
            ) => Some(Verdict::Waiting),
        };
        worse(self.worst, fallback).unwrap_or(Verdict::Failed)
    }
}

fn undecided(curable: bool) -> Verdict {
    if curable { Verdict::UndecidedCurable } else { Verdict::UndecidedIncurable }
}

fn worse(one: Option<Verdict>, other: Option<Verdict>) -> Option<Verdict> {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Passed => 0,
        Verdict::Waiting => 1,
        Verdict::UndecidedCurable => 2,
        Verdict::UndecidedIncurable => 3,
        Verdict::Failed => 4,
    };
    one.into_iter().chain(other).max_by_key(rank)
}

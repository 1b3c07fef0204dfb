//! The pure core: policy texts in, facts in, a verdict with its reasons out.
//!
//! # The language
//!
//! A policy is one YAML file: a name, for which merge requests it speaks, and rules. A rule has an `id`, perhaps a
//! `when`, and a `require`; both are mappings of conditions. Different keys of one mapping must all hold, of the
//! entries of one list one is enough; where a reader could take a list either way it is refused and must be written
//! under `all`, `any` or `none`. `all_of`, `any_of`, `none_of` and `not` join conditions at any depth. The one place
//! where keys are alternatives is a mapping of people (`users`, `groups`, `role`, `code_owners`). Nothing is guessed: unknown keys,
//! duplicate keys, empty lists and values of a wrong shape are mistakes, and all of them are reported at once.
//! `policies/README.md` is the reference for authors.
//!
//! # How it is evaluated
//!
//! [`evaluate()`] never fetches. It either decides or names the facts it lacks ([`Step`]); whoever calls it fetches
//! them and asks again, and no fact is asked for twice, not even one that could not be had. No clock, disk, network,
//! log, thread or environment is used here: the same texts and the same facts give the same bytes for ever.
//!
//! # Inside
//!
//! ```text
//! source ▶ document ▶ reader (checks against the tables) ▶ frame ▶ clause ▶ condition     texts become a set
//! facts  ▶ view ▶ condition ▶ finding ▶ clause (truth) ▶ evaluate ▶ wording               facts become a verdict
//!                                    distinct (assignment) ▲ what rules are to one another
//! ```

mod advice;
mod assignment;
mod builder;
mod clause;
mod code_owners;
mod condition;
mod coverage;
mod diagnostic;
mod distinct;
mod document;
mod duration;
mod enumeration;
mod evaluate;
pub mod evaluation;
#[cfg(test)]
mod example;
mod expression;
pub mod fact;
mod finding;
mod frame;
mod moment;
mod pattern;
mod reader;
mod set;
mod source;
mod source_of_change;
mod syntax_error;
mod truth;
mod verdict;
mod view;
mod wording;

pub use coverage::Coverage;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use evaluate::evaluate;
pub use evaluation::{
    Enforce, Evaluation, PolicyEvaluation, Reason, Remedy, RuleEvaluation, RuleState, Step, Truth, Verdict,
};
pub use fact::{FactKey, Facts};
pub use set::{ChangeableRule, PolicySet};
pub use source::{PolicySource, Revision};
pub use source_of_change::Source;

use crate::schema::{Emptiness, json_schema};

/// The language as a JSON Schema (draft 2020-12), for editors.
pub fn schema() -> serde_json::Value {
    json_schema(&frame::POLICY, "urn:countersign:policy", Emptiness::Refused)
}

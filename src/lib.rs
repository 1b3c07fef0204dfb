//! countersign: the policy gate for GitLab merge requests.
//!
//! The rooms, from the top floor down; imports point down only.
//!
//! | room | what it does |
//! |---|---|
//! | [`cli`] | the commands that a person types |
//! | [`bundle`] | policies on disk → a compiled set; swaps it, keeps the last good one |
//! | [`policy`] | the pure core: texts and facts in, a verdict with its reasons out |
//! | [`merge_request`], [`schema`] | the shared words; tables of keys for readers and editors |

pub mod bundle;
pub mod cli;
pub mod merge_request;
pub mod policy;
pub mod schema;

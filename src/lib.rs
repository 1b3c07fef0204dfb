//! countersign: the policy gate for GitLab merge requests.

pub mod bundle;
pub mod cli;
pub mod merge_request;
pub mod policy;
pub mod schema;

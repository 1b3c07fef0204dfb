//! countersign: the policy gate for GitLab merge requests.

pub mod merge_request;
pub mod policy;
pub mod simulator;

//! countersign: the policy gate for GitLab merge requests.

pub mod merge_request;
pub mod policy;
pub mod store;
pub mod gitlab;
pub mod telemetry;

//! countersign: the policy gate for GitLab merge requests.

pub mod app;
pub mod bundle;
pub mod config;
pub mod decision;
pub mod gitlab;
pub mod merge_request;
pub mod policy;
pub mod schema;
pub mod scope;
pub mod server;
pub mod status_check;
pub mod store;
pub mod telemetry;

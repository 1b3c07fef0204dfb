//! Whether the policies compile.

use std::sync::Arc;

use crate::bundle::LoadError;
use crate::policy::PolicySet;
use crate::setup::finding::Finding;

const TOPIC: &str = "policies";

/// How many there are, or why there are none.
pub(in crate::setup) fn examine(policies: &Result<Arc<PolicySet>, LoadError>) -> Finding {
    match policies {
        Ok(set) => {
            let names: Vec<_> = set.policy_names().collect();
            let plural = if names.len() == 1 { "policy is" } else { "policies are" };
            let revision = set.revision();
            let what = format!("{} {plural} valid, revision {}", names.len(), revision.short());
            Finding::fine(TOPIC, "policies", what)
        }
        Err(LoadError::Policies { diagnostics, .. }) => {
            let count = diagnostics.count();
            let plural = if count == 1 { "mistake" } else { "mistakes" };
            let what = format!("the policies don't compile: {count} {plural}");
            Finding::wrong(TOPIC, "policies", what, "`countersign check` shows each with its line")
        }
        Err(error) => {
            let remedy =
                "`policies.path` names the directory; a relative one is looked for where the service runs";
            Finding::wrong(TOPIC, "policies", error.to_string(), remedy)
        }
    }
}

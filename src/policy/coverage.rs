//! What the policies of a check and a project ask of GitLab's configuration: on which branches the check belongs, and what
//! must be told beside it.

use std::collections::BTreeSet;

use super::fact::Family;
use super::frame::Policy;
use super::pattern::{Names, Wildcard};

/// The policies that speak for a check of a project; never none of them.
#[derive(Debug)]
pub struct Coverage<'a> {
    policies: Vec<&'a Policy>,
}

/// On which of a project's protected branches a check belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branches<'a> {
    /// Those that the policies name; empty means all branches, protected or not.
    pub bound_to: Vec<&'a str>,
    /// What the policies name and is not protected: the check does not apply there, unless it applies everywhere.
    pub unprotected: Vec<&'a str>,
}

impl<'a> Coverage<'a> {
    pub(super) fn of(policies: Vec<&'a Policy>) -> Option<Self> {
        (!policies.is_empty()).then_some(Self { policies })
    }

    /// The policies' names.
    pub fn policies(&self) -> impl Iterator<Item = &'a str> {
        self.policies.iter().map(|policy| policy.name.as_str())
    }

    /// The families of facts that their rules may ask for.
    pub fn reads(&self) -> BTreeSet<Family> {
        self.policies.iter().flat_map(|policy| &policy.reads).copied().collect()
    }

    /// Where the check belongs, of the project's protected branches (names, or wildcards). All branches, where a policy
    /// does not say which, and where none that a policy names is protected: a check that applied nowhere would block
    /// nothing.
    pub fn branches<'b>(&self, protected: impl IntoIterator<Item = &'b str>) -> Branches<'b>
    where
        'a: 'b,
    {
        let scopes: Option<Vec<&'a Names>> =
            self.policies.iter().map(|policy| policy.scope.named_branches()).collect();
        let Some(scopes) = scopes else { return Branches { bound_to: Vec::new(), unprotected: Vec::new() } };
        let protected: Vec<&'b str> = protected.into_iter().collect();
        let wanted = |name: &&&str| scopes.iter().any(|names| names.matches(name) || reaches(name, names));
        let bound_to = protected.iter().filter(wanted).copied().collect();
        let unprotected: BTreeSet<&'a str> = scopes
            .iter()
            .flat_map(|names| &names.included)
            .filter(|named| !protected.iter().any(|name| meet(named, &Wildcard::new(name))))
            .map(Wildcard::as_str)
            .collect();
        Branches { bound_to, unprotected: unprotected.into_iter().collect() }
    }
}

/// Whether a wildcard over protected branches covers one that is named.
fn reaches(protected: &str, names: &Names) -> bool {
    let protected = Wildcard::new(protected);
    names.included.iter().any(|named| protected.matches(named.as_str()))
}

/// Whether one of two wildcards covers the other.
fn meet(one: &Wildcard, other: &Wildcard) -> bool {
    one.matches(other.as_str()) || other.matches(one.as_str())
}

#[cfg(test)]
mod tests {
    use crate::merge_request::CheckName;
    use crate::policy::fact::Family;
    use crate::policy::{PolicySet, PolicySource};

    fn set(policies: &[&str]) -> PolicySet {
        let sources: Vec<_> = policies
            .iter()
            .enumerate()
            .map(|(number, text)| {
                let rules =
                    if text.contains("rules:") { "" } else { "rules: [{id: r, require: {draft: false}}]" };
                let text = format!("policy: p{number}\n{text}\n{rules}\n");
                PolicySource { path: format!("{number}.yaml"), text }
            })
            .collect();
        PolicySet::compile(&sources).unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    /// To what the check is bound, and what is not protected, of `main`, `develop`, `release/*` and `fix/old`.
    fn branches(policies: &[&str]) -> (String, String) {
        let set = set(policies);
        let coverage = set.coverage(&CheckName::default(), "shop/pay").unwrap();
        let branches = coverage.branches(["main", "develop", "release/*", "fix/old"]);
        (branches.bound_to.join(" "), branches.unprotected.join(" "))
    }

    fn bound(policies: &[&str]) -> String {
        branches(policies).0
    }

    #[test]
    fn a_check_belongs_on_the_protected_branches_that_its_policies_name() {
        let to = |names: &str| format!("applies_to: {{target_branches: {names}}}");
        assert_eq!(bound(&[&to("[main, \"release/*\"]")]), "main release/*");
        assert_eq!(bound(&[&to("main"), &to("develop")]), "main develop", "the union");
        assert_eq!(bound(&[&to("release/1.0")]), "release/*", "a wildcard that covers it");
        assert_eq!(bound(&[&to("\"fix/*\"")]), "fix/old", "one of those that the policy means");
        for everywhere in
            [&[to("main"), String::new()][..], &[to("[\"!develop\"]")], &[to("\"*\"")], &[to("hotfix")]]
        {
            let policies: Vec<_> = everywhere.iter().map(String::as_str).collect();
            assert_eq!(bound(&policies), "", "all branches");
        }
        let others = "applies_to: {projects: [other/*], target_branches: [develop]}";
        assert_eq!(bound(&[&to("main"), others]), "main", "only the policies of this project");
    }

    #[test]
    fn what_is_named_and_not_protected_is_said() {
        let (bound_to, unprotected) =
            branches(&["applies_to: {target_branches: [main, staging, \"hotfix/*\", \"fix/*\"]}"]);
        assert_eq!((bound_to.as_str(), unprotected.as_str()), ("main fix/old", "hotfix/* staging"));
    }

    #[test]
    fn a_project_or_check_for_which_nobody_speaks_has_no_coverage() {
        let set = set(&["applies_to: {projects: [shop/**], checks: [security]}"]);
        let covered = |check: &str, project: &str| {
            set.coverage(&CheckName::parse(check).unwrap(), project)
                .map(|coverage| coverage.policies().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(covered("security", "shop/pay").as_deref(), Some("p0"));
        assert_eq!(covered("countersign", "shop/pay"), None);
        assert_eq!(covered("security", "other/pay"), None);
    }

    #[test]
    fn only_what_a_rule_really_reads_is_named() {
        let reads = |require: &str| {
            let set = set(&[&format!("rules: [{{id: r, require: {require}}}]")]);
            let reads = set.coverage(&CheckName::default(), "shop/pay").unwrap().reads();
            let asked = [Family::Comments, Family::Emoji, Family::Pipeline, Family::Threads];
            asked
                .into_iter()
                .filter(|family| reads.contains(family))
                .map(Family::word)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(reads("{approvals: 1}"), "");
        assert_eq!(reads("{approvals: {count: 1, methods: [approval, {comment: lgtm}]}}"), "comments");
        assert_eq!(
            reads("{not: {any_of: [{approvals: {count: 1, methods: [{emoji: thumbsup}]}}]}}"),
            "emoji"
        );
        assert_eq!(reads("{vetoes: {at_most: 0}}"), "");
        assert_eq!(reads("{vetoes: {by: [{comment: veto}]}}"), "comments");
        assert_eq!(reads("{age: {since: opened, at_least: 2h}}"), "");
        assert_eq!(reads("{age: {since: ready, at_least: 2h}}"), "comments");
        assert_eq!(reads("{expression: size(title) > 3}"), "");
        assert_eq!(reads("{expression: \"pipeline_status == 'success'\"}"), "the pipeline");
        assert_eq!(reads("{pipeline: success, unresolved_threads: {at_most: 0}}"), "the pipeline threads");
    }
}

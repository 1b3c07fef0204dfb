//! A compiled set of policies: texts in, either all of them understood or everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use super::clause::Clause;
use super::coverage::Coverage;
use super::diagnostic::{Collector, Diagnostic, Diagnostics};
use super::document::{self, Node};
use super::evaluation::Enforce;
use super::frame::{self, Policy};
use super::pattern::{PathGlobs, PathGlobsBuilder};
use super::reader;
use super::source::{PolicySource, Revision};
use crate::companion::Companion;
use crate::merge_request::CheckName;
use crate::schema::Shape;

/// A rule whose verdict can change while the head stays: a GitLab that can't take a pass back then shows a wrong one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChangeableRule<'a> {
    /// The policy's name.
    pub policy: &'a str,
    /// The rule's id.
    pub rule: &'a str,
    /// The conditions that can change, in the policy's own words.
    pub conditions: Vec<&'static str>,
}

/// Policies that compile together.
#[derive(Debug, Clone)]
pub struct PolicySet {
    policies: Vec<Policy>,
    globs: PathGlobs,
    sources: Vec<PolicySource>,
    revision: Revision,
}

impl PolicySet {
    /// Compiles texts to a set; every mistake in any of them is reported, and then there is no set at all.
    pub fn compile(sources: &[PolicySource]) -> Result<Self, Diagnostics> {
        let mut sources = sources.to_vec();
        sources.sort();
        let mut globs = PathGlobsBuilder::default();
        let mut policies = Vec::new();
        let mut mistakes = Vec::new();
        let mut names = BTreeMap::new();
        for source in &sources {
            let mut notes = Collector::new(&source.path, &source.text);
            if let Some(root) = document::parse(&mut notes) {
                reader::check(&root, &Shape::Mapping(&frame::POLICY), "the policy", &mut notes);
                claim_name(&root, &source.path, &mut names, &mut notes);
                policies.extend(Policy::build(&root, &mut notes, &mut globs));
            }
            mistakes.extend(notes.finish());
        }
        let globs = globs.build();
        if let Err(why) = &globs {
            mistakes.push(too_many_globs(sources.first(), why));
        }
        match (Diagnostics::of(mistakes), globs) {
            (None, Ok(globs)) if policies.len() == sources.len() => {
                policies.sort_by(|one: &Policy, other| one.name.cmp(&other.name));
                let revision = Revision::of(&sources);
                Ok(Self { policies, globs, sources, revision })
            }
            (Some(mistakes), _) => Err(mistakes),
            // INVARIANT: what could not be built was noted. Should that ever fail, the set still does not compile.
            (None, _) => Err(Diagnostics::unexplained(sources.first())),
        }
    }

    /// Which content this is.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The texts, sorted by path.
    pub fn sources(&self) -> &[PolicySource] {
        &self.sources
    }

    /// The names of the policies, sorted.
    pub fn policy_names(&self) -> impl Iterator<Item = &str> {
        self.policies.iter().map(|policy| policy.name.as_str())
    }

    /// The blocking rules whose verdict can change while the head stays, with the conditions that do.
    pub fn changeable_rules(&self) -> impl Iterator<Item = ChangeableRule<'_>> {
        let rules =
            self.policies.iter().flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
        rules.filter(|(_, rule)| rule.enforce == Enforce::Block).filter_map(|(policy, rule)| {
            let parts = rule.when.iter().chain([&rule.require]);
            let conditions: BTreeSet<_> = parts.flat_map(Clause::changeable).collect();
            (!conditions.is_empty()).then_some(ChangeableRule {
                policy: &policy.name,
                rule: &rule.id,
                conditions: conditions.into_iter().collect(),
            })
        })
    }

    /// What its policies say of a check of a project, whatever the branch; none where none of them speaks for it.
    pub fn coverage(&self, check: &CheckName, project: &str) -> Option<Coverage<'_>> {
        Coverage::of(self.policies.iter().filter(|policy| policy.scope.may_include(check, project)).collect())
    }

    /// Whether an event can change a fact that a policy for the project reads. Where it is not known which project it is,
    /// any policy's counts.
    pub fn is_moved_by(&self, companion: Companion, project: Option<&str>) -> bool {
        let speaks = |policy: &&Policy| project.is_none_or(|project| policy.scope.includes_project(project));
        let mut read = self.policies.iter().filter(speaks).flat_map(|policy| &policy.reads);
        read.any(|family| family.is_changed_by(companion))
    }

    /// Which of its policies speak for a check of a merge request, in the order of their names.
    pub(super) fn applicable<'a>(
        &'a self,
        check: &'a CheckName,
        project: &'a str,
        target_branch: &'a str,
    ) -> impl Iterator<Item = &'a Policy> {
        self.policies.iter().filter(move |policy| policy.scope.includes(check, project, target_branch))
    }

    pub(super) fn globs(&self) -> &PathGlobs {
        &self.globs
    }
}

/// Policy names are unique in a set: decisions and statistics refer to them.
fn claim_name(root: &Node, path: &str, names: &mut BTreeMap<String, String>, notes: &mut Collector<'_>) {
    let Some(name) = root.get("policy").and_then(Node::words) else { return };
    if let Some(first) = names.get(name.text) {
        let message = format!("the policy name `{}` is taken by `{first}`", name.text);
        notes.error(name.span, message, "give this policy another name");
    } else {
        names.insert(name.text.to_owned(), path.to_owned());
    }
}

fn too_many_globs(first: Option<&PolicySource>, why: &str) -> Diagnostic {
    let mut diagnostic =
        Diagnostic::at_start(first, format!("the path patterns of this set are too many to join: {why}"));
    diagnostic.help = Some("use fewer or simpler ones".to_owned());
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::example::mistakes;

    fn source(path: &str, text: &str) -> PolicySource {
        PolicySource { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn every_mistake_of_every_file_is_found_at_once() {
        insta::assert_snapshot!(mistakes("policy: Big Team\notherwise: fale\napplies_to: {branches: [main]}\nrules:\n  - id: a\n    require: {drafts: false, title: fix}\n  - id: a\n    enforce: warning\n    name:\n    require: {draft: \"yes\", labels: {any: []}}\n  - name: no id\n"), @r#"
        p.yaml:1:9: error: `Big Team` can't be the `policy`
          help: use lower-case letters, digits, `-` and `_`, at most 64
        p.yaml:2:12: error: `fale` is no value of `otherwise`
          help: it may be `fail`, `wait`, `pass`
        p.yaml:3:14: error: `branches` is no key of `applies_to`
          help: it may say `checks`, `projects`, `target_branches`
        p.yaml:6:15: error: `drafts` is no key of `require`
          help: did you mean `draft`?
        p.yaml:6:37: error: `title` must be a mapping, not `fix`
          help: write `title: {glob: "fix*"}`, `title: {regex: …}`, `title: {contains: …}` or `title: {conventional_commit: true}`
        p.yaml:7:9: error: the rule id `a` is taken by a rule above
          help: give this rule another id: history and statistics refer to it
        p.yaml:8:14: error: `warning` is no value of `enforce`
          help: it may be `block`, `warn`, `shadow`
        p.yaml:9:9: error: `name` has no value
          help: give it some text
        p.yaml:10:22: error: `draft` must be `true` or `false`, not `yes`
          help: write `true`, without quotes
        p.yaml:10:43: error: `any` is an empty list
          help: name at least one, or leave the key out
        p.yaml:11:5: error: `id` is missing in an entry of `rules`
          help: write `id: …`, some text
        p.yaml:11:5: error: `require` is missing in an entry of `rules`
          help: write `require: …`, a mapping
        "#);
    }

    #[test]
    fn policy_names_are_unique_in_a_set() {
        let text = "policy: a\nrules: [{id: r, require: {draft: false}}]\n";
        let found = PolicySet::compile(&[source("one.yaml", text), source("two.yaml", text)]).unwrap_err();
        insta::assert_snapshot!(found, @r#"
        two.yaml:1:9: error: the policy name `a` is taken by `one.yaml`
          help: give this policy another name
        "#);
    }

    #[test]
    fn one_broken_file_leaves_no_set() {
        let good = source("a.yaml", "policy: a\nrules: [{id: r, require: {draft: false}}]\n");
        assert!(PolicySet::compile(&[good.clone(), source("b.yaml", "")]).is_err());
        let set = PolicySet::compile(&[source("b.yaml", &good.text.replace(": a", ": b")), good]).unwrap();
        assert_eq!(set.policy_names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(set.sources()[0].path, "a.yaml");
        assert_eq!(*set.revision(), Revision::of(set.sources()));
    }
}

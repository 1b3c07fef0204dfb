//! Marks that people put on things: labels of merge requests and issues, topics of projects.

use std::collections::BTreeSet;

use crate::policy::document::Node;
use crate::policy::enumeration::alternatives;
use crate::policy::pattern::Wildcard;

/// Which marks must and must not be there; `*` stands for any characters.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    /// Each of these.
    pub(super) all: Vec<Wildcard>,
    /// At least one of these, if there are any.
    pub(super) any: Vec<Wildcard>,
    /// None of these.
    pub(super) none: Vec<Wildcard>,
}

impl Marks {
    /// Reads `all`, `any` and `none` of a mapping, each word as `fold` changes it.
    pub(super) fn build(node: &Node, fold: impl Fn(&str) -> String) -> Self {
        let wildcards = |key| -> Vec<Wildcard> {
            let words = node.get(key).map(Node::all_words).unwrap_or_default();
            words.iter().map(|words| Wildcard::new(&fold(words.text))).collect()
        };
        Self { all: wildcards("all"), any: wildcards("any"), none: wildcards("none") }
    }

    /// Whether they ask for nothing.
    pub(super) fn is_empty(&self) -> bool {
        !self.ask_for_some() && self.none.is_empty()
    }

    /// Whether they ask for marks that are there.
    pub(super) fn ask_for_some(&self) -> bool {
        !(self.all.is_empty() && self.any.is_empty())
    }

    /// Whether what is there is as they ask.
    pub(super) fn hold(&self, there: &BTreeSet<String>) -> bool {
        self.missing(there).is_empty() && !self.lack_alternative(there) && self.unwanted(there).is_empty()
    }

    /// Those of `all` that are not there.
    pub(super) fn missing(&self, there: &BTreeSet<String>) -> Vec<&Wildcard> {
        self.all.iter().filter(|wildcard| !is_there(wildcard, there)).collect()
    }

    /// Whether one of `any` is asked for, and none is there.
    pub(super) fn lack_alternative(&self, there: &BTreeSet<String>) -> bool {
        !self.any.is_empty() && !self.any.iter().any(|wildcard| is_there(wildcard, there))
    }

    /// What is there and must not be.
    pub(super) fn unwanted<'a>(&self, there: &'a BTreeSet<String>) -> Vec<&'a String> {
        matching(there, &self.none)
    }

    /// What is wrong, one sentence each; `mark` is what one of them is called.
    pub(super) fn faults(&self, mark: &str, there: &BTreeSet<String>) -> Vec<String> {
        let missing = self.missing(there);
        let missing = missing.iter().map(|wildcard| format!("the {mark} `{}` is missing", wildcard.as_str()));
        let lacking = self.lack_alternative(there);
        let lacking = lacking.then(|| format!("none of the {mark}s {} is there", alternatives(&self.any)));
        let unwanted = self.unwanted(there);
        let unwanted = unwanted.iter().map(|found| format!("the {mark} `{found}` must not be there"));
        missing.chain(lacking).chain(unwanted).collect()
    }
}

fn is_there(wildcard: &Wildcard, there: &BTreeSet<String>) -> bool {
    there.iter().any(|mark| wildcard.matches(mark))
}

/// What is there of these.
pub(super) fn matching<'a>(there: &'a BTreeSet<String>, wildcards: &[Wildcard]) -> Vec<&'a String> {
    there.iter().filter(|mark| wildcards.iter().any(|wildcard| wildcard.matches(mark))).collect()
}

//! Policy texts as they were found, and the name of their content.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One policy text and what it is called in diagnostics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicySource {
    /// The path, as people would find the text.
    pub path: String,
    /// The text.
    pub text: String,
}

/// Names the content of a set: the same texts have the same revision, whoever loads them in whatever order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(String);

impl Revision {
    /// The revision of these texts: SHA-256 over their paths and texts in order, each with its length before it.
    pub fn of(sources: &[PolicySource]) -> Self {
        let mut sorted: Vec<_> = sources.iter().collect();
        sorted.sort();
        let mut hash = Sha256::new();
        for part in sorted.into_iter().flat_map(|source| [&source.path, &source.text]) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hex::encode(hash.finalize()))
    }

    /// All 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_is_of_the_content_and_not_of_its_order_or_seams() {
        let source = |path: &str, text: &str| PolicySource { path: path.to_owned(), text: text.to_owned() };
        let (one, two) = (source("a", "bc"), source("d", "e"));
        assert_eq!(Revision::of(&[one.clone(), two.clone()]), Revision::of(&[two.clone(), one.clone()]));
        assert_ne!(Revision::of(&[one.clone(), two]), Revision::of(&[one]));
        assert_ne!(Revision::of(&[source("ab", "c")]), Revision::of(&[source("a", "bc")]));
    }
}

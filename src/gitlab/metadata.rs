//! `GET /version` and `GET /metadata`: what the instance is, found by asking (contract section 8).

use std::fmt;

use serde::Deserialize;

use super::answer::Dated;
use super::client::Client;
use super::error::Error;

const ROUTE: &str = "GET /version";
const METADATA: &str = "GET /metadata";

/// The version that an instance says it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitlabVersion {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
}

impl GitlabVersion {
    /// Reads `18.1.1-ee` as 18.1; none where there are no two numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(['.', '-']);
        let mut number = || numbers.next()?.parse().ok();
        Some(Self { major: number()?, minor: number()? })
    }
}

impl fmt::Display for GitlabVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// What an instance says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its version in its own words, such as `18.3.0-ee`.
    pub text: String,
    /// Its version, if there are two numbers in these words.
    pub version: Option<GitlabVersion>,
    /// Whether it is an Enterprise Edition, which is no proof of a licence; none where it does not say.
    pub enterprise: Option<bool>,
}

#[derive(Deserialize)]
struct Answer {
    version: String,
    enterprise: Option<bool>,
}

impl Client {
    /// Asks what the instance is, and at what time it says so.
    pub async fn instance(&self) -> Result<Dated<Instance>, Error> {
        let answer: Dated<Answer> = match self.read_dated(METADATA, "metadata").await {
            // GitLab before 15.2.
            Err(Error::NotFound { .. }) => self.read_dated(ROUTE, "version").await?,
            other => other?,
        };
        let Answer { version: text, enterprise } = answer.value;
        // A suffix tells the edition where GitLab does not (before 15.6).
        let enterprise =
            enterprise.or_else(|| (text.ends_with("-ee") || text.ends_with("-jh")).then_some(true));
        let version = GitlabVersion::parse(&text);
        Ok(Dated { value: Instance { text, version, enterprise }, date: answer.date })
    }

    /// Asks for the version: `18.1.1-ee` reads as 18.1. It decides by which word a `passed` is taken back.
    pub async fn gitlab_version(&self) -> Result<GitlabVersion, Error> {
        let answer: Answer = self.read_at_once(ROUTE, "version").await?;
        GitlabVersion::parse(&answer.version).ok_or_else(|| Error::Malformed {
            route: ROUTE,
            reason: "the version is not two numbers with a dot between them".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_its_first_two_numbers() {
        let version = |text| GitlabVersion::parse(text).map(|version| version.to_string());
        assert_eq!(version("18.1.1-ee"), Some("18.1".to_owned()));
        assert_eq!(version("19.4.1-jh"), Some("19.4".to_owned()));
        assert_eq!(version("16.5.0-pre"), Some("16.5".to_owned()));
        assert_eq!(version("nightly"), None);
        assert!(GitlabVersion::parse("16.10.0") > GitlabVersion::parse("16.5.0"));
    }
}

//! `GET /version`: what the instance is, found by asking (contract section 8).

use std::fmt;

use serde::Deserialize;

use super::client::Client;
use super::error::Error;

const ROUTE: &str = "GET /version";

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

#[derive(Deserialize)]
struct Answer {
    version: String,
}

impl Client {
    /// Asks for the version: `18.1.1-ee` reads as 18.1.
    pub async fn gitlab_version(&self) -> Result<GitlabVersion, Error> {
        let answer: Answer = self.read(ROUTE, "version").await?;
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

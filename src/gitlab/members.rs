//! Groups, projects and who belongs to them, inherited and invited memberships included (`/members/all`).

use jiff::civil::Date;
use serde::Deserialize;

use crate::merge_request::{ProjectId, UserId};

use super::client::Client;
use super::error::Error;

const GROUP: &str = "GET /groups/:id";
const GROUP_MEMBER: &str = "GET /groups/:id/members/all/:user_id";
const PROJECT_MEMBER: &str = "GET /projects/:id/members/all/:user_id";
const DIRECT_PROJECT_MEMBER: &str = "GET /projects/:id/members/:user_id";

/// A membership.
#[derive(Debug, Clone, Deserialize)]
pub struct Member {
    /// 10 guest, 15 planner, 20 reporter, 30 developer, 40 maintainer, 50 owner.
    pub access_level: u8,
    /// The account's state: `active`, `blocked`, …
    pub state: String,
    /// The membership's own state: `active` or `awaiting`; the Community Edition, where none is awaited, leaves it out.
    pub membership_state: Option<String>,
    /// The day on which it ends; null for never, and never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub expires_at: Option<Date>,
}

#[derive(Deserialize)]
struct Existing {
    #[serde(rename = "id")]
    _id: u64,
}

impl Client {
    /// Proves that a group can be read by this token.
    pub async fn prove_group(&self, path: &str) -> Result<(), Error> {
        self.read::<Existing>(GROUP, &format!("groups/{}?with_projects=false", encode(path))).await.map(drop)
    }

    /// Reads a user's membership in a group; 404 means none if the group itself can be read.
    pub async fn group_member(&self, path: &str, user: UserId) -> Result<Member, Error> {
        self.read(GROUP_MEMBER, &format!("groups/{}/members/all/{user}", encode(path))).await
    }

    /// Reads a user's membership in a project; 404 means none if the project itself can be read.
    pub async fn project_member(&self, project: ProjectId, user: UserId) -> Result<Member, Error> {
        self.read(PROJECT_MEMBER, &format!("projects/{project}/members/all/{user}")).await
    }

    /// Reads a user's direct membership in a project; 404 means none if the project itself can be read.
    pub async fn direct_project_member(&self, project: ProjectId, user: UserId) -> Result<Member, Error> {
        self.read(DIRECT_PROJECT_MEMBER, &format!("projects/{project}/members/{user}")).await
    }
}

/// A full path as one segment: GitLab wants its slashes encoded.
pub(super) fn encode(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len() + 8), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(["%", &hex::encode_upper([byte])]);
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_segment() {
        assert_eq!(encode("shop/pay.ments"), "shop%2Fpay%2Ements");
        assert_eq!(encode("../x?y#z"), "%2E%2E%2Fx%3Fy%23z");
    }
}

//! `/projects/:id/external_status_checks`: how a project's checks are set up (contract section 2.3). For Maintainers.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::merge_request::{ProjectId, StatusCheckId};

use super::client::Client;
use super::error::Error;
use super::protected_branches::ProtectedBranch;

const LIST: &str = "GET /projects/:id/external_status_checks";
const CREATE: &str = "POST /projects/:id/external_status_checks";
const CHANGE: &str = "PUT /projects/:id/external_status_checks/:check_id";

/// A check as it is set up. Its secret can't be read.
#[derive(Debug, Clone, Deserialize)]
pub struct ExternalStatusCheck {
    /// GitLab's id.
    pub id: u64,
    /// Its name in GitLab.
    pub name: String,
    /// Where GitLab calls, with its query.
    pub external_url: String,
    /// The protected branches that it is bound to; none means all branches.
    #[serde(default)]
    pub protected_branches: Vec<ProtectedBranch>,
    /// Whether GitLab signs; before 17.3 it can't, and does not say.
    pub hmac: Option<bool>,
}

/// What a check is to be; what is none stays as it is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StatusCheckSettings {
    /// Its name in GitLab.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where GitLab calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_url: Option<String>,
    /// What GitLab signs with.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub shared_secret: Option<SecretString>,
    /// Ids of protected branches; an empty list means all branches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected_branch_ids: Option<Vec<u64>>,
}

impl Client {
    /// Reads the checks of a project. 401 means that external status checks are not licensed there, or that the role is
    /// below Maintainer.
    pub async fn external_status_checks(
        &self,
        project: ProjectId,
    ) -> Result<Vec<ExternalStatusCheck>, Error> {
        self.read_list(LIST, &format!("projects/{project}/external_status_checks"), &[]).await
    }

    /// Creates a check.
    pub async fn create_external_status_check(
        &self,
        project: ProjectId,
        settings: &StatusCheckSettings,
    ) -> Result<ExternalStatusCheck, Error> {
        let path = format!("projects/{project}/external_status_checks");
        self.write_for(Method::POST, CREATE, &path, settings).await
    }

    /// Changes a check.
    pub async fn change_external_status_check(
        &self,
        project: ProjectId,
        check: StatusCheckId,
        settings: &StatusCheckSettings,
    ) -> Result<ExternalStatusCheck, Error> {
        let path = format!("projects/{project}/external_status_checks/{check}");
        self.write_for(Method::PUT, CHANGE, &path, settings).await
    }
}

/// A secret on its way to GitLab, which keeps it to itself.
#[expect(clippy::ref_option, reason = "serde hands the field over so")]
pub(super) fn exposed<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(to)
}

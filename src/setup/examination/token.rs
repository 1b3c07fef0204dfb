//! Whose token it is, for what, until when.

use jiff::Timestamp;

use crate::gitlab::{Error, Myself, OwnToken};
use crate::setup::expiry;
use crate::setup::finding::Finding;

const SUBJECT: &str = "token";
const REMEDY: &str = "make a token with scope `api`, and put it where `gitlab.token_file` says";

/// What is found of the token.
pub(in crate::setup) fn examine(
    myself: &Result<Myself, Error>,
    token: &Result<Option<OwnToken>, Error>,
    now: Timestamp,
) -> Vec<Finding> {
    let myself = match myself {
        Ok(myself) => myself,
        Err(Error::Unauthorized { .. }) => {
            let what = "GitLab does not accept it (401): expired, revoked, or not whole";
            return vec![Finding::wrong(SUBJECT, SUBJECT, what, REMEDY)];
        }
        Err(error) => {
            let remedy = "look at what is said of GitLab; it may also be that the user is blocked";
            return vec![Finding::unknown(SUBJECT, SUBJECT, error.to_string(), remedy)];
        }
    };
    let mut findings = vec![whose(myself)];
    match token {
        Ok(Some(token)) => {
            findings.push(scopes(token));
            findings.push(expiry::examine(token.expires_at, now));
        }
        Ok(None) => {
            let what = "GitLab before 15.5 does not tell what the token may do and when it expires";
            let remedy = "look at the access tokens of its user, or upgrade GitLab";
            findings.push(Finding::unknown("token-expiry", SUBJECT, what, remedy));
        }
        Err(error) => {
            findings.push(Finding::unknown("token-expiry", SUBJECT, error.to_string(), "try again"));
        }
    }
    findings
}

fn whose(myself: &Myself) -> Finding {
    let kind = if myself.username.starts_with("project_") && myself.bot == Some(true) {
        "the bot of a project access token"
    } else if myself.username.starts_with("group_") && myself.bot == Some(true) {
        "the bot of a group access token"
    } else if myself.bot == Some(true) || myself.username.starts_with("service_account_") {
        "a service account or bot"
    } else {
        "an ordinary account"
    };
    let what = format!("belongs to @{}, {kind}", myself.username);
    if myself.is_admin {
        let what = format!("{what}, and an administrator's");
        return Finding::warning(SUBJECT, SUBJECT, what, "use one of an account that is no administrator");
    }
    Finding::fine(SUBJECT, SUBJECT, what)
}

fn scopes(token: &OwnToken) -> Finding {
    let named: Vec<_> = token.scopes.iter().map(|scope| format!("`{scope}`")).collect();
    let named = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
    if token.scopes.contains("api") {
        return Finding::fine("token-scopes", SUBJECT, format!("its scopes are {named}"));
    }
    let what = format!("its scopes are {named}: without `api` no check can be answered");
    Finding::wrong("token-scopes", SUBJECT, what, REMEDY)
}

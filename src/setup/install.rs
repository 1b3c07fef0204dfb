//! Installing: makes GitLab's side what the policies and the configuration ask for, project by project. What is there
//! already is left alone, so that a second time changes nothing; what is not ours is never touched.

use std::collections::BTreeSet;

use super::change::{Change, HookCredential};
use super::checks;
use super::finding::{Finding, Severity};
use super::grounds::{Grounds, Part, Wishes};
use super::hooks;
use super::installation::Installation;
use super::merging;
use super::selection::{Selection, outside, select};
use super::silence;
use super::survey::{MAINTAINER, Sight, Survey, answered_otherwise, role_noun};
use super::trigger::Reach;
use crate::gitlab::{
    Client, Error, Hook, HookPlace, HookSettings, Instance, ProtectedBranch, StatusCheckSettings, Trigger,
};
use crate::policy::PolicySet;

/// What to install.
#[derive(Debug)]
pub struct Order {
    /// In which projects.
    pub selection: Selection,
    /// What of checks and secrets.
    pub wishes: Wishes,
    /// Where webhooks belong.
    pub hooks: HookOrder,
    /// Whether merging is to wait for status checks.
    pub merging: bool,
    /// Whether nothing is to be changed yet.
    pub dry_run: bool,
}

/// Where webhooks belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookOrder {
    /// At each project.
    Projects,
    /// At a group, for all projects below it.
    Group(String),
    /// Nowhere.
    None,
}

/// What became of a project, or of a group's webhook.
#[derive(Debug)]
pub struct Account {
    /// Its path.
    pub subject: String,
    /// What was to be changed.
    pub changes: Vec<(Change, Outcome)>,
    /// What stands in the way, and what is to be known.
    pub findings: Vec<Finding>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Not made: that was asked for, or something stands in the way.
    Planned,
    /// Made.
    Made,
    /// Not made, and why.
    Failed(String),
}

impl Account {
    /// Whether something stands in the way or failed.
    pub fn failed(&self) -> bool {
        self.is_blocked() || self.changes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
    }

    fn is_blocked(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity() == Severity::Wrong)
    }
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
enum Unmade {
    #[error(transparent)]
    Gitlab(#[from] Error),
    #[error("GitLab took it and did not keep {0}")]
    NotKept(&'static str),
}

/// Installs; each account is told as soon as it is closed. An error if it could not even begin.
pub async fn install(
    installation: &Installation,
    policies: &PolicySet,
    order: &Order,
    mut told: impl FnMut(&Account),
) -> Result<Vec<Account>, Error> {
    let gitlab = &installation.gitlab;
    // Proves the token: from here on 401 means that something is not licensed or not for this role.
    let myself = gitlab.myself().await?;
    let Instance { version, enterprise, .. } = gitlab.instance().await?.value;
    let grounds = Grounds { installation, policies, version, enterprise, wishes: &order.wishes };
    let selected = select(installation, &order.selection).await?;
    let mut accounts = Vec::new();
    let mut close = |account: Account| {
        told(&account);
        accounts.push(account);
    };
    for finding in selected.findings {
        close(Account { subject: finding.subject.clone(), changes: Vec::new(), findings: vec![finding] });
    }
    let mut survey = Survey::new(installation, &myself);
    let mut triggers = BTreeSet::new();
    for project in selected.projects {
        if let Some(finding) = outside(installation, &project) {
            let subject = project.path_with_namespace;
            close(Account { subject, changes: Vec::new(), findings: vec![finding] });
            continue;
        }
        let sight = survey.look(project).await;
        let plan = plan(&grounds, &sight, order);
        triggers.extend(hooks::triggers(&grounds, &sight, Reach::Group));
        close(settle(gitlab, sight.project.path_with_namespace, plan, order.dry_run).await);
    }
    if let HookOrder::Group(path) = &order.hooks {
        close(group_hook(&grounds, path, triggers, order.dry_run).await);
    }
    Ok(accounts)
}

/// What is to be different in a project.
fn plan(grounds: &Grounds<'_>, sight: &Sight, order: &Order) -> Part {
    let subject = &sight.project.path_with_namespace;
    let mut whole = Part::default();
    match &sight.role {
        Ok(level) if *level >= MAINTAINER => {}
        Ok(level) => {
            let what =
                format!("the token's user is {}, and setting up is for Maintainers", role_noun(*level));
            let remedy =
                "install with a Maintainer's token: `COUNTERSIGN__GITLAB__TOKEN_FILE=… countersign install`";
            whole.findings.push(Finding::wrong("role", subject, what, remedy));
            return whole;
        }
        Err(finding) => return unread(finding),
    }
    let (checks, protected, own) = match (&sight.checks, &sight.protected, &sight.hooks) {
        (Ok(checks), Ok(protected), Ok(own)) => (checks, protected, own),
        (Err(finding), ..) | (_, Err(finding), _) | (.., Err(finding)) => return unread(finding),
    };
    let mut add = |part: Part| {
        whole.changes.extend(part.changes);
        whole.findings.extend(part.findings);
    };
    if order.hooks == HookOrder::Projects {
        let triggers = hooks::triggers(grounds, sight, Reach::Project);
        let wish = hooks::wish(grounds.installation, triggers);
        let above: Vec<Hook> = sight.above.iter().map(|(_, hook)| hook.clone()).collect();
        add(hooks::plan(grounds, subject, HookPlace::Project(sight.project.id), wish, own, &above));
        add(Part { changes: Vec::new(), findings: silence::examine(grounds, sight) });
    }
    if sight.is_without_checks {
        add(Part { changes: Vec::new(), findings: vec![answered_otherwise(subject)] });
        return whole;
    }
    add(checks::plan(grounds, &sight.project, checks, protected));
    // Last: while it is off, whatever failed before holds nobody up.
    if order.merging {
        add(merging::plan(grounds, &sight.project));
    }
    whole
}

/// What could not be read can't be compared, so nothing is changed.
fn unread(finding: &Finding) -> Part {
    let remedy = finding.remedy().unwrap_or_default();
    let finding = Finding::wrong(finding.topic, &finding.subject, finding.what.clone(), remedy);
    Part { changes: Vec::new(), findings: vec![finding] }
}

async fn group_hook(
    grounds: &Grounds<'_>,
    path: &str,
    triggers: BTreeSet<Trigger>,
    dry_run: bool,
) -> Account {
    let gitlab = &grounds.installation.gitlab;
    let found = async {
        let place = HookPlace::Group(gitlab.group(path).await?.id);
        Ok::<_, Error>((place, gitlab.hooks(place).await?))
    };
    let part = match found.await {
        Ok((place, own)) => {
            let wish = hooks::wish(grounds.installation, triggers);
            hooks::plan(grounds, path, place, wish, &own, &[])
        }
        Err(error) => {
            let remedy = "webhooks of a group are for its Owners, in GitLab Premium and above";
            let finding = Finding::wrong("webhook", path, error.to_string(), remedy);
            Part { changes: Vec::new(), findings: vec![finding] }
        }
    };
    settle(gitlab, path.to_owned(), part, dry_run).await
}

/// Makes the changes in their order; what fails ends it, since later ones may lean on earlier ones.
async fn settle(gitlab: &Client, subject: String, part: Part, dry_run: bool) -> Account {
    let changes = part.changes.into_iter().map(|change| (change, Outcome::Planned)).collect();
    let mut account = Account { subject, changes, findings: part.findings };
    if dry_run || account.is_blocked() {
        return account;
    }
    for (change, outcome) in &mut account.changes {
        match make(gitlab, change).await {
            Ok(()) => *outcome = Outcome::Made,
            Err(error) => {
                *outcome = Outcome::Failed(error.to_string());
                break;
            }
        }
    }
    account
}

/// Makes a change, and looks at what GitLab says that it made of it: what a version does not know it takes without a word.
async fn make(gitlab: &Client, change: &Change) -> Result<(), Unmade> {
    match change {
        Change::CreateCheck { project, name, url, branches, secret } => {
            let settings = StatusCheckSettings {
                name: Some(name.clone()),
                external_url: Some(url.clone()),
                shared_secret: secret.clone(),
                protected_branch_ids: Some(ids(branches)),
            };
            let made = gitlab.create_external_status_check(*project, &settings).await?;
            kept(secret.is_none() || made.hmac == Some(true), "the shared secret")?;
            kept(made.protected_branches.len() == branches.len(), "the branches")
        }
        Change::MoveCheck { project, check, to, .. } => {
            let settings =
                StatusCheckSettings { external_url: Some(to.clone()), ..StatusCheckSettings::default() };
            let made = gitlab.change_external_status_check(*project, *check, &settings).await?;
            kept(made.external_url == *to, "the address")
        }
        Change::SetSecret { project, check, secret, .. } => {
            let settings =
                StatusCheckSettings { shared_secret: Some(secret.clone()), ..StatusCheckSettings::default() };
            let made = gitlab.change_external_status_check(*project, *check, &settings).await?;
            kept(made.hmac == Some(true), "the shared secret")
        }
        Change::BindCheck { project, check, to, .. } => {
            let settings =
                StatusCheckSettings { protected_branch_ids: Some(ids(to)), ..StatusCheckSettings::default() };
            let made = gitlab.change_external_status_check(*project, *check, &settings).await?;
            kept(made.protected_branches.len() == to.len(), "the branches")
        }
        Change::CreateHook { place, url, triggers, credential } => {
            let settings = HookSettings::at(url).telling_of(triggers).verifying_certificates();
            let made = gitlab.create_hook(*place, &with_credential(settings, credential)).await?;
            kept_triggers(&made, triggers)?;
            kept_credential(&made, credential)
        }
        Change::TellMore { place, hook, triggers } => {
            let settings = HookSettings::default().telling_of(triggers);
            kept_triggers(&gitlab.change_hook(*place, *hook, &settings).await?, triggers)
        }
        Change::SetCredential { place, hook, credential, .. } => {
            let settings = with_credential(HookSettings::default(), credential);
            kept_credential(&gitlab.change_hook(*place, *hook, &settings).await?, credential)
        }
        Change::VerifyCertificates { place, hook } => {
            let settings = HookSettings::default().verifying_certificates();
            let made = gitlab.change_hook(*place, *hook, &settings).await?;
            kept(made.enable_ssl_verification != Some(false), "the verification of certificates")
        }
        Change::RequireChecks(project) => {
            let made = gitlab.require_status_checks(*project).await?;
            let on = made.only_allow_merge_if_all_status_checks_passed == Some(true);
            kept(on, "`Status checks must succeed`")
        }
    }
}

fn ids(branches: &[ProtectedBranch]) -> Vec<u64> {
    branches.iter().map(|branch| branch.id).collect()
}

fn with_credential(settings: HookSettings, credential: &HookCredential) -> HookSettings {
    match credential {
        HookCredential::Token(token) => settings.with_credentials(Some(token.clone()), None),
        HookCredential::Signing(token) => settings.with_credentials(None, Some(token.clone())),
    }
}

fn kept_triggers(hook: &Hook, triggers: &BTreeSet<Trigger>) -> Result<(), Unmade> {
    kept(triggers.iter().all(|trigger| hook.tells_of(*trigger)), "all of the events")
}

fn kept_credential(hook: &Hook, credential: &HookCredential) -> Result<(), Unmade> {
    match credential {
        HookCredential::Token(_) => kept(hook.token_present != Some(false), "the secret token"),
        // GitLab before 19.0, or without the feature, passes over it.
        HookCredential::Signing(_) => kept(hook.signing_token_present == Some(true), "the signing token"),
    }
}

fn kept(as_meant: bool, what: &'static str) -> Result<(), Unmade> {
    if as_meant { Ok(()) } else { Err(Unmade::NotKept(what)) }
}

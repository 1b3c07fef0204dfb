//! The doctor: is everything set up right? Looks at all that a status check's way depends on, and changes nothing: every
//! call of GitLab is a `GET`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::checks;
use super::examination::{address, deliveries, instance, policies, storage, token};
use super::finding::Finding;
use super::grounds::{Grounds, Part, Wishes};
use super::hooks;
use super::installation::Installation;
use super::merging;
use super::selection::{Selection, outside, select};
use super::silence;
use super::survey::{
    DEVELOPER, MAINTAINER, Sight, Survey, answered_otherwise, no_such_route, role_noun, unlicensed,
};
use super::trigger::Reach;
use crate::bundle::LoadError;
use crate::gitlab::{CheckedProject, Error, GitlabVersion, Hook, HookPlace, Myself};
use crate::merge_request::{CheckName, MergeRequestRef};
use crate::policy::PolicySet;
use crate::store::Inspection;

/// Whom the doctor examines.
pub struct Patient<'a> {
    /// The configuration file, which was read without a mistake.
    pub configuration: Option<&'a Path>,
    /// What the configuration says.
    pub installation: &'a Installation,
    /// The policies, or why there are none.
    pub policies: &'a Result<Arc<PolicySet>, LoadError>,
    /// `store.url`
    pub store: &'a str,
    /// Which projects are looked at.
    pub selection: &'a Selection,
    /// Our names of the checks that the projects are to have.
    pub checks: BTreeSet<CheckName>,
}

/// What was found.
#[derive(Debug)]
pub struct Diagnosis {
    /// In the order of the way that a status check takes.
    pub findings: Vec<Finding>,
    /// How many more projects there are.
    pub left_out: usize,
}

/// Examines everything.
pub async fn examine(patient: &Patient<'_>) -> Diagnosis {
    let Patient { installation, selection, .. } = *patient;
    let gitlab = &installation.gitlab;
    let inspection = Inspection::open(patient.store);
    let mut findings = vec![configuration(patient.configuration), policies::examine(patient.policies)];
    findings.extend(storage::examine(&inspection));
    let (address, instance, myself, own) =
        tokio::join!(address::examine(installation), gitlab.instance(), gitlab.myself(), gitlab.own_token());
    let now = installation.clock.now();
    findings.extend(address.findings);
    if address.local {
        let called = inspection.as_ref().ok().and_then(|inspection| inspection.was_called().ok());
        findings.push(address::local_network(called.unwrap_or(false)));
    }
    findings.extend(instance::examine(&instance, installation, now));
    findings.extend(token::examine(&myself, &own, now));
    let mut left_out = 0;
    if let Ok(myself) = &myself {
        let wishes = Wishes { checks: patient.checks.clone(), ..Wishes::default() };
        let instance = instance.ok().map(|instance| instance.value);
        let version = instance.as_ref().and_then(|instance| instance.version);
        let enterprise = instance.and_then(|instance| instance.enterprise);
        let policies = patient.policies.as_deref().ok();
        let grounds =
            policies.map(|policies| Grounds { installation, policies, version, enterprise, wishes: &wishes });
        let room = Room { installation, grounds, inspection: inspection.as_ref().ok(), local: address.local };
        left_out = room.examine_all(selection, myself, &mut findings).await;
    }
    Diagnosis { findings, left_out }
}

fn configuration(file: Option<&Path>) -> Finding {
    let what = match file {
        Some(file) => format!("`{}` and the environment are understood", file.display()),
        None => "no file is named; the environment is understood".to_owned(),
    };
    Finding::fine("configuration", "configuration", what)
}

/// What all projects are examined with.
struct Room<'a> {
    installation: &'a Installation,
    /// None while the policies are broken.
    grounds: Option<Grounds<'a>>,
    inspection: Option<&'a Inspection>,
    local: bool,
}

/// What a merge request shows of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// One of ours.
    Ours,
    /// None of ours, or nothing at all.
    Nothing,
    /// That GitLab has none, and verdicts are told in other ways.
    Otherwise,
}

impl Room<'_> {
    /// Examines the projects that are meant, and says how many were left out.
    async fn examine_all(
        &self,
        selection: &Selection,
        myself: &Myself,
        findings: &mut Vec<Finding>,
    ) -> usize {
        let selected = match select(self.installation, selection).await {
            Ok(selected) => selected,
            Err(error) => {
                let remedy = "name the projects by their paths";
                findings.push(Finding::unknown("project", "projects", error.to_string(), remedy));
                return 0;
            }
        };
        findings.extend(selected.findings);
        let mut survey = Survey::new(self.installation, myself);
        for project in selected.projects {
            self.examine(&mut survey, project, findings).await;
        }
        selected.left_out
    }

    async fn examine(&self, survey: &mut Survey<'_>, project: CheckedProject, findings: &mut Vec<Finding>) {
        if let Some(finding) = outside(self.installation, &project) {
            findings.push(finding);
            return;
        }
        let sight = survey.look(project).await;
        let subject = sight.project.path_with_namespace.clone();
        findings.push(role(&sight));
        let mut applies = false;
        if let Some(grounds) = &self.grounds {
            if self.examine_checks(grounds, &sight, findings, &mut applies).await {
                tell(merging::plan(grounds, &sight.project), &subject, findings);
            }
            self.examine_hooks(grounds, &sight, findings).await;
            findings.extend(silence::examine(grounds, &sight));
        }
        // Where there is no database yet, or what is wrong with it, the store's own finding says.
        if let Some(Ok(Some(received))) =
            self.inspection.map(|inspection| inspection.received(sight.project.id))
        {
            findings.push(deliveries::received(&subject, received, applies));
        }
    }

    /// Says whether the project is to have any.
    async fn examine_checks(
        &self,
        grounds: &Grounds<'_>,
        sight: &Sight,
        findings: &mut Vec<Finding>,
        applies: &mut bool,
    ) -> bool {
        let subject = &sight.project.path_with_namespace;
        if sight.is_without_checks {
            findings.push(answered_otherwise(subject));
            return false;
        }
        match (&sight.checks, &sight.protected) {
            (Ok(present), Ok(protected)) => {
                findings.push(Finding::fine("licence", subject, "external status checks are licensed"));
                *applies = present.iter().any(|check| grounds.name_of(&check.external_url).is_some());
                tell(checks::plan(grounds, &sight.project, present, protected), subject, findings);
            }
            (Err(finding), _) | (_, Err(finding)) => {
                let shown = (DEVELOPER..MAINTAINER).contains(sight.role.as_ref().unwrap_or(&0));
                let asked = if shown {
                    self.ask_a_merge_request(grounds, sight, findings).await
                } else {
                    Asked::Nothing
                };
                if asked == Asked::Otherwise {
                    findings.push(answered_otherwise(subject));
                    return false;
                }
                *applies = asked == Asked::Ours;
                findings.push(finding.clone());
            }
        }
        true
    }

    /// What a Developer is shown: the checks of a merge request, without how they are set up.
    async fn ask_a_merge_request(
        &self,
        grounds: &Grounds<'_>,
        sight: &Sight,
        findings: &mut Vec<Finding>,
    ) -> Asked {
        let (gitlab, subject) = (&self.installation.gitlab, &sight.project.path_with_namespace);
        let newest = gitlab.newest_merge_request(sight.project.id).await;
        let Ok(Some(newest)) = newest else { return Asked::Nothing };
        match gitlab.status_checks(newest).await {
            Ok(listed) => {
                findings.push(Finding::fine("licence", subject, "external status checks are licensed"));
                let ours: Vec<_> =
                    listed.iter().filter_map(|check| grounds.name_of(&check.external_url)).collect();
                for name in &ours {
                    if grounds.policies.coverage(name, subject).is_none() {
                        findings.push(checks::unspoken(name, subject));
                    }
                }
                findings.push(shown(subject, newest, &ours));
                if ours.is_empty() { Asked::Nothing } else { Asked::Ours }
            }
            Err(Error::Unauthorized { .. } | Error::NotFound { .. })
                if self.installation.answers_otherwise =>
            {
                Asked::Otherwise
            }
            Err(Error::Unauthorized { .. }) => {
                findings.push(unlicensed(subject));
                Asked::Nothing
            }
            Err(Error::NotFound { .. }) => {
                findings.push(no_such_route(subject));
                Asked::Nothing
            }
            Err(_) => Asked::Nothing,
        }
    }

    async fn examine_hooks(&self, grounds: &Grounds<'_>, sight: &Sight, findings: &mut Vec<Finding>) {
        let subject = &sight.project.path_with_namespace;
        let place = HookPlace::Project(sight.project.id);
        let triggers = hooks::triggers(grounds, sight, Reach::Project);
        let above: Vec<_> = sight.above.iter().map(|(_, hook)| hook.clone()).collect();
        let own = match &sight.hooks {
            Ok(own) => own,
            Err(_) if triggers.is_empty() => return,
            Err(finding) => {
                findings.push(finding.clone());
                return;
            }
        };
        let wish = hooks::wish(self.installation, triggers);
        tell(hooks::plan(grounds, subject, place, wish, own, &above), subject, findings);
        let own = own.iter().map(|hook| (place, hook));
        for (place, hook) in own.chain(sight.above.iter().map(|(place, hook)| (*place, hook))) {
            if grounds.name_of(&hook.url).is_some() {
                findings.extend(self.hook_deliveries(grounds.version, subject, place, hook).await);
            }
        }
    }

    async fn hook_deliveries(
        &self,
        version: Option<GitlabVersion>,
        subject: &str,
        place: HookPlace,
        hook: &Hook,
    ) -> Option<Finding> {
        // GitLab tells since 17.3.
        if version.is_some_and(|version| version < (GitlabVersion { major: 17, minor: 3 })) {
            return None;
        }
        match self.installation.gitlab.hook_deliveries(place, hook.id).await {
            Ok(found) => Some(deliveries::examine(subject, hook.id, &found, self.local)),
            Err(Error::NotFound { .. }) => None,
            Err(error) => {
                let what = format!("webhook {}: {error}", hook.id);
                Some(Finding::unknown("webhook-deliveries", subject, what, "try again"))
            }
        }
    }
}

/// A part of a plan as findings: what is to be changed has not been changed.
fn tell(part: Part, subject: &str, findings: &mut Vec<Finding>) {
    findings.extend(part.findings);
    findings.extend(part.changes.iter().map(|change| change.finding(subject)));
}

fn role(sight: &Sight) -> Finding {
    let subject = &sight.project.path_with_namespace;
    match &sight.role {
        Ok(level) if *level >= DEVELOPER => {
            Finding::fine("role", subject, format!("the token's user is {}", role_noun(*level)))
        }
        Ok(level) => {
            let what = format!("the token's user is {}: GitLab refuses its answers", role_noun(*level));
            let remedy = "make it a Developer of the project or of its group";
            Finding::wrong("role", subject, what, remedy)
        }
        Err(finding) => finding.clone(),
    }
}

fn shown(subject: &str, merge_request: MergeRequestRef, ours: &[CheckName]) -> Finding {
    let topic = "status-check";
    let iid = merge_request.iid;
    if ours.is_empty() {
        let what = format!("no status check of ours is listed on the newest merge request, !{iid}");
        let remedy = format!(
            "`countersign install {subject}` with a Maintainer's token, unless its target branch needs none"
        );
        return Finding::warning(topic, subject, what, remedy);
    }
    let names: Vec<_> = ours.iter().map(|name| format!("`{name}`")).collect();
    Finding::fine(
        topic,
        subject,
        format!("{} is listed on the newest merge request, !{iid}", names.join(", ")),
    )
}

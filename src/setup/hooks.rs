//! The webhooks that a project or group is to have, beside those that it has. Pure.

use std::collections::BTreeSet;

use super::change::{Change, HookCredential};
use super::finding::Finding;
use super::grounds::{Grounds, Part};
use super::installation::{Installation, address_of};
use super::survey::Sight;
use super::trigger::{Reach, beside, listed, needed};
use super::wording::moment;
use crate::gitlab::{Hook, HookPlace, Trigger};
use crate::merge_request::CheckName;
use crate::policy::Coverage;
use crate::policy::fact::Family;

/// Where a hook is to call, and what it is to tell of.
pub(super) struct HookWish {
    pub(super) url: String,
    pub(super) triggers: BTreeSet<Trigger>,
}

/// What the policies may ask for of a project, for the checks that it has or is to have; none if no policy speaks for it.
pub(super) fn reads(grounds: &Grounds<'_>, sight: &Sight) -> Option<BTreeSet<Family>> {
    let names = grounds.names(sight.checks.as_deref().unwrap_or_default());
    let subject = &sight.project.path_with_namespace;
    let coverages: Vec<_> =
        names.iter().filter_map(|name| grounds.policies.coverage(name, subject)).collect();
    (!coverages.is_empty()).then(|| coverages.iter().flat_map(Coverage::reads).collect())
}

/// What hooks of such a reach are to tell of for a project.
pub(super) fn triggers(grounds: &Grounds<'_>, sight: &Sight, reach: Reach) -> BTreeSet<Trigger> {
    let Some(reads) = reads(grounds, sight) else { return BTreeSet::new() };
    let mut triggers = needed(&reads, grounds.version, reach);
    if sight.is_without_checks {
        // No status check tells of the merge requests themselves.
        triggers.insert(Trigger::MergeRequests);
    }
    triggers
}

/// The hooks of a project or group: `own` hang there, `above` at groups above it.
pub(super) fn plan(
    grounds: &Grounds<'_>,
    subject: &str,
    place: HookPlace,
    wish: Option<HookWish>,
    own: &[Hook],
    above: &[Hook],
) -> Part {
    let mut part = Part::default();
    let ours = |hooks: &'_ [Hook]| -> Vec<Hook> {
        hooks.iter().filter(|hook| grounds.name_of(&hook.url).is_some()).cloned().collect()
    };
    let (own, above) = (ours(own), ours(above));
    for hook in own.iter().chain(&above) {
        health(subject, hook, &mut part);
    }
    let credential = credential(grounds);
    for hook in &own {
        repair(grounds, place, hook, credential.as_ref(), &mut part);
    }
    let Some(HookWish { url, triggers }) = wish else { return part };
    let told = |trigger: &Trigger| own.iter().chain(&above).any(|hook| hook.tells_of(*trigger));
    let untold: BTreeSet<_> = triggers.iter().copied().filter(|trigger| !told(trigger)).collect();
    match (own.first(), credential) {
        _ if triggers.is_empty() => {
            // No more than that: of what nothing here can tell, `silence` speaks.
            let what = "none of its own is needed beside the status check";
            part.findings.push(Finding::fine("webhook", subject, what));
        }
        _ if untold.is_empty() => {
            let what = format!("tells of {}", listed(&triggers));
            part.findings.push(Finding::fine("webhook", subject, what));
        }
        (Some(hook), _) => part.changes.push(Change::TellMore { place, hook: hook.id, triggers: untold }),
        (None, Some(credential)) => {
            part.changes.push(Change::CreateHook { place, url, triggers: untold, credential });
        }
        (None, None) => {
            let what = format!(
                "no webhook tells of {}, which the policies read, and there is nothing that one could prove itself with",
                beside(&untold)
            );
            let remedy = if grounds.installation.credentials.signing.is_some() {
                format!("{} can't sign webhooks: set `webhooks.tokens`", grounds.gitlab())
            } else {
                "set `webhooks.tokens`, or `webhooks.signing_tokens` for GitLab 19.0 and later".to_owned()
            };
            part.findings.push(Finding::warning("webhook", subject, what, remedy));
        }
    }
    part
}

/// What a hook of this GitLab can prove itself with: best by a signature.
fn credential(grounds: &Grounds<'_>) -> Option<HookCredential> {
    let credentials = &grounds.installation.credentials;
    let signing = credentials.signing.clone().filter(|_| !grounds.is_before(19, 0));
    let token = || credentials.token.clone().map(HookCredential::Token);
    signing.map(HookCredential::Signing).or_else(token)
}

fn repair(
    grounds: &Grounds<'_>,
    place: HookPlace,
    hook: &Hook,
    credential: Option<&HookCredential>,
    part: &mut Part,
) {
    if hook.enable_ssl_verification == Some(false) && hook.url.starts_with("https:") {
        part.changes.push(Change::VerifyCertificates { place, hook: hook.id });
    }
    let Some(credential) = credential else { return };
    // Either of them is enough; where GitLab does not say, it is left alone.
    let proves = hook.token_present != Some(false) || hook.signing_token_present == Some(true);
    if !proves || grounds.wishes.rotate {
        let (credential, first) = (credential.clone(), !proves);
        part.changes.push(Change::SetCredential { place, hook: hook.id, credential, first });
    }
}

/// What only people can mend about a hook.
fn health(subject: &str, hook: &Hook, part: &mut Part) {
    if hook.custom_webhook_template.as_ref().is_some_and(|template| !template.is_empty()) {
        let what = format!("webhook {} sends a custom template instead of GitLab's body", hook.id);
        let remedy = "empty it under Settings → Webhooks → Edit → Custom webhook template";
        part.findings.push(Finding::wrong("webhook-template", subject, what, remedy));
    }
    let status = hook.alert_status.as_deref().unwrap_or("executable");
    if status != "executable" {
        let until = hook.disabled_until.filter(|_| status == "temporarily_disabled");
        let until = until.map(|until| format!(" until {}", moment(until))).unwrap_or_default();
        let what = format!("GitLab has disabled webhook {} after failures{until}", hook.id);
        let remedy = "mend the cause, then press Test under Settings → Webhooks: an answer of 2xx enables it";
        part.findings.push(Finding::wrong("webhook-disabled", subject, what, remedy));
    }
}

/// The hook that a project or group is to have.
pub(super) fn wish(installation: &Installation, triggers: BTreeSet<Trigger>) -> Option<HookWish> {
    let public_url = installation.public_url.as_ref()?;
    Some(HookWish { url: address_of(public_url, &CheckName::default()), triggers })
}

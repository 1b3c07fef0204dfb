//! Ordinary webhooks: where they hang, and which events they want.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::namespaces::Place;

/// A kind of event that a hook can want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookEvent {
    /// `Merge Request Hook`.
    MergeRequest,
    /// `Note Hook`.
    Note,
    /// `Pipeline Hook`.
    Pipeline,
    /// `Push Hook`.
    Push,
    /// `Confidential Note Hook`.
    ConfidentialNote,
    /// `Job Hook`.
    Job,
    /// `Emoji Hook` (16.2).
    Emoji,
    /// `Issue Hook`.
    Issue,
    /// `Member Hook`: for groups. Hooks of the instance hear of members of projects as well, and need not want it.
    Member,
    /// `Resource Access Token Hook`.
    AccessToken,
    /// A project that was changed, renamed or moved: hooks of the instance alone hear of it, and need not want it.
    Project,
}

impl HookEvent {
    /// The value of `X-Gitlab-Event` for project and group hooks.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::MergeRequest => "Merge Request Hook",
            Self::Note => "Note Hook",
            Self::Pipeline => "Pipeline Hook",
            Self::Push => "Push Hook",
            Self::ConfidentialNote => "Confidential Note Hook",
            Self::Job => "Job Hook",
            Self::Emoji => "Emoji Hook",
            Self::Issue => "Issue Hook",
            Self::Member => "Member Hook",
            Self::AccessToken => "Resource Access Token Hook",
            Self::Project => "Project Hook",
        }
    }

    /// Whether system hooks know it.
    pub(super) fn reaches_system_hooks(self) -> bool {
        matches!(self, Self::MergeRequest | Self::Push | Self::Member | Self::Project)
    }

    /// Whether system hooks hear of it without having asked for it.
    pub(super) fn comes_unasked(self) -> bool {
        matches!(self, Self::Member | Self::Project)
    }
}

/// Where a hook hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HookPlace {
    Below(Place),
    System,
}

/// A hook.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) id: u64,
    pub(super) place: HookPlace,
    pub(super) url: String,
    pub(super) token: Option<String>,
    pub(super) signing_token: Option<String>,
    pub(super) events: BTreeSet<HookEvent>,
    /// Whether certificates are verified.
    pub(super) verifies: bool,
    /// What is sent instead of GitLab's body.
    pub(super) template: Option<String>,
    pub(super) disabled: Option<HookDisabled>,
}

/// How long GitLab sends nothing more after failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookDisabled {
    /// Until then.
    Until(Timestamp),
    /// Until somebody enables it again.
    ForGood,
}

impl HookDisabled {
    /// GitLab's word for whether a hook is called.
    pub(super) fn alert_status(disabled: Option<Self>) -> &'static str {
        match disabled {
            None => "executable",
            Some(Self::Until(_)) => "temporarily_disabled",
            Some(Self::ForGood) => "disabled",
        }
    }

    /// GitLab's `disabled_until`.
    pub(super) fn until(self) -> Option<Timestamp> {
        match self {
            Self::Until(instant) => Some(instant),
            Self::ForGood => None,
        }
    }
}

/// What can be said of a hook that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookSetting {
    /// Whether certificates are verified.
    Verifies(bool),
    /// What is sent instead of GitLab's body.
    Template(Option<String>),
    /// Whether GitLab stopped sending after failures.
    Disabled(Option<HookDisabled>),
    /// The secret token.
    Token(Option<String>),
    /// Whether it wants an event.
    Event(HookEvent, bool),
}

/// A hook to be created; the plain one wants merge request events and has neither token nor signature.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewHook {
    pub(super) place: HookPlace,
    pub(super) url: String,
    pub(super) token: Option<String>,
    pub(super) signing_token: Option<String>,
    pub(super) events: BTreeSet<HookEvent>,
}

impl NewHook {
    fn at(place: HookPlace, url: &str) -> Self {
        let events = BTreeSet::from([HookEvent::MergeRequest]);
        Self { place, url: url.to_owned(), token: None, signing_token: None, events }
    }

    /// A hook of a project or a group.
    pub fn of(place: impl Into<Place>, url: &str) -> Self {
        Self::at(HookPlace::Below(place.into()), url)
    }

    /// A hook of the whole instance.
    pub fn system(url: &str) -> Self {
        Self::at(HookPlace::System, url)
    }

    /// Sends this as `X-Gitlab-Token`.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Signs with this `whsec_…` token (19.0 and later; older versions ignore it).
    pub fn signing_token(mut self, token: &str) -> Self {
        self.signing_token = Some(token.to_owned());
        self
    }

    /// Wants these events too.
    pub fn event(mut self, event: HookEvent) -> Self {
        self.events.insert(event);
        self
    }

    /// Wants everything else that a hook of a project or group can tell.
    pub fn everything_else(mut self) -> Self {
        self.events.extend([
            HookEvent::Note,
            HookEvent::ConfidentialNote,
            HookEvent::Pipeline,
            HookEvent::Job,
            HookEvent::Emoji,
            HookEvent::Issue,
            HookEvent::Push,
            HookEvent::Member,
            HookEvent::AccessToken,
        ]);
        self
    }

    /// Does not want merge request events.
    pub fn without_merge_requests(mut self) -> Self {
        self.events.remove(&HookEvent::MergeRequest);
        self
    }
}

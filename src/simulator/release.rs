//! Which GitLab this is: its version and its edition, and what follows from them.
//!
//! Every difference between versions that the simulator knows is a question here, so that a route asks
//! `release.has_…()` and never compares numbers.

/// What was installed, and whether it is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edition {
    /// Community Edition: the routes of external status checks do not exist.
    Community,
    /// Enterprise Edition below Ultimate: the routes exist and answer 401.
    Unlicensed,
    /// Ultimate: external status checks work.
    #[default]
    Ultimate,
}

/// A version such as `18.3.0-ee` with an edition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Release {
    /// As `/version` says it.
    pub(super) text: String,
    /// The edition.
    pub(super) edition: Edition,
    number: (u32, u32),
    /// The feature flag `status_checks_add_status_field` of 14.9 and 14.10.
    pub(super) status_field_flag: bool,
}

impl Release {
    /// Reads `major.minor` off the version; a text without numbers counts as a very new version.
    pub(super) fn new(text: &str, edition: Edition) -> Self {
        let mut parts = text.split(['.', '-']).map(str::parse::<u32>);
        let mut next = |fallback| parts.next().and_then(Result::ok).unwrap_or(fallback);
        let number = (next(999), next(0));
        Self { text: text.to_owned(), edition, number, status_field_flag: false }
    }

    fn since(&self, major: u32, minor: u32) -> bool {
        self.number >= (major, minor)
    }

    /// Whether answers carry `status`: before 14.9 every answer approves.
    pub(super) fn reads_status(&self) -> bool {
        self.since(15, 0) || (self.since(14, 9) && self.status_field_flag)
    }

    /// Whether `status` must be sent.
    pub(super) fn requires_status(&self) -> bool {
        self.since(15, 0)
    }

    /// Whether `pending` may be posted.
    pub(super) fn accepts_pending(&self) -> bool {
        self.since(16, 5)
    }

    /// Whether explicit `pending` turns into `failed` after two minutes.
    pub(super) fn times_pending_out(&self) -> bool {
        self.since(16, 6)
    }

    /// Whether the retry endpoint exists.
    pub(super) fn has_retry(&self) -> bool {
        self.since(15, 7)
    }

    /// Whether the answer to an answer no longer shows the check's configuration.
    pub(super) fn trims_responses(&self) -> bool {
        self.since(19, 0)
    }

    /// Whether Reporters may read the list of statuses.
    pub(super) fn shows_statuses_to_reporters(&self) -> bool {
        self.since(18, 0)
    }

    /// Whether checks can have a shared secret and send `application/json`.
    pub(super) fn signs_status_checks(&self) -> bool {
        self.since(17, 3)
    }

    /// Whether wildcards in protected branches count for checks, and URLs lose their query in the list.
    pub(super) fn is_past_14(&self) -> bool {
        self.since(15, 0)
    }

    /// Whether hooks carry `Idempotency-Key`.
    pub(super) fn has_idempotency_key(&self) -> bool {
        self.since(17, 4)
    }

    /// Whether hooks carry `webhook-id`, `webhook-timestamp` and, with a signing token, `webhook-signature`.
    pub(super) fn has_standard_webhooks(&self) -> bool {
        self.since(19, 0)
    }

    /// Whether hooks carry `X-Gitlab-Event-UUID`.
    pub(super) fn has_event_uuid(&self) -> bool {
        self.since(14, 8)
    }

    /// Whether hooks carry `X-Gitlab-Instance`.
    pub(super) fn names_the_instance(&self) -> bool {
        self.since(15, 5)
    }

    /// Whether hooks carry `X-Gitlab-Webhook-UUID`.
    pub(super) fn has_webhook_uuid(&self) -> bool {
        self.since(16, 2)
    }

    /// Whether `/metadata` exists, and whether it says `enterprise`.
    pub(super) fn has_metadata(&self) -> (bool, bool) {
        (self.since(15, 2), self.since(15, 6))
    }

    /// Whether hooks can hear of emoji.
    pub(super) fn has_emoji_hooks(&self) -> bool {
        self.since(16, 2)
    }

    /// Whether hooks hear of comments that were edited (16.11).
    pub(super) fn tells_of_edited_notes(&self) -> bool {
        self.since(16, 11)
    }

    /// Whether a review that was submitted is told as a change of reviewers (19.3).
    pub(super) fn tells_of_reviews(&self) -> bool {
        self.since(19, 3)
    }

    /// Whether what is sent says how far reviewers are (18.6).
    pub(super) fn sends_reviewer_states(&self) -> bool {
        self.since(18, 6)
    }

    /// Whether groups have hooks: everywhere but in the Community Edition, here.
    pub(super) fn has_group_hooks(&self) -> bool {
        self.edition != Edition::Community
    }

    /// Whether a hook's deliveries are listed.
    pub(super) fn lists_hook_events(&self) -> bool {
        self.since(17, 3)
    }

    /// Whether a token can be asked what it is.
    pub(super) fn tells_of_own_token(&self) -> bool {
        self.since(15, 5)
    }

    /// Whether merging can be made to wait for status checks.
    pub(super) fn can_require_status_checks(&self) -> bool {
        self.edition == Edition::Ultimate && self.since(15, 5)
    }

    /// Whether a secret of a check that is too long is refused.
    pub(super) fn bounds_shared_secrets(&self) -> bool {
        self.since(19, 0)
    }

    /// Whether an approval reset by a push is announced by an event of its own.
    pub(super) fn announces_approval_resets(&self) -> bool {
        self.since(18, 6)
    }

    /// Whether a merge request's place on a merge train can be read (GitLab 15.6).
    pub(super) fn shows_merge_trains(&self) -> bool {
        self.edition != Edition::Community && self.since(15, 6)
    }

    /// Whether the issues that a merge request mentions can be read.
    pub(super) fn lists_related_issues(&self) -> bool {
        self.since(17, 2)
    }

    /// Whether the merge requests that block one can be read.
    pub(super) fn lists_blocks(&self) -> bool {
        self.edition != Edition::Community && self.since(17, 3)
    }

    /// Whether a commit status says which pipeline it is a part of.
    pub(super) fn says_pipelines_of_statuses(&self) -> bool {
        self.since(17, 0)
    }

    /// Whether a commit status for a pipeline that does not fit is refused; before, GitLab makes one for it.
    pub(super) fn finds_pipelines_for_statuses(&self) -> bool {
        self.since(17, 0)
    }

    /// Whether `/diffs` and versions say `collapsed` and `too_large`.
    pub(super) fn says_too_large(&self) -> bool {
        self.since(18, 0)
    }

    /// Whether `/diffs` and versions say `generated_file` (GitLab 16.9).
    pub(super) fn says_generated(&self) -> bool {
        self.since(16, 9)
    }

    /// Whether external status checks have routes at all.
    pub(super) fn has_status_checks(&self) -> bool {
        self.edition != Edition::Community
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_knows_what_it_can() {
        let release = |text: &str| Release::new(text, Edition::Ultimate);
        assert!(!release("14.8.2-ee").reads_status());
        assert!(!release("16.4.9-ee").accepts_pending());
        assert!(release("16.5.0-ee").accepts_pending());
        assert!(!release("16.5.0-ee").times_pending_out());
        assert!(release("19.4.1-jh").trims_responses());
        assert!(release("master").has_standard_webhooks());
    }
}

//! How a pipeline stands by its parts, as GitLab computes it (its `Ci::Status::Composite`).
//!
//! Needed where one part is our own and must not count. Never better than GitLab would have it: a word that is not
//! known counts as one that has not ended.

/// One job, bridge or commit status of a pipeline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) status: &'a str,
    pub(super) allow_failure: bool,
}

impl Part<'_> {
    /// What the part comes to: what is allowed to fail counts as good, or as not there.
    fn word(&self) -> &str {
        match self.status {
            "failed" | "canceled" if self.allow_failure => "warning",
            "created" | "scheduled" | "manual" if self.allow_failure => "ignored",
            word => word,
        }
    }
}

/// The word that GitLab would have for a pipeline of these parts; none for one without any.
pub(super) fn composite(parts: &[Part<'_>]) -> Option<&'static str> {
    if parts.is_empty() {
        return None;
    }
    let has = |words: &[&str]| parts.iter().any(|part| words.contains(&part.word()));
    let only = |words: &[&str]| parts.iter().all(|part| words.contains(&part.word()));
    Some(if only(&["skipped", "ignored"]) {
        "skipped"
    } else if only(&["success", "skipped", "warning", "ignored"]) {
        "success"
    } else if only(&["created", "warning", "ignored"]) {
        "created"
    } else if only(&["preparing", "warning", "ignored"]) {
        "preparing"
    } else if only(&["canceled", "success", "skipped", "warning", "ignored"]) {
        "canceled"
    } else if only(&["pending", "created", "skipped", "warning", "ignored"]) {
        "pending"
    } else if has(&["running", "pending"]) {
        "running"
    } else if has(&["waiting_for_resource"]) {
        "waiting_for_resource"
    } else if has(&["manual"]) {
        "manual"
    } else if has(&["scheduled"]) {
        "scheduled"
    } else if has(&["preparing"]) {
        "preparing"
    } else if only(&["failed", "success", "canceled", "skipped", "warning", "ignored"]) {
        "failed"
    } else {
        "running"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[(&str, bool)]) -> Option<&'static str> {
        let parts: Vec<_> = parts
            .iter()
            .map(|(status, allow_failure)| Part { status, allow_failure: *allow_failure })
            .collect();
        composite(&parts)
    }

    #[test]
    fn a_pipeline_is_as_good_as_its_parts() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("success", false), ("skipped", false)]), Some("success"));
        assert_eq!(of(&[("success", false), ("failed", true)]), Some("success"));
        assert_eq!(of(&[("success", false), ("failed", false)]), Some("failed"));
        assert_eq!(of(&[("success", false), ("manual", true)]), Some("success"));
        assert_eq!(of(&[("success", false), ("manual", false)]), Some("manual"));
        assert_eq!(of(&[("skipped", false)]), Some("skipped"));
        assert_eq!(of(&[("canceled", false), ("success", false)]), Some("canceled"));
        assert_eq!(of(&[("failed", false), ("running", false)]), Some("running"));
        assert_eq!(of(&[("created", false), ("success", false)]), Some("running"));
        assert_eq!(of(&[("pending", false), ("created", false)]), Some("pending"));
    }

    #[test]
    fn a_word_that_is_not_known_has_not_ended() {
        assert_eq!(of(&[("success", false), ("levitating", false)]), Some("running"));
        assert_eq!(of(&[("failed", false), ("canceling", false)]), Some("running"));
    }
}

//! What an examination finds: one line that says how it is, and one that says what to do.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// It could not be seen.
    Unknown,
    /// It works, and will not for ever or not for everything.
    Warning,
    /// It does not work.
    Wrong,
}

impl Severity {
    /// The word of reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// What was found. Whatever is not fine has a remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    severity: Severity,
    /// What was examined, in a word that stays the same.
    pub topic: &'static str,
    /// Of what: `token`, `GitLab`, a project's path.
    pub subject: String,
    /// How it is, in a sentence.
    pub what: String,
    remedy: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn fine(topic: &'static str, subject: &str, what: impl Into<String>) -> Self {
        let subject = subject.to_owned();
        Self { severity: Severity::Fine, topic, subject, what: what.into(), remedy: None }
    }

    /// It could not be seen; `remedy` says how it can be.
    pub fn unknown(
        topic: &'static str,
        subject: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::bad(Severity::Unknown, topic, subject, what, remedy)
    }

    /// It works, and will not for ever or not for everything.
    pub fn warning(
        topic: &'static str,
        subject: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::bad(Severity::Warning, topic, subject, what, remedy)
    }

    /// It does not work.
    pub fn wrong(
        topic: &'static str,
        subject: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::bad(Severity::Wrong, topic, subject, what, remedy)
    }

    fn bad(
        severity: Severity,
        topic: &'static str,
        subject: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (subject, what, remedy) = (subject.to_owned(), what.into(), Some(remedy.into()));
        Self { severity, topic, subject, what, remedy }
    }

    /// How it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What to do, in a line; none where nothing is to be done.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

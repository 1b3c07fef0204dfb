//! Logs and metrics: the list of all of them is here.
//!
//! Logs go to stderr, one line for what an operator would want to know, readable alone, with the same field names
//! everywhere (`project`, `iid`, `sha`, `check`, `revision`, `duration_ms`). Never logged: secrets, tokens, bodies, diff
//! text. Metrics carry labels of low cardinality only: no project, no person.

mod repetition;

use std::io::IsTerminal;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use self::repetition::{Repetition, Telling};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is no filter.
    #[error("`log.level` is `{level}`: {source}")]
    Level {
        /// What was configured.
        level: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
}

/// Starts logging for the whole process; a second call in the same process changes nothing.
pub fn start_logging(format: LogFormat, level: &str) -> Result<(), LogError> {
    let filter =
        EnvFilter::try_new(level).map_err(|source| LogError::Level { level: level.to_owned(), source })?;
    let registry = tracing_subscriber::registry().with(filter);
    let stderr = std::io::stderr;
    let _already_started = match format {
        LogFormat::Json => {
            registry.with(tracing_subscriber::fmt::layer().json().with_writer(stderr)).try_init()
        }
        LogFormat::Pretty => {
            let ansi = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let layer =
                tracing_subscriber::fmt::layer().with_target(false).with_ansi(ansi).with_writer(stderr);
            registry.with(layer).try_init()
        }
    };
    Ok(())
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Durably taken.
    Taken,
    /// Taken before.
    Duplicate,
    /// Understood, and its event wakes nothing.
    NotForUs,
    /// Outside of `gitlab.projects`.
    OutOfScope,
    /// Its URL and its body name different checks.
    Misdirected,
    /// An event of GitLab's that does not say which merge request it is about.
    NoSubject,
    /// Not JSON or not a GitLab event.
    Malformed,
    /// Signature or token wrong or missing.
    Unauthorized,
    /// Over the size limit.
    TooLarge,
    /// Too slow, or its connection broke.
    CutOff,
    /// It could not be made durable.
    NotDurable,
}

impl DeliveryOutcome {
    /// The word of the metric's label and of the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Duplicate => "duplicate",
            Self::NotForUs => "not_for_us",
            Self::OutOfScope => "out_of_scope",
            Self::Misdirected => "misdirected",
            Self::NoSubject => "no_subject",
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::TooLarge => "too_large",
            Self::CutOff => "cut_off",
            Self::NotDurable => "not_durable",
        }
    }
}

/// Label of [`Metrics::deliveries`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeliveryLabels {
    /// See [`DeliveryOutcome::as_str`].
    pub outcome: &'static str,
}

/// Label of [`Metrics::evaluations`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EvaluationLabels {
    /// `passed`, `failed`, `waiting`, `undecided`.
    pub verdict: &'static str,
}

/// Labels of [`Metrics::gitlab_calls`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// The route's template, with its method.
    pub route: &'static str,
    /// The status code, or `timeout`, `connection`, `body`.
    pub status: String,
}

/// Label of [`Metrics::answers`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AnswerLabels {
    /// `passed`, `failed`, `pending`; or `superseded`, `refused`, `unclear` when it did not take effect as meant.
    pub status: &'static str,
}

/// Label of [`Metrics::sweeps`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SweepLabels {
    /// `look_back`, `recent`, `full`.
    pub kind: &'static str,
}

/// Label of [`Metrics::drift_found`] and [`Metrics::drift_mended`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DriftLabels {
    /// `foreign_status`, `lost_answer`, `missed_event`, `never_decided`; and what only people mend: `check_gone`,
    /// `check_moved`, `check_renamed`, `not_required`.
    pub kind: &'static str,
}

/// Labels of [`Metrics::mirrors`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MirrorLabels {
    /// `approval`, `commit_status`, `labels`, `note`.
    pub mirror: &'static str,
    /// `said`; or `refused`, `failed`, `unclear` when it did not take effect as meant.
    pub outcome: &'static str,
}

/// Label of [`Metrics::held_back`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HoldLabels {
    /// `down`, `limit`, `route`.
    pub reason: &'static str,
}

/// All metrics of one process; no global recorder, so several can live side by side in tests.
pub struct Metrics {
    registry: Registry,
    /// `countersign_deliveries_total`
    pub deliveries: Family<DeliveryLabels, Counter>,
    /// `countersign_evaluations_total`
    pub evaluations: Family<EvaluationLabels, Counter>,
    /// `countersign_gitlab_calls_total`
    pub gitlab_calls: Family<CallLabels, Counter>,
    /// `countersign_gitlab_calls_held_back_total`
    pub held_back: Family<HoldLabels, Counter>,
    /// `countersign_gitlab_down`
    pub gitlab_down: Gauge,
    /// `countersign_answers_total`
    pub answers: Family<AnswerLabels, Counter>,
    /// `countersign_mirrors_total`
    pub mirrors: Family<MirrorLabels, Counter>,
    /// `countersign_delivery_to_answer_seconds`
    pub delivery_to_answer: Histogram,
    /// `countersign_queue_length`
    pub queue_length: Gauge,
    /// `countersign_queue_oldest_seconds`
    pub queue_oldest: Gauge<f64, AtomicU64>,
    /// `countersign_policies_broken`
    pub policies_broken: Gauge,
    /// `countersign_lanes_parked_total`
    pub parked: Counter,
    /// `countersign_evaluation_panics_total`
    pub panics: Counter,
    /// `countersign_revision_remaining`
    pub revision_remaining: Gauge,
    /// `countersign_sweeps_total`
    pub sweeps: Family<SweepLabels, Counter>,
    /// `countersign_swept_merge_requests_total`
    pub swept: Counter,
    /// `countersign_drift_found_total`
    pub drift_found: Family<DriftLabels, Counter>,
    /// `countersign_drift_mended_total`
    pub drift_mended: Family<DriftLabels, Counter>,
    /// `countersign_last_full_sweep_timestamp_seconds`; not there before the first.
    last_full_sweep: Family<[(&'static str, &'static str); 0], Gauge>,
    /// `countersign_gitlab_token_expires_timestamp_seconds`; not there while no day is known.
    token_expiry: Family<[(&'static str, &'static str); 0], Gauge>,
    /// `countersign_gitlab_rate_limit_remaining`; not there while GitLab tells of none.
    rate_limit: Family<[(&'static str, &'static str); 0], Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
        let metrics = Self {
            deliveries: Family::default(),
            evaluations: Family::default(),
            gitlab_calls: Family::default(),
            held_back: Family::default(),
            gitlab_down: Gauge::default(),
            answers: Family::default(),
            mirrors: Family::default(),
            delivery_to_answer: Histogram::new(buckets),
            queue_length: Gauge::default(),
            queue_oldest: Gauge::default(),
            policies_broken: Gauge::default(),
            parked: Counter::default(),
            panics: Counter::default(),
            revision_remaining: Gauge::default(),
            sweeps: Family::default(),
            swept: Counter::default(),
            drift_found: Family::default(),
            drift_mended: Family::default(),
            last_full_sweep: Family::default(),
            token_expiry: Family::default(),
            rate_limit: Family::default(),
            registry: Registry::default(),
        };
        metrics.register_counts(&mut registry);
        metrics.register_states(&mut registry);
        metrics.register_sweeps(&mut registry);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register_counts(&self, registry: &mut Registry) {
        registry.register("deliveries", "Deliveries by outcome", self.deliveries.clone());
        registry.register("evaluations", "Decided checks by verdict", self.evaluations.clone());
        registry.register(
            "gitlab_calls",
            "Calls of GitLab's API by route and status",
            self.gitlab_calls.clone(),
        );
        registry.register(
            "gitlab_calls_held_back",
            "Calls that were not made, by reason: GitLab is down, its limit, a route's limit",
            self.held_back.clone(),
        );
        registry.register("answers", "Answers to GitLab by status", self.answers.clone());
        registry.register(
            "mirrors",
            "What was said in other ways than by status checks, by way and outcome",
            self.mirrors.clone(),
        );
        registry.register("lanes_parked", "Answers that GitLab refused (401, 403, 404)", self.parked.clone());
        registry.register("evaluation_panics", "Evaluations that panicked", self.panics.clone());
    }

    fn register_states(&self, registry: &mut Registry) {
        registry.register(
            "delivery_to_answer_seconds",
            "From the oldest unserved delivery of a merge request to its settlement",
            self.delivery_to_answer.clone(),
        );
        registry.register(
            "queue_length",
            "Merge requests that are due or being decided",
            self.queue_length.clone(),
        );
        registry.register(
            "queue_oldest_seconds",
            "Age of the oldest unserved delivery",
            self.queue_oldest.clone(),
        );
        registry.register(
            "policies_broken",
            "1 while the policies on disk do not compile",
            self.policies_broken.clone(),
        );
        registry.register(
            "revision_remaining",
            "Open merge requests that were not yet decided under the policies in force",
            self.revision_remaining.clone(),
        );
        registry.register(
            "gitlab_down",
            "1 while GitLab is asked only whether it is back",
            self.gitlab_down.clone(),
        );
        registry.register(
            "gitlab_rate_limit_remaining",
            "Calls that GitLab still grants in the present window",
            self.rate_limit.clone(),
        );
        registry.register(
            "gitlab_token_expires_timestamp_seconds",
            "From when on GitLab does not accept the token any more",
            self.token_expiry.clone(),
        );
    }

    /// Counts a delivery.
    pub fn count_delivery(&self, outcome: DeliveryOutcome) {
        self.deliveries.get_or_create(&DeliveryLabels { outcome: outcome.as_str() }).inc();
    }

    fn register_sweeps(&self, registry: &mut Registry) {
        registry.register("sweeps", "Sweeps that came to their end, by kind", self.sweeps.clone());
        registry.register("swept_merge_requests", "Merge requests that sweeps queued", self.swept.clone());
        registry.register(
            "drift_found",
            "What was found to be otherwise than it should be, by kind",
            self.drift_found.clone(),
        );
        registry.register("drift_mended", "What of it was mended by an answer", self.drift_mended.clone());
        registry.register(
            "last_full_sweep_timestamp_seconds",
            "When the last full sweep began that came to its end",
            self.last_full_sweep.clone(),
        );
    }

    /// Counts a sweep and what it queued.
    pub fn count_sweep(&self, kind: &'static str, queued: usize) {
        self.sweeps.get_or_create(&SweepLabels { kind }).inc();
        self.swept.inc_by(u64::try_from(queued).unwrap_or(u64::MAX));
    }

    /// Counts something that was otherwise than it should be.
    pub fn count_drift(&self, kind: &'static str) {
        self.drift_found.get_or_create(&DriftLabels { kind }).inc();
    }

    /// Counts something of that which was mended.
    pub fn count_mended(&self, kind: &'static str) {
        self.drift_mended.get_or_create(&DriftLabels { kind }).inc();
    }

    /// Tells when the last full sweep began that came to its end; none while there was none.
    pub fn tell_last_full_sweep(&self, began: Option<Timestamp>) {
        if let Some(began) = began {
            self.last_full_sweep.get_or_create(&[]).set(began.as_second());
        }
    }

    /// Counts an answer.
    pub fn count_answer(&self, status: &'static str) {
        self.answers.get_or_create(&AnswerLabels { status }).inc();
    }

    /// Tells from when on the token is not accepted any more; none where it does not expire, or GitLab does not say.
    pub fn tell_token_expiry(&self, expires_at: Option<Timestamp>) {
        match expires_at {
            Some(at) => _ = self.token_expiry.get_or_create(&[]).set(at.as_second()),
            None => self.token_expiry.clear(),
        }
    }

    /// Tells how many calls GitLab still grants; none where it tells of no limit.
    pub fn tell_rate_limit(&self, remaining: Option<u64>) {
        match remaining {
            Some(calls) => {
                let calls = i64::try_from(calls).unwrap_or(i64::MAX);
                self.rate_limit.get_or_create(&[]).set(calls);
            }
            None => self.rate_limit.clear(),
        }
    }

    /// Counts a call that was not made.
    pub fn count_held_back(&self, reason: &'static str) {
        self.held_back.get_or_create(&HoldLabels { reason }).inc();
    }

    /// Counts what became of a word in another place than a status check.
    pub fn count_mirror(&self, mirror: &'static str, outcome: &'static str) {
        self.mirrors.get_or_create(&MirrorLabels { mirror, outcome }).inc();
    }

    /// The exposition in OpenMetrics text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _infallible = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_expiry_is_exported_only_while_there_is_one() {
        let metrics = Metrics::default();
        let line = |metrics: &Metrics| {
            let name = "countersign_gitlab_token_expires_timestamp_seconds{} ";
            metrics.render().lines().find_map(|line| line.strip_prefix(name).map(str::to_owned))
        };
        assert_eq!(line(&metrics), None);
        metrics.tell_token_expiry(Timestamp::from_second(1_800_000_000).ok());
        assert_eq!(line(&metrics).as_deref(), Some("1800000000"));
        metrics.tell_token_expiry(None);
        assert_eq!(line(&metrics), None);
    }
}

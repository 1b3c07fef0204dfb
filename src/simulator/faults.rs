//! What goes wrong on demand, and what happens at a precise moment of a call.
//!
//! A fault names routes by pattern, may let some calls pass first, and may end after some. A moment runs an action
//! in GitLab just before a call is processed or just after, when its answer is made but not yet sent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::pattern;

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// It takes that long; then it is processed as usual.
    Latency(Duration),
    /// It is not processed: this is the answer.
    Answer {
        /// The status code.
        status: u16,
        /// Headers, `Content-Type` among them.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// It hangs before it is processed, until released; then it is processed as usual.
    Hang,
    /// The connection is reset before it is processed.
    Reset,
    /// It is held up that long and then processed, even if the caller has gone away meanwhile: what a proxy or a busy
    /// worker has taken in can't be taken back by hanging up. Who still waits gets the answer.
    ApplyAfter(Duration),
    /// It is processed, then the connection is reset.
    ApplyThenReset,
    /// It is processed, then hangs until released.
    ApplyThenHang,
    /// It is processed; the body of the answer is no JSON.
    Garbage,
    /// It is processed; half of the body arrives, then the connection is closed.
    Truncate,
    /// It is processed; a field of the body has another value, or is left out.
    Bent {
        /// Names with dots between them: `author.state`. Lists are gone through.
        field: String,
        /// The value; none: left out.
        value: Option<Value>,
    },
}

/// Something that goes wrong.
#[derive(Debug, Clone)]
#[must_use]
pub struct Fault {
    route: String,
    kind: FaultKind,
    skip: u64,
    times: Option<u64>,
    percent: u64,
    seen: u64,
}

impl Fault {
    /// With every call of the routes that fit, such as `GET /projects/:id/merge_requests/:iid` or `POST *`.
    pub fn on(route: &str, kind: FaultKind) -> Self {
        Self { route: route.to_owned(), kind, skip: 0, times: None, percent: 100, seen: 0 }
    }

    /// An answer without a field ([`FaultKind::Bent`]), wherever it stands: a proxy took it out, or GitLab has changed.
    pub fn without(route: &str, field: &str) -> Self {
        Self::on(route, FaultKind::Bent { field: field.to_owned(), value: None })
    }

    /// An answer with another value in a field.
    pub fn saying(route: &str, field: &str, value: Value) -> Self {
        Self::on(route, FaultKind::Bent { field: field.to_owned(), value: Some(value) })
    }

    /// Not with the first ones.
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Only with so many.
    pub fn times(mut self, calls: u64) -> Self {
        self.times = Some(calls);
        self
    }

    /// Only with so many of a hundred, without a pattern and yet the same ones each time.
    pub fn percent(mut self, percent: u64) -> Self {
        self.percent = percent;
        self
    }

    /// The instance's rate limit: 429 in plain text, with `Retry-After`.
    pub fn rate_limited(route: &str, retry_after: u64) -> Self {
        let header = |name: &str, value: String| (name.to_owned(), value);
        let headers = vec![
            header("Content-Type", "text/plain".to_owned()),
            header("Retry-After", retry_after.to_string()),
            header("RateLimit-Limit", "2000".to_owned()),
            header("RateLimit-Name", "throttle_authenticated_api".to_owned()),
            header("RateLimit-Observed", "2001".to_owned()),
            header("RateLimit-Remaining", "0".to_owned()),
        ];
        Self::on(route, FaultKind::Answer { status: 429, headers, body: "Retry later\n".to_owned() })
    }

    /// An application's rate limit: 429 in JSON, without any header that says when.
    pub fn rate_limited_json(route: &str) -> Self {
        let body =
            r#"{"message":{"error":"This endpoint has been requested too many times. Try again later."}}"#;
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self::on(route, FaultKind::Answer { status: 429, headers, body: body.to_owned() })
    }

    /// A proxy's error page (500, 502, 503).
    pub fn error_page(route: &str, status: u16) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned())];
        let body =
            format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
        Self::on(route, FaultKind::Answer { status, headers, body })
    }
}

/// Changes a field of a body, or takes it out.
pub(super) fn bend(json: &mut Value, field: &str, value: Option<&Value>) {
    if let Value::Array(entries) = json {
        for entry in entries {
            bend(entry, field, value);
        }
        return;
    }
    let Value::Object(fields) = json else { return };
    let (name, rest) = field.split_once('.').map_or((field, None), |(name, rest)| (name, Some(rest)));
    match (fields.get_mut(name), rest, value) {
        (Some(inner), Some(rest), _) => bend(inner, rest, value),
        (Some(inner), None, Some(value)) => inner.clone_from(value),
        (Some(_), None, None) => drop(fields.remove(name)),
        (None, ..) => {}
    }
}

/// A fault that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(u64);

/// A moment of a call: the first one that fits, or a later one.
#[derive(Debug, Clone)]
#[must_use]
pub struct Moment {
    route: String,
    after: bool,
    skip: u64,
}

impl Moment {
    /// Before the call is processed.
    pub fn before(route: &str) -> Self {
        Self { route: route.to_owned(), after: false, skip: 0 }
    }

    /// After it was processed: the answer shows what was there before.
    pub fn after(route: &str) -> Self {
        Self { route: route.to_owned(), after: true, skip: 0 }
    }

    /// Not with the first ones.
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }
}

/// What is done at a moment.
pub(super) type Deed<G> = Box<dyn FnOnce(&G) + Send>;

struct State<G> {
    faults: Vec<(FaultId, Fault)>,
    moments: Vec<(Moment, Deed<G>)>,
    next_id: u64,
}

/// All faults and moments.
pub(super) struct Faults<G> {
    state: Mutex<State<G>>,
    released: watch::Sender<u64>,
}

/// What the faults make of one call.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// How long it takes.
    pub(super) latency: Duration,
    /// Fields of the body that are left out or have another value.
    pub(super) bends: Vec<(String, Option<Value>)>,
    /// What goes wrong beside that.
    pub(super) fault: Option<FaultKind>,
}

impl<G> Faults<G> {
    /// Nothing goes wrong.
    pub(super) fn new() -> Self {
        let state = State { faults: Vec::new(), moments: Vec::new(), next_id: 1 };
        Self { state: Mutex::new(state), released: watch::Sender::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State<G>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a fault.
    pub(super) fn add(&self, fault: Fault) -> FaultId {
        let mut state = self.state();
        let id = FaultId(state.next_id);
        state.next_id += 1;
        state.faults.push((id, fault));
        id
    }

    /// Takes a fault back; calls that hang go on.
    pub(super) fn lift(&self, which: Option<FaultId>) {
        self.state().faults.retain(|(id, _)| which.is_some_and(|which| which != *id));
        self.release();
    }

    /// Lets calls that hang go on.
    pub(super) fn release(&self) {
        self.released.send_modify(|count| *count += 1);
    }

    /// Waits until the next release.
    pub(super) fn hang(&self) -> watch::Receiver<u64> {
        self.released.subscribe()
    }

    /// Asks for a deed.
    pub(super) fn at(&self, moment: Moment, deed: Deed<G>) {
        self.state().moments.push((moment, deed));
    }

    /// The deeds of this call at this moment.
    pub(super) fn deeds(&self, route: &str, after: bool) -> Vec<Deed<G>> {
        let mut state = self.state();
        let mut due = Vec::new();
        let moments = std::mem::take(&mut state.moments);
        for (mut moment, deed) in moments {
            if moment.after != after || !pattern::fits(&moment.route, route) {
                state.moments.push((moment, deed));
            } else if moment.skip > 0 {
                moment.skip -= 1;
                state.moments.push((moment, deed));
            } else {
                due.push(deed);
            }
        }
        due
    }

    /// What becomes of a call.
    pub(super) fn fate(&self, route: &str) -> Fate {
        let mut fate = Fate::default();
        for (_, fault) in
            self.state().faults.iter_mut().filter(|(_, fault)| pattern::fits(&fault.route, route))
        {
            fault.seen = fault.seen.saturating_add(1);
            let turn = fault.seen.saturating_sub(fault.skip);
            // The golden ratio's bits: neighbours have nothing in common.
            let lot = (turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 100;
            if turn == 0 || lot >= fault.percent || fault.times.is_some_and(|times| turn > times) {
                continue;
            }
            match &fault.kind {
                FaultKind::Latency(time) => fate.latency = fate.latency.saturating_add(*time),
                FaultKind::Bent { field, value } => fate.bends.push((field.clone(), value.clone())),
                kind => _ = fate.fault.get_or_insert_with(|| kind.clone()),
            }
        }
        fate
    }
}

//! What the service logs, counted by those threads alone that a test runs it on.

use std::fmt::{self, Write};
use std::sync::{Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// A line of the log.
#[derive(Debug, Clone)]
pub struct Line {
    thread: String,
    pub level: Level,
    pub text: String,
}

static LINES: OnceLock<Mutex<Vec<Line>>> = OnceLock::new();

/// Runs a test on threads of this name, and lets their lines be kept from now on.
pub fn run_logged(thread: &'static str, test: impl Future<Output = ()>) {
    LINES.get_or_init(|| {
        // Where others count as well, in one process, each has its own threads.
        let subscriber = tracing_subscriber::registry().with(Keeping);
        tracing::subscriber::set_global_default(subscriber).expect("nobody else keeps lines");
        Mutex::default()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name(thread)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}

/// What was logged on these threads so far, of `info` and above.
pub fn lines(thread: &str) -> Vec<Line> {
    let lines = LINES.get().expect("lines are kept").lock().unwrap();
    lines.iter().filter(|line| line.thread == thread).cloned().collect()
}

struct Keeping;

impl<S: Subscriber> Layer<S> for Keeping {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || !metadata.target().starts_with("countersign") {
            return;
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        if let Some(lines) = LINES.get() {
            lines.lock().unwrap().push(Line { thread, level: *metadata.level(), text: text.0 });
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string can't fail.
        let _infallible = write!(self.0, "{}={value:?} ", field.name());
    }
}

//! `countersign demo`: a story of merge requests, played in a simulated GitLab and answered by the real service.
//!
//! Nothing is staged but the people: the service is built by the composition root with the policies that ship, GitLab
//! is the simulator, and between them is real HTTP on free ports of 127.0.0.1. What the timeline tells is read back from
//! what happened (the simulator's list of calls, the decision log), never from the story. What each status must be at the
//! end stands in `expected`, which knows neither policies nor story.
//!
//! Inside, from the bottom up: `error`, `expected`; `stage` starts and stops everything; `observation` reads what
//! happened, `timeline` shows it; `play` lets one thing happen at a time; `story` is what happens.

mod error;
mod expected;
mod observation;
mod play;
mod stage;
mod story;
mod timeline;

use std::io::Write;

pub use self::error::DemoError;
pub use self::expected::{Expectation, ExpectationError, Expected, Status};

use self::play::Play;
use self::stage::Stage;
use self::timeline::{Ending, Timeline};
use crate::merge_request::MergeRequestRef;

/// How the story ended.
#[derive(Debug)]
pub struct Outcome {
    /// The names of the merge requests on which GitLab shows something else than is expected: none if all is well.
    pub wrong: Vec<String>,
    /// The one that waits for somebody at the terminal.
    guest: MergeRequestRef,
}

/// A simulated GitLab and the service beside it.
pub struct Demo(Stage);

impl Demo {
    /// Starts both.
    pub async fn start() -> Result<Self, DemoError> {
        Ok(Self(Stage::start().await?))
    }

    /// Plays the story, telling it as it happens, and says how it ended.
    pub async fn play(&self, out: &mut dyn Write, expected: &Expected) -> Result<Outcome, DemoError> {
        let mut play = Play::new(&self.0, Timeline::new(out));
        play.timeline.prologue(&self.0.policies())?;
        let guest = story::play(&mut play).await?;
        let mut endings = Vec::new();
        for (name, which) in play.played() {
            let shown = Status::from(self.0.shown(*which)?);
            let decisions = self.0.decisions(*which).await?;
            let sentence = decisions.last().map(observation::sentence).unwrap_or_default();
            endings.push(Ending { name, which: *which, expected: expected.of(name), shown, sentence });
        }
        play.timeline.epilogue(&endings)?;
        let wrong = endings.iter().filter(|ending| !ending.is_right()).map(|ending| ending.name);
        let never = expected.names().filter(|name| endings.iter().all(|ending| ending.name != *name));
        Ok(Outcome { wrong: wrong.chain(never).map(str::to_owned).collect(), guest })
    }

    /// Says where a person finds what goes on running, and how to take part.
    pub fn invite(&self, out: &mut dyn Write, outcome: &Outcome) -> Result<(), DemoError> {
        let token = self.0.visitor_token()?;
        Timeline::new(out).invitation(self.0.gitlab_url(), &self.0.service_url(), outcome.guest, token)
    }

    /// Stops both and removes the database.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}

//! What a person in a terminal reads: a block for each event, a table at the end.
//!
//! Colours are written always; whoever owns the terminal strips them where they are not wanted.

use std::io::Write;

use super::error::DemoError;
use super::expected::Status;
use super::observation::{Asked, Decided, Observation, Said};
use crate::merge_request::MergeRequestRef;
use crate::simulator::CheckStatus;

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const PLAIN: &str = "\u{1b}[0m";
/// How wide a line gets.
const WIDTH: usize = 110;
/// Where the text of a block begins.
const INDENT: usize = 12;
/// Where the text of the closing table begins.
const TABLE_INDENT: usize = 43;

/// How a merge request ended.
#[derive(Debug)]
pub(super) struct Ending<'a> {
    /// Its name in the story.
    pub(super) name: &'a str,
    /// Which it is.
    pub(super) which: MergeRequestRef,
    /// What the table demands.
    pub(super) expected: Option<Status>,
    /// What GitLab shows.
    pub(super) shown: Status,
    /// The last verdict.
    pub(super) sentence: String,
}

impl Ending<'_> {
    /// Whether GitLab shows what is expected.
    pub(super) fn is_right(&self) -> bool {
        self.expected == Some(self.shown)
    }
}

/// Where the story is told.
pub(super) struct Timeline<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    /// Every block is flushed, so that it is seen when it happens.
    fn write(&mut self, text: &str) -> Result<(), DemoError> {
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(DemoError::Write)
    }

    /// What is about to be seen.
    pub(super) fn prologue(&mut self, policies: &[String]) -> Result<(), DemoError> {
        let text = format!(
            "{BOLD}countersign demo{PLAIN}: a simulated GitLab and the real service, talking HTTP on this machine.\n\
             The policies are those that ship: {}.\n",
            policies.join(", ")
        );
        self.write(&text)
    }

    /// A merge request comes into the story.
    pub(super) fn heading(
        &mut self,
        name: &str,
        which: MergeRequestRef,
        title: &str,
        lesson: &str,
    ) -> Result<(), DemoError> {
        self.write(&format!("\n{BOLD}!{} {name}{PLAIN}  “{title}”\n  {DIM}{lesson}{PLAIN}\n", which.iid))
    }

    /// Something happened, and this came of it.
    pub(super) fn event(&mut self, what: &str, observation: &Observation) -> Result<(), DemoError> {
        let mut text = format!("\n  {BOLD}{what}{PLAIN}\n");
        for status in &observation.refused {
            text.push_str(&line("refused", &format!("the delivery is answered {status} and forgotten")));
        }
        text.push_str(&line("asked", &asked(&observation.asked)));
        for (index, decided) in observation.decisions.iter().enumerate() {
            let last = index + 1 == observation.decisions.len();
            text.push_str(&verdict(&decided.sentence));
            for reason in &decided.discounted {
                text.push_str(&line("", reason));
            }
            text.push_str(&answer(decided, last.then_some(observation.shown)));
        }
        if observation.decisions.is_empty() {
            let shown = in_words(observation.shown);
            text.push_str(&line("answer", &format!("none, and nothing is decided: GitLab shows {shown}")));
        }
        self.write(&text)
    }

    /// The closing table.
    pub(super) fn epilogue(&mut self, endings: &[Ending<'_>]) -> Result<(), DemoError> {
        let (which, expected, shown) = ("merge request", "expected", "GitLab shows");
        let rows: String = endings.iter().map(row).collect();
        self.write(&format!(
            "\n\n{BOLD}  {which:<14} {expected:<11} {shown:<13} last verdict{PLAIN}\n{rows}\n  \
             {DIM}“unanswered” is what GitLab calls pending while nobody has answered; it never times out.\n  \
             “pending” was answered so, to take a pass back; it is said again for ten minutes, then GitLab makes it failed.{PLAIN}\n"
        ))
    }

    /// Where a person finds what goes on running, and what to try.
    pub(super) fn invitation(
        &mut self,
        gitlab: &str,
        service: &str,
        which: MergeRequestRef,
        token: &str,
    ) -> Result<(), DemoError> {
        let path = format!("{gitlab}/api/v4/projects/{}/merge_requests/{}", which.project, which.iid);
        let curl = format!("curl --silent --header 'PRIVATE-TOKEN: {token}'");
        self.write(&format!(
            "\n{BOLD}Both go on running, until Ctrl-C.{PLAIN}\n\n  \
             GitLab's API  {gitlab}/api/v4\n  \
             the service   {service}\n\n  \
             curl --silent {service}/healthz\n  \
             curl --silent {service}/metrics\n  \
             {curl} {path}/status_checks\n  \
             {curl} --request POST {path}/approve\n  \
             {curl} --request POST {path}/unapprove\n\n\
             You are `you`, a Developer: your approval is the one that !{} waits for.\n",
            which.iid
        ))
    }
}

fn row(ending: &Ending<'_>) -> String {
    let (mark, colour) = if ending.is_right() { ("✓", GREEN) } else { ("✗", RED) };
    let which = format!("!{} {}", ending.which.iid, ending.name);
    let expected = ending.expected.map_or("nothing", Status::word);
    let begin = format!("{colour}{mark}{PLAIN} {which:<14} {expected:<11} {:<13} ", ending.shown);
    hanging(&begin, TABLE_INDENT, &ending.sentence)
}

fn line(label: &str, text: &str) -> String {
    hanging(&format!("    {DIM}{label:<8}{PLAIN}"), INDENT, text)
}

/// Text behind a beginning; its further lines are indented.
fn hanging(begin: &str, indent: usize, text: &str) -> String {
    let lines = wrapped(text, WIDTH - indent);
    format!("{begin}{}\n", lines.join(&format!("\n{:indent$}", "")))
}

fn asked(asked: &[Asked]) -> String {
    let count: usize = asked.iter().map(|asked| asked.count).sum();
    if count == 0 {
        return "nothing".to_owned();
    }
    let each = asked.iter().map(|asked| {
        let times = if asked.count > 1 { format!(" ×{}", asked.count) } else { String::new() };
        let failures: Vec<_> = asked.failures.iter().map(ToString::to_string).collect();
        let failures =
            if failures.is_empty() { String::new() } else { format!(" ({})", failures.join(", ")) };
        format!("{}{times}{failures}", asked.what)
    });
    let plural = if count == 1 { "call" } else { "calls" };
    format!("{count} {plural}: {}", each.collect::<Vec<_>>().join(", "))
}

/// The sentence with its first word in its colour.
fn verdict(sentence: &str) -> String {
    let block = line("verdict", sentence);
    let word = sentence.split(':').next().unwrap_or_default();
    block.replacen(word, &format!("{}{word}{PLAIN}", colour_of(word)), 1)
}

fn answer(decided: &Decided, shown: Option<CheckStatus>) -> String {
    let text = match (&decided.said, shown) {
        (Said::Posted(status, None), _) => format!("{}{status}{PLAIN}", colour_of(status)),
        (Said::Posted(status, Some(reply)), _) => format!("{status}, and GitLab says: {reply}"),
        (Said::Superseded(status), _) => {
            format!("{status} is not said: something newer came while this was decided")
        }
        (Said::Nothing, Some(CheckStatus::Unanswered)) => {
            "stays silent: GitLab shows pending by itself".to_owned()
        }
        (Said::Nothing, Some(shown)) => format!("stays silent: GitLab shows {} already", shown.word()),
        (Said::Nothing, None) => "stays silent".to_owned(),
    };
    line("answer", &text)
}

fn in_words(shown: CheckStatus) -> &'static str {
    match shown {
        CheckStatus::Unanswered => "pending by itself",
        other => other.word(),
    }
}

fn colour_of(word: &str) -> &'static str {
    match word {
        "passed" => GREEN,
        "failed" => RED,
        _ => YELLOW,
    }
}

/// Lines of whole words, none longer than `width` unless a word is.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensibilities all", 8), ["incomprehensibilities", "all"]);
        assert!(wrapped("", 8).is_empty());
    }

    #[test]
    fn calls_are_counted_by_kind() {
        let threads = Asked { what: "threads", count: 3, failures: [503].into() };
        let version = Asked { what: "versions", count: 1, failures: [].into() };
        assert_eq!(asked(&[threads, version]), "4 calls: threads ×3 (503), versions");
        assert_eq!(asked(&[]), "nothing");
    }
}

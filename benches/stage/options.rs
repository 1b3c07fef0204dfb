//! The command line of a bench: `cargo bench --bench intake -- --size 0.1 --rounds 3`.

use std::collections::BTreeMap;
use std::process::exit;
use std::str::FromStr;

/// A name and what it is good for.
pub type Known = (&'static str, &'static str);

/// What was asked for.
pub struct Options(BTreeMap<String, String>);

impl Options {
    /// Reads `--name value`, `--name=value` and `--name`. What no bench knows ends the run: a figure that was taken with
    /// other settings than those asked for is worse than none.
    pub fn read(known: &[Known]) -> Self {
        let mut given = BTreeMap::new();
        // cargo says `--bench` to every bench.
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench").peekable();
        while let Some(argument) = arguments.next() {
            let name = argument.strip_prefix("--").unwrap_or(&argument).to_owned();
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => match arguments.next_if(|next| !next.starts_with("--")) {
                    Some(value) => (name, value),
                    None => (name, String::new()),
                },
            };
            if !known.iter().any(|(known, _)| *known == name) {
                let asked_for_help = name == "help";
                println!("options, after `--`:");
                for (name, says) in known {
                    println!("  --{name:<18} {says}");
                }
                exit(if asked_for_help { 0 } else { 2 });
            }
            given.insert(name, value);
        }
        Self(given)
    }

    /// Whether a name was given at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// What was given, as it stands.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether `--part` leaves this part of the bench in. What is none of its parts would leave nothing, and say nothing.
    pub fn wants(&self, part: &str, parts: &[&str]) -> bool {
        let Some(only) = self.text("part") else { return true };
        assert!(parts.contains(&only), "`--part {only}`: the parts are {}", parts.join(", "));
        only == part
    }

    /// A value, or the default.
    pub fn value<T: FromStr>(&self, name: &str, default: T) -> T {
        let Some(text) = self.0.get(name) else { return default };
        text.parse().unwrap_or_else(|_| panic!("`--{name} {text}` can't be read"))
    }

    /// `--size` as a share of the full measure.
    pub fn size(&self) -> f64 {
        self.value("size", 1.0)
    }

    /// So much of the full measure as `--size` says, and at least `least`.
    pub fn scaled(&self, full: usize, least: usize) -> usize {
        ((full as f64 * self.size()).round() as usize).max(least)
    }
}

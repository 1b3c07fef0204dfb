//! Who is measured, how it is started, and how what it kept is counted.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::peers::Peers;
use crate::stage::process::Process;
use crate::stage::product::{self, POLICIES, Setup};

/// One of those that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contestant {
    /// `countersign serve`: a row in SQLite and a lane that is due.
    Product,
    /// Verifies and parses with the product's own parser, keeps nothing.
    FloorA,
    /// As floor A, and appends the body to a file, with a sync that deliveries share.
    FloorB,
    /// As floor B, but appends only what the product keeps of a delivery: fewer bytes, a harder floor.
    FloorBHint,
    /// gidgetlab on aiohttp: verifies, parses, dispatches, keeps nothing.
    Gidgetlab,
    /// express on Node: verifies, parses, keeps nothing.
    Express,
}

/// What contestants need from outside.
pub struct Surroundings {
    /// A GitLab that refuses every connection.
    pub gitlab: String,
    /// The peers' programs, unless they are left out.
    pub peers: Option<Peers>,
}

impl Contestant {
    pub fn all(with_peers: bool) -> Vec<Self> {
        let mut all = vec![Self::Product, Self::FloorA, Self::FloorB, Self::FloorBHint];
        if with_peers {
            all.extend([Self::Gidgetlab, Self::Express]);
        }
        all
    }

    /// Whether what it answers with 202 is on disk.
    pub fn is_durable(self) -> bool {
        matches!(self, Self::Product | Self::FloorB | Self::FloorBHint)
    }

    /// Starts it with a folder for what it keeps.
    pub fn start(self, surroundings: &Surroundings, folder: &Path) -> Process {
        let floor = |name: &str| {
            let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
            command.args(["--floor", name, "--keep"]).arg(kept_in(folder));
            command
        };
        let peers = || surroundings.peers.as_ref().expect("peers take part");
        let command = match self {
            Self::Product => Setup {
                folder,
                gitlab: &surroundings.gitlab,
                token: "glpat-of-nobody",
                policies: Path::new(POLICIES),
                listen: "127.0.0.1:0",
            }
            .command(),
            Self::FloorA => floor("a"),
            Self::FloorB => floor("b"),
            Self::FloorBHint => floor("b-hint"),
            Self::Gidgetlab => peers().gidgetlab(),
            Self::Express => peers().express(),
        };
        Process::start(command, &folder.join("log"))
    }

    /// How many deliveries it kept, once it is dead.
    pub fn kept(self, folder: &Path) -> Option<usize> {
        match self {
            Self::Product => Some(product::deliveries_kept(folder)),
            Self::FloorB | Self::FloorBHint => {
                let lines = fs::read_to_string(kept_in(folder)).expect("the floor's file can be read");
                Some(lines.lines().count())
            }
            Self::FloorA | Self::Gidgetlab | Self::Express => None,
        }
    }
}

fn kept_in(folder: &Path) -> std::path::PathBuf {
    folder.join("deliveries")
}

impl fmt::Display for Contestant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Product => "product",
            Self::FloorA => "floor A",
            Self::FloorB => "floor B",
            Self::FloorBHint => "floor B, hint only",
            Self::Gidgetlab => "gidgetlab",
            Self::Express => "express",
        })
    }
}

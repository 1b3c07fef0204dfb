//! Other people's servers, installed below `target/`: once for each content of what they are made from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::stage::delivery::PATH;
use crate::stage::product::SECRET;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// Where they are.
pub struct Peers {
    gidgetlab: PathBuf,
    express: PathBuf,
}

/// Installs both, or finds them installed.
pub fn install() -> Peers {
    let gidgetlab = installed("gidgetlab", &["requirements.txt", "server.py"], |folder| {
        run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder));
        let pip = ["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
        run(Command::new("venv/bin/pip").args(pip).current_dir(folder));
    });
    let express = installed("express", &["package.json", "package-lock.json", "server.js"], |folder| {
        run(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(folder));
    });
    Peers { gidgetlab, express }
}

impl Peers {
    pub fn gidgetlab(&self) -> Command {
        listening(self.gidgetlab.join("venv/bin/python"), &self.gidgetlab.join("server.py"))
    }

    pub fn express(&self) -> Command {
        listening("node".into(), &self.express.join("server.js"))
    }
}

fn listening(program: PathBuf, server: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(server).env("NODE_ENV", "production").env("SECRET", SECRET).env("WEBHOOK_PATH", PATH);
    command
}

/// The folder of a peer, with `install` run in it if it is new.
fn installed(name: &str, files: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let sources = Path::new(SOURCES).join(name);
    let mut digest = Sha256::new();
    for file in files {
        digest.update(fs::read(sources.join(file)).unwrap_or_else(|error| panic!("{name}/{file}: {error}")));
    }
    let folder = format!("peers/{name}-{}", &hex::encode(digest.finalize())[..12]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let complete = folder.join("complete");
    if !complete.exists() {
        println!("installing {name} (--without-peers leaves it out)");
        // What an installation that broke off left behind.
        let _absent = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder can be made");
        for file in files {
            fs::copy(sources.join(file), folder.join(file)).expect("a file can be copied");
        }
        install(&folder);
        fs::write(complete, "").expect("a file can be written");
    }
    folder
}

fn run(command: &mut Command) {
    let ended = command.status().unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
    assert!(ended.success(), "{command:?} failed: {ended}");
}

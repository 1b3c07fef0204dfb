//! The product as a process, with a database of its own and everything else as it comes.

use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use super::process::Process;

/// The secret of the status check.
pub const SECRET: &str = "sesame-of-the-status-check";
/// The policies of this repository.
pub const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");

/// How the product is to be started.
pub struct Setup<'a> {
    pub folder: &'a Path,
    pub gitlab: &'a str,
    pub token: &'a str,
    pub policies: &'a Path,
    pub listen: &'a str,
}

impl Setup<'_> {
    /// `countersign serve`, with the folder for its database and its log.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .arg("serve")
            .env_clear()
            .env("COUNTERSIGN__SERVER__LISTEN", self.listen)
            .env("COUNTERSIGN__GITLAB__URL", self.gitlab)
            .env("COUNTERSIGN__GITLAB__TOKEN", self.token)
            .env("COUNTERSIGN__WEBHOOKS__STATUS_CHECK_SECRETS", SECRET)
            .env("COUNTERSIGN__STORE__URL", format!("sqlite:{}", database(self.folder).display()))
            .env("COUNTERSIGN__POLICIES__PATH", self.policies)
            // Measured is what events cost: the sweep is off.
            .env("COUNTERSIGN__SWEEP__RECENT", "0s")
            .env("COUNTERSIGN__SWEEP__FULL", "0s")
            .env("COUNTERSIGN__LOG__FORMAT", "json");
        command
    }

    pub fn start(&self) -> Process {
        Process::start(self.command(), &self.folder.join("log"))
    }
}

/// Where the database is.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("countersign.db")
}

/// What the store says of itself at its start: whether a commit is synced, and how it journals.
pub fn store_settings(process: &Process) -> String {
    let printed = process.printed();
    let fields = printed.lines().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        (line["fields"]["message"] == "store opened").then(|| line["fields"].clone())
    });
    let fields =
        fields.unwrap_or_else(|| panic!("the product does not tell its store's settings:\n{printed}"));
    let synchronous = match fields["synchronous"].as_i64() {
        Some(0) => "OFF",
        Some(1) => "NORMAL",
        Some(2) => "FULL",
        Some(3) => "EXTRA",
        _ => "?",
    };
    let journal_mode = fields["journal_mode"].as_str().unwrap_or("?");
    format!("synchronous={synchronous} journal_mode={journal_mode}")
}

/// How many deliveries are in the database; nobody else may have it open.
pub fn deliveries_kept(folder: &Path) -> usize {
    let connection = Connection::open(database(folder)).expect("the database can be opened");
    let rows: i64 = connection
        .query_row("SELECT count(*) FROM delivery", [], |row| row.get(0))
        .expect("rows can be counted");
    usize::try_from(rows).expect("no negative number of rows")
}

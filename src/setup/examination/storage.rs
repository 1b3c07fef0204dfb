//! The store: whether a service could write there, whether its schema is one that we know, and how much room is left.

use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use crate::setup::finding::Finding;
use crate::store::{Inspection, StoreError};

const TOPIC: &str = "store";
const DISK: &str = "disk";
/// Less is too little for the next deliveries; below the other a look is due.
const TOO_LITTLE: u64 = 64 * 1024 * 1024;
const LITTLE: u64 = 1024 * 1024 * 1024;

/// What is found of the store.
pub(in crate::setup) fn examine(inspection: &Result<Inspection, StoreError>) -> Vec<Finding> {
    let inspection = match inspection {
        Ok(inspection) => inspection,
        Err(error) => return vec![unusable(error)],
    };
    let folder = inspection.path().parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut findings = vec![database(inspection, folder)];
    findings.extend(disk(folder));
    findings
}

fn database(inspection: &Inspection, folder: &Path) -> Finding {
    let path = inspection.path().display();
    let (schema, journal) = match (inspection.schema(), inspection.journal_mode()) {
        (Ok(schema), Ok(journal)) => (schema, journal),
        (Err(error), _) | (_, Err(error)) => return unusable(&error),
    };
    if !folder.is_dir() {
        let what = format!("the folder of `{path}` is not there");
        let remedy = "make it, or say where the database belongs (`store.url`); a relative path is looked for where the service runs";
        return Finding::wrong(TOPIC, "store", what, remedy);
    }
    let writable = |path: &Path| access(path, Access::WRITE_OK).is_ok();
    // Beside the file SQLite needs its folder, for the journal.
    if !writable(folder) || (schema.is_some() && !writable(inspection.path())) {
        let what = format!("`{path}` or its folder can't be written by this user");
        let remedy = "run this as the user of the service, or give that user the folder";
        return Finding::wrong(TOPIC, "store", what, remedy);
    }
    match (schema, journal.as_deref()) {
        (None, _) => Finding::fine(TOPIC, "store", format!("`{path}` is not there yet; the start makes it")),
        // A new file is journalled as the first start says.
        (Some(0), _) | (Some(_), Some("wal")) => {
            let version = schema.unwrap_or_default();
            let what = format!("`{path}`: schema {version}, journal in WAL, every commit synced");
            Finding::fine(TOPIC, "store", what)
        }
        (Some(_), journal) => {
            let what = format!("`{path}` journals as `{}`, not in WAL", journal.unwrap_or("unknown"));
            let remedy = "put it on a local file system: over a network SQLite has no WAL, and is slow";
            Finding::warning(TOPIC, "store", what, remedy)
        }
    }
}

fn unusable(error: &StoreError) -> Finding {
    let remedy = match error {
        StoreError::Newer { .. } => "run the newer release, or restore a backup",
        StoreError::Url(_) => "write `store.url` as `sqlite:PATH`",
        _ => "look whether it is a database of countersign, and whose",
    };
    Finding::wrong(TOPIC, "store", error_chain(error), remedy)
}

fn error_chain(error: &StoreError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

fn disk(folder: &Path) -> Option<Finding> {
    let space = statvfs(folder).ok()?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    Some(room(free))
}

fn room(free: u64) -> Finding {
    let what = format!("{} MiB are free beside the database", free / 1024 / 1024);
    let remedy = "make room: what can't be written is refused, so that GitLab sends it again";
    match free {
        ..TOO_LITTLE => Finding::wrong(DISK, "store", what, remedy),
        TOO_LITTLE..LITTLE => Finding::warning(DISK, "store", what, remedy),
        LITTLE.. => Finding::fine(DISK, "store", what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::finding::Severity;

    #[test]
    fn a_disk_that_fills_up_is_told_before_it_is_full() {
        let severity = |mebibytes: u64| room(mebibytes * 1024 * 1024).severity();
        assert_eq!(severity(10), Severity::Wrong);
        assert_eq!(severity(500), Severity::Warning);
        assert_eq!(severity(5000), Severity::Fine);
    }
}

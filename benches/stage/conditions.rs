//! Under which conditions figures are taken; they are nothing without them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use tempfile::TempDir;

use super::figures::Durations;

/// How often the disk is asked.
const SYNCS: usize = 200;
/// What is synced each time: a page, as a database writes it.
const PAGE: [u8; 4096] = [7; 4096];

/// A folder below `target/`: what is usual for temporary files may be no disk at all.
pub fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made below target/")
}

/// Cores that this process may use, and so the threads that actix-web serves with.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Prints machine, profile, workers and disk.
pub fn print(folder: &Path) {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    println!("machine     {} cores, {}", cores(), model.map_or("of an unknown kind", |(_, name)| name));
    println!("profile     {}", profile());
    println!("workers     {} (actix-web's default, one per core), in the product and in the floors", cores());
    let syncs = syncs(folder);
    println!(
        "disk        fdatasync after appending 4 KiB: median {:.2} ms, p99 {:.2} ms ({SYNCS} times, in the folder \
         that all of them write to)",
        syncs.percentile(0.5),
        syncs.percentile(0.99),
    );
}

/// The profile of this bench, the floors and the product alike.
fn profile() -> String {
    if cfg!(debug_assertions) {
        return "dev: NOT OPTIMISED, these figures say nothing".to_owned();
    }
    let manifest = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let settings = manifest.split("[profile.release]").nth(1).unwrap_or_default().lines();
    let settings = settings.take_while(|line| !line.starts_with('['));
    let settings: Vec<_> =
        settings.filter(|line| !line.trim().is_empty() && !line.starts_with('#')).collect();
    format!("bench, that is release: {}", settings.join(", "))
}

fn syncs(folder: &Path) -> Durations {
    let path = folder.join("syncs");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("a file can be made");
    let mut durations = Durations::default();
    for _ in 0..SYNCS {
        file.write_all(&PAGE).expect("the file can be written");
        let begun = Instant::now();
        file.sync_data().expect("the file can be synced");
        durations.push(begun.elapsed());
    }
    // The folder is removed with everything in it anyway.
    let _removed = fs::remove_file(path);
    durations
}

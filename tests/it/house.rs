//! The plan of the house, held against the imports: rooms stand on floors, and every import points down.
//!
//! Read as text, from every `crate::` and `super::` path in `src/`: no compiler plugin, and a path in a comment or a
//! string counts too, which only ever makes the test stricter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may import. What is not listed may not.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("merge_request", &[]),
    ("clock", &[]),
    ("companion", &[]),
    ("schema", &[]),
    ("telemetry", &[]),
    ("scope", &["merge_request"]),
    ("shared_secret", &["merge_request"]),
    ("config", &["schema", "telemetry"]),
    ("policy", &["companion", "merge_request", "schema"]),
    ("gitlab", &["clock", "companion", "merge_request", "telemetry"]),
    ("simulator", &["clock", "merge_request"]),
    ("store", &["clock", "companion", "merge_request"]),
    ("bundle", &["companion", "merge_request", "policy"]),
    ("decision", &["gitlab", "merge_request", "policy", "scope"]),
    (
        "status_check",
        &[
            "bundle",
            "clock",
            "companion",
            "decision",
            "gitlab",
            "merge_request",
            "policy",
            "scope",
            "store",
            "telemetry",
        ],
    ),
    (
        "server",
        &["clock", "companion", "gitlab", "merge_request", "scope", "shared_secret", "store", "telemetry"],
    ),
    (
        "setup",
        &[
            "bundle",
            "clock",
            "companion",
            "gitlab",
            "merge_request",
            "policy",
            "scope",
            "shared_secret",
            "status_check",
            "store",
            "telemetry",
        ],
    ),
    (
        "app",
        &[
            "bundle",
            "clock",
            "companion",
            "config",
            "decision",
            "gitlab",
            "merge_request",
            "scope",
            "server",
            "setup",
            "status_check",
            "store",
            "telemetry",
        ],
    ),
    (
        "demo",
        &[
            "app",
            "bundle",
            "clock",
            "config",
            "merge_request",
            "simulator",
            "status_check",
            "store",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "bundle",
            "clock",
            "config",
            "demo",
            "gitlab",
            "merge_request",
            "policy",
            "setup",
            "status_check",
            "telemetry",
        ],
    ),
    ("main", &["cli"]),
];

/// Words that the pure core must not know.
const NOT_IN_POLICY: &[&str] = &[
    "async ",
    "tokio",
    "reqwest",
    "rusqlite",
    "actix_web",
    "tracing::",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
];

/// The one place in the pure core that needs a stack of its own: the thread is joined at once and knows nothing but a text.
const MAY_HAVE_A_THREAD: &str = "policy/expression/parse.rs";

/// The one place that makes a clock's reading a fact, and those that keep leases, logs and leftovers.
const MAY_READ_THE_CLOCK: &[&str] = &["clock.rs", "decision/facts.rs", "app/plan.rs", "demo"];

struct Import {
    file: PathBuf,
    line: usize,
    /// The path from the crate's root, as far as it was written: `store`, `store::queue`, …
    target: Vec<String>,
}

fn sources() -> Vec<PathBuf> {
    files_below(&root())
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(folder, &mut files);
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn relative(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// `src/store/queue.rs` is `["store", "queue"]`, `src/store/mod.rs` is `["store"]`.
fn module_of(file: &Path) -> Vec<String> {
    let path = relative(file);
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

fn room_of(file: &Path) -> String {
    module_of(file).remove(0)
}

/// The product's lines: what stands behind `#[cfg(test)]` may import as it likes within its own file.
fn product(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests").map_or(text, |(product, _)| product)
}

fn imports(file: &Path) -> Vec<Import> {
    let text = fs::read_to_string(file).unwrap();
    let mut found = Vec::new();
    for (line, statement) in statements(product(&text)) {
        for start in ["crate::", "super::", "countersign::"] {
            for (at, _) in statement.match_indices(start) {
                // `pub(in crate::policy)` says who may see, and imports nothing.
                if statement[..at].ends_with("(in ") {
                    continue;
                }
                let before = statement[..at].chars().next_back();
                if before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':') {
                    continue;
                }
                for path in expand(&statement[at..]) {
                    let mut target = if start == "super::" { module_of(file) } else { Vec::new() };
                    for segment in path {
                        match segment.as_str() {
                            "super" => drop(target.pop()),
                            "crate" | "countersign" | "self" | "" => {}
                            name => target.push(name.to_owned()),
                        }
                    }
                    found.push(Import { file: file.to_owned(), line, target });
                }
            }
        }
    }
    found
}

/// Lines without comments; a `use` that spans several is one.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.split("//").next().unwrap().trim();
        match statements.last_mut() {
            Some((_, statement)) if open => statement.push_str(line),
            _ => statements.push((number + 1, line.to_owned())),
        }
        let starts = line.starts_with("use ") || line.starts_with("pub use ");
        open = (open || starts) && !line.ends_with(';');
    }
    statements
}

/// `a::{b::C, d}` is `a::b::C` and `a::d`; a path ends at the first character that no path has.
fn expand(text: &str) -> Vec<Vec<String>> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = &text[name.len()..];
    let Some(rest) = rest.strip_prefix("::") else { return vec![vec![name]] };
    let tails = match rest.strip_prefix('{') {
        None => expand(rest),
        Some(list) => {
            let (mut depth, mut from, mut tails) = (0, 0, Vec::new());
            for (at, character) in list.char_indices() {
                match character {
                    '{' => depth += 1,
                    ',' | '}' if depth == 0 => {
                        // A comma before the closing brace ends no path.
                        tails.extend(
                            Some(list[from..at].trim())
                                .filter(|p| !p.is_empty())
                                .into_iter()
                                .flat_map(expand),
                        );
                        from = at + 1;
                        if character == '}' {
                            break;
                        }
                    }
                    '}' => depth -= 1,
                    _ => {}
                }
            }
            tails
        }
    };
    tails.into_iter().map(|tail| std::iter::once(name.clone()).chain(tail).collect()).collect()
}

#[test]
fn every_import_points_to_a_room_below() {
    let rules: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in sources() {
        let room = room_of(&file);
        if room == "lib" {
            continue;
        }
        let Some(allowed) = rules.get(room.as_str()) else {
            wrong.push(format!("{}: `{room}` is a room without a floor", relative(&file)));
            continue;
        };
        for import in imports(&file) {
            let target = import.target.first().cloned().unwrap_or_default();
            if target != room && rules.contains_key(target.as_str()) && !allowed.contains(&target.as_str()) {
                wrong.push(format!(
                    "{}:{}: `{room}` imports `{target}`",
                    relative(&import.file),
                    import.line
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point up:\n{}", wrong.join("\n"));
}

#[test]
fn the_plan_itself_has_no_circle() {
    let mut below: BTreeSet<&str> = BTreeSet::new();
    for (room, imports) in MAY_IMPORT {
        for import in *imports {
            assert!(below.contains(import), "`{room}` may import `{import}`, which does not stand below it");
        }
        below.insert(room);
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one walk over one graph")]
fn no_files_import_each_other_in_a_circle() {
    let files: BTreeMap<Vec<String>, PathBuf> =
        sources().into_iter().map(|file| (module_of(&file), file)).collect();
    let mut arrows: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    let mut places: BTreeMap<(Vec<String>, Vec<String>), usize> = BTreeMap::new();
    for (module, file) in &files {
        if module == &["lib"] {
            continue;
        }
        for import in imports(file) {
            // The longest prefix that is a file: an item's name, or a door's, ends the path.
            let target = (1..=import.target.len())
                .rev()
                .map(|length| import.target[..length].to_vec())
                .find(|prefix| files.contains_key(prefix));
            if let Some(target) = target.filter(|target| target != module) {
                places.entry((module.clone(), target.clone())).or_insert(import.line);
                arrows.entry(module.clone()).or_default().insert(target);
            }
        }
        // A door lists its siblings by `mod`, which is an arrow down as well.
        let text = fs::read_to_string(file).unwrap();
        // What is compiled for tests alone is no part of the house.
        let text = product(&text).replace("#[cfg(test)]\nmod ", "#[cfg(test)] //");
        for line in text.lines() {
            let Some(name) = line.split("mod ").nth(1).and_then(|rest| rest.strip_suffix(';')) else {
                continue;
            };
            let mut child = if module == &["main"] { Vec::new() } else { module.clone() };
            child.push(name.to_owned());
            if files.contains_key(&child) {
                arrows.entry(module.clone()).or_default().insert(child);
            }
        }
    }
    // Take away what imports nothing that is left, until nothing can be taken.
    let mut left: BTreeSet<_> = files.keys().cloned().collect();
    loop {
        let free: Vec<_> = left
            .iter()
            .filter(|module| {
                arrows.get(*module).is_none_or(|targets| targets.iter().all(|t| !left.contains(t)))
            })
            .cloned()
            .collect();
        if free.is_empty() {
            break;
        }
        for module in free {
            left.remove(&module);
        }
    }
    // What is left imports a circle; what nothing left imports is above one and not in it.
    loop {
        let imported: BTreeSet<_> = left.iter().flat_map(|module| &arrows[module]).cloned().collect();
        let before = left.len();
        left.retain(|module| imported.contains(module));
        if left.len() == before {
            break;
        }
    }
    let circle: Vec<_> = left
        .iter()
        .map(|module| {
            let into = arrows[module].iter().filter(|target| left.contains(*target)).map(|target| {
                let line = places.get(&(module.clone(), target.clone())).copied().unwrap_or(0);
                format!("{} (line {line})", target.join("/"))
            });
            format!("{} -> {}", module.join("/"), into.collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert!(circle.is_empty(), "files in a circle, or between two:\n{}", circle.join("\n"));
}

#[test]
fn the_policy_core_knows_no_clock_network_disk_or_log() {
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(|file| room_of(file) == "policy") {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in
            product(&text).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for word in NOT_IN_POLICY {
                let allowed = *word == "std::thread" && relative(&file) == MAY_HAVE_A_THREAD;
                if line.contains(word) && !allowed {
                    wrong.push(format!("{}:{}: `{word}`", relative(&file), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "the core must stay pure:\n{}", wrong.join("\n"));
}

#[test]
fn the_clock_is_read_where_it_becomes_a_fact_or_a_lease_and_nowhere_else() {
    for file in sources() {
        let path = relative(&file);
        if MAY_READ_THE_CLOCK.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(!product(&text).contains("Timestamp::now()"), "{path} reads the clock");
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for file in sources() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} has no module page", relative(&file));
    }
}

#[test]
fn no_room_has_a_name_without_a_meaning() {
    for file in sources() {
        for part in module_of(&file) {
            let empty = ["utils", "util", "common", "helpers", "helper", "manager", "misc", "core", "types"];
            assert!(!empty.contains(&part.as_str()), "{}", relative(&file));
        }
    }
}

/// The names of all tests below a folder.
fn tests_below(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files_below(folder) {
        let text = fs::read_to_string(&file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let function = line.trim_start_matches("async ").strip_prefix("fn ");
            if let Some((name, _)) = function.and_then(|rest| rest.split_once('('))
                && std::mem::take(&mut is_test)
            {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn what_the_simulator_claims_is_shown_by_tests_that_exist() {
    let page = fs::read_to_string(root().join("simulator/mod.rs")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.filter(|row| !row.starts_with("point |"));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.trim_end_matches(" |").split(" | ").collect()).collect();
    assert!(rows.len() > 30, "the table was not found");
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = tests_below(&package.join("tests/it"));
    tests.extend(tests_below(&root().join("simulator")));
    let mut wrong = Vec::new();
    for row in &rows {
        let &[point, _, shown] = row.as_slice() else { panic!("a row has three columns: {row:?}") };
        let (files, named): (Vec<&str>, Vec<&str>) =
            shown.split('`').skip(1).step_by(2).partition(|name| Path::new(name).extension().is_some());
        wrong.extend(named.is_empty().then(|| format!("{point}: nothing")));
        let missing_files = files.iter().filter(|file| !package.join(file).is_file());
        let missing = named.iter().filter(|name| !tests.contains(**name));
        wrong.extend(missing.chain(missing_files).map(|name| format!("{point}: `{name}`")));
    }
    assert!(wrong.is_empty(), "named in `src/simulator/mod.rs`, and not there:\n{}", wrong.join("\n"));
}

//! Expressions over very many files: a call of ours that looks at all of them at once, and loops that look at each.

use countersign::policy::{Facts, PolicySet, PolicySource};

/// What is measured, by what it does.
const EXPRESSIONS: [(&str, &str); 6] = [
    ("touches, two globs", "touches('**/*.nothing', 'nowhere/')"),
    ("a loop with startsWith", "changed_paths.exists(path, path.startsWith('nowhere/'))"),
    ("a loop with a path glob", "files.exists(file, path_glob(file.path, 'nowhere/**/*.rs'))"),
    ("a loop with a regex", "files.exists(file, matches_whole(file.path, '.*/no(where|thing)[.]rs'))"),
    ("filter, map and all", "files.filter(f, f.kind != 'x').map(f, f.path).all(p, size(p) > 0)"),
    (
        "what is just within the bound",
        "files.all(f, [1, 2, 3, 4, 5, 6, 7, 8, 9].exists(n, n == f.added_lines + 100) || true)",
    ),
];

/// Each as a set of its own, with its words.
pub fn sets() -> Vec<(&'static str, PolicySet)> {
    let set = |expression: &str| {
        let text = format!(
            "policy: p\nrules:\n  - id: r\n    require:\n      expression: |\n        {expression}\n"
        );
        let source = PolicySource { path: "p.yaml".to_owned(), text };
        PolicySet::compile(&[source]).unwrap_or_else(|mistakes| panic!("{mistakes}"))
    };
    EXPRESSIONS.map(|(words, expression)| (words, set(expression))).into()
}

/// Fails if one of them was not run.
pub fn prove(words: &str, sentence: &str, facts: &Facts) {
    assert!(!sentence.starts_with("not known"), "{words}: {sentence}, {}", facts.merge_request.title);
}

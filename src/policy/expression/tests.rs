//! What is read, what is refused and where, and what nothing may do: fall over, take long, be true without proof.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::merge_request::CheckName;
use crate::policy::evaluation::Truth;
use crate::policy::example::{
    approval, at, code, facts, file, mistakes, needs, reason, sha, truth, unknown, user, versions,
};
use crate::policy::fact::{
    ChangeKind, ChangedFile, Commit, FactKey, Facts, Known, LineCount, Pipeline, Thread,
};
use crate::policy::{Diagnostics, PolicySet, PolicySource, Step, evaluate, example};

/// A rule that requires an expression, in a block of its own.
fn policy(expression: &str) -> String {
    let lines = expression.replace('\n', "\n        ");
    format!("policy: p\nrules:\n  - id: r\n    require:\n      expression: |\n        {lines}\n")
}

fn compiled(text: &str) -> Result<PolicySet, Diagnostics> {
    PolicySet::compile(&[PolicySource { path: "p.yaml".to_owned(), text: text.to_owned() }])
}

/// The words that are wrong, with what is wrong with them.
fn refused_in(text: &str) -> String {
    let mistakes = compiled(text).map(drop).expect_err(text);
    let shown = mistakes.iter().map(|mistake| {
        let words = text.get(mistake.span.clone()).unwrap();
        let help = mistake.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{words}: {}{help}", mistake.message)
    });
    shown.collect::<Vec<_>>().join("\n")
}

fn refused(expression: &str) -> String {
    refused_in(&policy(expression))
}

fn require(expression: &str) -> String {
    format!("{{expression: {}}}", serde_json::to_string(expression).unwrap())
}

fn comes_to(expression: &str, facts: &Facts) -> Truth {
    truth(&require(expression), facts)
}

fn sentence(expression: &str, facts: &Facts) -> String {
    reason(&require(expression), facts).sentence
}

fn asks_for(expression: &str) -> Vec<FactKey> {
    needs(&require(expression), &facts())
}

const UNKNOWN: Truth = Truth::Unknown { curable: false };

/// Facts in which everything is known that expressions can speak of.
fn all_known() -> Facts {
    let mut facts = facts();
    facts.merge_request.milestone = Some("19.1".to_owned());
    facts.merge_request.assignees = BTreeSet::from([user(2)]);
    facts.merge_request.reviewers = BTreeSet::from([user(3)]);
    let mut code = code(1, &["docs/a.md", "src/b.rs"]);
    code.files[0].kind = ChangeKind::Renamed;
    code.files[0].old_path = "docs/old.md".to_owned();
    code.commits.push(Commit { message: "fix: two\n\nbody".to_owned(), ..code.commits[0].clone() });
    let pipeline =
        Pipeline { id: 9, status: "success".to_owned(), sha: sha('b'), r#ref: "x".to_owned(), project: None };
    Facts {
        now: Some(at(60)),
        versions: Some(versions(1)),
        code: Some(Known::Value(code)),
        approvals: Some(Known::Value(vec![approval(2, 5), approval(3, 6)])),
        pipeline: Some(Known::Value(Some(pipeline))),
        threads: Some(Known::Value(vec![Thread { id: "t".to_owned(), author: user(2) }])),
        ..facts
    }
}

#[test]
fn names_fields_and_functions_are_held_against_the_vocabulary() {
    let wrong = [
        "titel == 'x'",
        "labels.exists(label, labl == 'x')",
        ".title == 'x'",
        "files.exists(f, f.pth == 'x')",
        "commits.all(c, c.author == 'x')",
        "title.foo == 'x'",
        "has(title.x)",
        "files.all(f, has(f.path))",
        "starts_with(title, 'x')",
        "startsWith(title, 'x')",
        "title.matches('x')",
        "labels.length() > 1",
        "labels.exists(l, true, 1)",
        "labels.exists(title, title == 'x')",
        "labels.exists(l, assignees.exists(l, l == 'x'))",
        "labels.exists(1, true)",
        "titel == 'x' && autor == 'y' && size(labels) > size(milestne)",
    ];
    let found = wrong.map(|expression| format!("--- {expression}\n{}", refused(expression)));
    insta::assert_snapshot!(found.join("\n"), @r#"
    --- titel == 'x'
    titel: `titel` is not known here (did you mean `title`?)
    --- labels.exists(label, labl == 'x')
    labl: `labl` is not known here (did you mean `label`?)
    --- .title == 'x'
    title: `.title` is not known here (did you mean `title`?)
    --- files.exists(f, f.pth == 'x')
    pth: `pth` is no field of a changed file (did you mean `path`?)
    --- commits.all(c, c.author == 'x')
    author: `author` is no field of a commit (it has `sha`, `message`, `subject`, `author_email`, `committer_email`)
    --- title.foo == 'x'
    foo: a text has no field `foo` (only entries of `files` and `commits` have fields)
    --- has(title.x)
    has: a text has no field `x` (only entries of `files` and `commits` have fields)
    --- files.all(f, has(f.path))
    has: `has` is not needed (a changed file always has its fields)
    --- starts_with(title, 'x')
    starts_with: there is no function `starts_with` (did you mean `startsWith`?)
    --- startsWith(title, 'x')
    startsWith: `startsWith` is not written like this (write it as in `title.startsWith('fix')`)
    --- title.matches('x')
    matches: `matches` is not read here: it would compile its pattern again at each call (write `matches_whole(text, '…')` or `contains_match(text, '…')`)
    --- labels.length() > 1
    length: there is no function `length` (there are `size`, `startsWith`, `endsWith`, `contains`, `all`, `exists`, `exists_one`, `filter`, `map`, `touches`, `touches_only`, `path_glob`, `glob`, `matches_whole`, `contains_match`, `open_for`, `quiet_for`)
    --- labels.exists(l, true, 1)
    exists: `exists` is not written like this (write it as in `labels.exists(label, label == 'x')`)
    --- labels.exists(title, title == 'x')
    exists: `title` already means something else (give the entry of `exists` another name)
    --- labels.exists(l, assignees.exists(l, l == 'x'))
    exists: `l` already means something else (give the entry of `exists` another name)
    --- labels.exists(1, true)
    1: a loop begins with a name for the entry
    --- titel == 'x' && autor == 'y' && size(labels) > size(milestne)
    titel: `titel` is not known here (did you mean `title`?)
    autor: `autor` is not known here (did you mean `author`?)
    milestne: `milestne` is not known here (did you mean `milestone`?)
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn types_are_checked_when_the_policy_is_read() {
    let wrong = [
        "title == 1",
        "labels == 'x'",
        "'x' in title",
        "1 in labels",
        "files[0] == files[1]",
        "files[0]['path'] == 'x'",
        "labels[title] == 'x'",
        "labels + 1",
        "title + 1 == 'x'",
        "title - 'x' == title",
        "-title == 'x'",
        "title < 1",
        "draft > squash",
        "title.startsWith(1)",
        "labels.contains('x')",
        "size(draft)",
        "draft && title",
        "!title",
        "labels.all(l, l)",
        "labels.filter(l, l).size() == 1",
        "title.all(t, true)",
        "[].all(x, true)",
        "draft ? title : 1",
        "[1, 'a'].size() == 1 && draft",
        "labels.map(l, [l]).size() == 1",
        "title",
        "size(title)",
        "1 == 1",
        "title == null",
        "size(title) > 1.5",
        "1u == 1u",
        "title == b'x'",
        "{'a': 1}.a == 1",
    ];
    let found = wrong.map(|expression| format!("--- {expression}\n{}", refused(expression)));
    insta::assert_snapshot!(found.join("\n"), @r#"
    --- title == 1
    ==: `==` does not work on a text and a number (numbers stand without quotes and texts in quotes; `size(…)` makes a number of a text or a list)
    --- labels == 'x'
    ==: `==` does not work on a list of texts and a text (write `'x' in labels` to ask for one entry)
    --- 'x' in title
    in: `in` does not work on a text and a text (write `title.contains('x')` to look into a text)
    --- 1 in labels
    in: `in` does not work on a number and a list of texts (numbers stand without quotes and texts in quotes; `size(…)` makes a number of a text or a list)
    --- files[0] == files[1]
    ==: `==` does not work on a changed file and a changed file (compare their fields, such as `path` or `sha`)
    --- files[0]['path'] == 'x'
    [: `[…]` does not work on a changed file (write the field behind a dot: `file.path`)
    --- labels[title] == 'x'
    title: `[…]` takes a number, not a text (write a number, or count with `size(…)`)
    --- labels + 1
    +: `+` does not work on a list of texts and a number (put the entry into a list: `labels + ['x']`)
    --- title + 1 == 'x'
    +: `+` does not work on a text and a number (numbers stand without quotes and texts in quotes; `size(…)` makes a number of a text or a list)
    --- title - 'x' == title
    -: `-` does not work on a text and a text (both sides must be alike)
    --- -title == 'x'
    title: `-` takes a number, not a text (write a number, or count with `size(…)`)
    --- title < 1
    <: `<` does not work on a text and a number (numbers stand without quotes and texts in quotes; `size(…)` makes a number of a text or a list)
    --- draft > squash
    >: `>` does not work on true or false and true or false (both sides must be alike)
    --- title.startsWith(1)
    1: `startsWith` takes a text, not a number (put it in quotes if it is a text)
    --- labels.contains('x')
    contains: `contains` looks into a text, not into a list of texts (write `'x' in labels`, or `labels.exists(label, …)`)
    --- size(draft)
    size: `size` counts a text or a list, not true or false (write `size(labels)` or `size(title)`)
    --- draft && title
    title: `&&` takes true or false, not a text (compare it with something, as in `… == …`)
    --- !title
    title: `!` takes true or false, not a text (compare it with something, as in `… == …`)
    --- labels.all(l, l)
    l: `all` takes true or false, not a text (compare it with something, as in `… == …`)
    --- labels.filter(l, l).size() == 1
    l: `filter` takes true or false, not a text (compare it with something, as in `… == …`)
    --- title.all(t, true)
    all: `all` goes through a list with something in it, not a text (write it behind a list, as in `labels.exists(label, …)`)
    --- [].all(x, true)
    all: `all` goes through a list with something in it, not an empty list (write it behind a list, as in `labels.exists(label, …)`)
    --- draft ? title : 1
    ?: either side of `?` must be alike, not a text and a number (give both sides one type)
    --- [1, 'a'].size() == 1 && draft
    'a': a text stands in a list beside a number (the entries of a list must be alike)
    --- labels.map(l, [l]).size() == 1
    map: lists of lists are not read here (keep one level of lists)
    --- title
    title: the expression is a text, not true or false (compare it with something, as in `… == …`)
    --- size(title)
    size(title): the expression is a number, not true or false (compare it with something, as in `… == …`)
    --- 1 == 1
    ==: the expression says the same of every merge request (let it speak of something, such as `labels` or `changed_paths`)
    --- title == null
    null: `null` is not read here (what is not there is an empty text or an empty list: `milestone == ''`)
    --- size(title) > 1.5
    1.5: fractions are not read here (write whole numbers)
    --- 1u == 1u
    1u: numbers with `u` are not read here (leave the `u` away)
    1u: numbers with `u` are not read here (leave the `u` away)
    --- title == b'x'
    b'x': bytes are not read here (write a text, without the `b`)
    --- {'a': 1}.a == 1
    {: maps and messages are not read here (use a list: `['a', 'b']`)
    "#);
}

#[test]
fn what_is_no_cel_is_shown_where_it_begins() {
    let wrong = [
        "draft and squash",
        "title = 'x'",
        "title == 'x",
        "title == '\\q'",
        "title ==",
        "(draft",
        "draft)",
        "title.?x == 'a'",
        "if",
        "99999999999999999999 > size(title)",
        "title == 'x' &&\n  'ö' == title && &",
    ];
    let found = wrong.map(|expression| format!("--- {expression}\n{}", refused(expression)));
    insta::assert_snapshot!(found.join("\n"), @r#"
    --- draft and squash
    and: `and` can't stand here (write `&&`)
    --- title = 'x'
    =: `=` can't stand here (write `==` to compare)
    --- title == 'x
    ': the text that begins here can't be read: its quotes are not closed, or it has a backslash too many
    --- title == '\q'
    ': the text that begins here can't be read: its quotes are not closed, or it has a backslash too many
    --- title ==
    : the expression ends too early (put it in quotes if that is not its end: without them YAML ends it at `,`, `: ` or ` #`)
    --- (draft
    : the expression ends too early (put it in quotes if that is not its end: without them YAML ends it at `,`, `: ` or ` #`)
    --- draft)
    ): `)` can't stand here
    --- title.?x == 'a'
    .: unsupported syntax `.?`
    --- if
    if: reserved identifier: if
    --- 99999999999999999999 > size(title)
    99999999999999999999: `99999999999999999999` is too large for a number
    --- title == 'x' &&
      'ö' == title && &
    &: `&` can't stand here (write `&&`)
    "#);
}

#[test]
fn helpers_take_what_is_written_out() {
    let wrong = [
        "glob(title, source_branch)",
        "title.glob('x')",
        "glob('x')",
        "glob(labels, 'x')",
        "matches_whole(title, 'a(')",
        "matches_whole(title, '(a{1000}){1000}')",
        "touches()",
        "touches('!x')",
        "touches('a{b', title)",
        "open_for('2 hours')",
        "glob('x', 'y')",
    ];
    let found = wrong.map(|expression| format!("--- {expression}\n{}", refused(expression)));
    insta::assert_snapshot!(found.join("\n"), @r#"
    --- glob(title, source_branch)
    source_branch: what `glob` looks for must be written out (put it in quotes, as in `glob(text, 'release/*')`)
    --- title.glob('x')
    glob: `glob` is not written like this (write `glob(text, 'release/*')`)
    --- glob('x')
    glob: `glob` is not written like this (write `glob(text, 'release/*')`)
    --- glob(labels, 'x')
    labels: `glob` takes a text, not a list of texts (go through the list: `labels.exists(label, …)`)
    --- matches_whole(title, 'a(')
    'a(': `a(` can't be read: unclosed group (write it as in `matches_whole(text, '[A-Z]+-[0-9]+')`)
    --- matches_whole(title, '(a{1000}){1000}')
    '(a{1000}){1000}': `(a{1000}){1000}` can't be read: the regex grows too large when it is compiled (write it as in `matches_whole(text, '[A-Z]+-[0-9]+')`)
    --- touches()
    touches: `touches` is not written like this (write `touches('**/*.rs')`)
    --- touches('!x')
    '!x': `!x` can't be read: a leading `!` can't exclude (write it as in `touches('**/*.rs')`)
    --- touches('a{b', title)
    title: what `touches` looks for must be written out (put it in quotes, as in `touches('**/*.rs')`)
    --- open_for('2 hours')
    '2 hours': `2 hours` can't be read: write it like `10m`, `2h` or `3d` (write it as in `open_for('2h')`)
    --- glob('x', 'y')
    glob: the expression says the same of every merge request (let it speak of something, such as `labels` or `changed_paths`)
    "#);
}

#[test]
fn mistakes_are_shown_however_yaml_writes_the_text() {
    let written = [
        "expression: titel == 'x'",
        "expression: \"draft && titel == \\\"ö\\\"\"",
        "expression: 'labels == [''ö''] && titel == ''x'''",
        "expression:\n        draft && titel == 'x'",
        "expression: |\n        draft &&\n          titel == 'x'\n        || labls == []",
        "expression: |-\n          draft\n          && titel == 'x'",
        "expression: |2\n          draft\n          && titel == 'x'",
        "expression: >\n        draft && titel == 'x'",
        "expression:\n        otherwise: waiting\n        holds: draft && titel == 'x'",
        "expression: {holds: \"draft &&\\n titel == 'x'\"}",
    ];
    for yaml in written {
        let text =
            format!("policy: größe\nrules:\n  - id: r\n    require:\n      {yaml}\n").replace("größe", "p");
        assert!(
            refused_in(&text).contains("titel: `titel` is not known here"),
            "{yaml}\n{}",
            refused_in(&text)
        );
    }
    let folded = "policy: p\nrules:\n  - id: r\n    require:\n      expression: >\n        draft &&\n        titel == 'x'\n";
    assert!(refused_in(folded).starts_with("draft &&\n        titel == 'x'"), "{}", refused_in(folded));
}

#[test]
fn every_kind_of_thing_can_be_spoken_of() {
    let facts = all_known();
    let (holds, fails) = (
        [
            "title.startsWith('feat') && title.endsWith('basket') && title.contains('cart') && size(title) <= 72",
            "labels.exists(l, l.startsWith('type::')) && 'type::feature' in labels && labels == ['type::feature']",
            "!draft && !squash && !from_fork && !has_conflicts && removes_source_branch",
            "source_branch == 'feature/basket' && target_branch == 'main' && project == 'shop/web'",
            "author == 'author' && assignees == ['ana'] && reviewers[0] == 'bob' && milestone == '19.1'",
            "description == 'Closes #12' && created_at == 1800000000",
            "changed_paths == ['docs/old.md', 'docs/a.md', 'src/b.rs']",
            "files.filter(f, f.kind == 'renamed').map(f, f.old_path + '>' + f.path) == ['docs/old.md>docs/a.md']",
            "files.exists_one(f, f.mode == '100644' && f.path.endsWith('.rs'))",
            "files.all(f, f.added_lines + f.removed_lines == 15 && !f.binary && !f.generated)",
            "files.map(f, f.path.endsWith('.rs'), f.added_lines) == [10]",
            "commits.size() == 2 && commits[1].subject == 'fix: two' && commits[1].message != commits[1].subject",
            "commits.all(c, c.author_email == c.committer_email && size(c.sha) == 40)",
            "approvers.size() >= 2 && pipeline_status == 'success' && unresolved_threads == 1",
            "touches('*.rs') && touches('nothing', 'src/') && touches_only('docs/', '*.rs')",
            "touches('docs/old.md') && !touches_only('docs/')",
            "glob(source_branch, 'feat*') && matches_whole(title, 'feat.*') && !matches_whole(title, 'feat')",
            "contains_match(description, '^Closes #[0-9]+$') && files.exists(f, path_glob(f.path, 'src/**'))",
            "open_for('1h') && !open_for('1h1s') && quiet_for('1h') && !quiet_for('2h')",
            "(draft ? 1 : 2) * 3 - 4 / 2 % 3 == 4 && -size(labels) < 0 && 'a' < 'b' && 1 != 2",
            "labels + ['x'] == ['type::feature', 'x'] && [] + labels == labels && labels != []",
            "// a remark\nsize('größe') == 5",
        ],
        ["draft", "false && draft", "size(labels) > 1", "touches_only('*.md')", "title == 'x' || draft"],
    );
    for expression in holds {
        assert_eq!(
            comes_to(&format!("{expression} && (draft || true)"), &facts),
            Truth::True,
            "{expression}"
        );
    }
    for expression in fails {
        assert_eq!(comes_to(expression, &facts), Truth::Violated, "{expression}");
    }
}

#[test]
fn an_expression_asks_for_what_it_speaks_of_and_at_once() {
    reason(&require("labels.exists(l, l == title)"), &facts());
    assert_eq!(asks_for("changed_paths.all(p, p.startsWith('docs/'))"), [FactKey::Code]);
    assert_eq!(asks_for("touches('*.md')"), [FactKey::Code]);
    assert_eq!(asks_for("open_for('2h')"), [FactKey::Now]);
    assert_eq!(
        asks_for(
            "draft || quiet_for('2h') || approvers == [] || unresolved_threads > 0 || pipeline_status == ''"
        ),
        [FactKey::Now, FactKey::Versions, FactKey::Approvals, FactKey::Pipeline, FactKey::Threads]
    );
    let hidden = Facts { approvals: Some(unknown(true)), ..facts() };
    assert_eq!(
        comes_to("approvers == [] || unresolved_threads > 0", &hidden),
        Truth::Unknown { curable: true }
    );
}

#[test]
fn what_gitlab_left_out_makes_what_speaks_of_it_unknown() {
    let with = |change: fn(&mut ChangedFile)| {
        let mut code = code(1, &["a", "b"]);
        change(&mut code.files[1]);
        Facts { code: Some(Known::Value(code)), ..facts() }
    };
    let left_out = with(|file| {
        (file.lines, file.binary, file.generated) = (None, None, None);
    });
    for expression in [
        "files.all(f, f.added_lines >= 0)",
        "files.exists(f, f.path == 'a' && f.removed_lines == 5)",
        "files[0].binary || true",
        "!files[0].binary || true",
        "files.map(f, f.generated).size() == 2",
    ] {
        assert_eq!(comes_to(expression, &left_out), UNKNOWN, "{expression}");
        assert!(sentence(expression, &left_out).contains("left out"), "{expression}");
    }
    assert_eq!(
        comes_to("files.all(f, f.kind == 'modified' && f.path in changed_paths)", &left_out),
        Truth::True
    );

    let mut part = code(1, &["a"]);
    part.complete = false;
    let part = Facts { code: Some(Known::Value(part)), ..facts() };
    for expression in [
        "files.exists(f, f.path == 'a')",
        "'a' in changed_paths",
        "touches('a')",
        "!touches_only('b')",
        "draft || touches('a') || true",
    ] {
        assert_eq!(comes_to(expression, &part), UNKNOWN, "{expression}");
        assert_eq!(
            sentence(expression, &part),
            "not known: GitLab lists only 1 of the changed files; GitLab did not answer"
        );
    }
    assert_eq!(comes_to("commits.size() == 1", &part), Truth::True, "commits are listed apart");
}

#[test]
fn what_is_not_settled_settles_nothing() {
    let pipeline = |status: Option<&str>| {
        let pipeline = |status: &str| Pipeline {
            id: 9,
            status: status.to_owned(),
            sha: sha('b'),
            r#ref: "x".to_owned(),
            project: None,
        };
        Facts { pipeline: Some(Known::Value(status.map(pipeline))), ..facts() }
    };
    for status in [None, Some("running"), Some("created"), Some("something_new")] {
        assert_eq!(comes_to("pipeline_status != 'failed'", &pipeline(status)), Truth::Unsettled);
        assert_eq!(comes_to("pipeline_status == 'failed'", &pipeline(status)), Truth::Unsettled);
    }
    assert_eq!(comes_to("pipeline_status != 'failed'", &pipeline(Some("manual"))), Truth::True);
    let mut facts = facts();
    facts.merge_request.has_conflicts = None;
    assert_eq!(comes_to("has_conflicts || !has_conflicts", &facts), Truth::Unsettled);
    assert_eq!(asks_for("has_conflicts || unresolved_threads == 0"), [FactKey::Threads]);
}

#[test]
fn what_goes_wrong_while_it_runs_is_unknown_and_not_false() {
    let facts = facts();
    for (expression, why) in [
        ("1 / size(assignees) == 1", "divides by zero"),
        ("1 % size(assignees) == 1", "divides by zero"),
        ("labels[1] == 'x'", "an entry that its list does not have"),
        ("labels[0 - 1] == 'x'", "an entry that its list does not have"),
        ("9223372036854775807 + size(labels) > 0", "grows too large"),
        ("-9223372036854775807 - 2 * size(labels) < 0", "grows too large"),
        ("labels.map(l, 1 / size(assignees)).size() == 1", "divides by zero"),
    ] {
        assert_eq!(comes_to(expression, &facts), UNKNOWN, "{expression}");
        assert!(sentence(expression, &facts).contains(why), "{expression}: {}", sentence(expression, &facts));
        assert_eq!(truth(&format!("{{not: {}}}", require(expression)), &facts), UNKNOWN, "{expression}");
    }
    assert_eq!(comes_to("size(assignees) == 0 || 1 / size(assignees) == 1", &facts), Truth::True);
}

#[test]
fn time_is_looked_at_again_when_it_may_change_the_answer() {
    let recheck = |expression: &str, minute| {
        let set = example::compile(&policy(expression));
        let facts = Facts { now: Some(at(minute)), versions: Some(versions(2)), ..facts() };
        match evaluate(&set, &CheckName::default(), &facts) {
            Step::Decided(evaluation) => evaluation.recheck_at,
            Step::Needs(keys) => panic!("{keys:?}"),
        }
    };
    assert_eq!(recheck("open_for('1h') || quiet_for('30m')", 20), Some(at(40)));
    assert_eq!(recheck("open_for('1h') || quiet_for('30m')", 45), Some(at(60)));
    assert_eq!(recheck("open_for('1h') || quiet_for('30m')", 60), None);
}

/// Texts that make trees deep, one way each; the number says how deep.
fn deep_texts(depth: usize) -> Vec<String> {
    let nested =
        |open: &str, inner: &str, close: &str| [&open.repeat(depth), inner, &close.repeat(depth)].concat();
    vec![
        vec!["1"; depth].join("+"),
        format!("title{}", ".a".repeat(depth)),
        format!("labels{}", "[0]".repeat(depth)),
        format!("title{}", ".size()".repeat(depth)),
        format!("labels{}", ".filter(l,true)".repeat(depth)),
        nested("-(", "1", ")"),
        nested("!(", "draft", ")"),
        nested("(", "draft", ")"),
        nested("[", "1", "]"),
        nested("{1:", "1", "}"),
        nested("size(", "title", ")"),
        nested("draft?true:", "draft", ""),
        nested("draft?(", "draft", "):true"),
        nested("labels.all(l,", "draft", ")"),
        vec!["1"; depth].join("<"),
        vec!["draft"; depth].join("=="),
        nested("(", "", ""),
        nested("[", "", ""),
        nested("a?(", "", ""),
        nested("!", "draft", ""),
        nested("-", "1", ""),
    ]
}

#[test]
fn no_depth_makes_anything_fall_over() {
    let facts = facts();
    for depth in [12, 30, 130, 680, 2_000, 100_000] {
        for text in deep_texts(depth) {
            let text = format!("{{expression: '{text}'}}");
            let long = text.len() > parse::LONGEST + 20;
            let found = mistakes(&format!("policy: p\nrules: [{{id: r, require: {text}}}]\n"));
            assert!(!long || found.contains("longer than 2"), "{found}");
            // Brackets around brackets are no depth, and some of these say something.
            if found.is_empty() {
                truth(&text, &facts);
            }
        }
    }
    assert!(refused(&format!("{} == 1", vec!["1"; 100].join("+"))).contains("nests deeper than 24"));
    assert!(
        refused(
            "labels.exists(a, labels.exists(b, labels.exists(c, labels.exists(d, labels.exists(e, a == e)))))"
        )
        .contains("`exists` stands inside of 2 other loops")
    );
}

#[test]
fn the_deepest_tree_that_is_read_is_evaluated_on_any_stack() {
    let facts = facts();
    let deepest = |one: &str, rest: &str, end: &str| {
        let fits = |count: &usize| compiled(&policy(&format!("{one}{}{end}", rest.repeat(*count)))).is_ok();
        let count = (1..40).take_while(fits).last().unwrap();
        let expression = format!("{one}{}{end}", rest.repeat(count));
        assert!(
            count >= 7 && refused(&format!("{one}{}{end}", rest.repeat(count + 1))).contains("nests deeper")
        );
        comes_to(&expression, &facts)
    };
    assert_eq!(deepest("size(labels)", " + 1", " > 0"), Truth::True);
    assert_eq!(deepest("labels", " + labels", " == labels"), Truth::Violated);
    assert_eq!(deepest("labels", ".filter(l, l != '')", " == labels"), Truth::True);
    assert_eq!(deepest("draft", " == draft", ""), Truth::True);
    let joined = vec!["!draft"; 150].join(" && ");
    assert_eq!(comes_to(&joined, &facts), Truth::True, "what is joined is no depth");
}

fn with_files(count: usize) -> Facts {
    let mut code = code(1, &[]);
    code.files = (0..count).map(|number| file(&format!("src/module_{number}/file_{number}.rs"))).collect();
    Facts { code: Some(Known::Value(code)), ..facts() }
}

#[test]
fn what_would_take_too_long_is_not_run() {
    let square = "files.all(f, files.exists(g, g.path == f.path))";
    assert_eq!(comes_to(square, &with_files(100)), Truth::True);
    let large = with_files(10_000);
    assert_eq!(comes_to(square, &large), UNKNOWN);
    assert!(sentence(square, &large).contains("steps"), "{}", sentence(square, &large));
    assert_eq!(truth(&format!("{{not: {}}}", require(square)), &large), UNKNOWN);
    for once in [
        "files.all(f, path_glob(f.path, 'src/**') && matches_whole(f.path, '.*[.]rs'))",
        "files.filter(f, f.kind == 'added').map(f, f.path).all(p, p.startsWith('db/')) && touches_only('src/')",
        "changed_paths.all(p, p.startsWith('src/'))",
    ] {
        assert_eq!(comes_to(once, &large), Truth::True, "{once}");
    }
}

#[test]
fn texts_do_not_grow_without_bound() {
    let mut facts = with_files(10_000);
    facts.merge_request.description = "x".repeat(500_000);
    let doubled = "size((description + description) + (description + description)) > 0";
    assert_eq!(comes_to(doubled, &facts), Truth::True);
    let more = format!("size({}) > 0", ["description + description"; 10].join(" + "));
    assert_eq!(comes_to(&more, &facts), UNKNOWN);
    assert!(sentence(&more, &facts).contains("a text of"), "{}", sentence(&more, &facts));
    assert_eq!(comes_to("files.map(f, f.path + description).size() > 0", &facts), UNKNOWN);
}

#[test]
fn counting_steps_looks_only_at_fields_that_are_used() {
    let mut code = code(1, &[]);
    let commit = code.commits[0].clone();
    code.commits = vec![Commit { message: "x".repeat(1_000_000), ..commit }; 100];
    let facts = Facts { code: Some(Known::Value(code)), ..facts() };
    assert_eq!(comes_to("commits.all(c, size(c.sha) == 40)", &facts), Truth::True);
    assert_eq!(comes_to("commits.all(c, size(c.message) + size(c.message) > 0)", &facts), UNKNOWN);
}

#[test]
fn every_field_says_something_of_its_kind() {
    let facts = all_known();
    let Some(Known::Value(code)) = &facts.code else { panic!() };
    let rows: [(&value::Record, &dyn Item); 2] =
        [(&vocabulary::FILE, &code.files[0]), (&vocabulary::COMMIT, &code.commits[0])];
    for (record, row) in rows {
        for field in record.fields {
            let same = matches!(
                (row.field(field.name).unwrap(), field.kind),
                (Content::Flag(_), Kind::Flag)
                    | (Content::Number(_), Kind::Number)
                    | (Content::Text(_), Kind::Text)
            );
            assert!(same, "{}", field.name);
        }
        assert!(row.field("nothing").is_none());
    }
    let lines = LineCount { added: u64::MAX, removed: 0 };
    let huge = ChangedFile { lines: Some(lines), ..file("a") };
    assert!(matches!(huge.field("added_lines"), Some(Content::Number(i64::MAX))));
}

const README: &str = include_str!("../../../policies/README.md");

/// The rows of the table behind a mark in the reference, cell by cell.
fn table(mark: &str) -> Vec<Vec<&'static str>> {
    let (_, behind) = README.split_once(&format!("<!-- {mark} -->\n")).unwrap();
    let rows = behind.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn in_table(kind: Type) -> String {
    let words = kind.describe();
    words.strip_prefix("a ").unwrap_or(&words).to_owned()
}

/// The families of facts that an expression asks for, in the words of the reference.
fn reads(expression: &str) -> String {
    let text = format!("policy: p\nrules: [{{id: r, require: {}}}]\n", require(expression));
    let step = evaluate(&example::compile(&text), &CheckName::default(), &facts());
    let Step::Needs(keys) = step else { return String::new() };
    keys.iter().map(|key| key.family().word()).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_reference_lists_what_expressions_can_speak_of() {
    let test_of = |name: &str, kind: Type| match kind {
        Type::One(Kind::Flag) => name.to_owned(),
        Type::One(Kind::Number) => format!("{name} == 1"),
        Type::One(_) => format!("{name} == 'x'"),
        Type::List(_) => format!("{name}.size() == 1"),
    };
    let variables = vocabulary::VARIABLES.iter().map(|variable| {
        let asked = reads(&test_of(variable.name, variable.kind));
        let asked = if asked.is_empty() { "the merge request".to_owned() } else { asked };
        vec![format!("`{}`", variable.name), in_table(variable.kind), asked]
    });
    let written = |mark, cells| table(mark).iter().map(|row| row[..cells].to_vec()).collect::<Vec<_>>();
    assert_eq!(written("variables of expressions", 3), variables.collect::<Vec<_>>());
    for (mark, record) in [("fields of files", &vocabulary::FILE), ("fields of commits", &vocabulary::COMMIT)]
    {
        let fields = record
            .fields
            .iter()
            .map(|field| vec![format!("`{}`", field.name), in_table(Type::One(field.kind))]);
        assert_eq!(written(mark, 2), fields.collect::<Vec<_>>());
    }
    let helpers = function::HELPERS.iter().map(|helper| {
        let call = helper.usage.replace("(text,", "(title,").replace("(path,", "(title,");
        vec![format!("`{}`", helper.usage), reads(&call)]
    });
    assert_eq!(written("functions of expressions", 2), helpers.collect::<Vec<_>>());
    for (name, _) in check::BUILT_IN.iter().chain(check::MACROS) {
        assert!(README.contains(&format!("`{name}`")), "{name}");
    }
    for limit in ["2 KiB", "24", "two loops", "4 million steps", "4 MiB"] {
        assert!(README.contains(limit), "{limit}");
    }
    assert_eq!((parse::LONGEST, parse::DEEPEST), (2_048, 24));
    assert_eq!((cost::MOST_STEPS, cost::LONGEST_TEXT), (4_000_000, 4 * 1024 * 1024));
}

#[test]
fn the_examples_of_the_reference_come_to_something() {
    let (_, section) = README.split_once("### `expression`\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let examples: Vec<_> =
        section.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() > 5);
    for example in examples {
        let body = example.replace('\n', "\n      ");
        let text = format!("policy: p\nrules:\n  - id: r\n    require:\n      {body}\n");
        let set = example::compile(&text);
        let step = evaluate(&set, &CheckName::default(), &all_known());
        let Step::Decided(evaluation) = step else { panic!("{example}") };
        let reason = evaluation.policies[0].rules[0].require.as_ref().unwrap();
        assert!(reason.truth == Truth::True || reason.truth.is_false(), "{example}: {}", reason.sentence);
    }
}

/// Random expressions, most of which are true or false.
fn flags() -> impl Strategy<Value = String> {
    let leaves = [
        "draft",
        "from_fork",
        "title.startsWith('feat')",
        "'type::feature' in labels",
        "size(labels) > 1",
        "labels[0] == title",
        "1 / size(assignees) == 1",
        "touches('*.rs')",
        "touches_only('docs/')",
        "changed_paths.size() < 3",
        "files[0].binary",
        "files.map(f, f.path) == changed_paths",
        "commits.exists(c, c.subject == title)",
        "approvers.exists_one(a, a != author)",
        "pipeline_status == 'success'",
        "unresolved_threads == 1",
        "has_conflicts",
        "glob(target_branch, 'm*')",
        "quiet_for('1h')",
        "open_for('2h')",
        "title",
        "labels + 1",
        "titel == 'x'",
    ];
    prop::sample::select(leaves.to_vec()).prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let loops = [
            "files.all(x, B)",
            "labels.exists(y, B)",
            "changed_paths.filter(z, B).size() > 0",
            "[1, 2].map(w, B) != []",
        ];
        prop_oneof![
            (inner.clone(), prop::sample::select(&["&&", "||", "=="][..]), inner.clone())
                .prop_map(|(one, sign, other)| format!("({one} {sign} {other})")),
            inner.clone().prop_map(|one| format!("!({one})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(one, two, three)| format!("({one} ? {two} : {three})")),
            (prop::sample::select(loops.to_vec()), inner)
                .prop_map(|(looped, body)| looped.replace('B', &body)),
        ]
    })
}

/// Facts in which the answer to one question could not be had; none where it always can.
fn hidden(key: &FactKey) -> Option<Facts> {
    let mut facts = all_known();
    match key {
        FactKey::Versions => facts.versions = Some(unknown(false)),
        FactKey::Code => facts.code = Some(unknown(false)),
        FactKey::Approvals => facts.approvals = Some(unknown(false)),
        FactKey::Pipeline => facts.pipeline = Some(unknown(false)),
        FactKey::Threads => facts.threads = Some(unknown(false)),
        _ => return None,
    }
    Some(facts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_never_settled_without_its_facts(expression in flags()) {
        let Ok(set) = compiled(&policy(&expression)) else { return Ok(()) };
        let decide = |facts: &Facts| match evaluate(&set, &CheckName::default(), facts) {
            Step::Decided(evaluation) => Ok(evaluation.policies[0].rules[0].require.clone().unwrap()),
            Step::Needs(keys) => Err(keys),
        };
        let known = decide(&all_known()).unwrap();
        prop_assert_eq!(&known, &decide(&all_known()).unwrap());
        // What is asked for at first is all that there is to ask.
        for key in decide(&facts()).err().unwrap_or_default() {
            if let Some(facts) = hidden(&key) {
                prop_assert_eq!(decide(&facts).unwrap().truth, UNKNOWN, "{:?} of {}", key, expression);
            }
        }
    }

    #[test]
    fn no_mutilated_text_makes_anything_fall_over(
        expression in flags(), cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[a-z0-9.,(){}?:&|!@'\"\\[\\]+ ö-]{0,4}"), 1..4),
    ) {
        let mut letters: Vec<char> = expression.chars().collect();
        for (at, length, new) in cuts {
            let at = at.index(letters.len() + 1);
            let end = (at + length).min(letters.len());
            letters.splice(at..end, new.chars());
        }
        let text = policy(&letters.into_iter().collect::<String>());
        match compiled(&text) {
            Ok(set) => drop(evaluate(&set, &CheckName::default(), &all_known())),
            Err(mistakes) => {
                for mistake in mistakes.iter() {
                    prop_assert!(text.get(mistake.span.clone()).is_some());
                }
            }
        }
    }
}

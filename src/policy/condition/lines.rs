//! `matching_lines`: how many changed lines match a regular expression.
//!
//! Violated when out of bounds: the change itself must differ. The text of the change never comes here: whoever reads
//! it counts. Where GitLab shows no lines of a file (it left the text out, or git holds the file to be binary) or did not
//! list every file, the number is only known from below, and decides only what more could not change.

use std::collections::BTreeMap;

use super::bounds::{Bounds, Count};
use super::files::build_globs;
use super::kind::{Kind, Test, test};
use super::unseen::Unseen;
use super::vocabulary::{AT_LEAST, AT_MOST, PATHS};
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{
    ChangeKind, ChangedFile, Code, FactKey, Family, LinePattern, LineSide, MatchingLines, Unknown,
};
use crate::policy::finding::{Finding, Stop, all, both, known};
use crate::policy::pattern::{GlobIds, partial_regex};
use crate::policy::view::{Touched, View};
use crate::schema::{Key, Shape, Table};

/// How many changed lines match.
pub(super) const MATCHING_LINES: Kind = Kind {
    key: Key::new(
        "matching_lines",
        Shape::Mapping(&TABLE),
        "How many changed lines match a regular expression; without bounds, whether one does.",
    ),
    build: |node, builder| test(Lines::build(node, builder)),
    reads: &[Family::Code],
    unmet: &[Truth::Violated],
    settled_by_commit: true,
};

static TABLE: Table = Table {
    name: "matching_lines",
    doc: "How many changed lines match a regular expression.",
    hint: Some("write `matching_lines: {regex: …, at_most: 0}`"),
    keys: &[
        Key::required(
            "regex",
            Shape::Text,
            "A regular expression that matches somewhere in a line; `^` and `$` are the line's ends.",
        ),
        Key::new(
            "side",
            Shape::Choice(&["added", "removed", "either"]),
            "Whether added lines are meant, removed ones, or either (the default).",
        ),
        Key::new("files", PATHS, "Only lines of these files; without it, of all."),
        Key::new("except", PATHS, "No lines of these files."),
        AT_LEAST,
        AT_MOST,
    ],
};

/// What is meant where no bound is given: one such line.
const ONE: Bounds = Bounds { at_least: Some(1), at_most: None };

/// Which lines are counted, and how many there may be.
#[derive(Debug, Clone)]
struct Lines {
    /// One for each side.
    patterns: Vec<LinePattern>,
    side: &'static str,
    files: Option<GlobIds>,
    except: GlobIds,
    bounds: Bounds,
}

impl Lines {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let (sides, side): (&[_], _) = match node.get("side").and_then(Node::words).map(|words| words.text) {
            Some("added") => (&[LineSide::Added], "added lines"),
            Some("removed") => (&[LineSide::Removed], "removed lines"),
            _ => (&[LineSide::Added, LineSide::Removed], "changed lines"),
        };
        let files = node.get("files").map(|files| build_globs(Some(files), builder).0);
        let (except, _) = build_globs(node.get("except"), builder);
        let bounds = Bounds::build(node, builder).unwrap_or(ONE);
        let regex = node.get("regex").and_then(Node::words)?;
        if let Err(why) = partial_regex(regex.text) {
            let help = "escape what is meant literally with a backslash; look-around is not supported";
            let message = format!("`{}` is not a regular expression: {why}", regex.text);
            builder.notes.error(regex.span, message, help);
            return None;
        }
        let pattern = |side: &LineSide| LinePattern { regex: regex.text.to_owned(), side: *side };
        Some(Self { patterns: sides.iter().map(pattern).collect(), side, files, except, bounds })
    }

    /// The new paths of the files that count, and whether GitLab lists them.
    fn counted<'a>(&self, view: &View<'_>, code: &'a Code) -> BTreeMap<&'a str, bool> {
        let counts = |touched: Touched<'_>| {
            let meant = self.files.as_ref();
            touched
                .paths()
                .any(|path| meant.is_none_or(|files| path.matches(files)) && !path.matches(&self.except))
        };
        let files = code.files.iter().zip(view.touched(code));
        let listed = |file: &ChangedFile| !matches!(file.kind, ChangeKind::Unlisted(_));
        files
            .filter_map(|(file, touched)| counts(touched).then_some((file.new_path.as_str(), listed(file))))
            .collect()
    }

    /// How often each pattern was found.
    fn read<'a>(&self, view: &View<'a>) -> Result<Vec<&'a MatchingLines>, Stop> {
        all(self.patterns.iter().map(|pattern| {
            let fact = view.facts.matching_lines.get(&pattern.to_string());
            known(fact, FactKey::MatchingLines(pattern.clone()))
        }))
    }

    /// `counts` has the new path of each file that counts.
    fn judge<'a>(
        &self,
        view: &View<'_>,
        code: &Code,
        counts: impl Iterator<Item = (&'a str, Count)>,
        wanted: bool,
    ) -> Result<Finding, Stop> {
        let (mut count, mut unseen) =
            (Count { low: 0, high: code.complete.then_some(0) }, Unseen::of(code, code.complete));
        for (path, in_file) in counts {
            if in_file.high.is_none() {
                unseen.add_lines(path);
            }
            count = count.plus(in_file);
        }
        let truth = match self.bounds.hold(count) {
            Some(true) => Truth::True,
            Some(false) => Truth::Violated,
            None => Truth::Unknown { curable: false },
        };
        let regex = self.patterns.first().map_or("", |pattern| pattern.regex.as_str());
        let (side, number, bounds) = (self.side, count.describe(), self.bounds.describe());
        let mut sentence = format!("{number} {side} match `{regex}`, the bounds are {bounds}");
        if truth.is_open() {
            sentence = format!("{sentence}; {}", unseen.describe());
        }
        let to = if wanted {
            format!("have {bounds} {side} that match `{regex}`")
        } else {
            format!("have a number of {side} that match `{regex}` other than {bounds}")
        };
        let policy = unseen.remedy().filter(|_| truth.is_open());
        let finding = Finding::new("matching_lines", truth, sentence)
            .mended_by(wanted, [Remedy::ChangeFiles { to }].into_iter().chain(policy));
        // No line is shown of a file that GitLab does not list: to know its path helps only if it may not count.
        let is_narrow = self.files.is_some() || !self.except.is_empty();
        match view.prove_whole(code) {
            Err(stop) if truth.is_open() && is_narrow => finding.open_for(stop),
            Ok(()) | Err(_) => Ok(finding),
        }
    }
}

impl Test for Lines {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        // Both come from one read, so they are asked for at once; where no file counts, none need be searched.
        if let Ok(code) = view.code()
            && self.counted(view, code).is_empty()
        {
            return self.judge(view, code, std::iter::empty(), wanted);
        }
        let (code, found) = both(view.code(), self.read(view))?;
        if found.iter().any(|found| found.version != code.version) {
            let why = "a push came while the facts were read".to_owned();
            return Err(Stop::Unknown(Unknown { why, curable: true }));
        }
        let paths = self.counted(view, code);
        let counts = paths.iter().map(|(path, listed)| {
            let sides = found.iter().map(|found| match found.files.get(*path) {
                None if !listed => Count { low: 0, high: None },
                None => Count::exactly(0),
                Some(Some(count)) => Count::exactly(*count),
                Some(None) => Count { low: 0, high: None },
            });
            (*path, sides.fold(Count::exactly(0), Count::plus))
        });
        self.judge(view, code, counts, wanted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::merge_request::VersionId;
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{code, facts, mistakes, needs, reason, remedies, truth, unknown};
    use crate::policy::fact::{Code, FactKey, Facts, Known, LinePattern, LineSide, MatchingLines};

    const UNKNOWN: Truth = Truth::Unknown { curable: false };

    fn pattern(side: LineSide) -> LinePattern {
        LinePattern { regex: "TODO".to_owned(), side }
    }

    /// `TODO` in the files of a change: added and removed lines of each.
    fn found(files: &[(&str, Option<u64>, Option<u64>)], alter: impl Fn(&mut Code)) -> Facts {
        let mut code = code(1, &files.iter().map(|(path, ..)| *path).collect::<Vec<_>>());
        alter(&mut code);
        let mut facts = Facts { code: Some(Known::Value(code)), ..facts() };
        let mut put = |side, counts: BTreeMap<String, Option<u64>>| {
            let lines = MatchingLines { version: VersionId::new(1), files: counts };
            facts.matching_lines.insert(pattern(side).to_string(), Known::Value(lines));
        };
        put(LineSide::Added, files.iter().map(|(path, added, _)| ((*path).to_owned(), *added)).collect());
        put(LineSide::Removed, files.iter().map(|(path, _, gone)| ((*path).to_owned(), *gone)).collect());
        facts
    }

    #[test]
    fn lines_are_counted_by_side_and_file() {
        let facts = found(&[("src/a.rs", Some(2), Some(1)), ("docs/b.md", Some(4), Some(0))], |_| {});
        for (require, holds) in [
            ("{regex: TODO}", true),
            ("{regex: TODO, at_most: 7}", true),
            ("{regex: TODO, at_most: 6}", false),
            ("{regex: TODO, side: added, at_least: 6, at_most: 6}", true),
            ("{regex: TODO, side: removed, at_most: 1}", true),
            ("{regex: TODO, side: removed, files: '*.md'}", false),
            ("{regex: TODO, side: added, files: {regex: ['src/.*']}, at_most: 2}", true),
            ("{regex: TODO, except: ['*.md'], at_most: 3}", true),
            ("{regex: TODO, files: ['docs/'], except: ['*.md'], at_most: 0}", true),
        ] {
            let expected = if holds { Truth::True } else { Truth::Violated };
            assert_eq!(truth(&format!("{{matching_lines: {require}}}"), &facts), expected, "{require}");
        }
        let none = "{matching_lines: {regex: TODO, side: added, at_most: 0}}";
        assert_eq!(reason(none, &facts).sentence, "6 added lines match `TODO`, the bounds are at most 0");
        let to = "have at most 0 added lines that match `TODO`".to_owned();
        assert_eq!(remedies(none, &facts), [Remedy::ChangeFiles { to }]);
        assert_eq!(remedies(&format!("{{not: {}}}", "{matching_lines: {regex: TODO}}"), &facts).len(), 1);
    }

    #[test]
    fn what_was_left_out_is_never_taken_for_clean() {
        let none = "{matching_lines: {regex: TODO, at_most: 0}}";
        assert_eq!(truth(none, &found(&[("a", None, Some(0))], |_| {})), UNKNOWN);
        assert_eq!(truth(none, &found(&[("a", Some(0), Some(0))], |code| code.complete = false)), UNKNOWN);
        assert_eq!(truth(none, &found(&[("a", Some(1), None)], |_| {})), Truth::Violated);
        assert_eq!(
            truth("{matching_lines: {regex: TODO}}", &found(&[("a", Some(1), None)], |_| {})),
            Truth::True
        );
        assert_eq!(truth("{matching_lines: {regex: TODO}}", &found(&[("a", None, None)], |_| {})), UNKNOWN);
        let mut failed = found(&[("a", Some(0), Some(0))], |_| {});
        failed.matching_lines.insert(pattern(LineSide::Added).to_string(), unknown(true));
        assert_eq!(truth(none, &failed), Truth::Unknown { curable: true });
        let mut moved = found(&[("a", Some(0), Some(0))], |_| {});
        let other = MatchingLines { version: VersionId::new(2), files: BTreeMap::new() };
        moved.matching_lines.insert(pattern(LineSide::Added).to_string(), Known::Value(other));
        assert_eq!(truth(none, &moved), Truth::Unknown { curable: true }, "of another push");
    }

    #[test]
    fn both_sides_are_asked_for_beside_the_code_and_no_side_where_no_file_counts() {
        let either = "{matching_lines: {regex: TODO, files: ['docs/']}}";
        let lines = |side| FactKey::MatchingLines(pattern(side));
        assert_eq!(
            needs(either, &facts()),
            [FactKey::Code, lines(LineSide::Added), lines(LineSide::Removed)]
        );
        let mut facts = facts();
        facts.code = Some(Known::Value(code(1, &["docs/a"])));
        assert_eq!(needs(either, &facts), [lines(LineSide::Added), lines(LineSide::Removed)]);
        facts.code = Some(Known::Value(code(1, &["src/a"])));
        assert_eq!(truth(either, &facts), Truth::Violated);
        assert_eq!(
            truth("{matching_lines: {regex: TODO, files: ['docs/'], at_most: 0}}", &facts),
            Truth::True
        );
        let mut part = code(1, &["src/a"]);
        part.complete = false;
        facts.code = Some(Known::Value(part));
        assert_eq!(truth("{matching_lines: {regex: TODO, files: ['docs/'], at_most: 0}}", &facts), UNKNOWN);
    }

    #[test]
    fn what_is_no_regex_is_refused() {
        insta::assert_snapshot!(mistakes("policy: p\nrules:\n  - id: r\n    require:\n      all_of:\n        - matching_lines: {regex: \"a(?!b)\"}\n        - matching_lines: {at_most: 1}\n        - matching_lines: {regex: a, side: both, files: {regex: [\"(\"], glob: a}}\n        - matching_lines: todo\n"), @r#"
        p.yaml:6:35: error: `a(?!b)` is not a regular expression: look-around, including look-ahead and look-behind, is not supported
          help: escape what is meant literally with a backslash; look-around is not supported
        p.yaml:7:27: error: `regex` is missing in `matching_lines`
          help: write `regex: …`, some text
        p.yaml:8:44: error: `both` is no value of `side`
          help: it may be `added`, `removed`, `either`
        p.yaml:8:66: error: `(` is not a regular expression: unclosed group
          help: escape what is meant literally with a backslash; look-around is not supported
        p.yaml:8:72: error: `glob` is no key of `files`
          help: did you mean `globs`?
        p.yaml:9:27: error: `matching_lines` must be a mapping, not `todo`
          help: write `matching_lines: {regex: …, at_most: 0}`
        "#);
    }
}

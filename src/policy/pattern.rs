//! The three kinds of patterns: wildcards for names, globs for paths, regexes for text.
//!
//! - A [`Wildcard`] is GitLab's own for protected branches: `*` stands for any characters, `/` among them.
//! - A path glob is gitignore's: `*` stops at `/`, `**` does not, a pattern without `/` matches at any depth, and one
//!   that names a folder covers what is in it. The globs of a whole set become one automaton ([`PathGlobs`]), so a
//!   file is looked at once and not once for each rule. Regexes over paths become a second one beside it.
//! - A regex is compiled once, within a size limit, and never backtracks.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::enumeration::alternatives;

/// The compiled size that a regex may have.
const REGEX_BYTES: usize = 256 * 1024;
/// The compiled size that all path regexes of a set may have together.
const REGEX_SET_BYTES: usize = 16 * 1024 * 1024;
/// The longest pattern: a longer one is no pattern but a text.
const LONGEST: usize = 1024;

/// A name with `*` for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wildcard {
    text: String,
}

impl Wildcard {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let Some((head, tail)) = self.text.split_once('*') else { return self.text == name };
        let Some(mut rest) = name.strip_prefix(head) else { return false };
        let Some((middle, last)) = tail.rsplit_once('*') else { return rest.ends_with(tail) };
        // The leftmost place for each part leaves most room for those behind it: no backtracking is needed.
        for part in middle.split('*') {
            match rest.split_once(part) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl AsRef<str> for Wildcard {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// A list of wildcards, some of them with a leading `!` that excludes, whatever the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) included: Vec<Wildcard>,
    pub(super) excluded: Vec<Wildcard>,
}

impl Names {
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let (mut included, mut excluded) = (Vec::new(), Vec::new());
        for text in texts {
            match text.strip_prefix('!') {
                Some(rest) => excluded.push(Wildcard::new(rest)),
                None => included.push(Wildcard::new(text)),
            }
        }
        Self { included, excluded }
    }

    /// Whether a name is meant: a list that only excludes means everything else.
    pub(super) fn matches(&self, name: &str) -> bool {
        let included =
            self.included.is_empty() || self.included.iter().any(|wildcard| wildcard.matches(name));
        included && !self.excluded.iter().any(|wildcard| wildcard.matches(name))
    }

    /// The list in words.
    pub(super) fn describe(&self) -> String {
        match (self.included.is_empty(), self.excluded.is_empty()) {
            (_, true) => alternatives(&self.included),
            (true, false) => format!("anything but {}", alternatives(&self.excluded)),
            (false, false) => {
                format!("{}, but not {}", alternatives(&self.included), alternatives(&self.excluded))
            }
        }
    }
}

/// Which path patterns of the set one condition means: globs and regexes, each of them an alternative.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GlobIds {
    globs: Vec<usize>,
    regexes: Vec<usize>,
}

impl GlobIds {
    /// Whether it means no pattern at all.
    pub(super) fn is_empty(&self) -> bool {
        self.globs.is_empty() && self.regexes.is_empty()
    }
}

/// Gathers the path patterns of a whole set.
#[derive(Debug, Default)]
pub(super) struct PathGlobsBuilder {
    globs: Vec<Glob>,
    regexes: Vec<String>,
}

impl PathGlobsBuilder {
    /// Takes the globs that one pattern means; the error is a sentence about the pattern.
    pub(super) fn add(&mut self, pattern: &str, ids: &mut GlobIds) -> Result<(), String> {
        for glob in path_globs(pattern)? {
            ids.globs.push(self.globs.len());
            self.globs.push(glob);
        }
        Ok(())
    }

    /// Takes a regex over whole paths; the error is a sentence about it.
    pub(super) fn add_regex(&mut self, pattern: &str, ids: &mut GlobIds) -> Result<(), String> {
        let regex = whole_regex(pattern)?;
        ids.regexes.push(self.regexes.len());
        self.regexes.push(regex.as_str().to_owned());
        Ok(())
    }

    pub(super) fn build(self) -> Result<PathGlobs, String> {
        let mut builder = GlobSetBuilder::new();
        let count = self.globs.len();
        for glob in self.globs {
            builder.add(glob);
        }
        let set = builder.build().map_err(|error| error.kind().to_string())?;
        let regexes = RegexSetBuilder::new(self.regexes)
            .size_limit(REGEX_SET_BYTES)
            .dot_matches_new_line(true)
            .build()
            .map_err(|_| "the regexes grow too large when they are compiled".to_owned())?;
        Ok(PathGlobs { set, count, regexes })
    }
}

/// The globs that one gitignore-like pattern stands for.
fn path_globs(pattern: &str) -> Result<Vec<Glob>, String> {
    if pattern.len() > LONGEST {
        return Err(format!("a pattern can't be longer than {LONGEST} bytes"));
    }
    let anchored = pattern.trim_end_matches('/').contains('/');
    let body = pattern.strip_prefix('/').unwrap_or(pattern);
    let folder = body.strip_suffix('/');
    let body = folder.unwrap_or(body);
    if body.is_empty() {
        return Err("the pattern names no path".to_owned());
    }
    let rooted = if anchored { body.to_owned() } else { format!("**/{body}") };
    let last = body.rsplit('/').next().unwrap_or(body);
    // What names a folder without a wildcard covers its contents: `services/payments` must not protect nothing.
    let below = format!("{rooted}/**");
    let plain = !last.contains(['*', '?', '[', '{']);
    let texts = match (folder.is_some(), plain) {
        (true, _) => vec![below],
        (false, true) => vec![rooted, below],
        (false, false) => vec![rooted],
    };
    texts.iter().map(|text| slash_glob(text)).collect()
}

/// A glob whose `*` stops at `/`.
fn slash_glob(text: &str) -> Result<Glob, String> {
    GlobBuilder::new(text).literal_separator(true).build().map_err(|error| error.kind().to_string())
}

/// All path patterns of a set: the globs as one automaton, the regexes as another.
#[derive(Debug, Clone)]
pub(super) struct PathGlobs {
    set: GlobSet,
    count: usize,
    regexes: RegexSet,
}

/// Which patterns of the set one path matches.
#[derive(Debug, Clone, Default)]
pub(super) struct PathMatches {
    globs: Bits,
    regexes: Bits,
}

/// A set of small numbers, one bit each.
#[derive(Debug, Clone, Default)]
struct Bits(Vec<u64>);

impl PathGlobs {
    pub(super) fn matches(&self, path: &str) -> PathMatches {
        let globs = Bits::of(self.count, self.set.matches(path));
        // A set without regexes costs nothing.
        let regexes = match self.regexes.len() {
            0 => Bits::default(),
            count => Bits::of(count, self.regexes.matches(path)),
        };
        PathMatches { globs, regexes }
    }
}

impl PathMatches {
    /// Adds what another path matches.
    pub(super) fn join(&mut self, other: &Self) {
        self.globs.join(&other.globs);
        self.regexes.join(&other.regexes);
    }

    /// Whether the path matches one of these patterns.
    pub(super) fn any(&self, ids: &GlobIds) -> bool {
        self.globs.any(&ids.globs) || self.regexes.any(&ids.regexes)
    }
}

impl Bits {
    fn of(count: usize, numbers: impl IntoIterator<Item = usize>) -> Self {
        let mut words = vec![0_u64; count.div_ceil(64)];
        for number in numbers {
            if let Some(word) = words.get_mut(number / 64) {
                *word |= 1 << (number % 64);
            }
        }
        Self(words)
    }

    fn join(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    fn any(&self, numbers: &[usize]) -> bool {
        numbers
            .iter()
            .any(|number| self.0.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0))
    }
}

/// Globs over project paths: `*` stops at `/`, and a leading `!` excludes. GitLab's paths are the same in any case: a
/// project that is renamed to another case must not leave its policies.
#[derive(Debug, Clone)]
pub(super) struct ProjectGlobs {
    included: Option<GlobSet>,
    excluded: GlobSet,
}

impl ProjectGlobs {
    /// Builds from patterns that [`check_project_glob`] accepted; others are left out.
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut included, mut excluded) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut only_excludes = true;
        for pattern in patterns {
            if let Some(rest) = pattern.strip_prefix('!') {
                excluded.add(slash_glob(&rest.to_lowercase()).ok()?);
            } else {
                only_excludes = false;
                included.add(slash_glob(&pattern.to_lowercase()).ok()?);
            }
        }
        let included = if only_excludes { None } else { Some(included.build().ok()?) };
        Some(Self { included, excluded: excluded.build().ok()? })
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let path = path.to_lowercase();
        self.included.as_ref().is_none_or(|set| set.is_match(&path)) && !self.excluded.is_match(&path)
    }
}

/// Whether a project glob can be read; the error is a sentence about it.
pub(super) fn check_project_glob(pattern: &str) -> Result<(), String> {
    slash_glob(&pattern.strip_prefix('!').unwrap_or(pattern).to_lowercase()).map(drop)
}

/// A regex that must match the whole text; `.` matches line ends too.
pub(super) fn whole_regex(pattern: &str) -> Result<Regex, String> {
    // The pattern is compiled alone first: `a)|(b` must not break out of the brackets.
    build_regex(pattern, false)?;
    build_regex(&format!(r"\A(?:{pattern})\z"), true)
}

/// A regex as its author wrote it, whether it is to match the whole text or not.
pub(super) fn source_of(regex: &Regex) -> &str {
    let source = regex.as_str();
    source.strip_prefix(r"\A(?:").and_then(|rest| rest.strip_suffix(r")\z")).unwrap_or(source)
}

/// How many bytes a regex can match at most; none if there is no end to it.
pub(super) fn longest_match(regex: &Regex) -> Option<usize> {
    regex_syntax::parse(regex.as_str()).ok()?.properties().maximum_len()
}

/// A regex that may match anywhere; `^` and `$` match at line ends.
pub(super) fn partial_regex(pattern: &str) -> Result<Regex, String> {
    build_regex(pattern, false)
}

fn build_regex(pattern: &str, whole: bool) -> Result<Regex, String> {
    if pattern.len() > LONGEST {
        return Err(format!("a regex can't be longer than {LONGEST} bytes"));
    }
    RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES)
        .multi_line(!whole)
        .dot_matches_new_line(whole)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the regex grows too large when it is compiled".to_owned(),
            other => {
                other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touches(pattern: &str, path: &str) -> bool {
        let (mut builder, mut ids) = (PathGlobsBuilder::default(), GlobIds::default());
        builder.add(pattern, &mut ids).unwrap();
        builder.build().unwrap().matches(path).any(&ids)
    }

    #[test]
    fn a_wildcard_crosses_slashes() {
        let matches = |pattern, name| Wildcard::new(pattern).matches(name);
        assert!(matches("release/*", "release/1.2/hotfix"));
        assert!(matches("*-stable", "a/b-stable"));
        assert!(matches("a*b*c", "abbc") && matches("a*b*c", "aXbYc") && !matches("a*b*c", "acb"));
        assert!(matches("*", "") && matches("**", "x") && !matches("aa*aa", "aaa"));
        assert!(!matches("main", "mainline") && !matches("main*", "domain"));
    }

    #[test]
    fn an_exclusion_wins_whatever_the_order() {
        for order in [["release/*", "!release/old"], ["!release/old", "release/*"]] {
            let names = Names::new(order.into_iter());
            assert!(names.matches("release/new") && !names.matches("release/old") && !names.matches("main"));
        }
        assert!(Names::new(["!old"].into_iter()).matches("main"));
    }

    #[test]
    fn path_globs_are_those_of_gitignore() {
        assert!(touches("*.md", "docs/a/b.md") && touches("*.md", "b.md"));
        assert!(touches("docs/*.md", "docs/b.md") && !touches("docs/*.md", "docs/a/b.md"));
        assert!(touches("docs/**", "docs/a/b.md") && !touches("docs/**", "docs"));
        assert!(touches("/README.md", "README.md") && !touches("/README.md", "docs/README.md"));
        assert!(touches("services/payments", "services/payments/a/b.rs"), "a folder covers what is in it");
        assert!(touches("payments/", "services/payments/b.rs") && !touches("payments/", "payments"));
        assert!(
            touches("auth/", "auth/a") && touches("auth/", "web/auth/a") && touches("auth", "web/auth/a")
        );
        assert!(touches("/auth/", "auth/a") && !touches("/auth/", "web/auth/a"));
        assert!(touches("db/migrations/", "db/migrations/1.sql"));
        assert!(!touches("db/migrations/", "shop/db/migrations/1.sql"), "a slash inside ties it to the top");
        assert!(touches("**/db/migrations/", "shop/db/migrations/1.sql"));
        assert!(touches("**/db/migrations/", "db/migrations/1.sql"));
        assert!(!touches("services/*", "services/a/b") && !touches("pay*", "payments/a"), "no folder's name");
        assert!(touches("**/.env", ".env") && touches(".gitlab/**", ".gitlab/ci/a.yml"));
        assert!(!touches("docs/**", "Docs/a"));
        assert!(
            touches("**", "a")
                && touches("**", ".x/y")
                && touches("*", ".hidden")
                && touches("a/**/b", "a/b")
        );
        assert!(
            touches("pay/**", "pay/a\nb")
                && touches("*.rs", "pay/\u{1}\n.rs")
                && touches("pay/**", "pay/\u{fffd}")
        );
    }

    #[test]
    fn a_path_matches_by_a_glob_or_a_regex_as_a_whole() {
        let (mut builder, mut both, mut other) =
            (PathGlobsBuilder::default(), GlobIds::default(), GlobIds::default());
        builder.add("*.md", &mut both).unwrap();
        builder.add_regex("src/[a-c]+/.*", &mut other).unwrap();
        builder.add_regex("pay|PAY", &mut both).unwrap();
        assert!(builder.add_regex("a)|(b", &mut both).is_err());
        let set = builder.build().unwrap();
        let fits = |ids, path| set.matches(path).any(ids);
        assert!(fits(&both, "a/b.md") && fits(&both, "pay") && fits(&both, "PAY"));
        assert!(!fits(&both, "pays") && !fits(&both, "src/a/x"));
        assert!(fits(&other, "src/abc/x\ny") && !fits(&other, "lib/src/a/x") && !fits(&other, "pay"));
        assert!(GlobIds::default().is_empty() && !both.is_empty() && !other.is_empty());
    }

    #[test]
    fn a_regex_matches_the_whole_text_or_anywhere() {
        assert!(!whole_regex("a|b").unwrap().is_match("ab"));
        assert!(whole_regex("a.*b").unwrap().is_match("a\nb"));
        assert!(!whole_regex("a").unwrap().is_match("a\n"));
        assert!(partial_regex("^Closes #[0-9]+$").unwrap().is_match("x\nCloses #12\ny"));
        assert!(whole_regex("a)|(b").is_err());
        assert!(whole_regex("(a{1000}){1000}").is_err());
    }

    #[test]
    fn project_globs_stop_at_a_slash() {
        let globs = ProjectGlobs::new(["shop/*", "!shop/old"].into_iter()).unwrap();
        assert!(globs.matches("shop/web") && !globs.matches("shop/a/b") && !globs.matches("shop/old"));
        assert!(globs.matches("Shop/Web") && !globs.matches("shop/OLD"));
        assert!(ProjectGlobs::new(["Shop/*"].into_iter()).unwrap().matches("shop/web"));
    }
}

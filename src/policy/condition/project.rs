//! `project`: which project the merge request goes into, and how that is set up.
//!
//! A path that does not fit is violated: it belongs elsewhere. Settings wait: the project's maintainers change them,
//! no push does.

use super::kind::{Kind, Test, test};
use super::marks::Marks;
use super::vocabulary::TEXTS;
use crate::policy::builder::Builder;
use crate::policy::document::Node;
use crate::policy::enumeration::alternatives;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{FactKey, Family, ProjectFacts, Unknown};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::pattern::{ProjectGlobs, check_project_glob};
use crate::policy::view::View;
use crate::schema::{Key, Shape, Table};

/// The target project.
pub(super) const PROJECT: Kind = Kind {
    key: Key::new("project", Shape::Mapping(&TABLE), "The project it goes into, and how that is set up."),
    build: |node, builder| test(Project::build(node, builder)),
    reads: &[Family::MergeRequest, Family::Project],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

const VISIBILITIES: &[&str] = &["private", "internal", "public"];
const MERGE_METHODS: &[&str] = &["merge", "rebase_merge", "ff"];
const SQUASH_OPTIONS: &[&str] = &["never", "always", "default_on", "default_off"];

static TABLE: Table = Table {
    name: "project",
    doc: "The project it goes into, and how that is set up.",
    hint: Some("write `project: {paths: […]}` or `project: {topics: {any: […]}}`"),
    keys: &[
        Key::new("paths", TEXTS, "Globs over its full path; a quoted leading `!` excludes."),
        Key::new("topics", Shape::Mapping(&TOPICS), "Its topics."),
        Key::new("visibility", choice(&VISIBILITY_SHAPES), "Who sees it; one of these is enough."),
        Key::new("merge_method", choice(&MERGE_METHOD_SHAPES), "How it merges; one of these is enough."),
        Key::new(
            "squash_option",
            choice(&SQUASH_OPTION_SHAPES),
            "What it makes of squashing; one of these is enough.",
        ),
    ],
};

static TOPICS: Table = Table {
    name: "topics",
    doc: "Topics of the project, in any case; `*` stands for any characters.",
    hint: Some(
        "write `topics: {all: […]}` if every one must be there, or `topics: {any: […]}` if one is enough",
    ),
    keys: &[
        Key::new("all", TEXTS, "Each of these is there."),
        Key::new("any", TEXTS, "At least one of these is there."),
        Key::new("none", TEXTS, "None of these is there."),
    ],
};

static VISIBILITY_SHAPES: [Shape; 2] = one_or_more(&Shape::Choice(VISIBILITIES));
static MERGE_METHOD_SHAPES: [Shape; 2] = one_or_more(&Shape::Choice(MERGE_METHODS));
static SQUASH_OPTION_SHAPES: [Shape; 2] = one_or_more(&Shape::Choice(SQUASH_OPTIONS));

const fn one_or_more(word: &'static Shape) -> [Shape; 2] {
    [*word, Shape::List(word)]
}

const fn choice(shapes: &'static [Shape; 2]) -> Shape {
    Shape::OneOf(shapes)
}

/// Which projects fit.
#[derive(Debug, Clone)]
struct Project {
    paths: Option<Paths>,
    topics: Marks,
    settings: Vec<Setting>,
}

#[derive(Debug, Clone)]
struct Paths {
    globs: ProjectGlobs,
    words: Vec<String>,
}

/// One setting of which one word is enough.
#[derive(Debug, Clone)]
struct Setting {
    what: &'static str,
    wanted: Vec<String>,
    words: &'static [&'static str],
    read: for<'a> fn(&'a ProjectFacts) -> Option<&'a str>,
}

impl Project {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let paths = match node.get("paths") {
            Some(paths) => Some(Paths::build(paths, builder)?),
            None => None,
        };
        let topics =
            node.get("topics").map(|topics| Marks::build(topics, str::to_lowercase)).unwrap_or_default();
        let setting = |what: &'static str, words, read: for<'a> fn(&'a ProjectFacts) -> Option<&'a str>| {
            let wanted = node.get(what)?.all_words().iter().map(|words| words.text.to_owned()).collect();
            Some(Setting { what, wanted, words, read })
        };
        let settings = [
            setting("visibility", VISIBILITIES, |project| Some(&project.visibility)),
            setting("merge_method", MERGE_METHODS, |project| Some(&project.merge_method)),
            setting("squash_option", SQUASH_OPTIONS, |project| project.squash_option.as_deref()),
        ];
        let settings: Vec<_> = settings.into_iter().flatten().collect();
        let project = Self { paths, topics, settings };
        (project.paths.is_some() || project.is_about_settings()).then_some(project)
    }

    fn is_about_settings(&self) -> bool {
        !self.topics.is_empty() || !self.settings.is_empty()
    }

    /// The settings in words.
    fn describe(&self) -> String {
        let settings = self.settings.iter().map(Setting::describe);
        describe_topics(&self.topics).into_iter().chain(settings).collect::<Vec<_>>().join(" and ")
    }

    fn judge_settings(&self, project: &ProjectFacts) -> Result<Vec<String>, Stop> {
        // GitLab: no two topics differ in case alone.
        let there = project.topics.iter().map(|topic| topic.to_lowercase()).collect();
        let mut faults = self.topics.faults("topic", &there);
        let mut doubt = None;
        for setting in &self.settings {
            match setting.fault(project) {
                Ok(fault) => faults.extend(fault),
                Err(unknown) => doubt = Some(unknown),
            }
        }
        match doubt {
            Some(unknown) if faults.is_empty() => Err(Stop::Unknown(unknown)),
            _ => Ok(faults),
        }
    }
}

impl Paths {
    fn build(node: &Node, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let words: Vec<_> = node.all_words();
        for glob in &words {
            if let Err(why) = check_project_glob(glob.text) {
                builder.notes.plain_error(glob.span, format!("`{}` is no project glob: {why}", glob.text));
            }
        }
        let globs = ProjectGlobs::new(words.iter().map(|words| words.text))?;
        let words: Vec<_> = words.iter().map(|words| format!("`{}`", words.text)).collect();
        (!words.is_empty()).then_some(Self { globs, words })
    }

    fn describe(&self) -> String {
        self.words.join(" or ")
    }
}

/// The topics in words.
fn describe_topics(topics: &Marks) -> Vec<String> {
    let all = topics.all.iter().map(|topic| format!("the topic `{}`", topic.as_str()));
    let any = (!topics.any.is_empty()).then(|| format!("one of the topics {}", alternatives(&topics.any)));
    let none = (!topics.none.is_empty()).then(|| format!("no topic like {}", alternatives(&topics.none)));
    all.chain(any).chain(none).collect()
}

impl Setting {
    /// What is wrong with it; a word that is not known here is none of those wanted, and none of those not wanted.
    fn fault(&self, project: &ProjectFacts) -> Result<Option<String>, Unknown> {
        let what = self.what;
        match (self.read)(project) {
            Some(word) if self.wanted.iter().any(|wanted| wanted == word) => Ok(None),
            Some(word) if self.words.contains(&word) => {
                Ok(Some(format!("`{what}` is `{word}`, not {}", self.wanted_words())))
            }
            Some(word) => Err(format!("`{word}`, the project's `{what}`, is no known one")),
            None => Err(format!("this GitLab does not say the project's `{what}`")),
        }
        .map_err(|why| Unknown { why, curable: false })
    }

    fn wanted_words(&self) -> String {
        alternatives(&self.wanted)
    }

    fn describe(&self) -> String {
        format!("`{}` being {}", self.what, self.wanted_words())
    }
}

impl Test for Project {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let path = &view.facts.merge_request.project_path;
        if let Some(paths) = &self.paths
            && !paths.globs.matches(path)
        {
            let to = paths.describe();
            let sentence = format!("the project `{path}` is not one of {to}");
            let remedy = Remedy::ChangeTargetProject { to };
            return Ok(Finding::new("project", Truth::Violated, sentence).mended_by(wanted, [remedy]));
        }
        if !self.is_about_settings() {
            let to = format!("none of {}", self.paths.as_ref().map(Paths::describe).unwrap_or_default());
            let finding = Finding::new("project", Truth::True, format!("the project is `{path}`"));
            return Ok(finding.mended_by(wanted, [Remedy::ChangeTargetProject { to }]));
        }
        let project = known(view.facts.project.as_ref(), FactKey::Project)?;
        let faults = self.judge_settings(project)?;
        let to = if wanted { self.describe() } else { format!("anything but: {}", self.describe()) };
        let remedy = Remedy::ChangeProjectSettings { to };
        let finding = if faults.is_empty() {
            Finding::new("project", Truth::True, format!("the project `{path}` has {}", self.describe()))
        } else {
            Finding::new("project", Truth::Waiting, format!("of the project `{path}`: {}", faults.join(", ")))
        };
        Ok(finding.mended_by(wanted, [remedy]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::example::{facts, mistakes, needs, reason, remedies, truth, unknown};
    use crate::policy::fact::{Facts, Known};

    fn set_up() -> Facts {
        let project = ProjectFacts {
            topics: ["Payments", "rust"].map(str::to_owned).into(),
            visibility: "internal".to_owned(),
            merge_method: "ff".to_owned(),
            squash_option: Some("default_on".to_owned()),
        };
        Facts { project: Some(Known::Value(project)), ..facts() }
    }

    #[test]
    fn a_path_asks_nothing() {
        assert_eq!(truth("{project: {paths: \"shop/*\"}}", &facts()), Truth::True);
        assert_eq!(truth("{project: {paths: [\"Shop/**\", \"!shop/web\"]}}", &facts()), Truth::Violated);
        assert_eq!(truth("{project: {paths: [bank/**], topics: {any: rust}}}", &facts()), Truth::Violated);
        let to = "`bank/**`".to_owned();
        assert_eq!(remedies("{project: {paths: bank/**}}", &facts()), [Remedy::ChangeTargetProject { to }]);
    }

    #[test]
    fn settings_wait_for_maintainers() {
        const ALL: &str = "{project: {paths: shop/web, topics: {all: [payments], any: [go, rust], none: [legacy]}, visibility: [private, internal], merge_method: ff, squash_option: default_on}}";
        assert_eq!(needs(ALL, &facts()), [FactKey::Project]);
        assert_eq!(truth(ALL, &set_up()), Truth::True);
        for wrong in [
            "topics: {all: [rust, go]}",
            "topics: {any: [go]}",
            "topics: {none: [\"pay*\"]}",
            "visibility: public",
            "merge_method: [merge, rebase_merge]",
            "squash_option: always",
        ] {
            assert_eq!(truth(&format!("{{project: {{{wrong}}}}}"), &set_up()), Truth::Waiting, "{wrong}");
        }
        let told = reason("{project: {topics: {all: [go]}, merge_method: merge}}", &set_up());
        assert_eq!(
            told.sentence,
            "of the project `shop/web`: the topic `go` is missing, `merge_method` is `ff`, not `merge`"
        );
        let to = "`merge_method` being `merge`".to_owned();
        assert_eq!(
            remedies("{project: {merge_method: merge}}", &set_up()),
            [Remedy::ChangeProjectSettings { to }]
        );
    }

    #[test]
    fn what_gitlab_does_not_say_or_says_in_a_new_word_decides_nothing() {
        let mut facts = set_up();
        if let Some(Known::Value(project)) = &mut facts.project {
            project.squash_option = None;
            project.merge_method = "octopus".to_owned();
        }
        for require in ["{project: {squash_option: never}}", "{project: {merge_method: merge}}"] {
            for require in [require.to_owned(), format!("{{not: {require}}}")] {
                assert_eq!(truth(&require, &facts), Truth::Unknown { curable: false }, "{require}");
            }
        }
        assert_eq!(truth("{project: {merge_method: merge, visibility: public}}", &facts), Truth::Waiting);
        facts.project = Some(unknown(true));
        assert_eq!(truth("{project: {visibility: public}}", &facts), Truth::Unknown { curable: true });
    }

    #[test]
    fn words_that_gitlab_does_not_have_are_refused() {
        let of =
            |text: &str| mistakes(&format!("policy: p\nrules: [{{id: r, require: {{project: {text}}}}}]\n"));
        assert!(of("{merge_method: rebase}").contains("`rebase_merge`"));
        assert!(of("{topics: [go]}").contains("write `topics: {all: […]}`"));
        assert!(of("{paths: \"a{b\"}").contains("is no project glob"));
        assert!(of("{}").contains("project"));
    }
}

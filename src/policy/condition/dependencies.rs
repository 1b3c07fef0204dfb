//! `depends_on` and `blocking_merge_requests`: what has to be merged first.
//!
//! Waiting while one of them is not merged: people merge it. One that a line `Depends-On:` names and that was closed, that is
//! not there, or that can't be read is violated: only an edit mends it. What is hidden from the token may be merged or not,
//! and is never taken for merged.

use std::collections::BTreeSet;

use super::kind::{Kind, Test, test};
use super::markdown::lines_of;
use crate::policy::document::Node;
use crate::policy::evaluation::{Remedy, Truth};
use crate::policy::fact::{Dependency, FactKey, Family, Known, MergeRequestFacts, Unknown};
use crate::policy::finding::{Finding, Stop, known};
use crate::policy::view::View;
use crate::schema::{Key, Shape};

const MERGED: Shape = Shape::Choice(&["merged"]);

/// What the description says must be merged first.
pub(super) const DEPENDS_ON: Kind = Kind {
    key: Key::new(
        "depends_on",
        MERGED,
        "Every merge request that a line `Depends-On: !12` of the description names is merged.",
    ),
    build: |node, _| test(is_merged(node).then_some(DependsOn)),
    reads: &[Family::MergeRequest, Family::OtherMergeRequests],
    unmet: &[Truth::Violated, Truth::Waiting],
    settled_by_commit: false,
};

/// What GitLab says must be merged first.
pub(super) const BLOCKING_MERGE_REQUESTS: Kind = Kind {
    key: Key::new(
        "blocking_merge_requests",
        MERGED,
        "Every merge request that blocks this one in GitLab (Premium) is merged.",
    ),
    build: |node, _| test(is_merged(node).then_some(BlockingMergeRequests)),
    reads: &[Family::OtherMergeRequests],
    unmet: &[Truth::Waiting],
    settled_by_commit: false,
};

/// The word that begins the line.
const WORD: &str = "Depends-On";
/// How many merge requests one may depend on: each of them is a question.
const MOST: usize = 50;
/// How GitLab's addresses of merge requests go on behind the project.
const IN_URL: &str = "/-/merge_requests/";

fn is_merged(node: &Node) -> bool {
    node.words().is_some_and(|words| words.text == "merged")
}

#[derive(Debug, Clone, Copy)]
struct DependsOn;

#[derive(Debug, Clone, Copy)]
struct BlockingMergeRequests;

impl Test for DependsOn {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let request = &view.facts.merge_request;
        let edit = |to: &str| Remedy::EditDescription { to: to.to_owned() };
        let references = match references(request) {
            Ok(references) => references,
            Err(sentence) => {
                return Ok(Finding::new("depends_on", Truth::Violated, sentence)
                    .mended_by(wanted, [edit("one whose lines `Depends-On:` name other merge requests")]));
            }
        };
        let asked: Vec<_> = references
            .iter()
            .map(|reference| (reference, view.facts.other_merge_requests.get(reference)))
            .collect();
        let missing: BTreeSet<_> = asked
            .iter()
            .filter(|(_, answer)| answer.is_none())
            .map(|(reference, _)| FactKey::OtherMergeRequest((*reference).clone()))
            .collect();
        if !missing.is_empty() {
            return Err(Stop::Needs(missing));
        }
        let standings =
            asked.iter().filter_map(|(reference, answer)| Some(standing(request, reference, (*answer)?)));
        let finding = judge("depends_on", &standings.collect::<Vec<_>>(), wanted)?;
        let change = match (finding.truth(), wanted) {
            (Truth::Violated, true) => {
                Some(edit("one that depends on merge requests that are open or merged"))
            }
            (_, true) => None,
            (_, false) => Some(edit("one that depends on a merge request that is open")),
        };
        Ok(finding.mended_by(wanted, change))
    }
}

impl Test for BlockingMergeRequests {
    fn evaluate(&self, view: &View<'_>, wanted: bool) -> Result<Finding, Stop> {
        let blocking = known(view.facts.blocking_merge_requests.as_ref(), FactKey::BlockingMergeRequests)?;
        let standings = blocking.iter().map(|other| {
            let truth = match other.state.as_str() {
                "merged" => Truth::True,
                // GitLab: a closed one goes on blocking until somebody takes it off.
                "opened" | "locked" | "closed" => Truth::Waiting,
                _ => Truth::Unsettled,
            };
            Standing::new(&other.reference, truth, format!("`{}` is {}", other.reference, other.state))
        });
        judge("blocking_merge_requests", &standings.collect::<Vec<_>>(), wanted)
    }
}

/// How another merge request stands.
struct Standing {
    reference: String,
    truth: Truth,
    sentence: String,
}

impl Standing {
    fn new(reference: &str, truth: Truth, sentence: String) -> Self {
        Self { reference: reference.to_owned(), truth, sentence }
    }
}

/// How one stands that a line of the description names.
fn standing(request: &MergeRequestFacts, reference: &str, answer: &Known<Option<Dependency>>) -> Standing {
    let here = reference.rsplit_once('!').is_some_and(|(path, _)| path == request.project_path);
    let (truth, sentence) = match answer {
        Known::Value(Some(other)) => {
            let truth = match other.state.as_str() {
                "merged" => Truth::True,
                "opened" | "locked" => Truth::Waiting,
                "closed" => Truth::Violated,
                _ => Truth::Unsettled,
            };
            (truth, format!("`{reference}` is {}", other.state))
        }
        // The token reads the merge requests of this project: what it does not find here is not there.
        Known::Value(None) if here => (Truth::Violated, format!("there is no merge request `{reference}`")),
        Known::Value(None) => {
            let why = format!("`{reference}` does not exist, or is hidden from the token");
            (Truth::Unknown { curable: false }, why)
        }
        Known::Unknown(Unknown { why, curable }) => (Truth::Unknown { curable: *curable }, why.clone()),
    };
    Standing::new(reference, truth, sentence)
}

/// Every one of them is merged.
fn judge(condition: &str, standings: &[Standing], wanted: bool) -> Result<Finding, Stop> {
    let truth = Truth::all(standings.iter().map(|standing| standing.truth));
    let decisive: Vec<_> = standings.iter().filter(|standing| standing.truth == truth).collect();
    let sentence = decisive.iter().map(|standing| standing.sentence.as_str()).collect::<Vec<_>>().join(", ");
    if let Truth::Unknown { curable } = truth {
        return Err(Stop::Unknown(Unknown { why: sentence, curable }));
    }
    let sentence = if standings.is_empty() {
        "no other merge request has to be merged first".to_owned()
    } else {
        sentence
    };
    // Below a `not` nobody is told to leave something unmerged.
    let waits = (truth == Truth::Waiting && wanted).then(|| Remedy::MergeOthers {
        merge_requests: decisive.iter().map(|standing| standing.reference.clone()).collect(),
    });
    Ok(Finding::new(condition, truth, sentence).mended_by(wanted, waits))
}

/// The merge requests that the description names; the error is what is wrong with a line.
fn references(request: &MergeRequestFacts) -> Result<BTreeSet<String>, String> {
    let mut references = BTreeSet::new();
    for line in lines_of(WORD, &request.description) {
        for written in line.split(',').map(str::trim) {
            let shown: String = written.chars().take(80).collect();
            let (path, iid) = reference(request, written).ok_or_else(|| {
                format!("`{WORD}: {shown}` names no merge request such as `!12` or `group/project!12`")
            })?;
            if iid == request.merge_request.iid.get() && path.eq_ignore_ascii_case(&request.project_path) {
                return Err(format!("`{WORD}: {shown}` is the merge request itself"));
            }
            references.insert(format!("{path}!{iid}"));
        }
    }
    if references.len() > MOST {
        return Err(format!("it depends on {} merge requests, and {MOST} are the most", references.len()));
    }
    Ok(references)
}

/// The project's path and the number of a merge request, as people refer to it or as its address says.
fn reference<'a>(request: &'a MergeRequestFacts, written: &'a str) -> Option<(&'a str, u64)> {
    let number = |digits: &str| {
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    if let Some(instance) = instance(request)
        && let Some(rest) = written.strip_prefix(instance)
    {
        let (path, rest) = rest.split_once(IN_URL)?;
        let digits = rest.split(['/', '?', '#']).next()?;
        return is_path(path).then_some((path, number(digits)?));
    }
    let (path, digits) = written.rsplit_once('!')?;
    let path = if path.is_empty() { request.project_path.as_str() } else { path };
    is_path(path).then_some((path, number(digits)?))
}

/// What stands before a project's path in this GitLab's addresses, with the slash.
fn instance(request: &MergeRequestFacts) -> Option<&str> {
    let (project, _) = request.web_url.split_once(IN_URL)?;
    project.strip_suffix(request.project_path.as_str()).filter(|instance| instance.ends_with('/'))
}

/// Whether it can be a project's full path.
fn is_path(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    text.contains('/') && text.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use crate::policy::evaluation::{Remedy, Truth};
    use crate::policy::example::{facts, needs, reason, remedies, truth, unknown};
    use crate::policy::fact::{Dependency, FactKey, Facts, Known};

    const MERGED: &str = "{depends_on: merged}";
    const UNBLOCKED: &str = "{blocking_merge_requests: merged}";

    fn described(text: &str) -> Facts {
        let mut facts = facts();
        facts.merge_request.description = text.to_owned();
        facts
    }

    fn dependency(reference: &str, state: &str) -> Dependency {
        Dependency { reference: reference.to_owned(), state: state.to_owned() }
    }

    fn with(text: &str, others: &[(&str, Known<Option<Dependency>>)]) -> Facts {
        let mut facts = described(text);
        facts.other_merge_requests =
            others.iter().map(|(reference, answer)| ((*reference).to_owned(), answer.clone())).collect();
        facts
    }

    #[test]
    fn every_spelling_of_this_gitlab_is_understood() {
        let text = "Depends-On: !12, shop/api!7\n* depends-on: https://gitlab.example/shop/sub/x/-/merge_requests/3#note_1\n";
        let keys = ["shop/api!7", "shop/sub/x!3", "shop/web!12"];
        let keys = keys.map(|reference| FactKey::OtherMergeRequest(reference.to_owned()));
        assert_eq!(needs(MERGED, &described(text)), keys, "all at once");
        assert_eq!(truth(MERGED, &described("nothing")), Truth::True);
        assert_eq!(
            truth(MERGED, &described("<!-- Depends-On: !12 -->\n```\nDepends-On: !13\n```")),
            Truth::True
        );
    }

    #[test]
    fn a_line_that_can_not_be_read_never_passes() {
        for wrong in [
            "",
            "12",
            "#12",
            "!x",
            "!12 !13",
            "!12,",
            "the api",
            "project!12",
            "a b/c!1",
            "https://elsewhere.example/shop/web/-/merge_requests/12",
            "https://gitlab.example/shop/web/-/issues/12",
            "!3",
            "Shop/Web!3",
            "!99999999999999999999999999",
        ] {
            let facts = described(&format!("Depends-On: {wrong}"));
            assert_eq!(truth(MERGED, &facts), Truth::Violated, "{wrong}");
        }
        let itself = reason(MERGED, &described("Depends-On: shop/web!3")).sentence;
        assert_eq!(itself, "`Depends-On: shop/web!3` is the merge request itself");
        let many: Vec<_> = (10..70).map(|iid| format!("!{iid}")).collect();
        let many = described(&format!("Depends-On: {}", many.join(",")));
        assert_eq!(reason(MERGED, &many).sentence, "it depends on 60 merge requests, and 50 are the most");
    }

    #[test]
    fn all_of_them_must_be_merged() {
        let stands = |state: &str| Known::Value(Some(dependency("shop/api!7", state)));
        let merged = ("shop/web!12", Known::Value(Some(dependency("shop/web!12", "merged"))));
        let of =
            |api| truth(MERGED, &with("Depends-On: !12, shop/api!7", &[merged.clone(), ("shop/api!7", api)]));
        assert_eq!(of(stands("merged")), Truth::True);
        assert_eq!(of(stands("opened")), Truth::Waiting);
        assert_eq!(of(stands("locked")), Truth::Waiting);
        assert_eq!(of(stands("closed")), Truth::Violated);
        assert_eq!(of(stands("a_word_of_tomorrow")), Truth::Unsettled);
        assert_eq!(of(Known::Value(None)), Truth::Unknown { curable: false }, "it may be hidden");
        assert_eq!(of(unknown(true)), Truth::Unknown { curable: true });
        let absent = with("Depends-On: !99", &[("shop/web!99", Known::Value(None))]);
        assert_eq!(truth(MERGED, &absent), Truth::Violated, "nothing of this project is hidden");
    }

    #[test]
    fn the_remedy_says_what_to_merge_or_to_edit() {
        let open = [("shop/web!12", Known::Value(Some(dependency("shop/web!12", "opened"))))];
        let merge = Remedy::MergeOthers { merge_requests: vec!["shop/web!12".to_owned()] };
        assert_eq!(remedies(MERGED, &with("Depends-On: !12", &open)), [merge]);
        let edit = remedies(MERGED, &described("Depends-On: what"));
        assert!(matches!(&edit[..], [Remedy::EditDescription { .. }]), "{edit:?}");
        let below_not = remedies("{not: {depends_on: merged}}", &described("nothing"));
        assert!(matches!(&below_not[..], [Remedy::EditDescription { .. }]), "{below_not:?}");
    }

    #[test]
    fn what_blocks_in_gitlab_must_be_merged() {
        let blocked = |states: &[&str]| {
            let others = states.iter().map(|state| dependency("shop/api!7", state)).collect();
            Facts { blocking_merge_requests: Some(Known::Value(others)), ..facts() }
        };
        assert_eq!(needs(UNBLOCKED, &facts()), [FactKey::BlockingMergeRequests]);
        assert_eq!(truth(UNBLOCKED, &blocked(&[])), Truth::True);
        assert_eq!(truth(UNBLOCKED, &blocked(&["merged"])), Truth::True);
        for state in ["opened", "closed", "locked"] {
            assert_eq!(truth(UNBLOCKED, &blocked(&["merged", state])), Truth::Waiting, "{state}");
        }
        assert_eq!(truth(UNBLOCKED, &blocked(&["another"])), Truth::Unsettled);
        let hidden = Facts { blocking_merge_requests: Some(unknown(false)), ..facts() };
        assert_eq!(truth(UNBLOCKED, &hidden), Truth::Unknown { curable: false });
    }
}

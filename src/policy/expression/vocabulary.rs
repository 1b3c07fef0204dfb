//! What an expression can speak of: one line for each variable, and one for each field of a row.
//!
//! A variable asks for the facts that its line reads. `policies/README.md` has the same lines with a sentence each, and a test
//! compares the two; the condition names every family of facts that is read here.

use super::value::{Content, Field, Item, Kind, Missing, Record, Type, number};
use crate::policy::fact::{
    ChangeKind, ChangedFile, Code, Commit, FactKey, MergeRequestFacts, Pipeline, TreeChange, Unknown,
};
use crate::policy::finding::{Stop, known};
use crate::policy::view::View;

/// One variable.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) kind: Type,
    pub(super) read: for<'a> fn(&View<'a>) -> Reading<'a>,
}

type Reading<'a> = Result<Content<'a>, Missing>;

const fn variable(name: &'static str, kind: Type, read: for<'a> fn(&View<'a>) -> Reading<'a>) -> Variable {
    Variable { name, kind, read }
}

/// Every variable, in the order of the reference.
#[rustfmt::skip]
pub(super) static VARIABLES: &[Variable] = &[
    variable("title", Type::TEXT, |view| text(&request(view).title)),
    variable("description", Type::TEXT, |view| text(&request(view).description)),
    variable("labels", Type::TEXTS, |view| texts(&request(view).labels)),
    variable("draft", Type::FLAG, |view| flag(request(view).draft)),
    variable("source_branch", Type::TEXT, |view| text(&request(view).source_branch)),
    variable("target_branch", Type::TEXT, |view| text(&request(view).target_branch)),
    variable("project", Type::TEXT, |view| text(&request(view).project_path)),
    variable("from_fork", Type::FLAG, |view| flag(is_from_fork(request(view)))),
    variable("author", Type::TEXT, |view| text(&request(view).author.username)),
    variable("assignees", Type::TEXTS, |view| texts(request(view).assignees.iter().map(|user| &user.username))),
    variable("reviewers", Type::TEXTS, |view| texts(request(view).reviewers.iter().map(|user| &user.username))),
    variable("milestone", Type::TEXT, |view| text(request(view).milestone.as_deref().unwrap_or_default())),
    variable("squash", Type::FLAG, |view| flag(request(view).squash)),
    variable("removes_source_branch", Type::FLAG, |view| flag(request(view).removes_source_branch)),
    variable("has_conflicts", Type::FLAG, has_conflicts),
    variable("created_at", Type::NUMBER, |view| Ok(Content::Number(request(view).created_at.as_second()))),
    variable("changed_paths", Type::TEXTS, changed_paths),
    variable("files", Type::List(Some(Kind::Row(&FILE))), |view| rows(&complete(view)?.files)),
    variable("commits", Type::List(Some(Kind::Row(&COMMIT))), |view| rows(view.commits()?)),
    variable("approvers", Type::TEXTS, approvers),
    variable("pipeline_status", Type::TEXT, pipeline_status),
    variable("unresolved_threads", Type::NUMBER, |view| Ok(number(known(view.facts.threads.as_ref(), FactKey::Threads)?.len()))),
];

/// A row of `files`.
pub(super) static FILE: Record = Record {
    one: "a changed file",
    many: "changed files",
    fields: &[
        field("path", Kind::Text),
        field("old_path", Kind::Text),
        field("kind", Kind::Text),
        field("mode", Kind::Text),
        field("added_lines", Kind::Number),
        field("removed_lines", Kind::Number),
        field("binary", Kind::Flag),
        field("generated", Kind::Flag),
    ],
};

/// A row of `commits`.
pub(super) static COMMIT: Record = Record {
    one: "a commit",
    many: "commits",
    fields: &[
        field("sha", Kind::Text),
        field("message", Kind::Text),
        field("subject", Kind::Text),
        field("author_email", Kind::Text),
        field("committer_email", Kind::Text),
    ],
};

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

impl Item for ChangedFile {
    fn field(&self, name: &str) -> Option<Content<'_>> {
        Some(match name {
            "path" => self.new_path.as_str().into(),
            "old_path" => self.old_path.as_str().into(),
            "kind" => match self.kind {
                ChangeKind::Added => "added".into(),
                ChangeKind::Deleted => "deleted".into(),
                ChangeKind::Renamed => "renamed".into(),
                ChangeKind::Modified | ChangeKind::Unlisted(TreeChange::Differs) => "modified".into(),
                ChangeKind::Unlisted(TreeChange::Appears | TreeChange::Disappears) => return None,
            },
            "mode" => self.new_mode.as_str().into(),
            "added_lines" => number(self.lines?.added),
            "removed_lines" => number(self.lines?.removed),
            "binary" => Content::Flag(self.binary?),
            "generated" => Content::Flag(self.generated?),
            _ => return None,
        })
    }
}

impl Item for Commit {
    fn field(&self, name: &str) -> Option<Content<'_>> {
        Some(match name {
            "sha" => self.sha.as_str().into(),
            "message" => self.message.as_str().into(),
            "subject" => self.message.lines().next().unwrap_or_default().into(),
            "author_email" => self.author_email.as_str().into(),
            "committer_email" => self.committer_email.as_str().into(),
            _ => return None,
        })
    }
}

/// The variable of that name.
pub(super) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

fn request<'a>(view: &View<'a>) -> &'a MergeRequestFacts {
    &view.facts.merge_request
}

#[expect(clippy::unnecessary_wraps, reason = "as all readings")]
fn text(text: &str) -> Reading<'_> {
    Ok(text.into())
}

#[expect(clippy::unnecessary_wraps, reason = "as all readings")]
fn texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> Reading<'a> {
    Ok(Content::Texts(texts.into_iter().map(String::as_str).collect()))
}

#[expect(clippy::unnecessary_wraps, reason = "as all readings")]
fn flag<'a>(flag: bool) -> Reading<'a> {
    Ok(Content::Flag(flag))
}

#[expect(clippy::unnecessary_wraps, reason = "as all readings")]
fn rows<T: Item>(items: &[T]) -> Reading<'_> {
    Ok(Content::Rows(items.iter().map(|item| -> &dyn Item { item }).collect()))
}

fn is_from_fork(request: &MergeRequestFacts) -> bool {
    request.source_project != Some(request.merge_request.project)
}

fn has_conflicts<'a>(view: &View<'a>) -> Reading<'a> {
    let unsettled =
        || Missing::Unsettled("GitLab has not found out yet whether there are conflicts".to_owned());
    request(view).has_conflicts.map(Content::Flag).ok_or_else(unsettled)
}

/// The code, if all of its files are known: an expression can say "no file" in too many ways to let it guess.
pub(super) fn complete<'a>(view: &View<'a>) -> Result<&'a Code, Stop> {
    let code = view.code()?;
    view.prove_whole(code).map(|()| code).map_err(|stop| match stop {
        Stop::Unknown(Unknown { why, curable }) => {
            let why = format!("GitLab lists only {} of the changed files; {why}", code.files.len());
            Stop::Unknown(Unknown { why, curable })
        }
        needs @ Stop::Needs(_) => needs,
    })
}

fn changed_paths<'a>(view: &View<'a>) -> Reading<'a> {
    let files = &complete(view)?.files;
    let mut paths = Vec::with_capacity(files.len());
    for file in files {
        if file.old_path != file.new_path {
            paths.push(file.old_path.as_str());
        }
        paths.push(file.new_path.as_str());
    }
    Ok(Content::Texts(paths))
}

fn approvers<'a>(view: &View<'a>) -> Reading<'a> {
    let approvals = known(view.facts.approvals.as_ref(), FactKey::Approvals)?;
    texts(approvals.iter().map(|approval| &approval.user.username))
}

fn pipeline_status<'a>(view: &View<'a>) -> Reading<'a> {
    let pipeline = known(view.facts.pipeline.as_ref(), FactKey::Pipeline)?;
    match pipeline {
        // A word that GitLab may invent later is no end: nothing may be concluded from it.
        Some(Pipeline { status, .. })
            if matches!(status.as_str(), "success" | "failed" | "canceled" | "skipped" | "manual") =>
        {
            text(status)
        }
        Some(Pipeline { id, status, .. }) => {
            Err(Missing::Unsettled(format!("the pipeline {id} is not done: `{status}`")))
        }
        None => Err(Missing::Unsettled("there is no pipeline yet".to_owned())),
    }
}

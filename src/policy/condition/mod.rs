//! The conditions: a closed set, one file for each family.
//!
//! A condition is built once from the policy's text and then answers from facts alone. It is true, violated (only a
//! change by the author mends it), waiting (people or time mend it), unsettled, or unknown; [`vocabulary`] lists the
//! keys, and the table in `policies/README.md` says which condition reads what and comes to which false.

mod age;
mod approvals;
mod bounds;
mod branch;
mod draft;
mod during;
mod excluded;
mod files;
mod labels;
mod people;
mod pipeline;
mod same_patch;
mod size;
mod text;
mod threads;
pub(super) mod vocabulary;

use super::builder::Builder;
use super::document::Entry;
use super::finding::{Outcome, settle};
use super::view::View;

/// One compiled condition.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// The title's words.
    Title(text::Text),
    /// The description's words.
    Description(text::Text),
    /// Which labels are there.
    Labels(labels::Labels),
    /// Whether it is a draft.
    Draft(draft::Draft),
    /// The branch that would be merged.
    SourceBranch(branch::Branch),
    /// The branch it would be merged into.
    TargetBranch(branch::Branch),
    /// Who opened it.
    Author(people::Author),
    /// Which paths change.
    ChangedFiles(files::ChangedFiles),
    /// How many files change.
    ChangedFilesCount(size::ChangedFilesCount),
    /// How many lines change.
    ChangedLines(size::ChangedLines),
    /// Who approves.
    Approvals(approvals::Approvals),
    /// How the pipeline of the head ended.
    Pipeline(pipeline::PipelineStatus),
    /// How many threads are open.
    UnresolvedThreads(threads::UnresolvedThreads),
    /// How long it has been there.
    Age(age::Age),
    /// Whether it is a given time.
    During(during::During),
}

impl Condition {
    /// Builds the condition of one key; none if its value is wrong, and then that was noted.
    pub(super) fn build(entry: &Entry, builder: &mut Builder<'_, '_>) -> Option<Self> {
        let value = &entry.value;
        match entry.key.as_str() {
            vocabulary::TITLE => text::Text::build("title", value, builder).map(Self::Title),
            vocabulary::DESCRIPTION => {
                text::Text::build("description", value, builder).map(Self::Description)
            }
            vocabulary::LABELS => labels::Labels::build(value).map(Self::Labels),
            vocabulary::DRAFT => draft::Draft::build(value).map(Self::Draft),
            vocabulary::SOURCE_BRANCH => branch::Branch::build(value).map(Self::SourceBranch),
            vocabulary::TARGET_BRANCH => branch::Branch::build(value).map(Self::TargetBranch),
            vocabulary::AUTHOR => people::Author::build(value, builder).map(Self::Author),
            vocabulary::CHANGED_FILES => files::ChangedFiles::build(value, builder).map(Self::ChangedFiles),
            vocabulary::CHANGED_FILES_COUNT => {
                size::ChangedFilesCount::build(value, builder).map(Self::ChangedFilesCount)
            }
            vocabulary::CHANGED_LINES => size::ChangedLines::build(value, builder).map(Self::ChangedLines),
            vocabulary::APPROVALS => approvals::Approvals::build(value, builder).map(Self::Approvals),
            vocabulary::PIPELINE => pipeline::PipelineStatus::build(value).map(Self::Pipeline),
            vocabulary::UNRESOLVED_THREADS => {
                threads::UnresolvedThreads::build(value, builder).map(Self::UnresolvedThreads)
            }
            vocabulary::AGE => age::Age::build(value, builder).map(Self::Age),
            vocabulary::DURING => during::During::build(value, builder).map(Self::During),
            // An unknown key: the reader has reported it.
            _ => None,
        }
    }

    /// The key that writes it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Title(_) => vocabulary::TITLE,
            Self::Description(_) => vocabulary::DESCRIPTION,
            Self::Labels(_) => vocabulary::LABELS,
            Self::Draft(_) => vocabulary::DRAFT,
            Self::SourceBranch(_) => vocabulary::SOURCE_BRANCH,
            Self::TargetBranch(_) => vocabulary::TARGET_BRANCH,
            Self::Author(_) => vocabulary::AUTHOR,
            Self::ChangedFiles(_) => vocabulary::CHANGED_FILES,
            Self::ChangedFilesCount(_) => vocabulary::CHANGED_FILES_COUNT,
            Self::ChangedLines(_) => vocabulary::CHANGED_LINES,
            Self::Approvals(_) => vocabulary::APPROVALS,
            Self::Pipeline(_) => vocabulary::PIPELINE,
            Self::UnresolvedThreads(_) => vocabulary::UNRESOLVED_THREADS,
            Self::Age(_) => vocabulary::AGE,
            Self::During(_) => vocabulary::DURING,
        }
    }

    /// Whether a commit settles it once and for all: everything else can change while the head stays.
    pub(super) fn is_settled_by_commit(&self) -> bool {
        match self {
            Self::SourceBranch(_)
            | Self::ChangedFiles(_)
            | Self::ChangedFilesCount(_)
            | Self::ChangedLines(_) => true,
            Self::Title(_)
            | Self::Description(_)
            | Self::Labels(_)
            | Self::Draft(_)
            | Self::TargetBranch(_)
            | Self::Author(_)
            | Self::Approvals(_)
            | Self::Pipeline(_)
            | Self::UnresolvedThreads(_)
            | Self::Age(_)
            | Self::During(_) => false,
        }
    }

    /// Settles it, or names the facts it needs; `wanted` is the truth that serves the rule.
    pub(super) fn evaluate(&self, view: &View<'_>, wanted: bool) -> Outcome {
        let request = &view.facts.merge_request;
        let result = match self {
            Self::Title(title) => Ok(title.of_title(request, wanted)),
            Self::Description(description) => Ok(description.of_description(request, wanted)),
            Self::Labels(labels) => Ok(labels.evaluate(request, wanted)),
            Self::Draft(draft) => Ok(draft.evaluate(request, wanted)),
            Self::SourceBranch(branch) => Ok(branch.of_source(request, wanted)),
            Self::TargetBranch(branch) => Ok(branch.of_target(request, wanted)),
            Self::Author(author) => author.evaluate(view, wanted),
            Self::ChangedFiles(files) => files.evaluate(view, wanted),
            Self::ChangedFilesCount(count) => count.evaluate(view, wanted),
            Self::ChangedLines(lines) => lines.evaluate(view, wanted),
            Self::Approvals(approvals) => approvals.evaluate(view, wanted),
            Self::Pipeline(pipeline) => pipeline.evaluate(view, wanted),
            Self::UnresolvedThreads(threads) => threads.evaluate(view, wanted),
            Self::Age(age) => age.evaluate(view, wanted),
            Self::During(during) => during.evaluate(view, wanted),
        };
        settle(self.word(), result)
    }
}

//! Every key that a `when` or `require` may say: the operators and the conditions. The reader checks against the table, and
//! editors learn from it.

use super::code_owners;
use super::kind::Kind;
use super::{age, approvals, branch, commits, draft, during, files, labels, lines, people, pipeline, size};
use super::{assigned, committers, merging, milestone, origin, project, text, threads, vetoes};
use super::{commit_statuses, dependencies, expression, issues, jobs, merge_after};
use crate::schema::{Key, Shape, Table};

pub(in crate::policy) const ALL_OF: &str = "all_of";
pub(in crate::policy) const ANY_OF: &str = "any_of";
pub(in crate::policy) const NONE_OF: &str = "none_of";
pub(in crate::policy) const NOT: &str = "not";

/// How many conditions there are.
const COUNT: usize = 44;

/// Every condition, in the order in which the reference shows them.
pub(in crate::policy) const KINDS: [Kind; COUNT] = [
    text::TITLE,
    text::DESCRIPTION,
    labels::LABELS,
    draft::DRAFT,
    milestone::MILESTONE,
    branch::SOURCE_BRANCH,
    branch::TARGET_BRANCH,
    origin::FROM_FORK,
    merging::SQUASH,
    merging::REMOVES_SOURCE_BRANCH,
    merging::CONFLICTS,
    merging::BEHIND_TARGET,
    project::PROJECT,
    people::AUTHOR,
    origin::FIRST_CONTRIBUTION,
    assigned::ASSIGNEES,
    assigned::REVIEWERS,
    committers::COMMITTERS,
    files::CHANGED_FILES,
    files::ADDED_FILES,
    files::MODIFIED_FILES,
    files::DELETED_FILES,
    files::RENAMED_FILES,
    files::BINARY_FILES,
    files::GENERATED_FILES,
    size::CHANGED_FILES_COUNT,
    size::CHANGED_LINES,
    lines::MATCHING_LINES,
    commits::COMMITS,
    approvals::APPROVALS,
    code_owners::CODE_OWNERS,
    vetoes::VETOES,
    pipeline::PIPELINE,
    jobs::JOBS,
    commit_statuses::COMMIT_STATUSES,
    threads::UNRESOLVED_THREADS,
    issues::CLOSING_ISSUES,
    issues::RELATED_ISSUES,
    dependencies::BLOCKING_MERGE_REQUESTS,
    dependencies::DEPENDS_ON,
    age::AGE,
    during::DURING,
    merge_after::MERGE_AFTER,
    expression::EXPRESSION,
];

/// The conditions, with the operators that join them.
pub(in crate::policy) static CONDITIONS: Table = Table {
    name: "conditions",
    doc: "Conditions; all of them must hold.",
    hint: Some(
        "write conditions as keys, such as `title: {contains: fix}`, and several of them under `all_of` or `any_of`",
    ),
    keys: &KEYS,
};

static KEYS: [Key; 4 + COUNT] = join(
    [
        Key::new(ALL_OF, Shape::List(&MAPPING), "Every entry must hold."),
        Key::new(ANY_OF, Shape::List(&MAPPING), "At least one entry must hold."),
        Key::new(NONE_OF, Shape::List(&MAPPING), "No entry may hold."),
        Key::new(NOT, Shape::Mapping(&CONDITIONS), "The conditions below may not hold all together."),
    ],
    KINDS,
);

static MAPPING: Shape = Shape::Mapping(&CONDITIONS);

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn join<const N: usize, const M: usize, const S: usize>(
    operators: [Key; N],
    kinds: [Kind; M],
) -> [Key; S] {
    let mut keys = [operators[0]; S];
    let mut at = 0;
    while at < S {
        keys[at] = if at < N { operators[at] } else { kinds[at - N].key };
        at += 1;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::KINDS;
    use crate::policy::evaluation::Truth;

    const README: &str = include_str!("../../../policies/README.md");

    /// The rows of the reference's table of conditions, cell by cell.
    fn rows() -> Vec<Vec<&'static str>> {
        let table = README.split("<!-- conditions -->\n").nth(1).unwrap();
        let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let cells = |line: &'static str| line.split('|').map(str::trim).skip(1).take(5).collect();
        lines.map(cells).collect()
    }

    #[test]
    fn the_table_of_the_reference_says_what_the_conditions_say_of_themselves() {
        let rows = rows();
        let names: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
        assert_eq!(names, KINDS.map(|kind| kind.key.name), "in the same order");
        for (row, kind) in rows.iter().zip(KINDS) {
            let name = kind.key.name;
            let reads: Vec<_> = kind.reads.iter().map(|family| family.word()).collect();
            assert_eq!(row[1], reads.join(", "), "`{name}` reads");
            for (cell, truth) in [(row[2], Truth::Violated), (row[3], Truth::Waiting)] {
                assert_eq!(!cell.is_empty(), kind.unmet.contains(&truth), "`{name}` as {truth:?}: `{cell}`");
            }
        }
    }

    #[test]
    fn every_condition_has_its_section_with_an_example() {
        let sections: Vec<_> = README.split("\n### ").skip(1).collect();
        for kind in KINDS {
            let word = format!("`{}`", kind.key.name);
            let section = sections
                .iter()
                .find(|section| section.lines().next().is_some_and(|line| line.contains(&word)));
            let section = section.unwrap_or_else(|| panic!("{word} has no section"));
            let written = format!("{}:", kind.key.name);
            assert!(section.contains("```yaml") && section.contains(&written), "{word} has no example");
        }
    }
}

//! One policy for each family of facts.

pub const TITLE: &str = r#"
policy: title
rules:
  - id: title
    require: { title: { conventional_commit: true } }
  - id: held
    require: { labels: { none: ["do-not-merge"] } }
"#;

pub const CODE: &str = r#"
policy: code
rules:
  - id: secrets
    require: { changed_files: { none: ["secret/"] } }
"#;

pub const APPROVALS: &str = r#"
policy: review
rules:
  - id: title
    require: { not: { title: { glob: ["bad*"] } } }
  - id: review
    require: { approvals: { count: 1, from: { groups: ["shop/payments"] } } }
"#;

pub const PIPELINE: &str = r"
policy: pipeline
rules:
  - id: pipeline
    require: { pipeline: success }
";

pub const THREADS: &str = r"
policy: threads
rules:
  - id: threads
    require: { unresolved_threads: { at_most: 0 } }
";

pub const COMMENTS: &str = r#"
policy: comments
rules:
  - id: said
    require: { approvals: { count: 1, methods: [{ comment: "LGTM" }], reset_on: never } }
"#;

pub const EMOJI: &str = r"
policy: emoji
rules:
  - id: no-thumb-down
    require: { vetoes: { at_most: 0, by: [{ emoji: thumbsdown }], from: { users: [bea] } } }
";

pub const REVIEWERS: &str = r"
policy: reviewers
rules:
  - id: reviewed
    require: { reviewers: { state: approved } }
";

pub const LABEL_EVENTS: &str = r#"
policy: label-events
rules:
  - id: released
    require: { labels: { all: ["release"], set_by: { users: ["ana"] } } }
"#;

pub const JOBS: &str = r#"
policy: jobs
rules:
  - id: built
    require: { jobs: { all: ["build"] } }
"#;

pub const COMMIT_STATUSES: &str = r#"
policy: commit-statuses
rules:
  - id: scanned
    require: { commit_statuses: { all: ["scan"] } }
"#;

pub const ISSUES: &str = r"
policy: issues
rules:
  - id: linked
    require: { closing_issues: { at_least: 1 } }
";

pub const CODE_OWNERS: &str = r"
policy: code-owners
rules:
  - id: owned
    require: { code_owners: { every_file_owned: true } }
";

pub const PROJECT: &str = r#"
policy: project
rules:
  - id: ready
    require: { project: { topics: { all: ["production"] } } }
"#;

pub const COMMITTERS: &str = r#"
policy: committers
rules:
  - id: members
    require: { committers: { all: { users: ["ana"] } } }
"#;

/// What policy-bot and mergeable were measured with, as far as it can be said here: documentation needs nothing, code an
/// approval of the team that a push makes void, the build is green, and a label asks for one more person.
pub const FOUR_RULES: &str = r#"
policy: four-rules
rules:
  - id: documentation
    when: { changed_files: { all: ["docs/**", "*.md"] } }
    require: { draft: false }
  - id: team
    when: { not: { changed_files: { all: ["docs/**", "*.md"] } } }
    require: { approvals: { count: 1, from: { groups: ["shop/payments"] } } }
  - id: build
    require: { pipeline: success }
  - id: security
    when: { labels: { any: ["security"] } }
    require: { approvals: { count: 1, from: { users: ["bea"] } } }
"#;

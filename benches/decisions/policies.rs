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

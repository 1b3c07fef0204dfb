//! Every key of the configuration, once: what is refused as unknown, and what the JSON Schema says.

use crate::schema::{Key, Shape, Table};

const TEXT: Shape = Shape::Text;
const TEXTS: Shape = Shape::List(&Shape::Text);

/// The whole file.
pub(super) const ROOT: Table = Table {
    name: "countersign",
    doc: "The configuration of countersign.",
    hint: None,
    keys: &[
        Key::new("server", Shape::Mapping(&SERVER), "Where to listen."),
        Key::new("gitlab", Shape::Mapping(&GITLAB), "Which GitLab, and as whom."),
        Key::new("webhooks", Shape::Mapping(&WEBHOOKS), "What deliveries are verified with."),
        Key::new("store", Shape::Mapping(&STORE), "Where deliveries and decisions are kept."),
        Key::new("policies", Shape::Mapping(&POLICIES), "Where policies are."),
        Key::new("answers", Shape::Mapping(&ANSWERS), "What GitLab is told."),
        Key::new("sweep", Shape::Mapping(&SWEEP), "How often it is looked for what nobody told of."),
        Key::new("log", Shape::Mapping(&LOG), "How to log."),
    ],
};

const SERVER: Table = Table {
    name: "server",
    doc: "Where to listen.",
    hint: None,
    keys: &[
        Key::new("listen", TEXT, "Address and port to listen on."),
        Key::new("public_url", TEXT, "What stands before `/webhooks/gitlab` in the URLs of our checks."),
    ],
};

const GITLAB: Table = Table {
    name: "gitlab",
    doc: "Which GitLab, and as whom.",
    hint: None,
    keys: &[
        Key::new("url", TEXT, "The address of the instance."),
        Key::new("token", TEXT, "A token with scope `api` and at least the role Developer."),
        Key::new("token_file", TEXT, "A file that holds the token; read again when it changes."),
        Key::new(
            "ca_certificates",
            TEXT,
            "A file of certificates (PEM) that are believed beside the system's.",
        ),
        Key::new("proxy", TEXT, "The proxy to reach it through, or `none`."),
        Key::new("proxy_file", TEXT, "A file that holds the proxy's address."),
        Key::new("projects", TEXTS, "The projects that are served, as globs over their full paths."),
        Key::new("version", TEXT, "The version to answer as, in place of the one that GitLab says."),
        Key::new("timeout", Shape::Duration, "How long one call may take."),
        Key::new("calls_per_minute", Shape::Number, "Calls a minute at most, whatever GitLab grants."),
        Key::new("background_calls_per_minute", Shape::Number, "Calls a minute for what nobody waits for."),
    ],
};

const WEBHOOKS: Table = Table {
    name: "webhooks",
    doc: "What deliveries are verified with.",
    hint: None,
    keys: &[
        Key::new("status_check_secrets", TEXTS, "The shared secrets of the status checks."),
        Key::new("status_check_secrets_file", TEXT, "A file that holds them, one a line."),
        Key::new("master_secret", TEXT, "The secret from which each project's own is derived."),
        Key::new("master_secret_file", TEXT, "A file that holds it."),
        Key::new("tokens", TEXTS, "The secret tokens of ordinary webhooks."),
        Key::new("tokens_file", TEXT, "A file that holds them, one a line."),
        Key::new("signing_tokens", TEXTS, "The signing tokens of ordinary webhooks (`whsec_…`)."),
        Key::new("signing_tokens_file", TEXT, "A file that holds them, one a line."),
        Key::new("allow_unsigned", TEXTS, "Project globs whose status checks may come unsigned."),
    ],
};

const STORE: Table = Table {
    name: "store",
    doc: "Where deliveries and decisions are kept.",
    hint: None,
    keys: &[Key::new("url", TEXT, "The database: `sqlite:PATH`.")],
};

const POLICIES: Table = Table {
    name: "policies",
    doc: "Where policies are.",
    hint: None,
    keys: &[
        Key::new("path", TEXT, "The directory of policy files."),
        Key::new("stale_after", Shape::Duration, "How long the last good set may pass anything new."),
    ],
};

const ANSWERS: Table = Table {
    name: "answers",
    doc: "What GitLab is told.",
    hint: None,
    keys: &[
        Key::new("waiting", Shape::Choice(&["pending", "failed"]), "The word for waiting."),
        Key::new("heartbeat_for", Shape::Duration, "How long a `pending` that was said is said again."),
        Key::new("heartbeats_per_minute", Shape::Number, "How many of them are said in a minute."),
        Key::new("undecided_after", Shape::Duration, "How long what can't be decided stays pending."),
        Key::new("commit_status", Shape::Flag, "Whether a commit status shows each verdict."),
        Key::new("note", Shape::Flag, "Whether a note on the merge request shows the verdicts."),
        Key::new("approval", Shape::Flag, "Whether the token's user approves what passes."),
        Key::new("labels", Shape::Mapping(&LABELS), "Labels that show how a merge request stands."),
    ],
};

const LABELS: Table = Table {
    name: "labels",
    doc: "Labels that show how a merge request stands; one that is not named is not set.",
    hint: None,
    keys: &[
        Key::new("passed", TEXT, "Every check passes."),
        Key::new("failed", TEXT, "A check fails."),
        Key::new("waiting", TEXT, "Something is missing."),
        Key::new("undecided", TEXT, "It can't be decided."),
    ],
};

const SWEEP: Table = Table {
    name: "sweep",
    doc: "How often it is looked for what nobody told of.",
    hint: None,
    keys: &[
        Key::new(
            "recent",
            Shape::Duration,
            "How often merge requests that changed are looked for; 0s: never.",
        ),
        Key::new("full", Shape::Duration, "In which time every open merge request is looked at; 0s: never."),
    ],
};

const LOG: Table = Table {
    name: "log",
    doc: "How to log.",
    hint: None,
    keys: &[
        Key::new("format", Shape::Choice(&["pretty", "json"]), "For people or for machines."),
        Key::new("level", TEXT, "A level, or a filter by module."),
    ],
};

/// Every key with a value of its own, as `section.key`, with its shape.
pub(super) fn all() -> impl Iterator<Item = (String, Shape)> {
    below("", &ROOT).into_iter()
}

fn below(prefix: &str, table: &Table) -> Vec<(String, Shape)> {
    let mut all = Vec::new();
    for key in table.keys {
        let name = format!("{prefix}{}", key.name);
        match key.shape {
            Shape::Mapping(table) => all.extend(below(&format!("{name}."), table)),
            shape => all.push((name, shape)),
        }
    }
    all
}

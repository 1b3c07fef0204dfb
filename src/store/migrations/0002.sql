-- The sets of policies that were in force, in their order. Each activation is a row, so a set that comes back is a new
-- one. `engine` is the release that evaluates: another one may come to other verdicts by the same words.
CREATE TABLE revision (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    revision TEXT    NOT NULL,
    engine   TEXT    NOT NULL,
    since    INTEGER NOT NULL
) STRICT;

-- What a lane waits for beside deliveries. A claim takes these into its hands (they are NULL or 0 while it runs), so
-- that what is asked for meanwhile makes one more run.
--   look_at:   when GitLab is to be asked again;
--   recall_at: when to decide from what is remembered, without asking (time, policies, heartbeats);
--   doubted:   the next look reads the list of statuses.
-- `may_pass`: a `passed` may show on the head as far as was ever written; such a lane is served first.
-- `is_open`: the merge request can still be merged. `sha`, `target_branch`, `facts`: what the last look saw.
-- `revision`: under which policies it was decided last; `queued_revision`: for which it was last queued.
ALTER TABLE lane ADD COLUMN look_at INTEGER;
ALTER TABLE lane ADD COLUMN recall_at INTEGER;
ALTER TABLE lane ADD COLUMN doubted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN may_pass INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN is_open INTEGER NOT NULL DEFAULT 1;
ALTER TABLE lane ADD COLUMN sha TEXT;
ALTER TABLE lane ADD COLUMN target_branch TEXT;
ALTER TABLE lane ADD COLUMN facts BLOB;
ALTER TABLE lane ADD COLUMN facts_format INTEGER;
ALTER TABLE lane ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN queued_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane DROP COLUMN unverified_generation;
UPDATE lane SET look_at = due_at WHERE claim IS NULL;
UPDATE lane SET is_open = 0 WHERE settled_as IN ('ended', 'absent', 'out of scope', 'no check');
UPDATE lane SET may_pass = 1 WHERE EXISTS
    (SELECT 1 FROM status WHERE status.project_id = lane.project_id AND status.iid = lane.iid
                            AND (shown IS NULL OR shown = 'passed'));
DROP INDEX lane_due;
CREATE INDEX lane_due ON lane (may_pass, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX lane_to_queue ON lane (may_pass, queued_revision) WHERE is_open = 1;
CREATE INDEX lane_undecided ON lane (revision) WHERE is_open = 1;

-- Our own word `pending`: since when this period of waiting runs, and when it was said last. NULL while our newest word
-- is another one.
ALTER TABLE status ADD COLUMN pending_since INTEGER;
ALTER TABLE status ADD COLUMN pending_said_at INTEGER;

-- When anything was last made durable, and from when on a sweep is still owed.
CREATE TABLE life (
    written_at  INTEGER NOT NULL,
    sweep_since INTEGER
) STRICT;
INSERT INTO life (written_at) SELECT coalesce(max(taken_at), 0) FROM delivery;

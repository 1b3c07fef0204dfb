-- Events that may concern many merge requests, until each of those is to be looked at. `project_id` 0: of any project;
-- `target_branch` '': into any branch. `generation`: the newest delivery that asked for it; `begun`: the newest one when it
-- was begun, NULL before. What is left to do: `stage` 2 those that were being decided then, 1 those on which a `passed` may
-- show, 0 the others, each of them after `after_project` and `after_iid`. `turn`: when it had its last turn.
-- A delivery of such an event has `iid` 0.
CREATE TABLE crowd (
    companion     TEXT    NOT NULL,
    project_id    INTEGER NOT NULL,
    target_branch TEXT    NOT NULL,
    generation    INTEGER NOT NULL,
    begun         INTEGER,
    stage         INTEGER NOT NULL DEFAULT 2,
    after_project INTEGER NOT NULL DEFAULT -1,
    after_iid     INTEGER NOT NULL DEFAULT -1,
    turn          INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (companion, project_id, target_branch)
) STRICT, WITHOUT ROWID;
CREATE INDEX crowd_by_turn ON crowd (turn, generation);

-- The project's path at the last look; the target branch that was told last, by a delivery; which event asked for the next look; and under which policies the last look was made,
-- which may be others than those by which it was decided last (`revision`): then nobody watched over its facts in between.
ALTER TABLE lane ADD COLUMN project_path TEXT;
ALTER TABLE lane ADD COLUMN told_target TEXT;
ALTER TABLE lane ADD COLUMN woken_by TEXT;
ALTER TABLE lane ADD COLUMN look_revision INTEGER NOT NULL DEFAULT 0;
UPDATE lane SET look_revision = revision;
CREATE INDEX lane_by_sha ON lane (sha) WHERE is_open = 1 AND sha IS NOT NULL;
CREATE INDEX lane_in_order ON lane (may_pass, project_id, iid) WHERE is_open = 1;

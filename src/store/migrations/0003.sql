-- What each other way of answering said last. `mirror`: approval, commit_status, labels, note; `check_name` and `sha` tell one
-- commit status from another and are empty for the rest. `said` NULL: not known, GitLab must be asked; `may_pass`: it says
-- that the merge request passes, or may. `place`: the note's number, the commit status's pipeline. `claim` as in `status`.
-- `unclear_until`: a call of unclear fate may still take effect. `failures`, `again_at`: it could not be said, and is tried again;
-- `parked`: not before something else brings the lane back.
CREATE TABLE mirror (
    project_id    INTEGER NOT NULL,
    iid           INTEGER NOT NULL,
    mirror        TEXT    NOT NULL,
    check_name    TEXT    NOT NULL,
    sha           TEXT    NOT NULL,
    said          TEXT,
    may_pass      INTEGER NOT NULL,
    place         TEXT,
    unclear_until INTEGER,
    failures      INTEGER NOT NULL,
    again_at      INTEGER,
    parked        INTEGER NOT NULL,
    claim         INTEGER NOT NULL,
    since         INTEGER NOT NULL,
    PRIMARY KEY (project_id, iid, mirror, check_name, sha)
) STRICT, WITHOUT ROWID;

-- What the last look found of our checks: `unlisted`, that GitLab has no external status checks, so that it was decided as
-- the default check; `dropped`, which checks GitLab listed for that head and target branch before and not any more (names
-- with commas between). A `decision.status_check_id` of 0 is that of no status check.
ALTER TABLE lane ADD COLUMN unlisted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN dropped TEXT NOT NULL DEFAULT '';

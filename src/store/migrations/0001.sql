-- Times are milliseconds since 1970 (UTC). SHAs of commits are hex text, digests are blobs of 32 bytes.

-- What was taken: the hint of each delivery, never its body.
CREATE TABLE delivery (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    taken_at        INTEGER NOT NULL,
    project_id      INTEGER NOT NULL,
    iid             INTEGER NOT NULL,
    event           TEXT    NOT NULL,
    action          TEXT,
    status_check_id INTEGER,
    check_name      TEXT,
    sha             TEXT,
    user_id         INTEGER,
    digest          BLOB    NOT NULL,
    idempotency_key TEXT
) STRICT;
CREATE INDEX delivery_of_merge_request ON delivery (project_id, iid, id);
CREATE INDEX delivery_by_key ON delivery (idempotency_key) WHERE idempotency_key IS NOT NULL;

-- One lane per merge request. `due_at` is when it may be claimed next: NULL when there is nothing to do, the end of
-- the lease while it is claimed. `generation` is the id of the newest delivery.
CREATE TABLE lane (
    project_id            INTEGER NOT NULL,
    iid                   INTEGER NOT NULL,
    generation            INTEGER NOT NULL,
    settled_generation    INTEGER NOT NULL DEFAULT 0,
    unverified_generation INTEGER NOT NULL DEFAULT 0,
    due_at                INTEGER,
    waiting_since         INTEGER,
    claim                 INTEGER,
    attempts              INTEGER NOT NULL DEFAULT 0,
    undecided_since       INTEGER,
    approvals_read_at     INTEGER,
    settled_as            TEXT,
    PRIMARY KEY (project_id, iid)
) STRICT, WITHOUT ROWID;
CREATE INDEX lane_due ON lane (due_at) WHERE due_at IS NOT NULL;

-- The last number given to a batch of claims.
CREATE TABLE claim_counter (value INTEGER NOT NULL) STRICT;
INSERT INTO claim_counter (value) VALUES (0);

-- What GitLab shows for a check on a SHA. `shown` NULL: not known, the status list must be read. `claim` is the number of
-- the claim that wrote it: what an earlier process wrote is believed no more, for the file may be an older copy.
-- `confirm_at`: an answer of unclear fate may still arrive; until then, and once more at that instant, the list is read.
CREATE TABLE status (
    project_id      INTEGER NOT NULL,
    iid             INTEGER NOT NULL,
    sha             TEXT    NOT NULL,
    status_check_id INTEGER NOT NULL,
    check_name      TEXT    NOT NULL,
    target_branch   TEXT    NOT NULL,
    shown           TEXT,
    confirm_at      INTEGER,
    claim           INTEGER NOT NULL,
    since           INTEGER NOT NULL,
    PRIMARY KEY (project_id, iid, sha, status_check_id)
) STRICT, WITHOUT ROWID;

-- What this service saw itself of people and pushes (they only ever make an approval count for less).
CREATE TABLE pusher (
    project_id INTEGER NOT NULL,
    iid        INTEGER NOT NULL,
    user_id    INTEGER NOT NULL,
    PRIMARY KEY (project_id, iid, user_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE approval_sighting (
    project_id INTEGER NOT NULL,
    iid        INTEGER NOT NULL,
    user_id    INTEGER NOT NULL,
    not_before INTEGER,
    PRIMARY KEY (project_id, iid, user_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE version_target (
    project_id    INTEGER NOT NULL,
    iid           INTEGER NOT NULL,
    version_id    INTEGER NOT NULL,
    target_branch TEXT    NOT NULL,
    PRIMARY KEY (project_id, iid, version_id)
) STRICT, WITHOUT ROWID;

-- Decisions: `record` is canonical JSON and names its facts and policy sources by their digest in `blob`.
CREATE TABLE decision (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    decided_at      INTEGER NOT NULL,
    project_id      INTEGER NOT NULL,
    iid             INTEGER NOT NULL,
    sha             TEXT    NOT NULL,
    status_check_id INTEGER NOT NULL,
    check_name      TEXT    NOT NULL,
    verdict         TEXT    NOT NULL,
    record          BLOB    NOT NULL,
    record_sha256   BLOB    NOT NULL
) STRICT;
CREATE INDEX decision_of_merge_request ON decision (project_id, iid, id);

-- What was said to GitLab for a decision, and what it replied.
CREATE TABLE answer (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    decision_id INTEGER NOT NULL REFERENCES decision (id),
    status      TEXT    NOT NULL,
    sent_at     INTEGER NOT NULL,
    replied_at  INTEGER NOT NULL,
    reply       TEXT    NOT NULL
) STRICT;
CREATE INDEX answer_of_decision ON answer (decision_id);

-- Facts and policy sources, zlib-compressed, by the SHA-256 of the plain bytes.
CREATE TABLE blob (
    sha256 BLOB PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Projects take turns where more is due than can be served: which one had the last turn, and what is due in each.
ALTER TABLE claim_counter ADD COLUMN served_project INTEGER NOT NULL DEFAULT 0;
CREATE INDEX lane_due_in_project ON lane (project_id, may_pass, due_at) WHERE due_at IS NOT NULL;

-- What memory may have to take back is found beside all that waits for a look.
CREATE INDEX lane_to_recall ON lane (recall_at) WHERE may_pass = 1 AND recall_at IS NOT NULL;

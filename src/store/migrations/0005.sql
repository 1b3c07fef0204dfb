-- What a sweep needs.
--   sweep_at:   when the lane is to be looked at, with the list of statuses, although nobody told of anything;
--   updated_at: what the merge request said of its last change at the last look that came to an end.
ALTER TABLE lane ADD COLUMN sweep_at INTEGER;
ALTER TABLE lane ADD COLUMN updated_at INTEGER;
-- GitLab's own name for the check when it was listed last.
ALTER TABLE status ADD COLUMN title TEXT NOT NULL DEFAULT '';
-- When the last full sweep began that came to its end.
ALTER TABLE life ADD COLUMN full_sweep_at INTEGER;
-- The projects in which "Status checks must succeed" was seen on.
CREATE TABLE requiring_project (project_id INTEGER PRIMARY KEY) STRICT;

-- Records that were set aside, in groups of one kind of reason; the samples that stand beside a mapping.

CREATE TABLE set_aside_groups (
    id     TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    code   TEXT NOT NULL,
    kind   TEXT NOT NULL
);
CREATE INDEX set_aside_groups_by_source ON set_aside_groups (source);

-- Empty for what was set aside before; the server finds the group of the open ones when it starts.
ALTER TABLE set_aside ADD COLUMN group_id TEXT NOT NULL DEFAULT '';
-- Counting the groups reads this index and nothing else.
CREATE INDEX set_aside_by_group ON set_aside (group_id, id, received_at, peer) WHERE state = 'open';

CREATE TABLE mapping_samples (
    mapping TEXT    NOT NULL,
    nth     INTEGER NOT NULL,
    record  TEXT    NOT NULL,
    PRIMARY KEY (mapping, nth)
);

-- Where events come from, what could not be understood, and how far each follower of the trail has read.
-- Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE sources (
    name       TEXT    PRIMARY KEY,
    title      TEXT    NOT NULL,
    mapping    TEXT    NOT NULL,
    builtin    INTEGER NOT NULL DEFAULT 0,
    enabled    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL
);

CREATE TABLE source_activity (
    name          TEXT    PRIMARY KEY,
    events        INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL
);

CREATE TABLE set_aside (
    id          INTEGER PRIMARY KEY,
    source      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    peer        TEXT,
    code        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    field       TEXT,
    record      BLOB    NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'open',
    settled_at  INTEGER,
    settled_by  TEXT,
    settled_why TEXT,
    batch       BLOB,
    batch_index INTEGER
);
CREATE INDEX set_aside_by_state ON set_aside (state, id);
CREATE INDEX set_aside_by_source ON set_aside (source, state, id);
CREATE UNIQUE INDEX set_aside_once ON set_aside (batch, batch_index) WHERE batch IS NOT NULL;

CREATE TABLE mappings (
    name       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    program    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE followers (
    name     TEXT    PRIMARY KEY,
    position INTEGER NOT NULL
);

-- How sources are, applications with their devices, and what is left out.
-- Times are milliseconds since 1970-01-01T00:00:00Z.

-- What the follower of the trail has learned of a source; written with its position.
CREATE TABLE source_health (
    name  TEXT PRIMARY KEY,
    facts TEXT NOT NULL                          -- JSON
);

-- A sender's own sequence: how far it has come, what is missing.
CREATE TABLE source_streams (
    source  TEXT    NOT NULL,
    stream  TEXT    NOT NULL,
    facts   TEXT    NOT NULL,                    -- JSON
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (source, stream)
) WITHOUT ROWID;

CREATE TABLE source_gaps (
    id         TEXT    PRIMARY KEY,              -- sorts by time
    source     TEXT    NOT NULL,
    stream     TEXT    NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    missing    INTEGER NOT NULL,                 -- of them, still
    found_at   INTEGER NOT NULL,
    state      TEXT    NOT NULL,                 -- open | filled | acknowledged
    settled_at INTEGER,
    settled_by TEXT,
    reason     TEXT
);
CREATE INDEX source_gaps_by_source ON source_gaps (source, id);
CREATE INDEX source_gaps_by_state ON source_gaps (state, source, id);

-- The time line: what came, was set aside and was left out in each hour.
CREATE TABLE source_hours (
    source   TEXT    NOT NULL,
    hour     INTEGER NOT NULL,                   -- hours since 1970
    events   INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    left_out INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source, hour)
) WITHOUT ROWID;
CREATE INDEX source_hours_by_hour ON source_hours (hour);

-- When a source counts as silent, where an administrator has said so.
CREATE TABLE source_silence (
    source        TEXT    PRIMARY KEY,
    mode          TEXT    NOT NULL,              -- learned | set | off
    after_seconds INTEGER,
    set_at        INTEGER NOT NULL
);

-- Events of our own that were decided and are not in the trail yet; written with what decided them.
CREATE TABLE source_notices (
    id    TEXT PRIMARY KEY,
    event TEXT NOT NULL                          -- JSON
);

CREATE TABLE applications (
    name        TEXT    PRIMARY KEY,
    title       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    enabled     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    created_by  TEXT    NOT NULL
);

CREATE TABLE application_grants (
    application TEXT NOT NULL REFERENCES applications (name) ON DELETE CASCADE,
    kind        TEXT NOT NULL,                   -- source | mapping
    name        TEXT NOT NULL,
    rights      TEXT NOT NULL,                   -- separated by blanks
    PRIMARY KEY (application, kind, name)
) WITHOUT ROWID;

CREATE TABLE enrolments (
    id          TEXT    PRIMARY KEY,
    application TEXT    NOT NULL REFERENCES applications (name) ON DELETE CASCADE,
    device      TEXT,
    token_hash  BLOB    NOT NULL UNIQUE,         -- the token itself is nowhere
    lock_first  INTEGER NOT NULL,
    networks    TEXT    NOT NULL,                -- separated by blanks
    created_at  INTEGER NOT NULL,
    created_by  TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL
);

CREATE TABLE devices (
    id             TEXT    PRIMARY KEY,
    application    TEXT    NOT NULL REFERENCES applications (name) ON DELETE CASCADE,
    name           TEXT    NOT NULL,
    token_hash     BLOB    NOT NULL UNIQUE,
    previous_hash  BLOB,                         -- the credential before, as long as both are good
    previous_until INTEGER,
    networks       TEXT    NOT NULL,             -- separated by blanks; none: from anywhere
    suspended      INTEGER NOT NULL DEFAULT 0,
    enrolled_at    INTEGER NOT NULL,
    enrolled_from  TEXT,
    rotated_at     INTEGER,
    last_seen_at   INTEGER,
    last_address   TEXT,
    version        TEXT,
    told_day       INTEGER NOT NULL DEFAULT 0,   -- day of the last app_client_access, days since 1970
    told_events    INTEGER NOT NULL DEFAULT 0    -- events it had sent by then
);
CREATE INDEX devices_by_application ON devices (application);
CREATE INDEX devices_by_previous ON devices (previous_hash);

CREATE TABLE selection_rules (
    id         TEXT    PRIMARY KEY,
    source     TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    filter     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    enabled    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    left_out   INTEGER NOT NULL DEFAULT 0        -- events, since it was made
);

-- Kept for two weeks, also when the rule is gone: what was left out stays countable.
CREATE TABLE selection_counts (
    rule   TEXT    NOT NULL,
    hour   INTEGER NOT NULL,                     -- hours since 1970
    source TEXT    NOT NULL,
    action TEXT    NOT NULL,
    events INTEGER NOT NULL,
    told   INTEGER NOT NULL DEFAULT 0,           -- how many of them an event in the trail tells of
    PRIMARY KEY (rule, hour, source, action)
) WITHOUT ROWID;
CREATE INDEX selection_counts_by_hour ON selection_counts (hour);

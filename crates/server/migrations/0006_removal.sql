-- What is kept for how long, what must not be removed, and what was removed.
-- Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE retention_policies (
    category     TEXT    PRIMARY KEY,            -- event.category, or * for all that have no policy of their own
    keep         TEXT    NOT NULL,               -- as it was written
    keep_seconds INTEGER NOT NULL,
    note         TEXT    NOT NULL,
    updated_at   INTEGER NOT NULL,
    updated_by   TEXT    NOT NULL
);

CREATE TABLE holds (
    id             TEXT    PRIMARY KEY,
    name           TEXT    NOT NULL,
    filter         TEXT,                         -- until it is released
    salt           TEXT,                         -- until it is released
    filter_hash    TEXT    NOT NULL,             -- hex of SHA-256(salt, filter)
    from_at        INTEGER,
    to_at          INTEGER,
    reason         TEXT    NOT NULL,
    placed_by      TEXT    NOT NULL,
    placed_at      INTEGER NOT NULL,
    released_by    TEXT,
    released_at    INTEGER,
    release_reason TEXT
);

-- One removal of events, by retention or erasure: what it is about, and how far it is.
CREATE TABLE removals (
    id          TEXT    PRIMARY KEY,             -- sorts by time
    kind        TEXT    NOT NULL,                -- retention | erasure
    state       TEXT    NOT NULL,                -- counting | ready | running | done | cancelled | failed
    asked_by    TEXT,                            -- none: the daily run
    asked_by_id TEXT,
    asked_at    INTEGER NOT NULL,
    reason      TEXT    NOT NULL,
    size        INTEGER NOT NULL,                -- of the trail when it was asked for; what came later is not touched
    looked      INTEGER NOT NULL,                -- positions below this one were looked at
    lanes       TEXT    NOT NULL,                -- JSON: the policies as they were
    tally       TEXT    NOT NULL,                -- JSON: what was counted
    removed     INTEGER NOT NULL DEFAULT 0,
    bytes_freed INTEGER NOT NULL DEFAULT 0,
    tries       INTEGER NOT NULL DEFAULT 0,      -- how often it was resumed
    stop_by     TEXT,                            -- who called it off, while it still runs
    position    INTEGER,                         -- of the event that tells of it
    ended_at    INTEGER,
    ended_by    TEXT,
    error       TEXT
);
CREATE INDEX removals_by_state ON removals (state);

-- Which positions: written before the first of them is removed, kept afterwards to say why they are empty.
CREATE TABLE removal_steps (
    base       INTEGER NOT NULL,                 -- first position of a stretch of 65,536
    removal_id TEXT    NOT NULL REFERENCES removals (id) ON DELETE CASCADE,
    picks      BLOB    NOT NULL,                 -- a bit for each position, zstd
    entries    INTEGER NOT NULL,
    done       INTEGER NOT NULL DEFAULT 0,       -- 1: gone from the trail, 2: and from the index
    PRIMARY KEY (base, removal_id)
) WITHOUT ROWID;
CREATE INDEX removal_steps_by_removal ON removal_steps (removal_id, done, base);

CREATE TABLE erasures (
    id              TEXT    PRIMARY KEY REFERENCES removals (id) ON DELETE CASCADE,
    filter          TEXT,                        -- until it is completed or refused: it names the person
    salt            TEXT,                        -- as long as the filter
    filter_hash     TEXT    NOT NULL,            -- hex of SHA-256(salt, filter)
    from_at         INTEGER,
    to_at           INTEGER,
    decision        TEXT,                        -- approved | refused
    decided_by      TEXT,
    decided_at      INTEGER,
    decision_reason TEXT
);

CREATE INDEX inbox_by_position ON inbox (position);

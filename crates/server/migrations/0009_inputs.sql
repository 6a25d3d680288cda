-- What Belfry reads by itself, and how far it has read.
-- Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE inputs (
    id            TEXT    PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    kind          TEXT    NOT NULL,
    source        TEXT    NOT NULL DEFAULT '',  -- empty: each record finds its own, as a syslog message does
    settings      BLOB    NOT NULL,             -- sealed JSON
    enabled       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    records       INTEGER NOT NULL DEFAULT 0,
    rejected      INTEGER NOT NULL DEFAULT 0,
    last_at       INTEGER,
    last_error    TEXT,
    last_error_at INTEGER
);

CREATE TABLE input_positions (
    input_id   TEXT    NOT NULL REFERENCES inputs (id) ON DELETE CASCADE,
    part       TEXT    NOT NULL,                -- a file, a partition; empty where there is one
    label      TEXT    NOT NULL,
    position   TEXT    NOT NULL,
    pending    TEXT,                            -- up to where the batch reads that may be in the trail already
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (input_id, part)
);

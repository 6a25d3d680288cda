-- Backups, and what the newest one holds. Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE backups (
    id          TEXT    PRIMARY KEY,            -- sorts by time
    kind        TEXT    NOT NULL,               -- full | incremental
    reason      TEXT    NOT NULL,               -- scheduled | asked
    state       TEXT    NOT NULL,               -- running | done | failed | cancelled | missing
    parent      TEXT,                           -- no reference: the row of a parent may be gone with its file
    made_by     TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    recipient   TEXT    NOT NULL,               -- whose key opens it
    tree_size   INTEGER,
    root        TEXT,
    checkpoint  TEXT,
    size_bytes  INTEGER,
    sha256      TEXT,
    files       INTEGER,
    files_new   INTEGER,
    error       TEXT,
    checked     TEXT                            -- JSON: the last drill
);
CREATE INDEX backups_by_state ON backups (state);

-- What the newest backup stands for, so that the next one can build on it. Only ever of one backup: a backup can't be
-- read without the master key, which the server does not have.
CREATE TABLE backup_files (
    path        TEXT    PRIMARY KEY,
    backup_id   TEXT    NOT NULL REFERENCES backups (id) ON DELETE CASCADE,
    size_bytes  INTEGER NOT NULL,
    sha256      BLOB    NOT NULL,
    stamp       TEXT    NOT NULL,               -- device, inode, size and times: the same means unchanged; empty: not known
    kept_in     TEXT    NOT NULL                -- the backup whose file holds it
);

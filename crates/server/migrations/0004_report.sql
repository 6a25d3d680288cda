-- Reports of one's own, and the runs of all reports. Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE reports (
    id          TEXT    PRIMARY KEY,
    title       TEXT    NOT NULL,
    heading     TEXT    NOT NULL,               -- under which it is listed
    description TEXT    NOT NULL,
    filter      TEXT    NOT NULL,
    columns     TEXT    NOT NULL,               -- JSON
    newest      INTEGER NOT NULL,               -- newest first
    span        TEXT    NOT NULL,               -- 30d; empty: all
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    updated_by  TEXT    NOT NULL
);

CREATE TABLE report_runs (
    id          TEXT    PRIMARY KEY,            -- sorts by time
    report_id   TEXT    NOT NULL,               -- no reference: a run outlives its report
    user_id     TEXT    NOT NULL,
    state       TEXT    NOT NULL,               -- running | done | failed | cancelled
    run         TEXT    NOT NULL,               -- JSON, as the API answers it
    certificate TEXT,                           -- JSON, once it is done
    file        TEXT,                           -- name in the folder of exports, while it is kept
    size_bytes  INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER
);
CREATE INDEX report_runs_by_state ON report_runs (state);

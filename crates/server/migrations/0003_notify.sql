-- Whom to tell of what, what was told, and what came of it.
-- Times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE channels (
    id            TEXT    PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    kind          TEXT    NOT NULL,
    settings      BLOB    NOT NULL,             -- sealed JSON: addresses of webhooks are secrets, too
    enabled       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    last_ok_at    INTEGER,
    last_error    TEXT,
    last_error_at INTEGER
);

CREATE TABLE rules (
    id            TEXT    PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    description   TEXT    NOT NULL DEFAULT '',
    enabled       INTEGER NOT NULL DEFAULT 1,
    filter        TEXT    NOT NULL,
    recipients    TEXT    NOT NULL,             -- JSON
    hold_ms       INTEGER NOT NULL,
    group_by      TEXT    NOT NULL,             -- JSON
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    updated_by    TEXT    NOT NULL,
    last_fired_at INTEGER
);

-- What was told last of each thing, and how much of it was held back since.
CREATE TABLE rule_memory (
    rule_id     TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    slot        TEXT    NOT NULL,               -- JSON
    PRIMARY KEY (rule_id, fingerprint)
) WITHOUT ROWID;

CREATE TABLE rule_days (
    rule_id TEXT    NOT NULL,
    day     INTEGER NOT NULL,                   -- days since 1970-01-01
    sent    INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    PRIMARY KEY (rule_id, day)
) WITHOUT ROWID;

-- Why a message went out or did not, by event.
CREATE TABLE decisions (
    position  INTEGER NOT NULL,
    rule_id   TEXT    NOT NULL,
    rule_name TEXT    NOT NULL,
    verdict   TEXT    NOT NULL,                 -- send | held
    why       TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (position, rule_id)
) WITHOUT ROWID;

CREATE TABLE deliveries (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,       -- made from rule, channel, recipient and position
    rule_id      TEXT,
    rule_name    TEXT,
    channel_id   TEXT    NOT NULL,
    channel_name TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    recipient    TEXT    NOT NULL,
    position     INTEGER,
    subject      TEXT    NOT NULL,
    held_before  INTEGER NOT NULL,
    message      TEXT    NOT NULL,              -- JSON
    state        TEXT    NOT NULL,              -- waiting | sending | delivered | failed
    tries        INTEGER NOT NULL DEFAULT 0,    -- attempts ever
    tries_used   INTEGER NOT NULL DEFAULT 0,    -- of the retry plan; back to 0 when sent again
    next_try_at  INTEGER,
    created_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    last_answer  TEXT,
    raised       INTEGER NOT NULL DEFAULT 0     -- that it failed has been said in the trail
);
CREATE INDEX deliveries_due ON deliveries (channel_id, next_try_at) WHERE state = 'waiting';
CREATE INDEX deliveries_under_way ON deliveries (state) WHERE state = 'sending';
CREATE INDEX deliveries_unsaid ON deliveries (seq) WHERE state = 'failed' AND raised = 0;
CREATE INDEX deliveries_by_state ON deliveries (state, seq);
CREATE INDEX deliveries_by_channel ON deliveries (channel_id, seq);
CREATE INDEX deliveries_by_rule ON deliveries (rule_id, seq);
CREATE INDEX deliveries_by_position ON deliveries (position);

CREATE TABLE attempts (
    delivery_id TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    outcome     TEXT    NOT NULL,               -- ok | temporary | permanent
    status      INTEGER,
    answer      TEXT    NOT NULL,
    request     TEXT    NOT NULL,               -- without secrets
    PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;

CREATE TABLE inbox (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,    -- the delivery's
    audience        TEXT    NOT NULL,           -- user:<name> | role:<name>
    at              INTEGER NOT NULL,
    subject         TEXT    NOT NULL,
    text            TEXT    NOT NULL,
    severity        INTEGER NOT NULL,
    position        INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT
);
CREATE INDEX inbox_by_audience ON inbox (audience, seq);

-- Reading is one's own, acknowledging and deleting are for everyone.
CREATE TABLE inbox_reads (
    seq     INTEGER NOT NULL REFERENCES inbox (seq) ON DELETE CASCADE,
    user_id TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (seq, user_id)
) WITHOUT ROWID;

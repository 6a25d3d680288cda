-- Endpoints at /hooks/<name> that others post to. Secrets are sealed; times are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE hooks (
    name           TEXT    PRIMARY KEY,
    title          TEXT    NOT NULL,
    source         TEXT    NOT NULL,
    settings       TEXT    NOT NULL,
    secret         BLOB    NOT NULL,
    previous       BLOB,
    previous_until INTEGER,
    enabled        INTEGER NOT NULL DEFAULT 1,
    created_at     INTEGER NOT NULL
);

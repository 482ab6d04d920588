-- What came in, in order. Replayed from the last snapshot on.
CREATE TABLE entries (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    run     TEXT,
    input   TEXT NOT NULL,
    effects TEXT NOT NULL
) STRICT;
CREATE INDEX entries_of_run ON entries (run, seq) WHERE run IS NOT NULL;
CREATE INDEX entries_by_time ON entries (at_ms);

-- The state after the entry `seq`; only the last one is kept.
CREATE TABLE snapshot (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    seq   INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    body  TEXT NOT NULL
) STRICT;

-- Runs as they are now, for lists.
CREATE TABLE runs (
    id             TEXT PRIMARY KEY,
    task_key       TEXT NOT NULL,
    title          TEXT NOT NULL,
    tracker        TEXT NOT NULL,
    provider       TEXT NOT NULL,
    state          TEXT NOT NULL,
    state_since_ms INTEGER NOT NULL,
    created_ms     INTEGER NOT NULL,
    updated_ms     INTEGER NOT NULL,
    closed         INTEGER NOT NULL CHECK (closed IN (0, 1)),
    body           TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_time ON runs (created_ms, id);
CREATE INDEX runs_open ON runs (created_ms, id) WHERE closed = 0;
CREATE INDEX runs_closed ON runs (updated_ms) WHERE closed = 1;

-- Reports that trackers are owed; accepted ones stay as the proof of it.
CREATE TABLE outbox (
    run           TEXT PRIMARY KEY REFERENCES runs (id),
    report        TEXT NOT NULL,
    since_ms      INTEGER NOT NULL,
    tries         INTEGER NOT NULL,
    next_try_ms   INTEGER NOT NULL,
    last_problem  TEXT,
    parked_reason TEXT,
    accepted_ms   INTEGER,
    CHECK (parked_reason IS NULL OR accepted_ms IS NULL)
) STRICT;
CREATE INDEX outbox_undelivered ON outbox (since_ms, run) WHERE accepted_ms IS NULL;

-- +goose Up

CREATE TABLE domain (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL
) STRICT;
INSERT INTO domain (id, epoch) VALUES (1, 1);

CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  rev   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Instants are microseconds since 1970 UTC; NULL is "not yet".
CREATE TABLE nets (
  n       INTEGER PRIMARY KEY,
  name    TEXT NOT NULL,
  version INTEGER NOT NULL,
  hash    TEXT NOT NULL,
  text    TEXT NOT NULL,
  applied INTEGER,
  who     TEXT NOT NULL,
  UNIQUE (name, version)
) STRICT;

-- A run without its jobs. open: it has not ended, or it is unknown. jobs and done are counted here so that a
-- list of runs reads no job. output: its output has not been pruned.
CREATE TABLE runs (
  n       INTEGER PRIMARY KEY,
  id      TEXT NOT NULL UNIQUE,
  rev     INTEGER NOT NULL,
  net     TEXT NOT NULL,
  version INTEGER NOT NULL,
  status  TEXT NOT NULL,
  open    INTEGER NOT NULL,
  reason  TEXT NOT NULL,
  who     TEXT NOT NULL,
  params  TEXT,
  nominal INTEGER,
  created INTEGER,
  started INTEGER,
  ended   INTEGER,
  jobs    INTEGER NOT NULL,
  done    INTEGER NOT NULL,
  held_by TEXT NOT NULL,
  cancel  TEXT NOT NULL,
  rerun_of TEXT NOT NULL,
  key     TEXT,
  output  INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX runs_net ON runs (net, id);
CREATE INDEX runs_created ON runs (created, id);
CREATE UNIQUE INDEX runs_key ON runs (key) WHERE key IS NOT NULL;
-- The partial indexes below stay small, or are written once in the life of a run: a run more costs the same
-- whether a thousand or a million have ended.
CREATE INDEX runs_open ON runs (id) WHERE open = 1;
CREATE INDEX runs_ended ON runs (ended) WHERE open = 0;
CREATE INDEX runs_output ON runs (ended) WHERE open = 0 AND output = 1;
CREATE INDEX runs_bad ON runs (status, id) WHERE status IN ('warning', 'failed', 'cancelled', 'unknown');
CREATE INDEX runs_bad_net ON runs (net, status, id) WHERE status IN ('warning', 'failed', 'cancelled', 'unknown');

-- A job of a run: key is (runs.n << 20) + position, so that the jobs of a run lie side by side, new ones are
-- appended, and no other index is needed. data is run.Job in JSON.
CREATE TABLE jobs (
  key  INTEGER PRIMARY KEY,
  data TEXT NOT NULL
) STRICT;

-- Open orders. A closed one is deleted: the smallest that remains tells the mark.
CREATE TABLE orders (
  agent_id TEXT NOT NULL,
  epoch    INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  run      TEXT NOT NULL,
  job      TEXT NOT NULL,
  n        INTEGER NOT NULL,
  cancel   INTEGER NOT NULL,
  PRIMARY KEY (agent_id, epoch, seq),
  UNIQUE (run, job, n)
) STRICT, WITHOUT ROWID;

-- The last sequence allotted.
CREATE TABLE counters (
  agent_id TEXT NOT NULL,
  epoch    INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  PRIMARY KEY (agent_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
  id        TEXT PRIMARY KEY,
  name      TEXT NOT NULL,
  role      TEXT NOT NULL,
  labels    TEXT,
  facts     TEXT,
  key_hash  TEXT NOT NULL,
  version   TEXT NOT NULL,
  slots     INTEGER NOT NULL,
  joined    INTEGER,
  seen      INTEGER,
  renewals  INTEGER NOT NULL,
  recovered INTEGER NOT NULL,
  drained   TEXT NOT NULL,
  removed   INTEGER,
  rev       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX nodes_name ON nodes (name) WHERE removed IS NULL;

CREATE TABLE tokens (
  id      TEXT PRIMARY KEY,
  kind    TEXT NOT NULL,
  name    TEXT NOT NULL,
  hash    TEXT NOT NULL,
  labels  TEXT,
  scope   TEXT,
  folder  TEXT NOT NULL,
  owner   TEXT NOT NULL,
  who     TEXT NOT NULL,
  created INTEGER,
  expires INTEGER,
  used    INTEGER,
  used_by TEXT NOT NULL,
  revoked INTEGER,
  rev     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  name        TEXT PRIMARY KEY,
  full_name   TEXT NOT NULL,
  password    TEXT NOT NULL,
  permissions TEXT,
  folder      TEXT NOT NULL,
  disabled    INTEGER NOT NULL,
  created     INTEGER,
  changed     INTEGER,
  rev         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  hash    TEXT PRIMARY KEY,
  user    TEXT NOT NULL,
  created INTEGER,
  seen    INTEGER,
  address TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user);

CREATE TABLE audit (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  at     INTEGER,
  who    TEXT NOT NULL,
  origin TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;

CREATE TABLE artifacts (
  run    TEXT NOT NULL,
  job    TEXT NOT NULL,
  n      INTEGER NOT NULL,
  name   TEXT NOT NULL,
  size   INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (run, job, n, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifacts_sha256 ON artifacts (sha256);

-- Contents that lost their last reference and whose files have not been reported as removed.
CREATE TABLE unreferenced (
  sha256 TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

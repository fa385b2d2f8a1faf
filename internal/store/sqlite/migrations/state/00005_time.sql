-- +goose Up

-- Everything that is due at or before it was decided or stored as pending.
ALTER TABLE domain ADD COLUMN through INTEGER;

-- Whose occurrence a run is; empty: a person or a program started it.
ALTER TABLE runs ADD COLUMN schedule TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_schedule ON runs (net, schedule, id) WHERE schedule <> '';

CREATE TABLE calendars (
  n       INTEGER PRIMARY KEY,
  name    TEXT NOT NULL,
  version INTEGER NOT NULL,
  hash    TEXT NOT NULL,
  text    TEXT NOT NULL,
  applied INTEGER,
  who     TEXT NOT NULL,
  UNIQUE (name, version)
) STRICT;

-- What spans have in common, in JSON: the rule without its name, versions of calendars, version of the time zone database. A hundred
-- thousand schedules have few different ones.
CREATE TABLE rules (
  id   INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

-- A time in which a schedule was as its rule says: since <= due < until; NULL: it is in force.
CREATE TABLE spans (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  net      TEXT NOT NULL,
  schedule TEXT NOT NULL,
  version  INTEGER NOT NULL,
  since    INTEGER NOT NULL,
  until    INTEGER,
  rule     INTEGER NOT NULL
) STRICT;
CREATE INDEX spans_net ON spans (net, schedule, since);
CREATE UNIQUE INDEX spans_open ON spans (net, schedule) WHERE until IS NULL;
CREATE INDEX spans_rule ON spans (rule);
CREATE INDEX spans_ended ON spans (until) WHERE until IS NOT NULL;

-- Occurrences that were decided, or that are pending and due or touched. The keys of the table and of its unique index begin with
-- an instant, so that new ones are appended however many there are; a page of the agenda is a stretch of the table itself.
CREATE TABLE occurrences (
  due          INTEGER NOT NULL,
  net          TEXT NOT NULL,
  schedule     TEXT NOT NULL,
  nominal      INTEGER NOT NULL,
  span         INTEGER NOT NULL,
  moved        TEXT NOT NULL,
  decision     TEXT NOT NULL,
  reason       TEXT NOT NULL,
  detail       TEXT NOT NULL,
  decided      INTEGER,
  who          TEXT NOT NULL,
  version      INTEGER NOT NULL,
  zone         TEXT NOT NULL,
  tzdata       TEXT NOT NULL,
  run          TEXT NOT NULL,
  must_end     INTEGER,
  recovered_by TEXT NOT NULL,
  dismissed    INTEGER,
  dismissed_by TEXT NOT NULL,
  rev          INTEGER NOT NULL,
  PRIMARY KEY (due, net, schedule, nominal)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX occurrences_key ON occurrences (nominal, net, schedule);
CREATE INDEX occurrences_net ON occurrences (net, due, schedule, nominal);
CREATE INDEX occurrences_pending ON occurrences (due, net, schedule, nominal) WHERE decision = 'pending';
CREATE INDEX occurrences_missed ON occurrences (due, net, schedule, nominal) WHERE decision = 'missed' AND recovered_by = '' AND dismissed IS NULL;

-- Many occurrences that were decided together; first and last are nominal, inclusive.
CREATE TABLE ranges (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  net          TEXT NOT NULL,
  schedule     TEXT NOT NULL,
  span         INTEGER NOT NULL,
  first        INTEGER NOT NULL,
  last         INTEGER NOT NULL,
  count        INTEGER NOT NULL,
  decision     TEXT NOT NULL,
  reason       TEXT NOT NULL,
  detail       TEXT NOT NULL,
  decided      INTEGER,
  zone         TEXT NOT NULL,
  tzdata       TEXT NOT NULL,
  dismissed    INTEGER,
  dismissed_by TEXT NOT NULL,
  rev          INTEGER NOT NULL
) STRICT;
CREATE INDEX ranges_net ON ranges (net, schedule, last);
CREATE INDEX ranges_last ON ranges (last);
CREATE INDEX ranges_missed ON ranges (last) WHERE decision = 'missed' AND dismissed IS NULL;

-- How many were decided so far, those that are pruned among them.
CREATE TABLE decided (
  decision TEXT NOT NULL,
  reason   TEXT NOT NULL,
  count    INTEGER NOT NULL,
  last     INTEGER,
  PRIMARY KEY (decision, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE pauses (
  net      TEXT NOT NULL,
  schedule TEXT NOT NULL,
  who      TEXT NOT NULL,
  reason   TEXT NOT NULL,
  since    INTEGER,
  until    INTEGER,
  rev      INTEGER NOT NULL,
  PRIMARY KEY (net, schedule)
) STRICT, WITHOUT ROWID;

CREATE TABLE overrides (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  net      TEXT NOT NULL,
  schedule TEXT NOT NULL,
  nominal  INTEGER,
  kind     TEXT NOT NULL,
  hold_from INTEGER,
  move_to  INTEGER,
  params   TEXT,
  expires  INTEGER,
  reason   TEXT NOT NULL,
  who      TEXT NOT NULL,
  created  INTEGER,
  state    TEXT NOT NULL,
  ended    INTEGER,
  rev      INTEGER NOT NULL
) STRICT;
CREATE INDEX overrides_net ON overrides (net, state, id);
CREATE INDEX overrides_state ON overrides (state, id);
CREATE INDEX overrides_ended ON overrides (ended) WHERE ended IS NOT NULL;

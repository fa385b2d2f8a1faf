-- +goose Up

-- What was found about a path of the port plan, the same way any number of times in a row. newest: the last of its path.
CREATE TABLE proofs (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  newest   INTEGER NOT NULL,
  flow     TEXT NOT NULL,
  service  TEXT NOT NULL,
  source   TEXT NOT NULL,
  target   TEXT NOT NULL,
  protocol TEXT NOT NULL,
  address  TEXT NOT NULL,
  expect   TEXT NOT NULL,
  verdict  TEXT NOT NULL,
  reason   TEXT NOT NULL,
  text     TEXT NOT NULL,
  plan     TEXT NOT NULL,
  first    INTEGER,
  last     INTEGER,
  times    INTEGER NOT NULL,
  data     TEXT NOT NULL
) STRICT;
CREATE INDEX proofs_path ON proofs (flow, source, target, address, expect, id);
CREATE INDEX proofs_newest ON proofs (flow, source, target) WHERE newest = 1;
CREATE INDEX proofs_last ON proofs (last);

CREATE TABLE silences (
  source   TEXT NOT NULL,
  target   TEXT NOT NULL,
  flow     TEXT NOT NULL,
  address  TEXT NOT NULL,
  survived INTEGER NOT NULL,
  died     INTEGER NOT NULL,
  at       INTEGER,
  PRIMARY KEY (source, target)
) STRICT, WITHOUT ROWID;

-- When the rows of the plan were used on a host.
CREATE TABLE uses (
  host    TEXT NOT NULL,
  service TEXT NOT NULL,
  kind    TEXT NOT NULL,
  count   INTEGER NOT NULL,
  first   INTEGER,
  last    INTEGER,
  PRIMARY KEY (host, service, kind)
) STRICT, WITHOUT ROWID;

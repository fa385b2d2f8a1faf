-- +goose Up

-- size is where the next chunk begins.
CREATE TABLE spools (
  s    INTEGER PRIMARY KEY,
  run  TEXT NOT NULL,
  job  TEXT NOT NULL,
  n    INTEGER NOT NULL,
  size INTEGER NOT NULL,
  UNIQUE (run, job, n)
) STRICT;

-- size is that of the bytes; data holds them as they are (codec 0) or as a zstd frame with a checksum (codec 1).
CREATE TABLE chunks (
  c      INTEGER PRIMARY KEY,
  spool  INTEGER NOT NULL REFERENCES spools (s),
  offset INTEGER NOT NULL,
  size   INTEGER NOT NULL,
  codec  INTEGER NOT NULL,
  data   BLOB NOT NULL,
  UNIQUE (spool, offset)
) STRICT;

-- The log. What is written here is never changed: the triggers see to it.

CREATE TABLE commits (
    commit_number   INTEGER PRIMARY KEY AUTOINCREMENT,
    commit_id       TEXT    NOT NULL UNIQUE,
    recorded_at_us  INTEGER NOT NULL UNIQUE,   -- microseconds since 1970, strictly increasing
    effective_at_us INTEGER NOT NULL,
    first_position  INTEGER NOT NULL UNIQUE,
    last_position   INTEGER NOT NULL UNIQUE,
    root            BLOB    NOT NULL           -- RFC 6962 root over all leaves up to last_position
) STRICT;

CREATE TABLE events (
    position       INTEGER PRIMARY KEY AUTOINCREMENT,  -- 1, 2, 3 ..., never reused
    commit_number  INTEGER NOT NULL REFERENCES commits,
    stream         TEXT    NOT NULL,
    stream_version INTEGER NOT NULL,
    type           TEXT    NOT NULL,
    schema_version INTEGER NOT NULL,
    data           BLOB    NOT NULL,                   -- canonical JSON
    leaf_hash      BLOB    NOT NULL,
    UNIQUE (stream, stream_version)
) STRICT;

-- A frame names its dictionary where it needs one.
CREATE TABLE documents (
    hash       TEXT    NOT NULL UNIQUE,   -- SHA-256 of the canonical JSON, in hex
    body       BLOB    NOT NULL,          -- the canonical JSON as one zstd frame
    body_crc32 INTEGER NOT NULL           -- of `body` as it lies here
) STRICT;

CREATE TABLE dictionaries (
    dictionary_id INTEGER NOT NULL UNIQUE, -- the one that zstd has in `content` and in frames
    content       BLOB    NOT NULL,
    content_crc32 INTEGER NOT NULL
) STRICT;

CREATE TABLE redactions (
    hash          TEXT    NOT NULL UNIQUE REFERENCES documents (hash),
    commit_number INTEGER NOT NULL REFERENCES commits
) STRICT;

CREATE TRIGGER commits_no_update BEFORE UPDATE ON commits
    BEGIN SELECT RAISE(ABORT, 'commits are append-only'); END;
CREATE TRIGGER commits_no_delete BEFORE DELETE ON commits
    BEGIN SELECT RAISE(ABORT, 'commits are append-only'); END;
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
-- Zeros, and as many: then the row stays where it lies, and no copy of it is left elsewhere.
CREATE TRIGGER documents_no_update BEFORE UPDATE ON documents
    WHEN NEW.rowid IS NOT OLD.rowid
      OR NEW.hash IS NOT OLD.hash
      OR NEW.body IS NOT zeroblob(length(OLD.body))
      OR NEW.body_crc32 IS NOT OLD.body_crc32
      OR NOT EXISTS (SELECT 1 FROM redactions WHERE hash = OLD.hash)
    BEGIN SELECT RAISE(ABORT, 'documents are append-only'); END;
CREATE TRIGGER documents_no_delete BEFORE DELETE ON documents
    BEGIN SELECT RAISE(ABORT, 'documents are append-only'); END;
CREATE TRIGGER dictionaries_no_update BEFORE UPDATE ON dictionaries
    BEGIN SELECT RAISE(ABORT, 'dictionaries are append-only'); END;
CREATE TRIGGER dictionaries_no_delete BEFORE DELETE ON dictionaries
    BEGIN SELECT RAISE(ABORT, 'dictionaries are append-only'); END;
CREATE TRIGGER redactions_no_update BEFORE UPDATE ON redactions
    BEGIN SELECT RAISE(ABORT, 'redactions are append-only'); END;
CREATE TRIGGER redactions_no_delete BEFORE DELETE ON redactions
    BEGIN SELECT RAISE(ABORT, 'redactions are append-only'); END;

-- Where the Merkle tree grows, no row while it is empty: recomputable, so it may change.

CREATE TABLE frontier (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    size     INTEGER NOT NULL,
    subtrees BLOB    NOT NULL                  -- 32 bytes each, largest subtree first
) STRICT;

-- Views: everything here can be deleted and rebuilt.

CREATE TABLE checkpoints (
    projection TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    PRIMARY KEY (projection, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE view_rows (
    projection TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    since      INTEGER NOT NULL,               -- the position that the value holds from
    value      BLOB    NOT NULL,
    PRIMARY KEY (projection, version, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX view_rows_since ON view_rows (projection, version, since);

CREATE TABLE past_rows (
    projection TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    until      INTEGER NOT NULL,               -- the position that it no longer holds at
    value      BLOB    NOT NULL,
    PRIMARY KEY (projection, version, key, since)
) STRICT, WITHOUT ROWID;

CREATE INDEX past_rows_since ON past_rows (projection, version, since);

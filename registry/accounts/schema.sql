CREATE TABLE accounts (
	id            TEXT PRIMARY KEY,
	email         TEXT NOT NULL UNIQUE, -- lower case
	name          TEXT NOT NULL,
	role          TEXT NOT NULL,
	company       TEXT NOT NULL,
	language      TEXT NOT NULL,
	password      TEXT NOT NULL, -- PHC string, argon2id
	disabled      INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
	created_at    INTEGER NOT NULL, -- Unix milliseconds
	password_at   INTEGER NOT NULL,
	last_sign_in  INTEGER
) STRICT;

-- Failed attempts since the last success, by SHA-256 of the e-mail address,
-- known or not: the lock-out must not tell which addresses exist.
CREATE TABLE attempts (
	email_hash   BLOB PRIMARY KEY,
	failures     INTEGER NOT NULL,
	last_at      INTEGER NOT NULL,
	locked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_last ON attempts (last_at);

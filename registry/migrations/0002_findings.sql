-- What is found out, reported and done.

CREATE TABLE results (
	synergy    TEXT NOT NULL REFERENCES synergies (id),
	kind       TEXT NOT NULL,
	from_at    INTEGER NOT NULL,
	to_at      INTEGER NOT NULL CHECK (to_at > from_at),
	figures    TEXT NOT NULL, -- JSON
	notes      TEXT NOT NULL, -- JSON
	plan_hash  TEXT NOT NULL,
	factor_set TEXT NOT NULL,
	PRIMARY KEY (synergy, kind, from_at)
) STRICT;
CREATE INDEX results_by_kind ON results (kind, from_at);

CREATE TABLE opportunities (
	id          TEXT PRIMARY KEY,
	position    INTEGER NOT NULL, -- best first
	company     TEXT NOT NULL REFERENCES companies (id),
	opportunity TEXT NOT NULL -- JSON
) STRICT;

CREATE TABLE alarms (
	id                TEXT PRIMARY KEY,
	source            TEXT NOT NULL, -- who watches: assessment, ingest ...
	kind              TEXT NOT NULL,
	subject           TEXT NOT NULL,
	company           TEXT NOT NULL,
	since             INTEGER NOT NULL,
	until_at          INTEGER, -- NULL while it lasts
	text_fr           TEXT NOT NULL,
	text_en           TEXT NOT NULL,
	cost_eur_per_year REAL NOT NULL
) STRICT;
CREATE INDEX alarms_by_since ON alarms (since);

CREATE TABLE statuses (
	gateway TEXT PRIMARY KEY REFERENCES gateways (id),
	at      INTEGER NOT NULL,
	status  TEXT NOT NULL -- JSON
) STRICT;

CREATE TABLE completeness (
	meter    TEXT NOT NULL REFERENCES meters (id),
	day      TEXT NOT NULL, -- civil day
	expected INTEGER NOT NULL,
	good     INTEGER NOT NULL,
	suspect  INTEGER NOT NULL,
	missing  INTEGER NOT NULL,
	PRIMARY KEY (meter, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE reports (
	quarter      TEXT NOT NULL, -- "2026-Q3"
	revision     INTEGER NOT NULL CHECK (revision >= 1),
	hash         TEXT NOT NULL,
	ledger_index INTEGER NOT NULL,
	path         TEXT NOT NULL,
	sealed_by    TEXT NOT NULL,
	sealed_at    INTEGER NOT NULL,
	reason       TEXT NOT NULL, -- why a revision was needed
	PRIMARY KEY (quarter, revision)
) STRICT;
CREATE TRIGGER reports_locked BEFORE UPDATE ON reports
BEGIN SELECT RAISE(ABORT, 'a sealed report is kept: a correction is a new revision'); END;
CREATE TRIGGER reports_kept BEFORE DELETE ON reports
BEGIN SELECT RAISE(ABORT, 'a sealed report is kept'); END;

CREATE TABLE audit (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	at      INTEGER NOT NULL,
	who     TEXT NOT NULL,
	what    TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail  TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_locked BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TABLE settings (
	name  TEXT PRIMARY KEY,
	content TEXT NOT NULL
) STRICT;

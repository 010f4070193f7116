-- Heat: what detection proposes, what was decided of it, and the joint plan.

CREATE TABLE heat_proposals (
	id         TEXT PRIMARY KEY,
	company    TEXT NOT NULL REFERENCES companies (id),
	proposal   TEXT NOT NULL, -- JSON, of the last night that found it
	first_at   INTEGER NOT NULL,
	last_at    INTEGER NOT NULL,
	decision   TEXT NOT NULL DEFAULT '' CHECK (decision IN ('', 'accepted', 'refused')),
	reason     TEXT NOT NULL DEFAULT '',
	decided_by TEXT NOT NULL DEFAULT '',
	decided_at INTEGER,
	CHECK ((decision = '') = (decided_at IS NULL))
) STRICT;

CREATE TABLE heat_plan (
	one  INTEGER PRIMARY KEY CHECK (one = 1), -- the last night's
	plan TEXT NOT NULL -- JSON
) STRICT;

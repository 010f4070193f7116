-- Contacts between two companies, and what each lets the other see.

-- The heat that companies need, as the assessment measured it: a need stands in an
-- opportunity only as a use, which is made of both sides' figures.
CREATE TABLE heat_needs (
	id       TEXT PRIMARY KEY, -- of the card
	position INTEGER NOT NULL,
	company  TEXT NOT NULL REFERENCES companies (id),
	need     TEXT NOT NULL -- JSON
) STRICT;

CREATE TABLE contacts (
	id          TEXT PRIMARY KEY, -- random: it tells neither order nor number
	resource    TEXT NOT NULL,
	proposed_at INTEGER NOT NULL,
	proposed_by TEXT NOT NULL,
	expires_at  INTEGER NOT NULL,
	closed_at   INTEGER,
	closed_how  TEXT CHECK (closed_how IN ('declined', 'withdrawn', 'expired')),
	synergy     TEXT REFERENCES synergies (id), -- entered as a candidate
	CHECK ((closed_at IS NULL) = (closed_how IS NULL))
) STRICT;

CREATE TABLE contact_sides (
	contact     TEXT NOT NULL REFERENCES contacts (id),
	side        INTEGER NOT NULL CHECK (side IN (0, 1)), -- 0 gives, 1 takes
	ref         TEXT NOT NULL UNIQUE, -- random: how the company itself knows the contact
	company     TEXT NOT NULL REFERENCES companies (id),
	subject     TEXT NOT NULL, -- opportunity, need or flow
	profile     TEXT NOT NULL, -- JSON: what it can let be seen, as at the proposal
	salt        TEXT NOT NULL, -- of the hash by which the audit trail names it
	asked_at    INTEGER,       -- NULL: not before the other one agreed
	state       TEXT NOT NULL CHECK (state IN ('waiting', 'asked', 'later', 'agreed', 'declined', 'withdrawn')),
	answered_at INTEGER,
	answered_by TEXT NOT NULL,
	reason      TEXT NOT NULL,
	parts       TEXT NOT NULL, -- JSON
	remind_at   INTEGER,
	postponed   INTEGER NOT NULL,
	person      TEXT NOT NULL, -- JSON, '' when there is none any more
	candidate   INTEGER NOT NULL CHECK (candidate IN (0, 1)), -- agrees to the entry as a synergy
	PRIMARY KEY (contact, side)
) STRICT;
CREATE INDEX contact_sides_by_company ON contact_sides (company);
CREATE TRIGGER contacts_stay_closed BEFORE UPDATE ON contacts WHEN old.closed_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a closed contact stays closed: propose a new one'); END;
CREATE TRIGGER contacts_kept BEFORE DELETE ON contacts
BEGIN SELECT RAISE(ABORT, 'a contact is kept'); END;
CREATE TRIGGER profiles_kept BEFORE UPDATE OF profile, company, salt, ref ON contact_sides
BEGIN SELECT RAISE(ABORT, 'what a company consents to show does not change afterwards'); END;

-- What people declare of a programme. Instants are Unix milliseconds (UTC).

CREATE TABLE territory (
	one       INTEGER PRIMARY KEY CHECK (one = 1), -- a registry holds one territory
	id        TEXT NOT NULL,
	name_fr   TEXT NOT NULL,
	name_en   TEXT NOT NULL,
	synthetic INTEGER NOT NULL CHECK (synthetic IN (0, 1)),
	currency  TEXT NOT NULL
) STRICT;

CREATE TABLE companies (
	id          TEXT PRIMARY KEY,
	position    INTEGER NOT NULL, -- order of the programme file
	name        TEXT NOT NULL,
	holding     TEXT NOT NULL,
	activity_fr TEXT NOT NULL,
	activity_en TEXT NOT NULL,
	quay        TEXT NOT NULL,
	x_m         REAL NOT NULL,
	y_m         REAL NOT NULL
) STRICT;

CREATE TABLE gateways (
	id       TEXT PRIMARY KEY,
	position INTEGER NOT NULL,
	company  TEXT REFERENCES companies (id), -- NULL: the territory's own
	place_fr TEXT NOT NULL,
	place_en TEXT NOT NULL
) STRICT;

-- Every key a gateway ever had: batches of old keys stay verifiable.
CREATE TABLE gateway_keys (
	gateway     TEXT NOT NULL REFERENCES gateways (id),
	public_key  BLOB NOT NULL CHECK (length(public_key) = 32),
	enrolled_at INTEGER NOT NULL,
	PRIMARY KEY (gateway, enrolled_at, public_key)
) STRICT;

CREATE TABLE meters (
	id             TEXT PRIMARY KEY,
	position       INTEGER NOT NULL,
	company        TEXT REFERENCES companies (id), -- NULL: the territory's own
	gateway        TEXT NOT NULL REFERENCES gateways (id),
	profile        TEXT NOT NULL,
	name_fr        TEXT NOT NULL,
	name_en        TEXT NOT NULL,
	serial         TEXT NOT NULL,
	accuracy_class TEXT NOT NULL,
	medium         TEXT NOT NULL,
	interval_ms    INTEGER NOT NULL CHECK (interval_ms > 0)
) STRICT;
CREATE INDEX meters_by_company ON meters (company);
CREATE INDEX meters_by_gateway ON meters (gateway);

CREATE TABLE meter_exchanges (
	meter     TEXT NOT NULL REFERENCES meters (id),
	at        INTEGER NOT NULL,
	quantity  TEXT NOT NULL,
	old_final TEXT NOT NULL, -- exact decimals
	new_start TEXT NOT NULL,
	PRIMARY KEY (meter, quantity, at)
) STRICT;

CREATE TABLE synergies (
	id       TEXT PRIMARY KEY,
	number   INTEGER NOT NULL,
	name_fr  TEXT NOT NULL,
	name_en  TEXT NOT NULL,
	kind     TEXT NOT NULL,
	resource TEXT NOT NULL,
	status   TEXT NOT NULL,
	since    INTEGER NOT NULL,
	about_fr TEXT NOT NULL,
	about_en TEXT NOT NULL
) STRICT;

CREATE TABLE parties (
	synergy  TEXT NOT NULL REFERENCES synergies (id),
	position INTEGER NOT NULL,
	company  TEXT NOT NULL REFERENCES companies (id),
	role     TEXT NOT NULL,
	PRIMARY KEY (synergy, company)
) STRICT;

CREATE TABLE shared_meters (
	synergy TEXT NOT NULL REFERENCES synergies (id),
	meter   TEXT NOT NULL REFERENCES meters (id),
	PRIMARY KEY (synergy, meter)
) STRICT;

CREATE TABLE plans (
	synergy     TEXT NOT NULL REFERENCES synergies (id),
	version     INTEGER NOT NULL CHECK (version >= 1),
	body        TEXT NOT NULL,
	hash        TEXT NOT NULL, -- SHA-256 of body
	valid_from  INTEGER,       -- NULL: from approval
	approved_by TEXT,
	approved_at INTEGER,
	PRIMARY KEY (synergy, version),
	CHECK ((approved_by IS NULL) = (approved_at IS NULL))
) STRICT;
CREATE TRIGGER plans_locked BEFORE UPDATE ON plans WHEN old.approved_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'an approved plan is locked: a change is a new version'); END;
CREATE TRIGGER plans_kept BEFORE DELETE ON plans WHEN old.approved_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'an approved plan is kept'); END;

CREATE TABLE factor_sets (
	id         TEXT NOT NULL,
	version    INTEGER NOT NULL CHECK (version >= 1),
	valid_from INTEGER NOT NULL,
	body       TEXT NOT NULL,
	hash       TEXT NOT NULL,
	PRIMARY KEY (id, version)
) STRICT;
CREATE TRIGGER factor_sets_locked BEFORE UPDATE ON factor_sets
BEGIN SELECT RAISE(ABORT, 'a factor set is locked: a change is a new version'); END;
CREATE TRIGGER factor_sets_kept BEFORE DELETE ON factor_sets
BEGIN SELECT RAISE(ABORT, 'a factor set is kept'); END;

CREATE TABLE declarations (
	id          TEXT NOT NULL,
	declared_at INTEGER NOT NULL, -- of several with one id the latest counts
	synergy     TEXT NOT NULL REFERENCES synergies (id),
	from_at     INTEGER NOT NULL,
	to_at       INTEGER NOT NULL CHECK (to_at > from_at),
	indicator   TEXT NOT NULL,
	amount      TEXT NOT NULL,
	half90      TEXT NOT NULL,
	flow        TEXT NOT NULL,
	evidence    TEXT NOT NULL, -- JSON
	company     TEXT REFERENCES companies (id),
	declared_by TEXT NOT NULL,
	PRIMARY KEY (id, declared_at)
) STRICT;
CREATE INDEX declarations_by_synergy ON declarations (synergy, from_at);
CREATE TRIGGER declarations_locked BEFORE UPDATE ON declarations
BEGIN SELECT RAISE(ABORT, 'a declaration is kept: a correction is a later one'); END;
CREATE TRIGGER declarations_kept BEFORE DELETE ON declarations
BEGIN SELECT RAISE(ABORT, 'a declaration is kept'); END;

CREATE TABLE flows (
	id         TEXT PRIMARY KEY,
	position   INTEGER NOT NULL,
	company    TEXT NOT NULL REFERENCES companies (id),
	resource   TEXT NOT NULL,
	direction  TEXT NOT NULL CHECK (direction IN ('has', 'needs')),
	amount     TEXT NOT NULL,
	unit       TEXT NOT NULL,
	quality_fr TEXT NOT NULL,
	quality_en TEXT NOT NULL
) STRICT;

CREATE TABLE cards (
	id       TEXT PRIMARY KEY,
	position INTEGER NOT NULL,
	company  TEXT NOT NULL REFERENCES companies (id),
	card     TEXT NOT NULL -- JSON
) STRICT;

CREATE TABLE consents (
	company  TEXT NOT NULL REFERENCES companies (id),
	to_role  TEXT NOT NULL,
	what     TEXT NOT NULL,
	from_at  INTEGER NOT NULL,
	until_at INTEGER CHECK (until_at >= from_at), -- NULL while it lasts
	given_by TEXT NOT NULL,
	PRIMARY KEY (company, to_role, what, from_at)
) STRICT;
CREATE TRIGGER consents_stay_withdrawn BEFORE UPDATE ON consents
WHEN old.until_at IS NOT NULL AND (new.until_at IS NULL OR new.until_at > old.until_at)
BEGIN SELECT RAISE(ABORT, 'a withdrawn consent is not prolonged: give a new one'); END;
CREATE TRIGGER consents_kept BEFORE DELETE ON consents
BEGIN SELECT RAISE(ABORT, 'a consent is kept'); END;

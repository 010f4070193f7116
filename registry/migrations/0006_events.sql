-- Non-routine events that the data show and about which nobody has decided yet.

CREATE TABLE events (
	synergy     TEXT NOT NULL REFERENCES synergies (id),
	energy      TEXT NOT NULL,
	from_day    TEXT NOT NULL, -- civil day
	kwh_per_day REAL NOT NULL, -- positive: the site uses more than before
	half90      REAL NOT NULL,
	share       REAL NOT NULL, -- of the mean daily use
	PRIMARY KEY (synergy, energy, from_day)
) STRICT, WITHOUT ROWID;

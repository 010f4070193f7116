-- How the synergies of a site share what the whole site has saved.

CREATE TABLE attributions (
	site        TEXT NOT NULL REFERENCES synergies (id), -- whose plan measures the whole site
	kind        TEXT NOT NULL,
	from_at     INTEGER NOT NULL,
	attribution TEXT NOT NULL, -- JSON
	PRIMARY KEY (site, kind, from_at)
) STRICT;

-- Which stretches of a series came from files, as the origin of signed batches says.
-- Both ends are points; a stretch holds nothing that was measured.
CREATE TABLE imported_spans (
	series  TEXT NOT NULL,
	from_at INTEGER NOT NULL,
	to_at   INTEGER NOT NULL CHECK (to_at >= from_at),
	by_name TEXT NOT NULL, -- the importer
	PRIMARY KEY (series, by_name, from_at)
) STRICT, WITHOUT ROWID;

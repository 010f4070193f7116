-- What a meter's register grew by, day by day, as the assessment unwrapped it.

ALTER TABLE completeness ADD COLUMN series   TEXT NOT NULL DEFAULT ''; -- the register; empty for a gauge
ALTER TABLE completeness ADD COLUMN unit     TEXT NOT NULL DEFAULT '';
ALTER TABLE completeness ADD COLUMN increase TEXT NOT NULL DEFAULT ''; -- decimal
ALTER TABLE completeness ADD COLUMN covered  REAL NOT NULL DEFAULT 0;  -- share of the day between good readings

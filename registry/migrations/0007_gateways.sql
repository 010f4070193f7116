-- What gateways run, what they were asked to run, and how they were put into service.

CREATE TABLE config_reports (
	gateway TEXT PRIMARY KEY REFERENCES gateways (id),
	at      INTEGER NOT NULL,
	report  TEXT NOT NULL -- JSON, the latest
) STRICT;

CREATE TABLE desired_configs (
	gateway TEXT NOT NULL REFERENCES gateways (id),
	number  INTEGER NOT NULL CHECK (number > 0),
	sent_at INTEGER NOT NULL,
	sent_by TEXT NOT NULL,
	body    TEXT NOT NULL, -- gateway.yaml
	PRIMARY KEY (gateway, number)
) STRICT;

CREATE TABLE commissionings (
	digest       TEXT PRIMARY KEY, -- SHA-256 of record
	gateway      TEXT NOT NULL REFERENCES gateways (id),
	signed_at    INTEGER NOT NULL,
	added_at     INTEGER NOT NULL,
	added_by     TEXT NOT NULL,
	record       BLOB NOT NULL,    -- YAML, signed by the gateway
	ledger_index INTEGER           -- NULL: not entered yet
) STRICT;
CREATE INDEX commissionings_by_gateway ON commissionings (gateway, signed_at);
CREATE TRIGGER commissionings_locked BEFORE UPDATE ON commissionings
WHEN old.ledger_index IS NOT NULL OR new.digest <> old.digest OR new.record <> old.record OR new.gateway <> old.gateway
BEGIN SELECT RAISE(ABORT, 'a commissioning record is kept as it was added'); END;

// Package registry keeps what people declare of a programme and what was found
// out about it: companies, gateways with their keys, meters, synergies,
// measurement and verification plans, factors, tariffs, declarations, flows,
// heat assets and consents; results, opportunities, alarms, gateways' statuses,
// completeness, closed reports and the audit trail.
//
// It is SQL in one SQLite file; the migrations lie in migrations/ and are
// applied when the file is opened. What must not change does not: approved
// plans, factor and tariff versions, declarations, sealed reports and the audit
// trail are append-only by triggers of the database, so that a change is always
// a new version beside the old one.
//
// Instants are Unix milliseconds in UTC, civil days "2006-01-02" in
// Europe/Paris, exact numbers decimal text.
//
// A [Registry] may be used by many goroutines, and one file by several
// processes of one machine.
package registry

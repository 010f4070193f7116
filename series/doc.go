// Package series is the contract of the time-series store: what the follower
// of the ledger writes and what analytics and pages read.
//
// The store is an index over the ledger, never the truth: a lost store is
// rebuilt by applying the ledger again from leaf 0. Two implementations keep
// the same contract, checked by one suite (package conformance): embedded
// (SQLite, no server) and influx (InfluxDB 2).
//
// What both promise:
//
//   - Instants are exact to the millisecond and numbers exact as decimals;
//     numbers come back in normal form ([metering.Decimal.Normal]).
//   - At one instant a series has one point. Of two readings for the same
//     series and instant the later in ledger order stands, however late it comes.
//   - A reading of level Missing is a point too; its number is 0 and means nothing.
//   - Readings are applied together with the position in the ledger, and
//     applying leaves again that were applied before changes nothing.
//   - A series keeps the unit of its first reading; another one is refused.
package series

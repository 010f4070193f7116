// Package publish carries batches from a gateway's outbox to the broker and
// takes ingest's receipts back.
//
// The outbox owns delivery; the broker's acknowledgement only moves the window
// of what is under way at once. A batch is forgotten when a receipt signed by
// ingest names its number and hash. What has no receipt after a minute is sent
// again, and so is everything without one after each new connection: ingest
// knows a batch that it has and answers with the same receipt.
//
// Batches go in order, oldest first. Behind a backlog longer than the window
// the newest are sent beside the oldest, in turn, so that live data do not wait
// for the past (docs/decisions/0021-live-beside-backlog.md).
package publish

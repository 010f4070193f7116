// Package gateway is a site's gateway: it reads the meters of its buses, seals
// what they say into batches, keeps these on disk and delivers them.
//
// It runs alone: no network is needed to start or to read, readings wait in the
// outbox until ingest's receipt is back, and polling never waits for the broker
// or the disk. [LoadConfig] reads gateway.yaml, [New] puts the parts together,
// [Gateway.Run] runs them until its context ends.
package gateway

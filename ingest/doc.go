// Package ingest carries batches from the broker into the ledger, and readings
// from the ledger into the time-series store.
//
// [Run] keeps a persistent MQTT session with manual acknowledgement. For each
// batch, in the order of arrival:
//
//  1. verify: well-formed, signed by the gateway that it names, units and bounds
//     (package batch), sent on that gateway's own topic, not dated ahead of time;
//  2. place it in its gateway's chain (see [Chains]): the next number, one that
//     fills a gap, one that comes twice, or none that fits;
//  3. append it to the ledger and wait until it is durable;
//  4. publish the signed receipt, then acknowledge to the broker.
//
// Verification runs on all processors, the rest in order. What is under way is
// bounded, so a slow disk slows the broker down and not memory up. When the
// ledger cannot write, nothing is acknowledged and nothing is lost.
//
// A batch that fails is kept in the [Quarantine] with its reason, an alarm is
// raised, and the gateway gets a receipt that says so, so that the stream goes
// on. A batch sent twice is kept once and gets the same receipt again.
//
// [Follow] applies the ledger to a series.Store from the store's own position
// on: after a crash it goes on where the store was, and an empty store is
// rebuilt from the first leaf.
package ingest

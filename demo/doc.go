// Package demo runs a whole fictional port in one process: simulated meters
// that answer over real Modbus connections, a gateway for each company, an MQTT
// broker, and the server with its ledger, store, analytics and dashboard.
//
// History comes first. It travels the way of every reading: sealed in a
// gateway's outbox, published to the broker, verified, kept in the ledger,
// applied to the store; only the time is simulated. It is told in stages that
// end where the port's animator sealed a quarterly report, so that each report
// rests on what was known then, and the quarter with late data gets its revision.
// After it the gateways poll the meters as they would on a real site.
//
// Everything lies in one folder. A second start goes on where the last one
// stopped, and catches up what the meters counted meanwhile.
package demo

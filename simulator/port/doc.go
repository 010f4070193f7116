// Package port is the fictional port: fifteen companies, twelve synergies and
// their meters, which behave like real ones and misbehave like real ones.
// Everything in it is invented, and whatever shows it says so.
//
// Its physics runs in steps of ten minutes, in which every power and flow is
// constant. Rates are integers, so a counter is the exact integral of its rate
// at any instant: the same register whoever polls and how often. The state at
// an instant is a function of seed, epoch and instant only. Simulating twenty
// months takes a fifth of a second, which is why the whole record stays in
// memory (about 45 MB) and is extended as time goes on.
//
// On top of the physics lie, from the inside out:
//
//   - meters ([Meters]), each with the register map of a named commercial device
//     from firmware-configs: numbers are rounded down to the register's
//     resolution, wrapped at its capacity, laid out in its word order;
//   - troubles ([Troubles]): exchanged sensors, a wrong scale, a register that
//     rolls over, a gateway without network ... each with its date;
//   - servers ([Port.Serve]): Modbus TCP gateways, meters with an address of
//     their own and serial lines, asked by gateways like real ones;
//   - history ([Port.History]): what those gateways would have read since the
//     beginning, out of the same registers and decoded by the same profiles;
//   - the programme ([Port.Programme]): what people declare of the port;
//   - replay ([Replay]): measured readings from a file in place of the physics.
//
// The physics is plausible, not accurate: loads follow weather, shifts, French
// holidays and the August stop, machines fail at random, and the yearly totals
// of the synergies are of the order that CLES, the programme of the ports of
// Strasbourg, published for 2019.
package port

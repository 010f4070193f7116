// Package modbus asks meters for registers and never takes an answer that may
// belong to another question.
//
// It is the one importer of goburrow/modbus and goburrow/serial. Their
// packagers encode requests and check and decode replies (Modbus Application
// Protocol V1.1b3, Modbus over Serial Line V1.02); the transporters are ours,
// because theirs stay out of step after one late answer, know no deadline and
// have no serial framing over TCP. A [Line] is one connection or one serial
// port, used by one question at a time.
//
// What makes an answer ours:
//
//   - Modbus TCP: its transaction id, its unit, its function and the exact
//     number of bytes asked for. Answers to earlier questions of the same
//     connection are dropped by their id; anything that cannot be explained
//     closes the connection, and the next question dials again.
//   - Several questions at once ([Line.ReadAll], Modbus TCP only, for devices that
//     take it): their answers in the order asked, all of them or none, and no two
//     of one shape in a group.
//   - Serial framing (RTU), on a wire or over TCP, has no transaction id: an
//     answer names neither the question nor the address. So a unit that did not
//     answer in time is in doubt: it is not asked again until its late answer
//     has come and been thrown away, or until a quiet time has passed. Other
//     units of the line may be asked meanwhile; a frame of the unit in doubt is
//     known by its unit id and dropped. When its late answer was not seen, and
//     the next question could be answered by the same frame, the unit is asked for
//     another number of registers first: one that is an answer behind shows itself
//     by the length. A frame must be followed by the silence of 3.5 characters: one
//     with something behind it (merged, doubled) is not taken.
//
// Errors are [ErrTimeout], [ErrBadFrame], [ErrUnreachable] and [*Exception].
package modbus

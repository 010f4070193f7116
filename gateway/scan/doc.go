// Package scan finds the devices of a bus and names them.
//
// A [Line] is asked once at each unit id for one register: an answer, and a
// refusal as well, shows that a device is there. It waits little for each
// (150 ms; Victron's and other scanners wait likewise), so that 247 ids take less
// than a minute; a slower device shows itself by the late frame, whose unit id
// says who it is, and is asked again with patience. So is every id at which
// something came that was no frame: when it stays so, two devices there probably
// answer at once.
//
// What answers is compared with the fingerprints of the profiles. An identity
// register makes the match sure; a register that only holds a plausible number
// makes a candidate, and candidates are read whole and ordered by how many of
// their readings an installer would believe.
package scan

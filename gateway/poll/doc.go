// Package poll reads the meters of one bus on time and turns what they say into
// readings.
//
// A [Worker] owns a bus: one question at a time, the earliest due first. The
// instants at which a meter is due are multiples of its interval on the clock,
// so that readings of different gateways fall together. [Plan] cuts what is due
// into the requests that occupy the bus for the least time, within what the
// meter's profile allows, and learns from refusals: a meter that does not have
// the registers in between, or not all of a model's, is asked in smaller
// pieces, and the log says so once.
//
// A meter that does not answer is asked once more, then left until its next
// turn, then probed ever less often, so that it takes little of the bus from the
// others; every instant at which it was due gives missing readings all the same,
// with the reason. Nothing is dropped silently, and no reading is made up.
//
// Numbers are the profile's exact decimals. A counter that went back, without
// having reached the end of its digits, is suspect (reset). What a meter suffers
// from is in its status, in words.
package poll

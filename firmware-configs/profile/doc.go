// Package profile knows how meters speak Modbus: which register holds which
// quantity, in which type, order, scale and unit, what the meter puts there
// when it has nothing to say, and what a master must not ask it.
//
// A profile is a YAML file (see docs/profiles.md and meter.schema.json); no
// meter has code of its own. [Builtin] gives the embedded profiles, [LoadDir]
// those of a folder. Each profile carries its sources, a level of trust and
// test vectors: raw registers and the readings that they must give, which
// [Test] runs in both directions.
//
// [Field.Decode] turns registers into one reading's number, exactly: integers
// never pass through a float, IEEE floats are taken by their shortest decimal
// form, scales are decimal, and units are converted to those of series (Wh and
// MWh to kWh, GJ to J, l to m3) by exact factors. The exceptions, which have no
// finite decimal form, are stated where they stand: MJ/h and GJ/h to kW, and
// linear ranges of analogue inputs, rounded half to even at [Places] decimals.
// [Field.Encode] is the inverse; the simulator is made of it.
//
// Addresses in this package are as on the bus (0-based). A file may write them
// as its source does (address_base: 1 for "register numbers"); they are
// converted once, when it is read.
package profile

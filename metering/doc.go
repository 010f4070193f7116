// Package metering holds the nouns of the house: quantities and their units,
// readings and their quality, meters, sites, companies and synergies.
//
// It imports nothing of Thermie and everything imports it. Names follow the
// field's standards: EN 1434 for heat meters (flow and return temperature),
// IEC 61557-12 for electricity, RFC 8428 (SenML) for units on the wire.
//
// A reading is exact: its number is a [Decimal], an integer times a power of
// ten, so that a 64-bit counter never passes through a float and a register
// that holds 12 345 hundredths of a kWh stays exactly that until a quarter is
// closed.
package metering

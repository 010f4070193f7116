// Package indicators turns physical flows (kWh of gas, kWh of electricity, m3
// of water, tonnes, kilometres) into tonnes of CO2e and euros.
//
// Emission factors and tariffs live in a [Set] that has an identity and a
// version and says where each number comes from. A set never changes: a new
// factor is a new version of the set. A result names the set it was made with,
// so a closed quarter is recomputed with its own factors whatever was published
// since (ISO 14064-1 asks for the same: state the factor, its source and its
// date). Factor versions matter: published figures of one and the same
// waste-heat network differ by more than 30 % for that reason alone.
//
// The package is pure: no I/O, no clock. Sums run in a fixed order and products
// are rounded before they are added, so that figures are the same on every
// machine.
package indicators

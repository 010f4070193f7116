// Package heat finds recoverable waste heat in measurements and says who could
// use it.
//
// It is pure: regular series in, sources and opportunities out; no clock, no
// store. A [Card] describes one asset that rejects heat, in the smallest form
// that a company must type: which series, which rule turns them into heat,
// between which temperatures. Rules are short formulas ("Q=0.72*P"), see
// [ParseRule].
//
// Definition (ADEME: heat from a process whose first purpose is not to produce
// energy and which for that reason is not necessarily recovered): of the heat
// that an asset gives off, what lies above its cut-off temperature, less what
// is recovered already. Heat is reported by temperature band, never as one
// total, since most rejected heat is below 40 degC and of little use.
//
// Every figure stands on an evidence grade: A measured by a heat meter, B a
// balance of meters, C a factor on a metered carrier, D inferred. Meter faults
// are looked for first ([FindFaults]): swapped sensors, frozen readings, jumps
// of scale and gaps are named with their window and left out of every figure.
package heat

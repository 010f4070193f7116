// Package commission walks an installer through a site and leaves a record that
// counts as evidence: which device stands where, what it said, what its own
// display showed at that moment, who looked, and what was left open.
//
// A [commissioning.Record] is YAML, signed by the gateway's key over its own bytes; a PDF of it
// is for people. Both are the same each time they are made from the same record.
// Nothing here needs a network.
package commission

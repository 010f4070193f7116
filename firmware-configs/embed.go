// Package firmwareconfigs holds what Thermie knows about hardware, as data: one
// YAML file per family of meters (meters/), one per family of gateways
// (gateways/), and the JSON Schemas that describe both. Package profile reads
// the former, package hardware the latter, package schema holds either against
// its schema; docs/profiles.md shows how to add one.
package firmwareconfigs

import "embed"

// Files are the profiles and schemas as they stand in the source tree, so that
// a gateway without a network knows every meter that its version knows.
//
//go:embed meters/*.yaml gateways/*.yaml *.schema.json
var Files embed.FS

//go:build tools

// Package tools pins the InfluxDB server that the integration tests run
// against, so that any machine with Go and cargo can build the same one.
package tools

import (
	_ "github.com/influxdata/influxdb/v2/cmd/influxd"
	_ "github.com/influxdata/pkg-config"
)

package batch

import (
	"encoding/json"
	"fmt"
	"time"
)

// Status is what a gateway says of itself, retained on its status topic as
// JSON; the last will is a Status with Online false.
type Status struct {
	Gateway    string        `json:"gateway"`
	At         time.Time     `json:"at"`
	Online     bool          `json:"online"`
	Version    string        `json:"version,omitempty"`
	Config     string        `json:"config,omitempty"` // configuration hash, hexadecimal
	StartedAt  time.Time     `json:"started_at,omitzero"`
	Clock      Clock         `json:"clock"`
	Spool      SpoolStatus   `json:"spool"`
	Buses      []BusStatus   `json:"buses,omitempty"`
	Meters     []MeterStatus `json:"meters,omitempty"`
	CertExpiry time.Time     `json:"cert_expiry,omitzero"`
}

// SpoolStatus tells how much waits to be delivered.
type SpoolStatus struct {
	Batches    int    `json:"batches"`
	Bytes      int64  `json:"bytes"`
	LastNumber uint64 `json:"last_number"`
	Fault      string `json:"fault,omitempty"` // in words, English, "" when well: "disk full ..."
}

// BusStatus counts what happened on one bus since the gateway started.
type BusStatus struct {
	Bus       string  `json:"bus"`
	Requests  uint64  `json:"requests"`
	Answers   uint64  `json:"answers"`
	Timeouts  uint64  `json:"timeouts"`
	BadFrames uint64  `json:"bad_frames"`
	Refusals  uint64  `json:"refusals"`
	LoadRatio float64 `json:"load_ratio"` // share of time the bus was busy, 0 to 1
}

// MeterStatus is one meter as the gateway sees it.
type MeterStatus struct {
	Meter    string    `json:"meter"`
	LastSeen time.Time `json:"last_seen,omitzero"`
	Fault    string    `json:"fault,omitempty"`  // a metering.Reason, "" when well
	Detail   string    `json:"detail,omitempty"` // in words, English
	// LatencyMillis is how long the slowest of its recent answers took, without the
	// frames; TimeoutMillis how long it is waited for because of that.
	LatencyMillis int64 `json:"latency_ms,omitempty"`
	TimeoutMillis int64 `json:"timeout_ms,omitempty"`
}

// ParseStatus decodes a status of bounded size.
func ParseStatus(b []byte) (Status, error) {
	var s Status
	if len(b) > 256<<10 {
		return s, fmt.Errorf("status of %d bytes: %w", len(b), ErrTooLarge)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%w: status: %v", ErrFormat, err)
	}
	return s, nil
}

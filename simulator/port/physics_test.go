package port

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var testEpoch = time.Date(2026, 11, 24, 10, 30, 0, 0, time.UTC)

var (
	demoMu   sync.Mutex
	demoPort *Port
)

// demo is the port of the demonstration: seed 1. It is computed once.
func demo(t testing.TB) *Port {
	t.Helper()
	demoMu.Lock()
	defer demoMu.Unlock()
	if demoPort == nil {
		p, err := New(Options{Seed: 1, Epoch: testEpoch, Library: library(t)})
		require.NoError(t, err)
		demoPort = p
	}
	return demoPort
}

package embedded

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// Many small applies, as live gateways give them, do not make the write-ahead
// log grow without end, even while somebody reads all the time.
func TestLogIsCut(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s, err := Open(ctx, dir, Options{})
	require.NoError(t, err)
	defer s.Close()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	largest := int64(0)
	written := 0
	for leaf := range 4000 {
		readings := make([]metering.Reading, 20)
		for i := range readings {
			readings[i] = metering.Reading{Series: metering.Series("meter-1", metering.ActivePower), At: begin + int64(leaf*20+i)*1000, Unit: metering.KW, Number: metering.Int(int64(i))}
		}
		require.NoError(t, s.Apply(ctx, uint64(leaf+1), readings))
		written += pagesOfApply * pageBytes
		if info, err := os.Stat(s.path + "-wal"); err == nil {
			largest = max(largest, info.Size())
		}
	}
	require.Greater(t, written, 2*walFile, "the test writes enough")
	require.Less(t, largest, int64(3*walFile/2))
}

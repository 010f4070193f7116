//go:build integration

package influx

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// BenchmarkServer measures against a real server on the same machine.
func BenchmarkServer(b *testing.B) {
	ctx := context.Background()
	// Values leave the write cache after a second; in production after ten minutes of quiet.
	d := launchInfluxd(b, "--storage-cache-snapshot-write-cold-duration", "1s")
	tokens, err := Setup(ctx, SetupOptions{URL: d.url, User: "admin", Password: "store-test-password", Org: testOrg, Bucket: "readings"})
	require.NoError(b, err)
	s, err := Open(ctx, Options{URL: d.url, Token: tokens.Write, Org: testOrg, Bucket: "readings"})
	require.NoError(b, err)
	defer s.Close()
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	var ids []metering.SeriesID
	for i := range 50 {
		ids = append(ids, metering.Series(fmt.Sprint("m", i), metering.HeatPower))
	}
	total, position := 0, uint64(0)
	b.Run("ApplyAYearOf50Series", func(b *testing.B) {
		for b.Loop() {
			total = 0
			began, used := time.Now(), cpu(b)
			defer func() {
				b.ReportMetric(float64(total)/time.Since(began).Seconds(), "readings/s")
				b.ReportMetric(float64(total)/(cpu(b)-used).Seconds(), "readings/CPU-s")
			}()
			r := rand.New(rand.NewPCG(1, 2))
			for n := int64(0); n < 366*144; {
				var readings []metering.Reading
				for ; n < 366*144 && len(readings) < 50_000; n++ {
					for _, id := range ids {
						readings = append(readings, metering.Reading{Series: id, At: start + n*600_000 + r.Int64N(40), Unit: metering.KW,
							Number: metering.Decimal{Coef: 250_000 + int64(5000*r.NormFloat64()), Exp: -3}})
					}
				}
				position++
				total += len(readings)
				require.NoError(b, s.Apply(ctx, position, readings))
			}
		}
	})
	time.Sleep(5 * time.Second) // the values leave the cache
	paris, err := time.LoadLocation("Europe/Paris")
	require.NoError(b, err)
	var days []time.Time
	for k := range 366 {
		days = append(days, time.Date(2024, 1, 1+k, 0, 0, 0, 0, paris))
	}
	for name, sparse := range map[string]int{"FromPoints": 1 << 40, "ByTheServer": 1, "": 0} {
		b.Run("DailyWindowsOfASeriesForAYear"+name, func(b *testing.B) {
			s.sparse = sparse
			for b.Loop() {
				w, err := s.Windows(ctx, all, ids[7], days)
				require.NoError(b, err)
				require.Equal(b, 144, w[100].Numbers())
			}
		})
	}
	s.sparse = 0
	b.Run("LastDayOfASeries", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range s.Points(ctx, all, ids[3], time.UnixMilli(start+365*dayMillis), time.UnixMilli(start+366*dayMillis)) {
				require.NoError(b, err)
				n++
			}
			require.Equal(b, 144, n)
		}
	})
	b.Run("LatestOf50Series", func(b *testing.B) {
		for b.Loop() {
			got, err := s.Latest(ctx, all, ids)
			require.NoError(b, err)
			require.Len(b, got, 50)
		}
	})
	b.Run("List", func(b *testing.B) {
		for b.Loop() {
			got, err := s.List(ctx, all)
			require.NoError(b, err)
			require.Len(b, got, 50)
		}
	})
}

// cpu is the processor time that this process has used; the server's is not in it.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

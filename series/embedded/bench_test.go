package embedded

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// site makes readings as meters give them: counters with two decimals that
// grow, powers and flows with three digits after the point and noise,
// temperatures in hundredths; one reading in 500 missing, the clock a few
// milliseconds off the ten minutes.
type site struct {
	ids  []metering.SeriesID
	unit []metering.Unit
	last []int64
	rng  *rand.Rand
	step int64
}

func newSite(meters int, step int64) *site {
	s := &site{rng: rand.New(rand.NewPCG(1, 2)), step: step}
	for m := range meters {
		for _, q := range []metering.Quantity{metering.HeatEnergy, metering.HeatPower, metering.Volume, metering.VolumeFlow, metering.FlowTemperature, metering.ReturnTemperature} {
			id := metering.Series(fmt.Sprintf("meter-%03d", m), q)
			info, _ := q.Info()
			s.ids, s.unit, s.last = append(s.ids, id), append(s.unit, info.Units[0]), append(s.last, 100_000+int64(m)*977)
		}
	}
	return s
}

// at appends the readings of all series at the n-th instant.
func (s *site) at(out []metering.Reading, n int64) []metering.Reading {
	at := int64(1704067200000) + n*s.step
	hours := float64(n*s.step) / hourMillis
	load := 1 + 0.4*math.Sin(hours*2*math.Pi/24) + 0.2*math.Sin(hours*2*math.Pi/168)
	for i, id := range s.ids {
		r := metering.Reading{Series: id, At: at + s.rng.Int64N(40), Unit: s.unit[i]}
		if s.rng.IntN(500) == 0 {
			r.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
			out = append(out, r)
			continue
		}
		noise := 1 + 0.02*s.rng.NormFloat64()
		switch i % 6 {
		case 0, 2:
			s.last[i] += int64(40 * load * noise * float64(s.step) / 600_000)
			r.Number = metering.Decimal{Coef: s.last[i], Exp: -2}
		case 1, 3:
			r.Number = metering.Decimal{Coef: int64(250_000 * load * noise), Exp: -3}
		default:
			r.Number = metering.Decimal{Coef: int64(6500 + 800*load + 20*s.rng.NormFloat64()), Exp: -2}
		}
		out = append(out, r)
	}
	return out
}

// chunks returns what the follower applies at once: batches of one instant, up
// to 512 leaves or 50,000 readings.
func (s *site) chunks(instants int64) [][]metering.Reading {
	var out [][]metering.Reading
	var c []metering.Reading
	for n := range instants {
		if c = s.at(c, n); len(c) >= 50_000 {
			out, c = append(out, c), nil
		}
	}
	return append(out, c)
}

func openBench(b *testing.B, dir string) *Store {
	s, err := Open(context.Background(), dir, Options{})
	require.NoError(b, err)
	b.Cleanup(func() { s.Close() })
	return s
}

// size is the size of the file and, of it, of the pages that are in use; the
// free ones take the next tail.
func size(b *testing.B, dir string) (file, used float64) {
	s := openBench(b, dir)
	var pages, free, bytes float64
	for pragma, n := range map[string]*float64{"page_count": &pages, "freelist_count": &free, "page_size": &bytes} {
		require.NoError(b, s.db.QueryRow("PRAGMA "+pragma).Scan(n))
	}
	require.NoError(b, s.Close())
	return pages * bytes, (pages - free) * bytes
}

// BenchmarkApply loads 60 days of 40 meters of six quantities each, every ten
// minutes: 2.1 million readings, packed in the end.
func BenchmarkApply(b *testing.B) { benchmarkApply(b, 40, 600_000, 60*144) }

// BenchmarkApplyTenSeconds loads 12 hours of readings every ten seconds.
func BenchmarkApplyTenSeconds(b *testing.B) { benchmarkApply(b, 40, 10_000, 12*360) }

func benchmarkApply(b *testing.B, meters int, step, instants int64) {
	chunks := newSite(meters, step).chunks(instants)
	total := 0
	for _, c := range chunks {
		total += len(c)
	}
	for b.Loop() {
		dir := b.TempDir()
		s := openBench(b, dir)
		for i, c := range chunks {
			require.NoError(b, s.Apply(context.Background(), uint64(i+1), c))
		}
		require.NoError(b, s.Pack(context.Background()))
		require.NoError(b, s.Close())
		file, used := size(b, dir)
		b.ReportMetric(used/float64(total), "bytes/reading")
		b.ReportMetric(file/float64(total), "file-bytes/reading")
	}
	b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

// BenchmarkYear reads a year of readings every ten minutes, of 50 series.
func BenchmarkYear(b *testing.B) {
	dir := b.TempDir()
	s := openBench(b, dir)
	st := newSite(9, 600_000)
	for i, c := range st.chunks(366 * 144) {
		require.NoError(b, s.Apply(context.Background(), uint64(i+1), c))
	}
	require.NoError(b, s.Pack(context.Background()))
	file, used := size(b, dir)
	b.Logf("%d readings: file of %.1f MB, %.1f MB of it in use", len(st.ids)*366*144, file/1e6, used/1e6)
	ids := st.ids[:50]
	paris, err := time.LoadLocation("Europe/Paris")
	require.NoError(b, err)
	var days []time.Time
	for d := range 366 {
		days = append(days, time.Date(2024, 1, 1+d, 0, 0, 0, 0, paris))
	}
	scope := access.System("benchmark")
	var windows [][]series.Window
	b.Run("DailyWindowsOf50Series", func(b *testing.B) {
		for b.Loop() {
			windows = windows[:0]
			for _, id := range ids {
				w, err := s.Windows(context.Background(), scope, id, days)
				require.NoError(b, err)
				windows = append(windows, w)
			}
		}
		require.Equal(b, 144, windows[0][10].Numbers()+windows[0][10].Missing)
	})
	b.Run("LastDayOfASeries", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n = 0
			for _, err := range s.Points(context.Background(), scope, ids[3], time.Date(2024, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)) {
				require.NoError(b, err)
				n++
			}
		}
		require.Equal(b, 144, n)
	})
	b.Run("PointsOfAYearOfASeries", func(b *testing.B) {
		for b.Loop() {
			require.Len(b, points(b, s, ids[3]), 366*144)
		}
	})
	b.Run("LatestOf50Series", func(b *testing.B) {
		for b.Loop() {
			got, err := s.Latest(context.Background(), scope, ids)
			require.NoError(b, err)
			require.Len(b, got, 50)
		}
	})
}

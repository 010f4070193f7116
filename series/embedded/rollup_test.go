package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// Roll-ups (ten minutes, hours, civil days of 23, 24 and 25 hours) equal, after
// each of any number of late, corrected and packed readings, what is computed
// from the readings themselves.
func TestRollupsEqualReadings(t *testing.T) {
	ctx, scope := context.Background(), access.System("test")
	s, err := Open(ctx, t.TempDir(), Options{})
	require.NoError(t, err)
	defer s.Close()
	upTo, run := uint64(0), 0
	kinds := map[byte]int{}
	rapid.Check(t, func(rt *rapid.T) {
		run++
		id := metering.Series(fmt.Sprintf("m%d", run), metering.HeatPower)
		// Days with 23, 24 and 25 hours.
		first := rapid.SampledFrom([]time.Time{
			time.Date(2025, 3, 29, 0, 0, 0, 0, calendar.Paris), time.Date(2025, 7, 1, 0, 0, 0, 0, calendar.Paris), time.Date(2025, 10, 25, 0, 0, 0, 0, calendar.Paris),
		}).Draw(rt, "first")
		last := calendar.NextDay(calendar.NextDay(first))
		span := last.UnixMilli() - first.UnixMilli()
		step := [...]int64{600_000, 55_000, 9_500, 3_600_000}[run%4] // each kind of aggregates has its turn
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		reading := func(at int64) metering.Reading {
			x := metering.Reading{Series: id, Unit: metering.KW, At: at, Number: metering.Decimal{Coef: r.Int64N(1_000_000) - 1000, Exp: -int8(r.IntN(4))}}
			switch r.IntN(30) {
			case 0:
				x.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
			case 1:
				x.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}
			}
			return x
		}
		apply := func(readings []metering.Reading) {
			upTo++
			require.NoError(rt, s.Apply(ctx, upTo, readings))
		}
		check := func(when string) {
			var points []metering.Point
			for p, err := range s.Points(ctx, scope, id, first, last) {
				require.NoError(rt, err)
				points = append(points, p)
			}
			for name, bounds := range map[string][]time.Time{
				"10 minutes": grid(first, last, 10*time.Minute), "hours": grid(first, last, time.Hour),
				"days": {first, calendar.NextDay(first), last}, "all": {first, last},
				"odd": {first.Add(17 * time.Minute), first.Add(26*time.Hour + time.Second), last.Add(-time.Minute)},
			} {
				g, err := series.Gather(bounds)
				require.NoError(rt, err)
				for _, p := range points {
					g.Add(p)
				}
				got, err := s.Windows(ctx, scope, id, bounds)
				require.NoError(rt, err)
				want := g.Windows()
				for i := range want {
					if want[i] != got[i] {
						rt.Fatalf("%s, %s, window %d: %+v, want %+v", when, name, i, got[i], want[i])
					}
				}
			}
		}
		var regular []metering.Reading
		for at := first.UnixMilli(); at < last.UnixMilli(); at += step {
			if r.IntN(400) != 0 { // some come late
				regular = append(regular, reading(at))
			}
		}
		apply(regular)
		check("as applied")
		for range rapid.IntRange(1, 3).Draw(rt, "rounds") {
			if rapid.Bool().Draw(rt, "pack") {
				require.NoError(rt, s.Pack(ctx))
				check("packed")
			}
			var late []metering.Reading
			for range rapid.IntRange(1, 40).Draw(rt, "late") {
				at := first.UnixMilli() + r.Int64N(span)
				if r.IntN(2) == 0 {
					at -= (at - first.UnixMilli()) % step // a correction
				}
				late = append(late, reading(at))
			}
			apply(late)
			check("late and corrected")
		}
		require.NoError(rt, s.Pack(ctx))
		check("packed in the end")
		require.NoError(rt, query(ctx, s.db, "SELECT segments FROM days WHERE series = (SELECT id FROM series WHERE name = ?) AND segments IS NOT NULL", []any{string(id)},
			func(scan func(...any) error) error {
				var b []byte
				if err := scan(&b); err != nil {
					return err
				}
				kinds[b[0]]++
				return nil
			}))
	})
	for kind := range segmentStarts {
		require.Positivef(t, kinds[kind], "no day with kept aggregates of kind %d was tried: %v", kind, kinds)
	}
}

func grid(from, to time.Time, step time.Duration) (bounds []time.Time) {
	for at := from; !at.After(to); at = at.Add(step) {
		bounds = append(bounds, at)
	}
	return bounds
}

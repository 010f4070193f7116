package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

func contextEnded() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }

func testPosition(t *testing.T, place Place) {
	s := newSubject(t, place)
	first := []metering.Reading{reading(heat, base, "1"), reading(power, base, "10")}
	require.NoError(t, s.store.Apply(ctx, 7, first))
	s.model.apply(7, first)
	s.holds()
	// What was applied is not applied again, whatever comes with it.
	for _, upTo := range []uint64{0, 3, 7} {
		require.NoError(t, s.store.Apply(ctx, upTo, []metering.Reading{reading(heat, base, "99"), reading(gas, base, "1")}))
	}
	s.holds()
	// Leaves without readings count too.
	require.NoError(t, s.store.Apply(ctx, 1000, nil))
	s.model.apply(1000, nil)
	s.holds()
	require.NoError(t, s.store.Apply(ctx, 1001, first))
	s.model.apply(1001, first)
	s.holds()
	require.Error(t, s.store.Apply(ctx, math.MaxUint64, nil))
	require.NoError(t, s.store.Apply(ctx, math.MaxInt64, nil))
	s.model.apply(math.MaxInt64, nil)
	s.holds()
}

func testReopening(t *testing.T, place Place) {
	s := newSubject(t, place)
	for i := range int64(12) {
		s.apply(reading(heat, base+i*hour, "1.5"), reading(gas, base+i*day, "2"), reading(heat, base+i*hour, "1.25"))
		if i%3 == 0 {
			s.reopen()
		}
	}
	s.holds()
	require.NoError(t, s.store.Close())
	require.NoError(t, s.store.Close(), "closing twice does no harm")
	require.Error(t, s.store.Apply(ctx, s.model.position+1, nil), "a closed store takes nothing")
	s.store = s.open(t)
	s.holds()
}

func testRefused(t *testing.T, place Place) {
	s := newSubject(t, place)
	s.apply(reading(heat, base, "1"))
	for name, spoil := range map[string]func(*metering.Reading){
		"no series":        func(r *metering.Reading) { r.Series = "" },
		"unknown quantity": func(r *metering.Reading) { r.Series = "foundry-heat/mood" },
		"bad meter":        func(r *metering.Reading) { r.Series = "Foundry heat/heat_energy" },
		"wrong unit":       func(r *metering.Reading) { r.Unit = metering.Volt },
		"before 2000":      func(r *metering.Reading) { r.At = 946684799999 },
		"in 2200":          func(r *metering.Reading) { r.At = 7258118400000 },
		"unknown level":    func(r *metering.Reading) { r.Quality.Level = 3 },
		"long reason": func(r *metering.Reading) {
			r.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Reason(strings.Repeat("x", 65))}
		},
		"reason of two lines": func(r *metering.Reading) {
			r.Quality = metering.Quality{Level: metering.Missing, Reason: "no\r\nanswer"}
		},
		"blank reason": func(r *metering.Reading) { r.Quality = metering.Quality{Level: metering.Missing, Reason: " "} },
		"reason that is no text": func(r *metering.Reading) {
			r.Quality = metering.Quality{Level: metering.Missing, Reason: "\xff"}
		},
	} {
		bad := reading(heat, base+minute, "2")
		spoil(&bad)
		err := s.store.Apply(ctx, 2, []metering.Reading{reading(power, base, "3"), bad, reading(heat, base, "5")})
		var refused *series.RefusedError
		require.ErrorAs(t, err, &refused, name)
		require.Equal(t, 1, refused.Index, name)
		require.Equal(t, bad, refused.Reading, name)
	}
	s.holds()
	s.apply(reading(power, base, "3"), reading(heat, base, "5")) // without the bad one
	s.holds()
}

func testUnits(t *testing.T, place Place) {
	s := newSubject(t, place)
	joules := func(ms int64) metering.Reading {
		r := reading(heat, ms, "3600000")
		r.Unit = metering.Joule
		return r
	}
	var refused *series.RefusedError
	var unit *series.UnitError
	// A new series in two units at once: the first stands, nothing is applied.
	err := s.store.Apply(ctx, 1, []metering.Reading{reading(heat, base, "1"), joules(base + minute)})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 1, refused.Index)
	require.ErrorAs(t, err, &unit)
	require.Equal(t, series.UnitError{Series: heat, Have: metering.KWh, Got: metering.Joule}, *unit)
	s.holds()
	// So the series is still free to begin in another unit.
	s.apply(joules(base))
	s.holds()
	for range 2 {
		err = s.store.Apply(ctx, 2, []metering.Reading{reading(gas, base, "1"), reading(heat, base+hour, "1")})
		require.ErrorAs(t, err, &unit)
		require.Equal(t, series.UnitError{Series: heat, Have: metering.Joule, Got: metering.KWh}, *unit)
		s.reopen() // the unit is remembered
	}
	s.holds()
}

// companies is a programme with one meter for each of two companies.
type companies struct{}

func (companies) MeterCompany(meter string) (string, bool) {
	c, ok := map[string]string{"foundry-heat": "foundry", "dryer-gas": "dryer"}[meter]
	return c, ok
}
func (companies) MeterSynergies(string) []string                    { return nil }
func (companies) SynergyParties(string) []metering.Party            { return nil }
func (companies) Consented(string, access.Role, access.Matter) bool { return false }
func (companies) Reserved(access.Role, access.Matter) int           { return 0 }
func (companies) ContactSides(string) []access.ContactSide          { return nil }

func testScope(t *testing.T, place Place) {
	s := newSubject(t, place)
	s.apply(reading(heat, base, "1"), reading(gas, base, "2"))
	foundry := access.ForSeries(access.Person{ID: "p", Role: access.Company, Company: "foundry"}, companies{})
	require.True(t, foundry.Allows("foundry-heat"))
	bounds := []time.Time{at(base), at(base + day)}
	for _, c := range []struct {
		name    string
		scope   access.Scope
		id      metering.SeriesID
		allowed bool
	}{
		{"own", foundry, heat, true},
		{"another company's", foundry, gas, false},
		{"a meter that nobody knows", foundry, "nobody/heat_power", false},
		{"no scope", access.Scope{}, heat, false},
		{"no scope, unknown series", access.Scope{}, "nobody/heat_power", false},
	} {
		var points int
		var perr error
		for _, err := range s.store.Points(ctx, c.scope, c.id, at(base), at(base+1)) {
			points, perr = points+1, errors.Join(perr, err)
		}
		_, lerr := s.store.Latest(ctx, c.scope, []metering.SeriesID{c.id})
		_, werr := s.store.Windows(ctx, c.scope, c.id, bounds)
		for _, err := range []error{perr, lerr, werr} {
			if c.allowed {
				require.NoError(t, err, c.name)
			} else {
				require.ErrorIs(t, err, series.ErrForbidden, c.name)
			}
		}
		require.Equal(t, 1, points, c.name) // the point or the error
	}
	_, err := s.store.Latest(ctx, foundry, []metering.SeriesID{heat, gas})
	require.ErrorIs(t, err, series.ErrForbidden, "one of two")
	list, err := s.store.List(ctx, foundry)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, heat, list[0].ID)
	list, err = s.store.List(ctx, access.Scope{})
	require.NoError(t, err)
	require.Empty(t, list)
}

func testDelete(t *testing.T, place Place) {
	s := newSubject(t, place)
	for i := range int64(5) {
		s.apply(reading(heat, base+i*day, "1"), reading(power, base+i*hour, "2"), reading(gas, base+i*day, "3"), reading("foundry-heat2/heat_power", base+i, "4"))
	}
	d, ok := s.store.(series.Deleter)
	require.True(t, ok, "a store can forget")
	require.NoError(t, d.Delete(ctx, []string{"foundry-heat", "nobody", `"; drop`}))
	s.model.delete("foundry-heat")
	s.holds()
	// The position stays; the series may begin anew, in another unit even.
	r := reading(heat, base, "5")
	r.Unit = metering.Joule
	s.apply(r)
	s.holds()
	require.NoError(t, s.store.(series.Deleter).Delete(ctx, nil))
	s.holds()
}

// testConcurrent reads while another goroutine applies. Each Apply writes one
// number to every series at the next instant, and none is ever taken back.
func testConcurrent(t *testing.T, place Place) {
	s := newSubject(t, place)
	ids := []metering.SeriesID{heat, power, gas}
	const applies = 60
	done := make(chan struct{})
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			seen := 0
			for last := false; !last; {
				select {
				case <-done:
					last = true // once more, of what is there in the end
				default:
				}
				if err := checkGrowing(s.store, id, &seen); err != nil {
					t.Errorf("series %s: %v", id, err)
					return
				}
			}
			if seen != applies*8 {
				t.Errorf("series %s: %d points in the end, want %d", id, seen, applies*8)
			}
		})
	}
	for i := range int64(applies) {
		var readings []metering.Reading
		for k := range int64(8) {
			for _, id := range ids {
				r := reading(id, base+(8*i+k)*10*minute, "0")
				r.Number = metering.Int(8*i + k)
				readings = append(readings, r)
			}
		}
		s.apply(readings...)
	}
	close(done)
	wg.Wait()
	s.holds()
}

// checkGrowing wants the points 0, 1, 2 ... and no fewer than seen before.
func checkGrowing(store series.Store, id metering.SeriesID, seen *int) error {
	points, err := collect(store, id, time.Time{}, farFuture)
	if err != nil {
		return err
	}
	for i, p := range points {
		if want := (metering.Point{At: base + int64(i)*10*minute, Number: metering.Int(int64(i)).Normal()}); p != want {
			return fmt.Errorf("point %d is %v, want %v", i, p, want)
		}
	}
	if len(points) < *seen {
		return fmt.Errorf("%d points after %d", len(points), *seen)
	}
	*seen = len(points)
	windows, err := store.Windows(ctx, all, id, []time.Time{at(base), at(base + 365*day)})
	if err != nil {
		return err
	}
	if n := windows[0].Good; n < *seen {
		return fmt.Errorf("%d points in the window after %d", n, *seen)
	} else if want := float64(n-1) / 2; n > 0 && windows[0].Mean != want {
		return fmt.Errorf("mean of %d points is %v, want %v", n, windows[0].Mean, want)
	}
	return nil
}

// Package conformance is the suite that every series store passes: what
// package series promises, tried on a real store and compared with a model
// that is a map.
package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// Place makes a fresh place for a store, such as a folder or a bucket. open
// opens the store there, the first time empty; it is called again when the
// store is closed. What the place takes is cleaned up when t ends.
type Place func(t testing.TB) (open func(t testing.TB) series.Store)

// Run runs the suite.
func Run(t *testing.T, place Place) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Place)
	}{
		{"empty", testEmpty},
		{"numbers come back exactly", testNumbers},
		{"instants come back exactly", testInstants},
		{"qualities come back", testQualities},
		{"the later in order stands", testOrder},
		{"late data", testLate},
		{"latest", testLatest},
		{"ranges", testRanges},
		{"position", testPosition},
		{"reopening", testReopening},
		{"refused readings", testRefused},
		{"units", testUnits},
		{"scope", testScope},
		{"delete", testDelete},
		{"windows", testWindows},
		{"windows of civil days", testCivilDays},
		{"windows with mixed numbers", testMixedWindows},
		{"ended context", testEndedContext},
		{"reading while applying", testConcurrent},
		{"model", testModel},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, place) })
	}
}

var (
	ctx = context.Background()
	all = access.System("conformance suite")
)

// base is an instant in winter, 2025-01-15 12:00 UTC.
const base = int64(1736942400000)

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

var (
	heat  = metering.Series("foundry-heat", metering.HeatEnergy)
	power = metering.Series("foundry-heat", metering.HeatPower)
	gas   = metering.Series("dryer-gas", metering.GasVolume)
)

func unitOf(id metering.SeriesID) metering.Unit {
	info, _ := id.Quantity().Info()
	return info.Units[0]
}

func reading(id metering.SeriesID, at int64, number string) metering.Reading {
	return metering.Reading{Series: id, At: at, Number: metering.MustDecimal(number), Unit: unitOf(id)}
}

func flagged(id metering.SeriesID, at int64, number string, level metering.Level, reason metering.Reason) metering.Reading {
	r := reading(id, at, number)
	r.Quality = metering.Quality{Level: level, Reason: reason}
	return r
}

// subject is a store beside the model that it must equal.
type subject struct {
	t     testing.TB
	open  func(testing.TB) series.Store
	store series.Store
	model *model
}

func newSubject(t testing.TB, place Place) *subject {
	s := &subject{t: t, open: place(t), model: newModel()}
	s.store = s.open(t)
	t.Cleanup(func() { s.store.Close() })
	return s
}

// apply applies the readings as one more leaf.
func (s *subject) apply(readings ...metering.Reading) {
	s.t.Helper()
	upTo := s.model.position + 1
	require.NoError(s.t, s.store.Apply(ctx, upTo, readings))
	s.model.apply(upTo, readings)
}

func (s *subject) reopen() {
	s.t.Helper()
	require.NoError(s.t, s.store.Close())
	s.store = s.open(s.t)
}

// holds compares the whole store with the model, then again after reopening.
func (s *subject) holds() {
	s.t.Helper()
	require.NoError(s.t, s.compare())
	s.reopen()
	require.NoError(s.t, s.compare(), "after reopening")
}

// compare returns the first difference between store and model.
func (s *subject) compare() error {
	position, err := s.store.Position(ctx)
	if err != nil || position != s.model.position {
		return fmt.Errorf("position %d, want %d (%w)", position, s.model.position, err)
	}
	infos, err := s.store.List(ctx, all)
	if err != nil {
		return err
	}
	if want := s.model.list(); !sameInfos(infos, want) {
		return fmt.Errorf("list:\n%v\nwant:\n%v", infos, want)
	}
	ids := append(s.model.ids(), "nobody/heat_power")
	latest, err := s.store.Latest(ctx, all, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		points, err := collect(s.store, id, time.Time{}, farFuture)
		if err != nil {
			return err
		}
		want := s.model.points(id)
		if err := samePoints(points, want); err != nil {
			return fmt.Errorf("points of %s: %w", id, err)
		}
		p, ok := latest[id]
		if ok != (len(want) > 0) || ok && p != want[len(want)-1] {
			return fmt.Errorf("latest of %s: %v %v, want the last of %v", id, p, ok, want)
		}
	}
	return nil
}

var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func collect(s series.Store, id metering.SeriesID, from, to time.Time) ([]metering.Point, error) {
	var out []metering.Point
	for p, err := range s.Points(ctx, all, id, from, to) {
		if err != nil {
			return out, err
		}
		out = append(out, p)
	}
	return out, nil
}

func samePoints(got, want []metering.Point) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("%d points, want %d: %v is missing", len(got), len(want), want[i])
		case i >= len(want):
			return fmt.Errorf("%d points, want %d: %v is too many", len(got), len(want), got[i])
		case got[i] != want[i]:
			return fmt.Errorf("point %d is %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}

func sameInfos(got, want []series.Info) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i].ID != want[i].ID || got[i].Unit != want[i].Unit || got[i].Count != want[i].Count ||
			!got[i].First.Equal(want[i].First) || !got[i].Last.Equal(want[i].Last) {
			return false
		}
	}
	return true
}

func at(ms int64) time.Time { return time.UnixMilli(ms) }

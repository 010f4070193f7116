package conformance

import (
	"testing"
	"time"
	_ "time/tzdata" // civil days need it wherever the suite runs

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// sameWindows compares the store's windows of a series with the model's.
func (s *subject) sameWindows(id metering.SeriesID, bounds []time.Time, name string) {
	s.t.Helper()
	got, err := s.store.Windows(ctx, all, id, bounds)
	require.NoError(s.t, err, name)
	want := s.model.windows(id, bounds)
	require.Len(s.t, got, len(want), name)
	for i := range want {
		require.Equal(s.t, want[i], got[i], "%s: window %d", name, i)
	}
}

func steps(from int64, step int64, n int) []time.Time {
	out := []time.Time{at(from)}
	for i := range n {
		out = append(out, at(from+int64(i+1)*step))
	}
	return out
}

// fill applies readings every step, with some suspect and missing ones.
func (s *subject) fill(id metering.SeriesID, from, to, step int64) {
	s.t.Helper()
	var readings []metering.Reading
	for i, ms := int64(0), from; ms < to; i, ms = i+1, ms+step {
		r := reading(id, ms, "0")
		r.Number = metering.Decimal{Coef: 1000 + (i*7919)%1000, Exp: -2}
		switch {
		case i%37 == 5:
			r.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}
		case i%41 == 7:
			r.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
		}
		readings = append(readings, r)
	}
	s.apply(readings...)
}

func testWindows(t *testing.T, place Place) {
	s := newSubject(t, place)
	s.fill(power, base, base+3*day, 10*minute)
	s.fill(gas, base, base+6*hour, 30*second)
	s.fill(heat, base-12*hour, base+9*hour, 40*second) // a day of more readings than minutes
	s.apply(reading(gas, base+5*hour, "77.25"), reading(gas, base+20*day, "5"))
	for range 2 {
		for _, id := range []metering.SeriesID{power, gas, heat} {
			s.sameWindows(id, steps(base, hour, 72), "hours")
			s.sameWindows(id, steps(base-5*day, day, 40), "days")
			s.sameWindows(id, steps(base, 10*minute, 100), "ten minutes")
			s.sameWindows(id, steps(base+1, 7777777, 50), "odd steps")
			s.sameWindows(id, steps(base, 1, 5), "milliseconds")
			s.sameWindows(id, []time.Time{at(base - 400*day), at(base + 400*day)}, "all")
			s.sameWindows(id, []time.Time{{}, farFuture}, "all of time")
			s.sameWindows(id, []time.Time{time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC), at(base), at(base + hour), farFuture}, "three")
			s.sameWindows(id, []time.Time{at(base - 2*day), at(base - day)}, "before")
			s.sameWindows(id, []time.Time{at(base + 30*day), farFuture}, "after")
			s.sameWindows(id, []time.Time{at(base).Add(1), at(base + minute).Add(1), at(base + hour)}, "nanoseconds")
		}
		s.reopen()
	}
	for name, bounds := range map[string][]time.Time{
		"none": nil, "one": {at(base)}, "equal": {at(base), at(base)}, "falling": {at(base), at(base + hour), at(base + minute)},
	} {
		_, err := s.store.Windows(ctx, all, power, bounds)
		require.Error(t, err, name)
	}
}

func testCivilDays(t *testing.T, place Place) {
	s := newSubject(t, place)
	paris, err := time.LoadLocation("Europe/Paris")
	require.NoError(t, err)
	from := time.Date(2025, 3, 20, 0, 0, 0, 0, paris)
	s.fill(power, from.UnixMilli(), time.Date(2025, 4, 10, 0, 0, 0, 0, paris).UnixMilli(), 10*minute)
	s.fill(power, time.Date(2025, 10, 20, 0, 0, 0, 0, paris).UnixMilli(), time.Date(2025, 11, 3, 0, 0, 0, 0, paris).UnixMilli(), 10*minute)
	var days, months []time.Time
	for d := range 240 {
		days = append(days, from.AddDate(0, 0, d))
	}
	for m := range 14 {
		months = append(months, time.Date(2025, time.Month(m), 1, 0, 0, 0, 0, paris))
	}
	for range 2 {
		s.sameWindows(power, days, "days")
		s.sameWindows(power, months, "months")
		got, err := s.store.Windows(ctx, all, power, days)
		require.NoError(t, err)
		lengths := map[int]int{}
		for _, w := range got {
			if n := w.Numbers() + w.Missing; n > 0 {
				lengths[n]++
			}
		}
		require.Equal(t, map[int]int{138: 1, 144: 33, 150: 1}, lengths, "a day of 23 and one of 25 hours")
		s.reopen()
	}
}

// testMixedWindows has numbers whose sums cannot be made in one scale or one
// 64-bit integer.
func testMixedWindows(t *testing.T, place Place) {
	s := newSubject(t, place)
	var readings []metering.Reading
	for i := range int64(600) {
		r := reading(heat, base+i*minute, "0")
		switch i % 4 {
		case 0:
			r.Number = metering.Decimal{Coef: 9_000_000_000_000_000_000 + i, Exp: 0}
		case 1:
			r.Number = metering.Decimal{Coef: -9_000_000_000_000_000_000 - i, Exp: -3}
		case 2:
			r.Number = metering.Decimal{Coef: 1 + i, Exp: -90}
		case 3:
			r.Number = metering.Decimal{Coef: 7 + i, Exp: 60}
		}
		readings = append(readings, r)
	}
	for i := range int64(600) { // millionths that overflow when added
		r := reading(gas, base+i*minute, "0")
		r.Number = metering.Decimal{Coef: 9_000_000_000_000 + i}
		readings = append(readings, r)
	}
	s.apply(readings...)
	for range 2 {
		for _, id := range []metering.SeriesID{heat, gas} {
			s.sameWindows(id, steps(base, hour, 12), "hours")
			s.sameWindows(id, steps(base-12*hour, day, 5), "days")
			s.sameWindows(id, steps(base, minute, 600), "minutes")
			s.sameWindows(id, steps(base, 2*minute, 300), "two")
		}
		s.reopen()
	}
}

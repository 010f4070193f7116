package conformance

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

func testEmpty(t *testing.T, place Place) {
	s := newSubject(t, place)
	s.holds()
	windows, err := s.store.Windows(ctx, all, heat, []time.Time{at(base), at(base + hour), at(base + day)})
	require.NoError(t, err)
	require.Equal(t, []series.Window{{From: at(base), To: at(base + hour)}, {From: at(base + hour), To: at(base + day)}}, windows)
}

func testNumbers(t *testing.T, place Place) {
	s := newSubject(t, place)
	var readings []metering.Reading
	numbers := []metering.Decimal{
		{}, {Coef: 0, Exp: 12}, {Coef: 1}, {Coef: -1}, {Coef: 2137, Exp: -2}, {Coef: 100, Exp: -2}, {Coef: 21370, Exp: -3}, {Coef: 5, Exp: 6},
		{Coef: math.MaxInt64}, {Coef: math.MinInt64}, {Coef: math.MaxInt64, Exp: -6}, {Coef: math.MinInt64, Exp: -6}, {Coef: math.MinInt64 + 1, Exp: -6}, {Coef: math.MinInt64 + 2, Exp: -6},
		{Coef: math.MaxInt64, Exp: 100}, {Coef: math.MinInt64, Exp: -100}, {Coef: 1, Exp: 127}, {Coef: 1, Exp: -128}, {Coef: -7, Exp: -127}, {Coef: math.MaxInt64, Exp: -128},
		{Coef: 1, Exp: -6}, {Coef: 1, Exp: -7}, {Coef: 123456789, Exp: -9}, {Coef: 9223372036854, Exp: 0}, {Coef: 9223372036855, Exp: 0}, {Coef: 3600000000000, Exp: 0},
	}
	for i, n := range numbers {
		r := reading(heat, base+int64(i)*minute, "0")
		r.Number = n
		readings = append(readings, r)
	}
	s.apply(readings...)
	s.holds()
	for i, n := range numbers { // alone in its series, alone in its day
		r := reading(gas, base+int64(i+2)*day, "0")
		r.Number = n
		s.apply(r)
	}
	s.holds()
	got, err := collect(s.store, heat, at(base), at(base+day))
	require.NoError(t, err)
	for i, n := range numbers {
		require.Equal(t, n.Normal(), got[i].Number)
	}
}

func testInstants(t *testing.T, place Place) {
	s := newSubject(t, place)
	midnight := base + 12*hour
	instants := []int64{946684800000, 946684800001, base - 1, base, base + 1, midnight - 1, midnight, midnight + 1, 7258118399999}
	for _, ms := range instants {
		s.apply(reading(power, ms, "1.5"))
	}
	s.holds()
	for _, c := range []struct {
		name     string
		from, to time.Time
		want     []int64
	}{
		{"half-open", at(base - 1), at(base + 1), []int64{base - 1, base}},
		{"one millisecond", at(base), at(base + 1), []int64{base}},
		{"nothing at its end", at(base + 2), at(midnight - 1), nil},
		{"a nanosecond late", at(base).Add(1), at(base + 2), []int64{base + 1}},
		{"a nanosecond more", at(base), at(base + 1).Add(1), []int64{base, base + 1}},
		{"over midnight", at(midnight - 1), at(midnight + 2), []int64{midnight - 1, midnight, midnight + 1}},
		{"in another zone", at(base).In(time.FixedZone("", 7200)), at(base + 1), []int64{base}},
	} {
		got, err := collect(s.store, power, c.from, c.to)
		require.NoError(t, err, c.name)
		var have []int64
		for _, p := range got {
			have = append(have, p.At)
		}
		require.Equal(t, c.want, have, c.name)
	}
}

func testQualities(t *testing.T, place Place) {
	s := newSubject(t, place)
	ms := base
	for _, level := range []metering.Level{metering.Good, metering.Suspect, metering.Missing} {
		for _, reason := range []metering.Reason{"", metering.Frozen, "été", `a,b="c" \d\ ${e}`, metering.Reason(strings.Repeat("x", 64))} {
			s.apply(flagged(heat, ms, "12.5", level, reason))
			ms += 10 * minute
		}
	}
	s.holds()
	got, err := collect(s.store, heat, at(base), at(ms))
	require.NoError(t, err)
	require.Equal(t, metering.Quality{}, got[1].Quality, "a good point has no reason")
	require.Equal(t, metering.Decimal{}, got[10].Number, "a missing point has no number")
}

func testOrder(t *testing.T, place Place) {
	s := newSubject(t, place)
	// Within one Apply.
	s.apply(reading(heat, base, "1"), reading(gas, base, "7"), reading(heat, base, "2"), reading(heat, base-minute, "0"), reading(heat, base, "3"))
	s.holds()
	// By later leaves: another number, scale, quality; missing; a number again.
	for _, r := range []metering.Reading{
		reading(heat, base, "3.25"), reading(heat, base, "1.123456789"), flagged(heat, base, "4", metering.Suspect, metering.Frozen),
		flagged(heat, base, "0", metering.Missing, metering.NoAnswer), reading(heat, base, "9e30"), flagged(heat, base, "0", metering.Missing, ""),
		flagged(heat, base, "5", metering.Suspect, ""), reading(heat, base, "3"),
	} {
		s.apply(r)
		s.holds()
		bounds := []time.Time{at(base - day), at(base + day)}
		windows, err := s.store.Windows(ctx, all, heat, bounds)
		require.NoError(t, err)
		require.Equal(t, s.model.windows(heat, bounds), windows)
	}
}

func testLate(t *testing.T, place Place) {
	s := newSubject(t, place)
	for d := int64(4); d >= 0; d-- { // the newest day first
		var readings []metering.Reading
		for m := int64(0); m < 1440; m += 10 {
			readings = append(readings, reading(heat, base+d*day+m*minute, "100.5"))
		}
		s.apply(readings...)
	}
	s.reopen()
	// Between the others, weeks before, and corrections of some.
	s.apply(reading(heat, base+2*day+5*minute, "1.25"), reading(heat, base-40*day, "2"), reading(heat, base+day+10*minute, "3.75"), reading(heat, base+90*day, "7"))
	s.holds()
}

func testLatest(t *testing.T, place Place) {
	s := newSubject(t, place)
	s.apply(reading(heat, base, "1"), reading(power, base, "1"))
	s.apply(reading(heat, base-hour, "0.5")) // late: not the latest
	s.holds()
	s.apply(reading(heat, base, "1.5")) // corrected
	s.holds()
	s.apply(flagged(heat, base+minute, "0", metering.Missing, metering.NoAnswer)) // missing is a point too
	s.holds()
	s.apply(reading(gas, base-30*day, "2.123456789"))
	s.holds()
	var many []metering.SeriesID
	var readings []metering.Reading
	for _, q := range metering.Quantities {
		for _, m := range []string{"m1", "m2", "m3"} {
			id := metering.Series(m, q.Quantity)
			many = append(many, id)
			readings = append(readings, reading(id, base+int64(len(many))*second, "0.5"))
		}
	}
	s.apply(readings...)
	latest, err := s.store.Latest(ctx, all, many)
	require.NoError(t, err)
	require.Len(t, latest, len(many))
	none, err := s.store.Latest(ctx, all, nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func testRanges(t *testing.T, place Place) {
	s := newSubject(t, place)
	s.apply(reading(heat, base, "1"), reading(heat, base+day, "2"))
	early := time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		from, to time.Time
		want     int
	}{
		{"all of time", early, farFuture, 2},
		{"from the zero time", time.Time{}, at(base + 1), 1},
		{"empty", at(base), at(base), 0},
		{"backwards", at(base + day), at(base), 0},
		{"before", early, at(base), 0},
		{"after", at(base + day + 1), farFuture, 0},
		{"beyond what nanoseconds can count", time.Date(2600, 1, 1, 0, 0, 0, 0, time.UTC), farFuture, 0},
	} {
		got, err := collect(s.store, heat, c.from, c.to)
		require.NoError(t, err, c.name)
		require.Len(t, got, c.want, c.name)
	}
	for _, id := range []metering.SeriesID{"nobody/heat_power", "foundry-heat/volume", "", "x", `x"y/heat_power`, `foundry-heat/heat_energy") or (true`} {
		got, err := collect(s.store, id, early, farFuture)
		require.NoError(t, err, "unknown series %q", id)
		require.Empty(t, got)
		latest, err := s.store.Latest(ctx, all, []metering.SeriesID{id, heat})
		require.NoError(t, err)
		require.Len(t, latest, 1)
		windows, err := s.store.Windows(ctx, all, id, []time.Time{at(base), at(base + day)})
		require.NoError(t, err)
		require.Equal(t, []series.Window{{From: at(base), To: at(base + day)}}, windows)
	}
	n := 0
	for _, err := range s.store.Points(ctx, all, heat, early, farFuture) {
		require.NoError(t, err)
		n++
		break // and nothing breaks
	}
	require.Equal(t, 1, n)
	s.holds()
}

func testEndedContext(t *testing.T, place Place) {
	s := newSubject(t, place)
	s.apply(reading(heat, base, "1"))
	ended, cancel := contextEnded()
	cancel()
	err := s.store.Apply(ended, 2, []metering.Reading{reading(heat, base, "2")})
	require.Error(t, err)
	var refused *series.RefusedError
	require.False(t, errors.As(err, &refused))
	var last error
	for _, err := range s.store.Points(ended, all, heat, at(base), at(base+day)) {
		require.NoError(t, last, "after an error nothing follows")
		last = err
	}
	require.Error(t, last)
	_, err = s.store.Windows(ended, all, heat, []time.Time{at(base), at(base + day)})
	require.Error(t, err)
	s.apply(reading(heat, base+minute, "3")) // and it goes on
	s.holds()
}

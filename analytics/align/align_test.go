package align

import (
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, calendar.Paris)

func seq(ps []metering.Point) iter.Seq2[metering.Point, error] {
	return func(yield func(metering.Point, error) bool) {
		for _, p := range ps {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func read(t require.TestingT, s Source, ps []metering.Point) *Track {
	if s.Series == "" {
		s.Series = "m/heat_energy"
	}
	x, err := Read(s, seq(ps))
	require.NoError(t, err)
	return x
}

// register is a heat meter that counts tenths of kWh and runs by day, read every
// ten minutes.
type register struct {
	ps    []metering.Point
	truth []int64 // its unwrapped tenths
}

func running(days int, begin int64, seed uint64) register {
	r := rand.New(rand.NewPCG(seed, 7))
	g, n := register{}, begin
	for i := range days * 144 {
		at := start.Add(time.Duration(i) * 10 * time.Minute)
		g.ps = append(g.ps, metering.Point{At: at.UnixMilli(), Number: metering.Decimal{Coef: n, Exp: -1}.Normal()})
		g.truth = append(g.truth, n)
		if h := at.Hour(); h >= 6 && h < 22 {
			n += 200 + r.Int64N(100)
		} else {
			n += r.Int64N(3)
		}
	}
	return g
}

func (g register) change(from, to int, f func(int64) int64) register {
	for i := from; i < min(to, len(g.ps)); i++ {
		g.ps[i].Number = metering.Decimal{Coef: f(g.truth[i]), Exp: -1}
	}
	return g
}

func (g register) total() float64 { return float64(g.truth[len(g.truth)-1]-g.truth[0]) / 10 }

func kinds(events []Event) (out []string) {
	for _, e := range events {
		out = append(out, e.Kind)
	}
	return out
}

func sum(xs []float64) (s float64) {
	for _, x := range xs {
		s += x
	}
	return s
}

// What a register grew over any partition of time adds up to last minus first,
// exactly, whatever gaps there are; and steps are the increases of their bounds.
func TestPartitionsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		exp := int8(rapid.IntRange(-6, 2).Draw(t, "exp"))
		n, at := r.Int64N(1e9), start.UnixMilli()
		var ps []metering.Point
		for range rapid.IntRange(2, 300).Draw(t, "points") {
			ps = append(ps, metering.Point{At: at, Number: metering.Decimal{Coef: n, Exp: exp}.Normal()})
			dt := 1000 * (1 + r.Int64N(3600)) * (1 + r.Int64N(3))
			n += r.Int64N(1 + dt/1000)
			at += dt
		}
		x := read(t, Source{}, ps)
		first, last := instant(ps[0].At), instant(ps[len(ps)-1].At)
		want, err := ps[len(ps)-1].Number.Sub(ps[0].Number)
		require.NoError(t, err)
		require.True(t, x.Increase(first, last).Equal(want), "%s, want %s; %v", x.Increase(first, last), want, kinds(x.Events))

		total, from := metering.Decimal{}, first.Add(-time.Hour)
		for from.Before(last) {
			to := from.Add(time.Duration(1 + r.Int64N(int64(5*time.Hour))))
			d := x.Increase(from, to)
			require.GreaterOrEqual(t, d.Coef, int64(0))
			total, err = total.Add(d)
			require.NoError(t, err)
			from = to
		}
		require.True(t, total.Equal(want))

		g := Hours(calendar.Day(first), last.Add(24*time.Hour))
		s := x.On(g)
		for i := range s.Amount {
			require.Equal(t, x.Increase(g.At(i), g.At(i+1)).Float64(), s.Amount[i])
		}
	})
}

// Each trouble of a register: what is found, and what the total is.
func TestRegisterTroubles(t *testing.T) {
	const days = 30
	at := func(i int) time.Time { return start.Add(time.Duration(i) * 10 * time.Minute).UTC() }
	noon := func(day int) int { return day*144 + 72 }
	cases := []struct {
		name   string
		begin  int64
		source Source
		make   func(g register) register
		kinds  []string
		lost   float64 // of the true total, kWh
		within float64
	}{
		{name: "sound", begin: 1_000_000, make: func(g register) register { return g }},
		{name: "decimal rollover", begin: 9_990_000, make: func(g register) register {
			return g.change(0, len(g.ps), func(n int64) int64 { return n % 10_000_000 })
		}, kinds: []string{Rollover}},
		{name: "32-bit rollover", begin: 1<<32 - 100_000, make: func(g register) register {
			return g.change(0, len(g.ps), func(n int64) int64 { return n % (1 << 32) })
		}, kinds: []string{Rollover}},
		{name: "stated rollover", begin: 3_000, source: Source{Rollover: &metering.Decimal{Coef: 7000}}, make: func(g register) register {
			return g.change(0, len(g.ps), func(n int64) int64 { return n % 70_000 })
		}, kinds: []string{Rollover, Rollover, Rollover, Rollover, Rollover, Rollover, Rollover, Rollover, Rollover, Rollover}},
		{name: "reset", begin: 1_234_567, make: func(g register) register {
			base := g.truth[noon(10)]
			return g.change(noon(10)+1, len(g.ps), func(n int64) int64 { return n - base })
		}, kinds: []string{Reset}},
		{name: "exchange with a record", begin: 1_234_567,
			source: Source{Exchanges: []metering.Exchange{{At: at(noon(10)).Add(4 * time.Minute), Quantity: metering.HeatEnergy,
				OldFinal: metering.MustDecimal("146600.5"), NewStart: metering.MustDecimal("3.2")}}},
			make: func(g register) register {
				// The old one stood at 146600.5 when it was taken off, whatever the truth went on to.
				g.change(0, noon(10)+1, func(n int64) int64 { return 1_466_000 - (g.truth[noon(10)] - n) })
				base := g.truth[noon(10)+1] - 40
				return g.change(noon(10)+1, len(g.ps), func(n int64) int64 { return n - base })
			}, kinds: []string{Exchanged},
			// Truth between the two readings against what was recorded: 0.5 + (4.0 - 3.2).
			lost: math.NaN()},
		{name: "exchange whose time is wrong by a day", begin: 1_234_567,
			source: Source{Exchanges: []metering.Exchange{{At: at(noon(11)), Quantity: metering.HeatEnergy,
				OldFinal: metering.MustDecimal("999999.9"), NewStart: metering.MustDecimal("0")}}},
			make: func(g register) register {
				shift := g.truth[noon(10)] - 9_999_999
				g.change(0, noon(10)+1, func(n int64) int64 { return n - shift })
				base := g.truth[noon(10)]
				return g.change(noon(10)+1, len(g.ps), func(n int64) int64 { return n - base })
			}, kinds: []string{Exchanged}},
		{name: "record that fits nothing", begin: 1_234_567,
			source: Source{Exchanges: []metering.Exchange{{At: at(noon(11)), Quantity: metering.HeatEnergy,
				OldFinal: metering.MustDecimal("55"), NewStart: metering.MustDecimal("0")}}},
			make: func(g register) register { return g }, kinds: []string{ExchangeUnfit}},
		{name: "exchange of another quantity", begin: 1_234_567,
			source: Source{Exchanges: []metering.Exchange{{At: at(noon(11)), Quantity: metering.Volume}}},
			make:   func(g register) register { return g }},
		{name: "ten times too large for four days", begin: 1_234_567, make: func(g register) register {
			return g.change(noon(10), noon(14), func(n int64) int64 { return 10 * n })
		}, kinds: []string{Scale}},
		{name: "a thousandth for two days", begin: 1_234_567, make: func(g register) register {
			for i := noon(10); i < noon(12); i++ {
				g.ps[i].Number = metering.Decimal{Coef: g.truth[i], Exp: -4}
			}
			return g
		}, kinds: []string{Scale}},
		{name: "ten times too large to the end", begin: 1_234_567, make: func(g register) register {
			return g.change(noon(20), len(g.ps), func(n int64) int64 { return 10 * n })
		}, kinds: []string{Scale}},
		{name: "one wild reading", begin: 1_234_567, make: func(g register) register {
			return g.change(noon(10), noon(10)+1, func(int64) int64 { return 88_888_888 })
		}, kinds: []string{Outlier}},
		{name: "three readings of zero", begin: 1_234_567, make: func(g register) register {
			return g.change(noon(10), noon(10)+3, func(int64) int64 { return 0 })
		}, kinds: []string{Outlier}},
		{name: "a reading that lags", begin: 1_234_567, make: func(g register) register {
			return g.change(noon(10), noon(10)+1, func(n int64) int64 { return n - 900 })
		}},
		{name: "a leap", begin: 1_234_567, make: func(g register) register {
			return g.change(noon(10)+1, len(g.ps), func(n int64) int64 { return n + 5_000_000 })
		}, kinds: []string{Jump}},
		{name: "nine days without a reading", begin: 1_234_567, make: func(g register) register {
			g.ps = append(g.ps[:noon(5):noon(5)], g.ps[noon(14):]...)
			return g
		}, kinds: []string{Gap}},
		{name: "a clock ahead for five hours", begin: 1_234_567, make: func(g register) register {
			for i := noon(10); i < noon(10)+30; i++ {
				g.ps[i].At += (77 * time.Minute).Milliseconds()
				g.ps[i].Quality = metering.Quality{Level: metering.Suspect, Reason: metering.ClockOff}
			}
			return g
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := c.make(running(days, c.begin, 3))
			x := read(t, c.source, g.ps)
			require.Equal(t, c.kinds, kinds(x.Events))
			for _, e := range x.Events {
				require.NotEmpty(t, e.Text.FR)
				require.NotEmpty(t, e.Text.EN)
			}
			grid := Hours(start, start.Add(days*24*time.Hour))
			s := x.On(grid)
			got := sum(s.Amount)
			want := g.total()
			switch c.name {
			case "exchange with a record":
				want += 0.5 + 0.8 - float64(g.truth[noon(10)+1]-g.truth[noon(10)])/10
			case "a leap":
				want -= float64(g.truth[noon(10)+1]-g.truth[noon(10)]) / 10
			case "reset": // the first reading after it is what it counted since
			case "ten times too large to the end", "a thousandth for two days":
				require.InDelta(t, want, got, 0.11)
				want = got
			}
			require.InDelta(t, want, got, 1e-6)
			for i, a := range s.Amount {
				require.GreaterOrEqual(t, a, 0.0, "hour %d", i)
			}
		})
	}
}

// The window of a fault is where it was, and the amount in it counts as
// estimated.
func TestScaleWindow(t *testing.T) {
	g := running(30, 1_234_567, 9)
	g.change(10*144, 14*144, func(n int64) int64 { return 10 * n })
	grid := Hours(start, start.AddDate(0, 0, 30))
	s := read(t, Source{}, g.ps).On(grid)
	require.Len(t, s.Events, 1)
	require.WithinDuration(t, start.AddDate(0, 0, 10), s.Events[0].From, 11*time.Minute)
	require.WithinDuration(t, start.AddDate(0, 0, 14), s.Events[0].To, 11*time.Minute)
	require.True(t, s.Events[0].Fault)
	for h, c := range s.Covered {
		switch {
		case h > 10*24 && h < 14*24-1:
			require.Zero(t, c)
			require.NotZero(t, s.Split[h])
		case h < 10*24-1 || h > 14*24:
			require.Equal(t, 1.0, c, "hour %d", h) // the last hour ends with the last reading's step
		}
		if h == len(s.Covered)-2 {
			break
		}
	}
}

// Readings given twice and out of order change nothing but a count.
func TestDuplicatesAndOrder(t *testing.T) {
	g := running(5, 1_000_000, 4)
	want := read(t, Source{}, g.ps)
	mixed := append([]metering.Point{}, g.ps...)
	mixed = append(mixed, g.ps[100], g.ps[101])
	mixed[3], mixed[300] = mixed[300], mixed[3]
	got := read(t, Source{}, mixed)
	require.Equal(t, 2, got.Duplicates)
	require.Equal(t, want.sum, got.sum)
	require.Equal(t, want.at, got.at)
}

// Civil days of 23 and 25 hours hold 23 and 25 steps; 1 kWh a minute.
func TestClockChanges(t *testing.T) {
	for _, c := range []struct {
		day   string
		hours int
	}{{"2026-03-29", 23}, {"2026-10-25", 25}, {"2026-06-01", 24}} {
		day, err := time.ParseInLocation(time.DateOnly, c.day, calendar.Paris)
		require.NoError(t, err)
		var ps []metering.Point
		for i := -60; i <= 27*60; i++ {
			ps = append(ps, metering.Point{At: day.Add(time.Duration(i) * time.Minute).UnixMilli(), Number: metering.Int(int64(5000 + i))})
		}
		g := Hours(day, calendar.NextDay(day))
		s := read(t, Source{}, ps).On(g)
		require.Len(t, s.Amount, c.hours)
		require.InDelta(t, 60*c.hours, sum(s.Amount), 1e-9)
		require.InDelta(t, c.hours, sum(s.Covered), 1e-9)
	}
}

// Joules become kWh.
func TestJoules(t *testing.T) {
	ps := []metering.Point{{At: start.UnixMilli(), Number: metering.MustDecimal("7.2e9")}, {At: start.Add(time.Hour).UnixMilli(), Number: metering.MustDecimal("7.236e9")}}
	s := read(t, Source{Unit: metering.Joule}, ps).On(Grid{start, time.Hour, 1})
	require.InDelta(t, 10, s.Amount[0], 1e-12)
}

// A gauge holds its number until the next reading, and no longer than the gap
// that is allowed.
func TestGauge(t *testing.T) {
	p := func(minute int, v string) metering.Point {
		return metering.Point{At: start.Add(time.Duration(minute) * time.Minute).UnixMilli(), Number: metering.MustDecimal(v)}
	}
	ps := []metering.Point{p(0, "10"), p(15, "20"), p(30, "0"), p(60, "30"), p(300, "40")}
	ps = append(ps, metering.Point{At: start.Add(301 * time.Minute).UnixMilli(), Quality: metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}})
	x := read(t, Source{Series: "m/temperature", MaxGap: time.Hour}, ps)
	s := x.On(Grid{start, time.Hour, 6})
	require.Equal(t, []float64{7.5, 30, 0, 0, 0, 40}, s.Amount)
	require.Equal(t, []float64{1, 1, 0, 0, 0, 1}, s.Covered)
	require.Nil(t, s.Split)
}

func TestFrozenGauge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	make := func(frozen string, from, to int, steps int) []metering.Point {
		var ps []metering.Point
		for i := range steps {
			n := metering.Decimal{Coef: 200 + r.Int64N(300), Exp: -1}
			if i >= from && i < to {
				n = metering.MustDecimal(frozen)
			}
			ps = append(ps, metering.Point{At: start.Add(time.Duration(i) * 10 * time.Minute).UnixMilli(), Number: n})
		}
		return ps
	}
	x := read(t, Source{Series: "m/temperature"}, make("31.4", 1000, 1800, 4000))
	require.Equal(t, []string{Frozen}, kinds(x.Events))
	require.WithinDuration(t, start.Add(10000*time.Minute), x.Events[0].From, 0)
	require.WithinDuration(t, start.Add(18000*time.Minute), x.Events[0].To, 0)
	s := x.On(Hours(start, start.Add(40000*time.Minute)))
	require.Equal(t, 0.0, s.Covered[200])
	require.Equal(t, 1.0, s.Covered[100])
	// Standing at zero is no fault, nor is a setpoint.
	require.Empty(t, read(t, Source{Series: "m/temperature"}, make("0", 1000, 1800, 4000)).Events)
	require.Empty(t, read(t, Source{Series: "m/temperature"}, make("20", 20, 4000, 4000)).Events)
}

func TestSwapped(t *testing.T) {
	g := Hours(start, start.AddDate(0, 0, 30))
	series := func(f func(h int) float64) *Series {
		s := &Series{}
		for h := range g.Steps {
			s.Amount, s.Covered = append(s.Amount, f(h)), append(s.Covered, 1)
		}
		return s
	}
	flow := series(func(h int) float64 { // two hours in the morning, three in the evening
		if k := h % 24; k >= 7 && k < 9 || k >= 17 && k < 20 {
			return 2
		}
		return 0
	})
	swapped := func(h int) bool { return h >= 10*24+12 && h < 22*24+12 }
	hot := series(func(h int) float64 {
		if swapped(h) {
			return 40
		}
		return 60
	})
	cold := series(func(h int) float64 {
		if swapped(h) {
			return 60
		}
		return 40
	})
	found := FindSwapped(g, flow, hot, cold)
	require.Len(t, found, 1)
	require.WithinDuration(t, start.Add((10*24+17)*time.Hour), found[0].From, 2*time.Hour)
	require.WithinDuration(t, start.Add((22*24+9)*time.Hour), found[0].To, 2*time.Hour)
	energy := series(func(int) float64 { return 1 })
	energy.Exclude(g, found[0])
	require.InDelta(t, float64(g.Steps)-found[0].To.Sub(found[0].From).Hours(), sum(energy.Covered), 1e-9)
	require.Empty(t, FindSwapped(g, flow, cold, cold))
	require.Empty(t, FindSwapped(g, series(func(int) float64 { return 0 }), hot, cold))
}

func TestDays(t *testing.T) {
	var ps []metering.Point
	for i := range 3 * 8640 {
		p := metering.Point{At: start.Add(time.Duration(i) * 10 * time.Second).UnixMilli(), Number: metering.Int(int64(i))}
		switch day := i / 8640; {
		case day == 1 && i%8640 < 4320:
			p.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
		case day == 2 && i%8640 >= 100:
			continue
		}
		ps = append(ps, p)
	}
	x := read(t, Source{}, ps)
	require.Len(t, x.Days, 3)
	require.Equal(t, Day{start, 8640, 0, 0, 10 * time.Second}, x.Days[0])
	require.Equal(t, 4320, x.Days[1].Missing)
	now := start.AddDate(0, 0, 2).Add(time.Hour)
	require.Equal(t, 8640, x.Days[0].Expected(10*time.Second, now))
	require.Equal(t, 360, x.Days[2].Expected(10*time.Second, now))
	e, silent := x.SilentAt(start.AddDate(0, 0, 3))
	require.True(t, silent)
	require.WithinDuration(t, x.Last, e.From, 0)
	_, silent = x.SilentAt(now)
	require.False(t, silent)
}

// No readings, one reading, only missing ones: no amount, no panic.
func TestLittle(t *testing.T) {
	g := Hours(start, start.AddDate(0, 0, 1))
	for _, ps := range [][]metering.Point{nil, {{At: start.UnixMilli() + 5}}, {{At: start.UnixMilli(), Quality: metering.Quality{Level: metering.Missing}}}} {
		for _, id := range []metering.SeriesID{"m/heat_energy", "m/temperature"} {
			s := read(t, Source{Series: id}, ps).On(g)
			require.Zero(t, sum(s.Amount))
		}
	}
	_, err := Read(Source{Series: "m/volume"}, func(yield func(metering.Point, error) bool) { yield(metering.Point{}, errors.ErrUnsupported) })
	require.Error(t, err)
}

// Whatever numbers come, nothing panics and no increase is lost between steps.
func TestAnyNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		var ps []metering.Point
		at := start.UnixMilli()
		for range rapid.IntRange(0, 120).Draw(t, "points") {
			p := metering.Point{At: at, Number: metering.Decimal{Coef: r.Int64N(1 << (1 + r.IntN(62))), Exp: int8(r.IntN(20) - 10)}}
			if r.IntN(9) == 0 {
				p.Number.Coef = -p.Number.Coef
			}
			if r.IntN(20) == 0 {
				p.Quality.Level = metering.Level(r.IntN(3))
			}
			ps = append(ps, p)
			at += r.Int64N(7_200_000)
		}
		x := read(t, Source{}, ps)
		g := Hours(start, start.AddDate(0, 0, 6))
		s := x.On(g)
		for i, a := range s.Amount {
			require.False(t, math.IsNaN(a) || math.IsInf(a, 0))
			require.True(t, s.Covered[i] >= 0 && s.Covered[i] <= 1)
			require.Equal(t, x.Increase(g.At(i), g.At(i+1)).Float64(), a)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	g := running(450, 1_234_567, 5)
	grid := Hours(start, start.AddDate(0, 0, 450))
	b.ResetTimer()
	for b.Loop() {
		x, _ := Read(Source{Series: "m/heat_energy"}, seq(g.ps))
		x.On(grid)
	}
	b.ReportMetric(float64(b.N)*float64(len(g.ps))/b.Elapsed().Seconds(), "points/s")
}

// A slice of a series is what the track gives on the slice's grid.
func TestSlice(t *testing.T) {
	g := running(20, 1_234_567, 8)
	g.ps = append(g.ps[:700:700], g.ps[1500:]...)
	x := read(t, Source{}, g.ps)
	whole := Hours(start.Add(-24*time.Hour), start.Add(21*24*time.Hour))
	for _, part := range []Grid{Hours(start, start.Add(48*time.Hour)), Hours(start.Add(6*24*time.Hour), start.Add(40*24*time.Hour)),
		Hours(start.Add(-96*time.Hour), start.Add(6*24*time.Hour))} {
		want, got := x.On(part), x.On(whole).Slice(whole, part)
		require.Equal(t, want.Amount, got.Amount)
		require.Equal(t, want.Covered, got.Covered)
		require.Equal(t, want.Events, got.Events)
		if want.Split != nil {
			require.Equal(t, want.Split, got.Split)
		}
	}
}

package port

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/slave"
)

// TestDeterministic: the same seed and epoch give the same readings, however
// far the port was computed before; another seed gives others.
func TestDeterministic(t *testing.T) {
	a, err := New(Options{Seed: 7, Epoch: testEpoch, Library: library(t)})
	require.NoError(t, err)
	b, err := New(Options{Seed: 7, Epoch: testEpoch, Library: library(t)})
	require.NoError(t, err)
	c, err := New(Options{Seed: 8, Epoch: testEpoch, Library: library(t)})
	require.NoError(t, err)
	a.reach(a.millis(testEpoch.AddDate(0, 1, 0))) // one of them runs ahead
	later := testEpoch.AddDate(0, 0, 9)
	read := func(p *Port, g string) (out []metering.Reading) {
		for part := range p.History(g, later, later.Add(5*time.Hour), 10*time.Minute) {
			out = append(out, part.Readings...)
		}
		return out
	}
	differs := false
	for _, g := range a.Gateways() {
		x, y := read(a, g), read(b, g)
		require.NotEmpty(t, x)
		require.Equal(t, x, y, g)
		differs = differs || !slices.Equal(x, read(c, g))
	}
	require.True(t, differs)
}

// TestCountersWhateverThePolling: a register asked at any instants, in any
// order, is the same as when asked alone, and never falls in the meter's life.
func TestCountersWhateverThePolling(t *testing.T) {
	p := demo(t)
	last := p.millis(testEpoch)
	rapid.Check(t, func(t *rapid.T) {
		m := p.installed[fleet[rapid.IntRange(0, len(fleet)-1).Draw(t, "meter")].ID]
		at := rapid.SliceOfN(rapid.Int64Range(0, last), 2, 20).Draw(t, "instants")
		slices.Sort(at)
		for _, g := range m.fields {
			if g.owner != m || !g.counter || g.constant != nil || g.field.Quantity == metering.OperatingTime {
				continue
			}
			var before metering.Decimal
			var was int64
			for i, millis := range at {
				n, ok := m.view.number(p.record, g.field.Quantity, g.unit, millis)
				if !ok {
					continue
				}
				broke := slices.ContainsFunc(m.view.effects.restarts, func(r restart) bool { return was < r.at && r.at <= millis }) ||
					len(m.view.effects.tenfold) > 0
				if i > 0 && !broke && n.Cmp(before) < 0 {
					t.Fatalf("%s %s: %s after %s", m.ID, g.field.Quantity, n, before)
				}
				before, was = n, millis
			}
		}
	})
}

// TestIntegral: the record's integral is additive and agrees with a plain sum.
func TestIntegral(t *testing.T) {
	p := demo(t)
	rapid.Check(t, func(t *rapid.T) {
		c := channel(rapid.IntRange(1, int(channels)-1).Draw(t, "channel"))
		if quanta[c] == centiC {
			return
		}
		from := rapid.Int64Range(0, p.millis(testEpoch)-7200_000).Draw(t, "from")
		length := rapid.Int64Range(0, 7200_000).Draw(t, "length")
		var plain float64
		for at := from; at < from+length; {
			end := min((at/stepMillis+1)*stepMillis, from+length)
			plain += float64(p.record.rate(c, at)) * float64(end-at) / 1000
			at = end
		}
		got := float64(p.record.integral(c, from+length) - p.record.integral(c, from))
		if math.Abs(got-plain) > 2 {
			t.Fatalf("integral %v, sum %v", got, plain)
		}
	})
}

// TestQuickWay: the quick layout of registers is that of the profile's own Encode.
func TestQuickWay(t *testing.T) {
	p := demo(t)
	checked := 0
	for _, m := range p.installed {
		for _, g := range m.fields {
			if g.owner != m || !g.quick || g.constant != nil {
				continue
			}
			for k := range int64(40) {
				millis := p.millis(testEpoch) / 41 * k
				n, ok := m.view.number(p.record, g.field.Quantity, g.unit, millis)
				if !ok {
					continue
				}
				o := overlay{image: m.device.fixed, table: g.field.Table, address: g.field.Address, n: g.field.Words()}
				bits, ok := g.bits(n)
				require.True(t, ok)
				require.True(t, o.put(g.field, bits))
				quick, _, _ := g.field.Decode(&o)
				slow := cloneImage(m.device.fixed)
				require.NoError(t, g.field.Encode(g.round(n), slow))
				want, _, _ := g.field.Decode(slow)
				if g.float != 0 { // Encode takes the nearest float of the exact number, the quick way that of a double
					require.InEpsilon(t, want.Float64()+1, quick.Float64()+1, 1e-6)
				} else {
					require.Equal(t, want, quick, "%s %s at %d: %s", m.ID, g.field.Quantity, millis, n)
				}
				checked++
			}
		}
	}
	require.Greater(t, checked, 5000)
}

// TestHistory reads the whole history: every reading is one that the wire
// takes, in order, and only the troubles' readings are not good.
func TestHistory(t *testing.T) {
	p := demo(t)
	total, notGood := 0, map[string]int{}
	for _, g := range p.Gateways() {
		closed := int64(0)
		for part := range p.History(g, p.Start(), testEpoch, time.Hour) {
			require.Greater(t, part.ClosedAt, closed)
			closed = part.ClosedAt
			require.GreaterOrEqual(t, part.DeliveredAt, part.ClosedAt)
			require.Equal(t, batch.Synthetic, part.Origin)
			require.LessOrEqual(t, len(part.Readings), batch.MaxReadings)
			total += len(part.Readings)
			for i := range part.Readings {
				r := &part.Readings[i]
				if err := r.Check(); err != nil {
					t.Fatal(err)
				}
				if r.Quality.Level != metering.Good {
					notGood[r.Series.Meter()+" "+r.Quality.String()]++
				}
			}
		}
		require.Equal(t, testEpoch.UnixMilli(), closed)
	}
	t.Logf("%d readings", total)
	require.Greater(t, total, 2_000_000)
	for what := range notGood {
		require.Contains(t, []string{"beton-elec missing:no_answer", "papeterie-effluent-temp suspect:out_of_bounds",
			"chimie-elec suspect:clock", "chimie-vapeur suspect:clock", "chimie-refroidissement suspect:clock", "chimie-eau suspect:clock"}, what)
	}
	require.Len(t, notGood, 6)
}

// TestHistoryIsWhatTheServersSay: a reading of the history is what decoding the
// server's registers at that instant gives.
func TestHistoryIsWhatTheServersSay(t *testing.T) {
	p := demo(t)
	at := testEpoch.Add(-30 * 24 * time.Hour).Truncate(time.Hour)
	compared := 0
	for _, g := range p.Gateways() {
		for part := range p.History(g, at, at.Add(time.Minute), time.Hour) {
			for _, r := range part.Readings {
				m := p.installed[r.Series.Meter()]
				q := r.Series.Quantity()
				if m.Pulse != nil {
					q = metering.PulseCount
				}
				f, ok := m.device.profile.Field(q, m.Channel)
				if !ok {
					f, ok = m.device.profile.Field(q, 0)
				}
				require.True(t, ok, r.Series)
				got := readings{}
				for _, s := range f.Spans() {
					words, e := p.answer(m.device, slave.Request{Function: s.Table.Function(), Address: s.Address, Count: uint16(s.Words)}, at, slave.Silence)
					require.Zero(t, e, "%s: %s", r.Series, e)
					got.put(s, words)
				}
				m.device.asked.Store(0)
				n, _, quality := f.Decode(got)
				if m.Pulse != nil {
					var err error
					n, err = n.Mul(m.Pulse.Weight)
					require.NoError(t, err)
				}
				require.Equal(t, r.Quality, quality)
				require.True(t, r.Number.Equal(n), "%s: history %s, server %s", r.Series, r.Number, n)
				compared++
			}
		}
	}
	require.Greater(t, compared, 150)
}

// BenchmarkHistory counts readings of the history on one core.
func BenchmarkHistory(b *testing.B) {
	p := demo(b)
	n := 0
	for b.Loop() {
		for _, g := range p.Gateways() {
			for part := range p.History(g, testEpoch.AddDate(0, -2, 0), testEpoch, time.Hour) {
				n += len(part.Readings)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "readings/s")
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{Seed: 1, Epoch: testEpoch, Library: library(b)}); err != nil {
			b.Fatal(err)
		}
	}
}

package pinch

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func streams(t require.TestingT, dtMin float64, rows ...[3]float64) []Stream {
	var out []Stream
	for _, r := range rows {
		s, err := NewStream("s", r[0], r[1], r[2], math.NaN(), dtMin/2, "")
		require.NoError(t, err)
		out = append(out, s)
	}
	return out
}

// Published targets: Linnhoff and Flower's four streams as in Kemp (2007),
// chapter 2; Smith (2005), chapter 16; the isolated streams of EMB3Rs' test 2.
func TestPublishedTargets(t *testing.T) {
	for _, c := range []struct {
		name                     string
		dt                       float64
		rows                     [][3]float64
		qh, qc, recovery, th, tc float64
	}{
		{"Kemp", 10, [][3]float64{{20, 135, 2}, {170, 60, 3}, {80, 140, 4}, {150, 30, 1.5}}, 20, 60, 450, 90, 80},
		{"Smith, MW", 10, [][3]float64{{20, 180, 0.2}, {250, 40, 0.15}, {140, 230, 0.3}, {200, 80, 0.25}}, 7.5, 10, 51.5, 150, 140},
		{"EMB3Rs", 50, [][3]float64{{750, 350, 45}, {550, 250, 40}, {300, 900, 43}, {200, 550, 20}}, 9200, 6400, 23600, 550, 500},
	} {
		got, err := Cascade(streams(t, c.dt, c.rows...))
		require.NoError(t, err, c.name)
		require.InDelta(t, c.qh, got.HotUtilityKW, 1e-9*c.recovery, c.name)
		require.InDelta(t, c.qc, got.ColdUtilityKW, 1e-9*c.recovery, c.name)
		require.InDelta(t, c.recovery, got.RecoveryKW, 1e-9*c.recovery, c.name)
		require.Len(t, got.Pinches, 1, c.name)
		require.InDelta(t, c.th, got.PinchHotC(c.dt), 1e-9, c.name)
		require.InDelta(t, c.tc, got.PinchColdC(c.dt), 1e-9, c.name)
		require.Empty(t, got.Threshold, c.name)
	}
}

func TestLatentAndThreshold(t *testing.T) {
	steam, err := NewStream("condensing steam", 100, 100, math.NaN(), 500, 5, "hot")
	require.NoError(t, err)
	boil, err := NewStream("evaporator", 80, 80, math.NaN(), 300, 5, "cold")
	require.NoError(t, err)
	got, err := Cascade([]Stream{steam, boil})
	require.NoError(t, err)
	require.Equal(t, []float64{0, 200, 300}, []float64{got.HotUtilityKW, got.ColdUtilityKW, got.RecoveryKW})
	require.Equal(t, "threshold-no-hot", got.Threshold)
	require.Empty(t, got.Pinches, "a threshold problem has no pinch between two utilities")

	boil.TS, boil.TT = 95, 95 // 10 K too close
	got, err = Cascade([]Stream{steam, boil})
	require.NoError(t, err)
	require.Equal(t, []float64{300, 500, 0}, []float64{got.HotUtilityKW, got.ColdUtilityKW, got.RecoveryKW})

	for name, make := range map[string]func() (Stream, error){
		"latent by cp":         func() (Stream, error) { return NewStream("x", 90, 90, 2, math.NaN(), 5, "hot") },
		"latent without kind":  func() (Stream, error) { return NewStream("x", 90, 90, math.NaN(), 10, 5, "") },
		"no heat":              func() (Stream, error) { return NewStream("x", 90, 80, math.NaN(), math.NaN(), 5, "") },
		"below absolute zero":  func() (Stream, error) { return NewStream("x", -300, 80, 1, math.NaN(), 5, "") },
		"kind contradicts":     func() (Stream, error) { return NewStream("x", 90, 80, 1, math.NaN(), 5, "cold") },
		"negative approach":    func() (Stream, error) { return NewStream("x", 90, 80, 1, math.NaN(), -5, "") },
		"negative heat flow":   func() (Stream, error) { return NewStream("x", 90, 80, -1, math.NaN(), 5, "") },
		"temperature not said": func() (Stream, error) { return NewStream("x", math.NaN(), 80, 1, math.NaN(), 5, "") },
	} {
		_, err := make()
		require.Error(t, err, name)
	}
	_, err = Cascade(nil)
	require.Error(t, err)
}

// Energy balances, no utility is negative, and two streams agree with the closed
// form. A latent load at the very end of another stream's range is a leap of the
// answer: the closed form is compared where temperatures are exact sums.
func TestCascadeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		exact := rapid.Bool().Draw(t, "exact")
		kelvin := func(top float64, name string) float64 {
			x := rapid.Float64Range(0, top).Draw(t, name)
			if exact {
				x = math.Round(x*64) / 64
			}
			return x
		}
		var all []Stream
		var hot, cold float64
		for range n {
			ts, tt := kelvin(300, "ts"), kelvin(300, "tt")
			s, err := NewStream("s", ts, tt, math.NaN(), rapid.Float64Range(0, 1000).Draw(t, "q"), kelvin(20, "dtc"), map[bool]string{true: "hot", false: ""}[ts == tt])
			require.NoError(t, err)
			all = append(all, s)
			if s.Hot {
				hot += s.Q
			} else {
				cold += s.Q
			}
		}
		got, err := Cascade(all)
		require.NoError(t, err)
		// Utilities below a billionth of all heat count as none.
		require.InDelta(t, hot+got.HotUtilityKW, cold+got.ColdUtilityKW, 3e-9*(hot+cold+1))
		require.GreaterOrEqual(t, got.RecoveryKW, -1e-6)
		require.LessOrEqual(t, got.RecoveryKW, min(hot, cold)+1e-6)
		if exact && n == 2 && all[0].Hot != all[1].Hot {
			h, c := all[0], all[1]
			if c.Hot {
				h, c = c, h
			}
			hu, hl := h.shifted()
			cu, cl := c.shifted()
			require.InDelta(t, Exchange(h.Q, hu, hl, c.Q, cu, cl), got.RecoveryKW, 1e-6*(hot+cold+1))
		}
	})
}

// A stream that is nearly latent has an enormous heat capacity flow; its rounding
// does not spread to the others.
func TestCascadeNearlyLatent(t *testing.T) {
	var all []Stream
	hot, cold := 0.0, 0.0
	for _, x := range [][4]float64{{3.725290298461914e-09, 7.450580596923828e-09, 32, 1}, {7e-9, 3e-9, 500, 0}, {300, 1, 10, 1}, {0.5, 1.25, 1, 0.5}, {2, 290, 7, 3}} {
		s, err := NewStream("s", x[0], x[1], math.NaN(), x[2], x[3], "")
		require.NoError(t, err)
		all = append(all, s)
		if s.Hot {
			hot += s.Q
		} else {
			cold += s.Q
		}
	}
	got, err := Cascade(all)
	require.NoError(t, err)
	require.InDelta(t, hot+got.HotUtilityKW, cold+got.ColdUtilityKW, 1e-9)
}

func BenchmarkCascade64(b *testing.B) { benchmarkCascade(b, 64) }

// How it grows: two streams at each of a hundred sites, ten at each.
func BenchmarkCascade200(b *testing.B)  { benchmarkCascade(b, 200) }
func BenchmarkCascade1000(b *testing.B) { benchmarkCascade(b, 1000) }

func benchmarkCascade(b *testing.B, n int) {
	var all []Stream
	for i := range n {
		ts, tt := float64(30+(i*37)%250)+float64(i)/1000, float64(30+(i*91+40)%250)-float64(i)/1000
		s, err := NewStream("s", ts, tt, 1+float64(i%5), math.NaN(), 5, "")
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, s)
	}
	for b.Loop() {
		if _, err := Cascade(all); err != nil {
			b.Fatal(err)
		}
	}
}

// The limiting temperature of a pair is named; where amounts limit, none is.
func TestExchangePinch(t *testing.T) {
	kw, at := ExchangePinch(100, 80, 40, 100, 60, 20) // warm enough everywhere
	require.Equal(t, 100.0, kw)
	require.True(t, math.IsNaN(at))
	kw, at = ExchangePinch(50, 80, 40, 100, 40, 20) // too little
	require.Equal(t, 50.0, kw)
	require.True(t, math.IsNaN(at))
	kw, at = ExchangePinch(100, 60, 20, 100, 80, 20) // the need's upper third is too hot
	require.InDelta(t, 66.667, kw, 0.001)
	require.Equal(t, 60.0, at)
	kw, at = ExchangePinch(100, 30, 20, 100, 80, 40) // too cold
	require.Zero(t, kw)
	require.Equal(t, 30.0, at, "all that is wanted lies above what there is")
}

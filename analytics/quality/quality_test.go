package quality

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var paris = func() *time.Location {
	l, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return l
}()

// dirty is a year of hours with one of every fault.
func dirty() *Hours {
	from := time.Date(2023, 1, 1, 0, 0, 0, 0, paris)
	n := int(time.Date(2024, 1, 1, 0, 0, 0, 0, paris).Sub(from) / time.Hour)
	h := &Hours{From: from.UTC(), Value: make([]float64, n), Temperature: make([]float64, n)}
	for i := range h.Value {
		h.Value[i] = 100 + 40*math.Sin(float64(i)/24*2*math.Pi) + float64(i*7919%1000)/100
		h.Temperature[i] = 10 + 8*math.Sin(float64(i)/8760*2*math.Pi)
	}
	h.Value[100] = 0
	h.Value[200] = -3
	h.Value[300] = 2500
	h.Value[400] = -999
	for i := range 30 {
		h.Value[1000+i] = 123.45 // stuck
		h.Value[2000+i] = math.NaN()
	}
	for i := range 5 {
		h.Value[3000+i] = math.NaN()
		h.Temperature[4000+i] = math.NaN()
	}
	for i := range 9 {
		h.Temperature[5000+i] = math.NaN()
	}
	return h
}

func TestHours(t *testing.T) {
	h := dirty()
	r := Default("electricity", paris)
	r.Sentinels = []float64{-999}
	CleanHours(h, r)
	require.Equal(t, 8760, len(h.Value))
	require.Equal(t, []time.Time{h.At(100)}, h.Zero)
	require.Equal(t, []time.Time{h.At(200)}, h.Negative)
	require.Equal(t, []time.Time{h.At(300)}, h.Outliers)
	require.Equal(t, h.Outliers, h.Spikes)
	require.Equal(t, []time.Time{h.At(400)}, h.Sentinels)
	require.Equal(t, []Run{{h.At(1000), h.At(1030), 123.45}}, h.Stuck)
	require.Contains(t, h.Gaps, Gap{h.At(2000), h.At(2030)})
	require.Equal(t, 35, h.Missing) // two gaps; the sentinel was given
	require.Len(t, h.Filled, 5)
	require.Len(t, h.Cold, 9)
	require.Equal(t, 36+3+30, h.NoValue)

	days := h.Days(r)
	require.Len(t, days, 365)
	hours := map[int]int{}
	invalid, scaled := 0, 0
	for i := range days {
		hours[days[i].Hours]++
		if math.IsNaN(days[i].Value) {
			invalid++
		} else if days[i].Scaled() {
			scaled++
		}
	}
	require.Equal(t, map[int]int{23: 1, 24: 363, 25: 1}, hours)
	require.Equal(t, 3, invalid) // 22 stuck hours in one day, 16 and 14 missing ones in two
	require.Positive(t, scaled)

	// A day's missing hours count at the mean of the others.
	d := days[4] // hour 100 is missing
	require.Equal(t, 23, d.Known)
	sum := 0.0
	for i := 96; i < 120; i++ {
		if i != 100 {
			sum += h.Value[i]
		}
	}
	require.InDelta(t, sum*24/23, d.Value, 1e-9)
}

// TestSmallZeros: zeros among many small values are use that was rounded, and the
// long tail of such a load holds no spikes; a rule that names zeros is obeyed.
func TestSmallZeros(t *testing.T) {
	tail := func() *Hours {
		h := &Hours{From: time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), Value: make([]float64, 2000)}
		for i := range h.Value { // exponential, in hundredths
			u := (float64(i*7919%2000) + 0.5) / 2000
			h.Value[i] = math.Floor(-100*math.Log(u)) / 100
		}
		return h
	}
	h := tail()
	CleanHours(h, Default("electricity", time.UTC))
	require.True(t, h.SmallZeros)
	require.Len(t, h.Zero, 20)
	require.Empty(t, h.Spikes)
	require.Zero(t, h.NoValue)

	h = tail()
	r := Default("electricity", time.UTC)
	require.Empty(t, r.State("zero is missing for electricity"))
	CleanHours(h, r)
	require.False(t, h.SmallZeros)
	require.Equal(t, 20, h.NoValue)

	h = dirty() // one zero, and nothing else that small
	CleanHours(h, Default("electricity", paris))
	require.False(t, h.SmallZeros)
}

func TestStatedRules(t *testing.T) {
	r := Default("electricity", paris)
	ignored := r.State("Zero values are kept; outliers are flagged, not dropped; a day with more than 60 % of its hours is kept. Moon phases are modelled")
	require.False(t, r.ZeroMissing)
	require.False(t, r.DropOutliers)
	require.True(t, r.KeepSpikes)
	require.Equal(t, 0.6, r.MinDayShare)
	require.Equal(t, []string{"Moon phases are modelled"}, ignored)

	// Clauses have their own verdicts; those for another energy are passed over.
	r = Default("gas", paris)
	require.Empty(t, r.State("zero reads missing for electricity, valid for gas, negative values are missing but outliers are kept"))
	require.False(t, r.ZeroMissing)
	require.Equal(t, 2.0, r.KeepNegative)
	require.True(t, r.KeepSpikes)
	require.True(t, r.KeepStuck)

	r = Default("gas", paris)
	require.Empty(t, r.State("zero, negative and outlier hours are missing"))
	require.True(t, r.ZeroMissing)
	require.True(t, r.DropOutliers)
}

func TestSufficiency(t *testing.T) {
	year := func(f func(i int) float64) ([]float64, []float64) {
		y, temp := make([]float64, 365), make([]float64, 365)
		for i := range y {
			y[i], temp[i] = f(i), float64(i%30)
		}
		return y, temp
	}
	wave := func(i int) float64 { return 100 + float64(i*37%91) }
	for name, c := range map[string]struct {
		f      func(i int) float64
		reason string
		ok     bool
	}{
		"good":     {wave, "", true},
		"constant": {func(int) float64 { return 5 }, Constant, false},
		"gaps": {func(i int) float64 {
			if i%8 == 0 {
				return math.NaN()
			}
			return wave(i)
		}, TooFewDays, false},
		"negative": {func(i int) float64 {
			if i == 7 {
				return -4
			}
			return wave(i)
		}, NegativeValues, true},
		"none":   {func(int) float64 { return math.NaN() }, NoData, false},
		"export": {func(i int) float64 { return -wave(i) }, BelowZero, false},
		"wild": {func(i int) float64 {
			if i == 9 {
				return 5000
			}
			return wave(i)
		}, ExtremeValues, true},
	} {
		y, temp := year(c.f)
		s := CheckDays(y, temp, Default("gas", paris))
		require.Equal(t, c.ok, s.Sufficient(), "%s: %v", name, s.Flags)
		if c.reason != "" {
			found := false
			for _, f := range s.Flags {
				found = found || f.Reason == c.reason
			}
			require.True(t, found, "%s: %v", name, s.Flags)
		} else {
			require.Empty(t, s.Flags, name)
		}
	}
	y, temp := year(wave)
	s := CheckDays(y[:200], temp[:200], Default("gas", paris))
	require.False(t, s.Sufficient())
}

func TestUnitRun(t *testing.T) {
	x := make([]float64, 365)
	for i := range x {
		x[i] = 100 + float64(i*37%91)
		if i >= 300 {
			x[i] /= 1000
		}
	}
	at, factor, ok := UnitRun(x)
	require.True(t, ok)
	require.Equal(t, 300, at)
	require.InEpsilon(t, 0.001, factor, 1e-9)
	// A heat meter that idles in summer is no change of unit.
	for i := range x {
		x[i] = 20 + 3000*math.Max(0, math.Cos(2*math.Pi*float64(i)/365))
	}
	_, _, ok = UnitRun(x)
	require.False(t, ok)
}

// In summer a heat meter's spike lies under the limit that winter sets; an hour that
// stands alone in its fortnight is one, two like it do not hide it, a season does not
// make one.
func TestSpikeOfTheQuietSeason(t *testing.T) {
	h := &Hours{From: time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range 8760 {
		h.Value = append(h.Value, 130+100*math.Cos(2*math.Pi*float64(i)/8760)+float64(i%7))
	}
	want := []int{4000, 4050, 4100}
	for _, i := range want {
		h.Value[i] = 100
	}
	CleanHours(h, Default("heat", time.UTC))
	require.Empty(t, h.Outliers, "within the limit of %v, and not three times as much", h.Limit)
	for _, i := range want {
		h.Value[i] = 10 * h.Value[i-1]
	}
	require.Less(t, h.Value[4000], h.Limit)
	CleanHours(h, Default("heat", time.UTC))
	require.Len(t, h.Outliers, 3)
	for k, i := range want {
		require.Equal(t, h.At(i), h.Outliers[k])
		require.True(t, math.IsNaN(h.Value[i]))
	}
}

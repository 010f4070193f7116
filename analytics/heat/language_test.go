package heat

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Rules as people write them give what they mean, or an error, never another
// number.
func TestRulesAsWritten(t *testing.T) {
	g := &Grid{Start: time.Unix(0, 0), Step: time.Hour, Steps: 1, Channels: map[string][]float64{"A.air.P_kW": {100}}}
	for rule, want := range map[string]float64{
		"Q=72 % of P":                           72,
		"Q=72% of P, the rest is radiated":      72,
		"Q=0.72·P":                              72,
		"Q=0.72×P − 2":                          70,
		"Q=0.72*A.air.P_kW":                     72,
		"Q=0.72*P (recoverable share)":          72,
		"Q=P*(1+COP), COP=4":                    500,
		"Q=0.72*P if P>50 and P<=100 else 0":    72,
		"Q=0.72*P if P<50 or P≥200 else 0":      0,
		"Q=1 if P>1 and P>2 or P<0 else 2":      1,
		"O2=8% vol dry; Q=P*O2":                 800,
		"a=2; Q=P*b, b=a*3":                     600,
		"Q=0; Q=P":                              100,
		"Q=0.5*P if (P>1)*(P<2)+(P>3) else P/4": 50,
	} {
		c := Card{ID: "A", Signals: []string{"A.air.P_kW"}, Rule: rule, THot: "60", TCold: "20"}
		p, err := c.compile(g)
		require.NoError(t, err, rule)
		q, _, _ := p.run(0)
		require.InDelta(t, want, q, 1e-9, rule)
	}
	for _, rule := range []string{"Q=a*P, a=b, b=a", "Q=P and", "Q=72 % of", "Q=P or or P"} {
		c := Card{ID: "A", Signals: []string{"A.air.P_kW"}, Rule: rule, THot: "60", TCold: "20"}
		require.Error(t, c.Check(g), rule)
	}
}

func TestSeasonsOfNeeds(t *testing.T) {
	days := func(f func(day int) float64) []float64 {
		x := make([]float64, 365)
		for i := range x {
			x[i] = f(i + 1)
		}
		return x
	}
	g := &Grid{Start: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Step: 24 * time.Hour, Steps: 365, Channels: map[string][]float64{
		"q": days(func(int) float64 { return 1 }), "ext.T_C": days(func(day int) float64 {
			if day == 100 {
				return math.NaN()
			}
			return 5
		})}}
	for target, want := range map[string]func(day int) bool{ // is it 90?
		"90 from Oct 1 (doy 274) to Apr 30 (doy<121), else 70": func(d int) bool { return d >= 274 || d < 121 },
		"90 from October 1 to April 30, else 70":               func(d int) bool { return d >= 274 || d < 121 },
		"90 from May 1 (doy 121) to Sep 30 (doy<274), else 70": func(d int) bool { return d >= 121 && d < 274 },
		"90 from Nov 1 to Dec 31, else 70":                     func(d int) bool { return d >= 305 },
	} {
		d := Demand{ID: "K", Signal: "q", TTarget: target, TSupply: "60 / 50 same dates"}
		n, err := d.On(g, "ext.T_C")
		require.NoError(t, err, target)
		for i := range n.TargetC {
			high, low := 70.0, 50.0
			if want(i + 1) {
				high, low = 90, 60
			}
			require.Equal(t, []float64{high, low}, []float64{n.TargetC[i], n.SupplyC[i]}, "%s: day %d", target, i+1)
		}
	}
	d := Demand{ID: "K", Signal: "q", TTarget: "90 from Foo 1 to Apr 30, else 70", TSupply: "50"}
	_, err := d.On(g, "ext.T_C")
	require.ErrorContains(t, err, "Foo 1")

	// A heating curve keeps its temperature through a gap of the outdoor channel, and
	// says what is missing where there is none.
	d = Demand{ID: "I", Signal: "q", TTarget: "clip(40+(20-ext.T_C),40,65)", TSupply: "T_target-15"}
	n, err := d.On(g, "ext.T_C")
	require.NoError(t, err)
	require.Equal(t, 55.0, n.TargetC[99])
	d.TTarget = "clip(40+(20-T_ext),40,65)"
	n, err = d.On(g, "roof.T_C")
	require.NoError(t, err)
	require.Contains(t, n.Flags[0], `"roof.T_C" (weather_channel) is not among the data`)
}

// Hours of a source that comes and goes do not grow by filling a gap with means.
func TestHoursAcrossGap(t *testing.T) {
	g := &Grid{Start: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: 100 * 24, Channels: map[string][]float64{}}
	x := make([]float64, g.Steps)
	for i := range x {
		if i%40 < 18 { // out of step with the week
			x[i] = 100
		}
		if i >= 1000 && i < 1240 {
			x[i] = math.NaN()
		}
	}
	g.Channels["k.Q_kW"] = x
	found, err := Sources(g, []Card{{ID: "k", Signals: []string{"k.Q_kW"}, Rule: "Q=Q_kiln", THot: "60", TCold: "20"}}, nil)
	require.NoError(t, err)
	require.InEpsilon(t, 0.45*100*24, found[0].Hours, 0.01)
}

// A frozen temperature beside a heat meter costs neither the heat's band nor
// its use.
func TestTemperatureFilled(t *testing.T) {
	g := &Grid{Start: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: 60 * 24, Channels: map[string][]float64{}}
	q, hot := make([]float64, g.Steps), make([]float64, g.Steps)
	for i := range q {
		q[i], hot[i] = 100, 55
		if i >= 500 && i < 620 {
			hot[i] = math.NaN()
		}
	}
	g.Channels["k.Q_kW"], g.Channels["k.T_hot_C"] = q, hot
	found, err := Sources(g, []Card{{ID: "k", Signals: []string{"k.Q_kW"}, Rule: "Q=Q_k", THot: "k.T_hot_C", TCold: "45"}}, nil)
	require.NoError(t, err)
	require.Zero(t, found[0].NoBandMWh)
	require.InDelta(t, 144, found[0].ByBand[1], 1e-9)
	require.Contains(t, found[0].Flags[0], "estimated from like times in 8.3 %")
}

// Where a wrong scale begins on a quiet week-end or in the evening, the window
// begins there.
func TestScaleFromQuietHours(t *testing.T) {
	for name, from := range map[string]int{"week-end": 19*24 + 7, "evening": 17*24 + 20} {
		g := &Grid{Start: time.Date(2025, 3, 31, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: 60 * 24, Channels: map[string][]float64{}}
		x := make([]float64, g.Steps)
		to := 23*24 + 12
		for i := range x {
			x[i] = 8 + float64(i*7%5)/10
			if day, hour := i/24%7, i%24; day < 5 && hour >= 6 && hour < 22 {
				x[i] = 100 + float64(i*7%11)
			}
			if i >= from && i < to {
				x[i] *= 10
			}
		}
		g.Channels["k.P_kW"] = x
		faults := FindFaults(g)
		require.Len(t, faults, 1, name)
		require.Equal(t, ScaleJump, faults[0].Kind)
		require.Equal(t, []time.Time{g.At(from), g.At(to)}, []time.Time{faults[0].From, faults[0].To}, name)
	}
}

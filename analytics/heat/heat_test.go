package heat

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/analytics/pinch"
)

func TestRules(t *testing.T) {
	run := func(rule string, signals []string, channels map[string]float64, hot string) (float64, float64, error) {
		g := &Grid{Start: time.Unix(0, 0), Step: time.Hour, Steps: 1, Channels: map[string][]float64{}}
		for n, v := range channels {
			g.Channels[n] = []float64{v}
		}
		c := Card{ID: "x", Signals: signals, Rule: rule, THot: hot, TCold: "20"}
		p, err := c.compile(g)
		if err != nil {
			return 0, 0, err
		}
		q, h, _ := p.run(0)
		return q, h, nil
	}
	q, h, err := run("Q=0.72*P", []string{"site-air/active_power"}, map[string]float64{"site-air/active_power": 100}, "75")
	require.NoError(t, err)
	require.Equal(t, []float64{72, 75}, []float64{q, h})

	siegert := "Siegert, natural gas A2=0.66 B=0.009, O2=8% vol dry; Q=P_gas*(A2/(21-O2)+B)/100*(T_flue-130) if T_flue>130 else 0"
	furnace := []string{"C.gas.P_kW", "C.flue.T_C"}
	q, _, err = run(siegert, furnace, map[string]float64{"C.gas.P_kW": 1000, "C.flue.T_C": 330}, "C.flue.T_C")
	require.NoError(t, err)
	require.InEpsilon(t, 1000*(0.66/13+0.009)/100*200, q, 1e-12)
	q, _, err = run(siegert, furnace, map[string]float64{"C.gas.P_kW": 1000, "C.flue.T_C": 100}, "C.flue.T_C")
	require.NoError(t, err)
	require.Zero(t, q)

	q, _, err = run("Q=eta×P if P>50 and P<=200 or P<0 else 0, eta=0.5", []string{"a.P_kW"}, map[string]float64{"a.P_kW": 100}, "75")
	require.NoError(t, err)
	require.Equal(t, 50.0, q)
	q, _, err = run("Q=m*4.186*(T_hot−T_cold)", []string{"a.m_kgs", "a.T_hot_C", "a.T_cold_C"}, map[string]float64{"a.m_kgs": 2, "a.T_hot_C": 50, "a.T_cold_C": 40}, "a.T_hot_C")
	require.NoError(t, err)
	require.InEpsilon(t, 83.72, q, 1e-12)

	q, h, err = run("T_after=T-Q_rec/(V*1.16111); Q=V*1.16111*(T_after-22)", []string{"D.effluent.V_m3h", "D.effluent.T_C", "D.recovered.Q_kW"},
		map[string]float64{"D.effluent.V_m3h": 100, "D.effluent.T_C": 40, "D.recovered.Q_kW": 116.111}, "T_after")
	require.NoError(t, err)
	require.InEpsilon(t, 100*1.16111*17, q, 1e-12)
	require.InEpsilon(t, 39.0, h, 1e-12)

	q, _, err = run("Q=0.72*P", []string{"a.P_kW"}, map[string]float64{"a.P_kW": math.NaN()}, "75")
	require.NoError(t, err)
	require.True(t, math.IsNaN(q), "a missing reading gives no heat, not zero")

	for name, c := range map[string]struct{ rule, hot string }{
		"no formula":       {"heat of the furnace", "75"},
		"unknown name":     {"Q=0.72*Z", "75"},
		"unclosed bracket": {"Q=0.72*(P", "75"},
		"no Q":             {"R=0.72*P", "75"},
		"if without else":  {"Q=P if P>3", "75"},
		"bad function":     {"Q=sqrt(P)", "75"},
		"bad temperature":  {"Q=P", "hot"},
		"operators":        {"Q=P 3 + +", "75"},
		"too deep":         {"Q=((((((((((((((((((((((((((((((((((((((((((((((((((((P))))))))))))))))))))))))))))))))))))))))))))))))))))", "75"},
	} {
		_, _, err := run(c.rule, []string{"a.P_kW"}, map[string]float64{"a.P_kW": 1}, c.hot)
		require.Error(t, err, name)
	}
	_, _, err = run("Q=P", []string{"b.P_kW"}, map[string]float64{"a.P_kW": 1}, "75")
	require.ErrorContains(t, err, "b.P_kW")
}

func FuzzRule(f *testing.F) {
	f.Add("Q=P_gas*(A2/(21-O2)+B)/100*(T_flue-130) if T_flue>130 else 0")
	f.Add("A2=0.66 B=0.009, O2=8% vol dry; Q=clip(P,0,3)")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseRule(s); err == nil {
			require.NotEmpty(t, r.names)
			r.inputs()
		}
	})
}

// The closed form equals the cascade solved on many thin slices of temperature.
func TestExchangeEqualsCascade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, low, high float64) float64 { return rapid.Float64Range(low, high).Draw(t, name) }
		hot, supply := draw("hot", 20, 200), draw("supply", 0, 150)
		cold, target := hot-draw("spread", 1, 80), supply+draw("rise", 1, 80)
		qh, qc := draw("qh", 0, 1000), draw("qc", 0, 1000)
		got := pinch.Exchange(qh, hot, cold, qc, target, supply)
		// Going down in temperature, the heat offered so far serves the demand so far.
		const n = 20000
		top, bottom := max(hot, target), min(cold, supply)
		stock, served := 0.0, 0.0
		for i := range n {
			mid := top - (float64(i)+0.5)*(top-bottom)/n
			width := (top - bottom) / n
			if mid < hot && mid > cold {
				stock += qh * width / (hot - cold)
			}
			if mid < target && mid > supply {
				q := min(stock, qc*width/(target-supply))
				stock, served = stock-q, served+q
			}
		}
		require.InDelta(t, served, got, 0.005*max(qh, qc)+0.01)
		require.LessOrEqual(t, got, min(qh, qc)+1e-9)
	})
}

func steady(days int, f func(i int) float64) []float64 {
	x := make([]float64, days*24)
	for i := range x {
		x[i] = f(i)
	}
	return x
}

func TestFaults(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	wiggle := func(i int) float64 { return float64((i * 7) % 13) }
	week := func(i int) float64 { // nearly nothing at the week-end: no fault
		if i/24%7 >= 5 {
			return 5 + wiggle(i)/10
		}
		return 100 + wiggle(i)
	}
	g := &Grid{Start: start, Step: time.Hour, Steps: 60 * 24, Channels: map[string][]float64{
		"a.P_kW": steady(60, week),
		"b.P_kW": steady(60, func(i int) float64 { // ten times too much on days 20 to 23
			if i >= 20*24 && i < 24*24 {
				return 10 * (100 + wiggle(i))
			}
			return 100 + wiggle(i)
		}),
		"c.T_C": steady(60, func(i int) float64 { // frozen for three days
			if i >= 30*24 && i < 33*24 {
				return 42.5
			}
			return 40 + wiggle(i)
		}),
		"d.Q_kW": steady(60, func(i int) float64 { // silent for a day
			if i >= 40*24 && i < 41*24 {
				return math.NaN()
			}
			return wiggle(i)
		}),
		"e.V_m3h": steady(60, func(i int) float64 { return 10 + wiggle(i) }),
		"e.T_hot_C": steady(60, func(i int) float64 { // exchanged for twelve days
			if i >= 10*24 && i < 22*24 {
				return 30 + wiggle(i)/10
			}
			return 50 + wiggle(i)/10
		}),
		"e.T_cold_C": steady(60, func(i int) float64 {
			if i >= 10*24 && i < 22*24 {
				return 50 + wiggle(i)/10
			}
			return 30 + wiggle(i)/10
		}),
	}}
	day := func(n int) time.Time { return start.Add(time.Duration(n) * 24 * time.Hour) }
	require.ElementsMatch(t, []Fault{
		{Kind: ScaleJump, Channels: []string{"b.P_kW"}, From: day(20), To: day(24), Factor: 10, Mend: true},
		{Kind: StuckReading, Channels: []string{"c.T_C"}, From: day(30), To: day(33)},
		{Kind: Gap, Channels: []string{"d.Q_kW"}, From: day(40), To: day(41)},
		{Kind: SensorsSwapped, Channels: []string{"e.T_hot_C", "e.T_cold_C"}, From: day(10), To: day(22), Mend: true},
	}, FindFaults(g))
}

func BenchmarkSources(b *testing.B) {
	g, cards, _, _ := loadCase(b)
	for b.Loop() {
		if _, err := Sources(g, cards, nil); err != nil {
			b.Fatal(err)
		}
	}
}

package heat

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProfile(t *testing.T) {
	const days = 28
	g := &Grid{Start: time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: days * 24, Channels: map[string][]float64{
		"a.Q_kW": steady(days, func(i int) float64 { // 100 kW on working days, 20 at the week-end, one day's stop
			switch d := i / 24; {
			case d == 9:
				return 0
			case d%7 >= 5:
				return 20
			}
			return 100
		}),
	}}
	s, err := Sources(g, []Card{{ID: "a", Signals: []string{"a.Q_kW"}, Rule: "Q=Q_loop", THot: "90", TCold: "90"}}, nil)
	require.NoError(t, err)
	p := s[0].Profile(g)
	require.Len(t, p.Duration, 21)
	require.Equal(t, 100.0, p.Duration[0])
	require.Equal(t, 0.0, p.Duration[20])
	require.Equal(t, 24*time.Hour, p.LongestOutage)
	require.InDelta(t, 20, p.Hour[1][12], 1e-9)
	require.InDelta(t, 95, p.Hour[0][12], 1e-9)
	require.InDelta(t, (19*100+8*20)/28.0, p.Season[0], 1e-9)
	require.True(t, math.IsNaN(p.Season[2]))
	require.InDelta(t, 19.0/28, p.OperatingShare, 1e-9)
	require.Equal(t, 100.0, p.OperatingP90KW)
	// Heat at one temperature: 1 - T0/T.
	require.InDelta(t, s[0].MWh*(1-(SurroundingsC+273.15)/363.15), p.ExergyMWh, 1e-9)
	require.InDelta(t, (27*20.0)/(19*100+8*20), p.FirmShare, 1e-9)
}

func TestNeedFigures(t *testing.T) {
	const days = 365
	ext := func(i int) float64 { return 11 - 10*math.Cos(2*math.Pi*float64(i)/8760) }
	g := &Grid{Start: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: days * 24, Channels: map[string][]float64{
		"ext.T_C": steady(days, ext),
		"h.Q_kW":  steady(days, func(i int) float64 { return 50 + 20*max(0, 15-ext(i)) }),
		"p.Q_kW":  steady(days, func(i int) float64 { return 100 * float64(i/12%2) }),
	}}
	d := Demand{ID: "h", Signal: "h.Q_kW", TTarget: "clip(40+(20-T_ext),40,65)", TSupply: "T_target-15"}
	n, err := d.On(g, "ext.T_C")
	require.NoError(t, err)
	f := n.Figures(g, "ext.T_C")
	require.NotNil(t, f.Heating)
	require.InDelta(t, 50, f.Heating.BaseKW, 2)
	require.InDelta(t, 20, f.Heating.SlopeKWPerK, 0.3)
	require.InDelta(t, 15, f.Heating.LimitC, 0.5)
	require.InDelta(t, 60, f.Heating.TargetAtZeroC, 1)
	require.InDelta(t, -1, f.Heating.TargetSlope, 0.1)
	require.Equal(t, "natural_gas", f.Fuel)
	require.InEpsilon(t, n.MWh/0.81, f.FuelMWh, 1e-9)

	p := Demand{ID: "p", Signal: "p.Q_kW", TTarget: "70", TSupply: "12", EfficiencyPCS: 0.9, Fuel: "heating_oil"}
	n, err = p.On(g, "ext.T_C")
	require.NoError(t, err)
	f = n.Figures(g, "ext.T_C")
	require.Nil(t, f.Heating, "no heating by this")
	require.Equal(t, 4380.0, f.Hours)
	require.InDelta(t, 70, f.TargetC, 1e-9)
	require.InEpsilon(t, n.MWh/0.9, f.FuelMWh, 1e-9)
}

// Gaps are filled from like times and said to be; a frozen window too.
func TestEstimates(t *testing.T) {
	const days = 60
	load := func(i int) float64 { return 100 + 50*float64(i/24%7) + float64(i%24) }
	g := &Grid{Start: time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC), Step: time.Hour, Steps: days * 24, Channels: map[string][]float64{
		"a.Q_kW": steady(days, func(i int) float64 {
			if i >= 20*24 && i < 23*24 {
				return math.NaN()
			}
			return load(i)
		}),
	}}
	faults := FindFaults(g)
	require.Len(t, faults, 1)
	s, err := Sources(g, []Card{{ID: "a", Signals: []string{"a.Q_kW"}, Rule: "Q=Q_loop", THot: "50", TCold: "30"}}, faults)
	require.NoError(t, err)
	truth, missing := 0.0, 0.0
	for i := range days * 24 {
		truth += load(i) / 1000
		if i >= 20*24 && i < 23*24 {
			missing += load(i) / 1000
		}
	}
	require.InEpsilon(t, truth, s[0].MWh, 1e-9)
	require.InEpsilon(t, missing, s[0].EstimatedMWh, 1e-9)
	require.InDelta(t, 57.0/60, s[0].Coverage, 1e-9)
	require.Greater(t, s[0].HalfWidthMWh(), 0.5*missing)
	require.Equal(t, Estimated, s[0].State[21*24])
	require.InEpsilon(t, truth, s[0].ByBand[0]+s[0].ByBand[1], 1e-9)
}

func TestMend(t *testing.T) {
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	x := func() *Grid {
		return &Grid{Start: start, Step: time.Hour, Steps: 4, Channels: map[string][]float64{"h": {1, 2, 3, 4}, "c": {5, 6, 7, 8}, "v": {10, -20, 30, 5000}}}
	}
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Hour) }
	g := x()
	m := Mend(g, []Fault{
		{Kind: SensorsSwapped, Channels: []string{"h", "c"}, From: at(1), To: at(3), Mend: true},
		{Kind: ScaleKind(10), Channels: []string{"v"}, From: at(2), To: at(3), Factor: 10, Mend: true},
		{Kind: NegativeFlow, Channels: []string{"v"}, From: at(1), To: at(2)},
		{Kind: StuckReading, Channels: []string{"v"}, From: at(3), To: at(9)},
		{Kind: StuckReading, Channels: []string{"absent"}, From: at(-3), To: at(9)},
	})
	require.Equal(t, x().Channels, g.Channels, "the grid given is not changed")
	require.Equal(t, []float64{1, 6, 7, 4}, m.Channels["h"])
	require.Equal(t, []float64{5, 2, 3, 8}, m.Channels["c"])
	require.Equal(t, 3.0, m.Channels["v"][2])
	require.True(t, math.IsNaN(m.Channels["v"][1]) && math.IsNaN(m.Channels["v"][3]))
}

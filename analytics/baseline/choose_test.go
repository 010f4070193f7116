package baseline

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/thermie/thermie/calendar"
)

// factory is a made-up plant: heating below 15 degC, 3 kWh a tonne, less at
// weekends and much less on public holidays, scatter that lasts for days.
func factory(seed uint64) *Frame {
	r := rand.New(rand.NewPCG(seed, 11))
	f := &Frame{Step: Day, Drivers: map[string][]float64{"tonnes": nil, "visitors": nil}}
	noise := 0.0
	for i := range 500 {
		at := time.Date(2021, 1, 1+i, 0, 0, 0, 0, calendar.Paris)
		temperature := 11 - 9*math.Cos(2*math.Pi*float64(i)/365) + 3*r.NormFloat64()
		noise = 0.6*noise + 25*r.NormFloat64()
		tonnes := 200 + 40*r.NormFloat64()
		y := 400 + 22*max(15-temperature, 0) + 3*tonnes
		if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
			y -= 150
		}
		if calendar.Holiday(at) != "" {
			y -= 350
		}
		f.Start = append(f.Start, at)
		f.Temperature = append(f.Temperature, temperature)
		f.Drivers["tonnes"] = append(f.Drivers["tonnes"], tonnes)
		f.Drivers["visitors"] = append(f.Drivers["visitors"], 100*r.Float64())
		f.Energy = append(f.Energy, y+noise)
	}
	return f
}

// offDays are the alternatives of a plant with weekends and holidays.
var offDays = []Calendar{{}, {"weekend", []Effect{{Kind: Weekend}}}, {"weekend+holiday", []Effect{{Kind: Weekend}, {Kind: Holiday}}}}

func TestChooseFindsTheFactory(t *testing.T) {
	f := factory(1)
	fit, err := Choose(f, Choice{Drivers: []string{"tonnes", "visitors"}, Calendars: offDays})
	require.NoError(t, err)
	require.Equal(t, ThreePHeat, fit.Spec.Shape)
	require.Equal(t, "tonnes+weekend+holiday", fit.Spec.variables())
	for name, want := range map[string]float64{Heating: 22, "tonnes": 3, Weekend: -150, Holiday: -350} {
		got, ok := fit.Coefficient(name)
		require.True(t, ok, name)
		require.InEpsilon(t, want, got, 0.1, name)
	}
	h, _ := fit.Balance(HeatBalance)
	require.InDelta(t, 15, h, 0.7)

	require.Equal(t, 6*3*4, fit.Tried)
	require.Len(t, fit.Candidates, fit.Tried)
	require.Equal(t, "3PH+weekend+holiday+tonnes", fit.Candidates[0].Name)
	require.Empty(t, fit.Candidates[0].Why)
	for _, c := range fit.Candidates[1:] {
		require.NotEmpty(t, c.Why)
		switch c.Why {
		case whyCriterion:
			require.GreaterOrEqual(t, c.Criterion, fit.Candidates[0].Criterion)
		case whySimpler:
			require.Less(t, c.Criterion, fit.Candidates[0].Criterion)
			require.GreaterOrEqual(t, c.P, fit.P)
		}
	}
}

// TestChooseLeavesNoiseOut: of variables that explain nothing, few get in,
// though neighbouring days are alike.
func TestChooseLeavesNoiseOut(t *testing.T) {
	in := 0
	for seed := range uint64(20) {
		f := factory(100+seed).Rows(0, 365)
		fit, err := Choose(f, Choice{Shapes: []Shape{ThreePHeat}, Keep: Spec{Drivers: []string{"tonnes"}, Calendar: []Effect{{Kind: Off}}},
			Drivers: []string{"visitors"}, Calendars: []Calendar{{}, {"wednesday", []Effect{{Kind: "wednesday"}}}}})
		require.NoError(t, err)
		in += len(fit.Terms) - 4
	}
	t.Logf("%d of 40", in)
	require.LessOrEqual(t, in, 4, "of 40")
}

func TestChooseBySteps(t *testing.T) {
	f := factory(3)
	names := []string{"a", "tonnes", "b", "visitors", "c", "d", "e", "f"}
	r := rand.New(rand.NewPCG(5, 5))
	for _, n := range names {
		if f.Drivers[n] == nil {
			for range f.Start {
				f.Drivers[n] = append(f.Drivers[n], r.Float64())
			}
		}
	}
	fit, err := Choose(f, Choice{Shapes: []Shape{TwoP, ThreePHeat}, Drivers: names, Calendars: offDays})
	require.NoError(t, err)
	require.Less(t, fit.Tried, 300)
	for _, name := range []string{"tonnes", Weekend, Holiday} {
		_, ok := fit.Coefficient(name)
		require.True(t, ok, name)
	}
	require.LessOrEqual(t, len(fit.Terms), 7, "of seven drivers without effect, two at most")
}

func TestChooseSigns(t *testing.T) {
	f := factory(4)
	f.Drivers["constant"] = make([]float64, f.Len())
	fit, err := Choose(f, Choice{Shapes: []Shape{Mean, ThreePHeat, ThreePCool}, Drivers: []string{"constant"}})
	require.NoError(t, err)
	require.Equal(t, ThreePHeat, fit.Spec.Shape)
	var cool, constant bool
	for _, c := range fit.Candidates {
		cool = cool || c.Name == "3PC" && c.Why == whySign
		constant = constant || c.Name == "3PH+constant" && strings.Contains(c.Why, "is constant")
	}
	require.True(t, cool && constant, "%+v", fit.Candidates)
	_, err = Choose(f, Choice{Shapes: []Shape{ThreePCool}})
	require.ErrorIs(t, err, ErrNoModel)
	require.ErrorContains(t, err, whySign)
}

func TestChooseHourly(t *testing.T) {
	f := readHours(t, "testdata/two_shifts_baseline.csv.gz")
	fit, err := Choose(f, Choice{Shapes: []Shape{Mean, TwoP, ThreePHeat}, Calendars: offDays, Others: HoursOfWeek(nil)})
	require.NoError(t, err)
	require.NotNil(t, fit.Hourly)
	require.Contains(t, fit.Model, ModelTimeOfWeek)
	_, err = Choose(invented(1, 100, 14, 20), Choice{Shapes: []Shape{ThreePHeat}, Others: HoursOfWeek(nil)})
	require.NoError(t, err, "the hourly models lose with a reason")
}

// TestLeftOut: the errors of weeks left out by one step are those of fitting the
// rest anew, to the bit of rounding without change points, and nearly with them.
func TestLeftOut(t *testing.T) {
	f := factory(6)
	f.Energy[40], f.Energy[300] = math.NaN(), math.NaN()
	turns := turnsOf(f)
	for _, c := range []struct {
		spec Spec
		near float64
	}{{Spec{Shape: TwoP, Drivers: []string{"tonnes"}, Calendar: []Effect{{Kind: Off}}}, 1e-9}, {Spec{Shape: ThreePHeat, Drivers: []string{"tonnes"}, Calendar: []Effect{{Kind: Weekend}, {Kind: Holiday}}}, 0.02}} {
		fit, err := Linear(f, c.spec)
		require.NoError(t, err)
		again := func(f *Frame) (*Fit, error) { return Linear(f, c.spec) }
		one, err := turns.stepped(f, fit)
		require.NoError(t, err)
		all, err := turns.refitted(f, again)
		require.NoError(t, err)
		require.True(t, math.IsNaN(one[40]) && math.IsNaN(all[40]))
		require.InEpsilon(t, turns.mean(all), turns.mean(one), c.near)
		require.Greater(t, turns.mean(one), fit.SSE/float64(fit.N), "what was not seen is predicted worse")
	}
	// A closure in one week only: nobody can know of it who has not seen it.
	closed := Spec{Shape: TwoP, Calendar: []Effect{{Kind: Closed, Days: []Span{{"2021-06-07", "2021-06-11"}}}}}
	for i := range f.Start {
		if d := f.Start[i].Format(time.DateOnly); d >= "2021-06-07" && d <= "2021-06-11" {
			f.Energy[i] -= 900
		}
	}
	fit, err := Linear(f, closed)
	require.NoError(t, err)
	one, err := turns.stepped(f, fit)
	require.NoError(t, err)
	all, err := turns.refitted(f, func(f *Frame) (*Fit, error) { return Linear(f, closed) })
	require.NoError(t, err)
	require.InEpsilon(t, turns.mean(all), turns.mean(one), 1e-9)
}

// TestDaysOfWeek: on daily frames the time of the week is its day.
func TestDaysOfWeek(t *testing.T) {
	f := factory(5)
	fit, err := TimeOfWeek(f, HourlyOptions{Drivers: []string{"tonnes"}})
	require.NoError(t, err)
	known := 0
	for how, v := range fit.Hourly.Segments[0].HourOfWeek {
		if !math.IsNaN(v) {
			require.Zero(t, how%24)
			known++
		}
	}
	require.Equal(t, 7, known)
	plain, err := Linear(f, Spec{Shape: ThreePHeat, Drivers: []string{"tonnes"}})
	require.NoError(t, err)
	require.Less(t, fit.SSE, plain.SSE, "it knows the weekends")
	_, err = CalTRACKHourly(f, HourlyOptions{})
	require.ErrorContains(t, err, "hours")
}

// TestInvoicesWithGaps: a missing invoice does not lengthen the one before.
func TestInvoicesWithGaps(t *testing.T) {
	table, _ := readOracle(t)
	g := months(table["gas"])
	g.Step = Period
	whole, err := CalTRACKBilling(g, CalTRACK{HeatingOnly: true})
	require.NoError(t, err)
	without := &Frame{Step: Period}
	for i := range g.Start {
		if i != 4 {
			without.Start = append(without.Start, g.Start[i])
			without.Energy = append(without.Energy, g.Energy[i])
			without.Daily = append(without.Daily, g.Daily[i])
		}
	}
	gap, err := CalTRACKBilling(without, CalTRACK{HeatingOnly: true})
	require.NoError(t, err)
	require.InEpsilon(t, whole.Terms[1].Value, gap.Terms[1].Value, 0.03)
	unknown := *g
	unknown.Energy = append([]float64{}, g.Energy...)
	unknown.Energy[4] = math.NaN()
	same, err := CalTRACKBilling(&unknown, CalTRACK{HeatingOnly: true})
	require.NoError(t, err)
	require.Equal(t, gap.Terms, same.Terms)
}

func TestCalendarColumns(t *testing.T) {
	days := &Frame{Step: Day}
	for d := range 31 {
		days.Start = append(days.Start, time.Date(2023, 5, 1+d, 0, 0, 0, 0, calendar.Paris))
	}
	sum := func(x []float64) (s float64) {
		for _, v := range x {
			s += v
		}
		return s
	}
	month := &Frame{Step: Month, Start: days.Start[:1]}
	for _, one := range []struct {
		effect Effect
		days   float64
	}{
		{Effect{Kind: Weekend}, 8}, {Effect{Kind: Holiday}, 4}, // 1, 8, 18 and 29 May 2023
		{Effect{Kind: Off}, 12}, {Effect{Kind: "monday"}, 5},
		{Effect{Kind: Closed, Days: []Span{{"2023-04-20", "2023-05-02"}, {"2023-05-31", "2023-06-20"}}}, 3},
	} {
		require.Equal(t, one.days, sum(one.effect.column(days)), one.effect.Kind)
		require.Equal(t, one.days, sum(one.effect.column(month)), "%s, by month", one.effect.Kind)
	}
	require.Error(t, Effect{Kind: "fullmoon"}.check())
	require.Error(t, Effect{Kind: Closed}.check())
	require.Error(t, Effect{Kind: Closed, Days: []Span{{"2023-05-02", "2023-05-01"}}}.check())
	require.Error(t, Effect{Kind: Closed, Days: []Span{{"soon", "2023-05-01"}}}.check())
}

func TestGates(t *testing.T) {
	fit, err := Linear(factory(1), Spec{Shape: ThreePHeat, Drivers: []string{"tonnes"}})
	require.NoError(t, err)
	held := func(f *Fit, s Situation) map[string]bool {
		out := map[string]bool{}
		for _, g := range Gates(f, s) {
			out[g.Name] = g.Holds
			require.NotEmpty(t, g.Source)
		}
		return out
	}
	require.Equal(t, map[string]bool{"cvrmse": true, "nmbe": true, "autocorrelation": true, "coverage": true, "rows_per_parameter": true}, held(fit, Situation{3, 0.95}))
	for months, limit := range map[int]float64{11: 0.20, 12: 0.25, 61: 0.30} {
		require.Equal(t, limit, Gates(fit, Situation{ReportingMonths: months})[0].Limit)
	}
	bad := *fit
	bad.CVRMSEAdj, bad.NMBE, bad.Rho1, bad.NPrime = 0.21, -0.001, 0.6, 10
	require.Equal(t, map[string]bool{"cvrmse": false, "nmbe": false, "autocorrelation": false, "coverage": false, "rows_per_parameter": false}, held(&bad, Situation{3, 0.89}))
}

func TestRefusals(t *testing.T) {
	f := invented(1, 40, 14, 20)
	for name, one := range map[string]struct {
		frame *Frame
		spec  Spec
	}{
		"no such shape":               {f, Spec{Shape: "7P"}},
		"no driver":                   {f, Spec{Shape: Mean, Drivers: []string{"steam"}}},
		"two terms":                   {f, Spec{Shape: Mean, Drivers: []string{"visitors", "visitors"}}},
		"too few":                     {f.Rows(0, 3), Spec{Shape: FiveP}},
		"needs temperatures":          {&Frame{Step: Day, Start: f.Start, Energy: f.Energy}, Spec{Shape: TwoP}},
		"not in order of time":        {&Frame{Step: Day, Start: []time.Time{f.Start[1], f.Start[0]}, Energy: []float64{1, 2}}, Spec{Shape: Mean}},
		"no rows":                     {&Frame{Step: Day}, Spec{Shape: Mean}},
		"its column of energy has 39": {&Frame{Step: Day, Start: f.Start, Energy: f.Energy[:39]}, Spec{Shape: Mean}},
	} {
		_, err := Linear(one.frame, one.spec)
		require.ErrorContains(t, err, name)
	}
	f.Drivers["constant"] = make([]float64, f.Len())
	fit, err := Linear(f, Spec{Shape: TwoP, Drivers: []string{"constant"}})
	require.NoError(t, err)
	require.True(t, fit.Terms[2].Dropped)
	require.Contains(t, fit.Notes[0], "constant")
}

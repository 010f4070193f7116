package baseline

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/thermie/thermie/calendar"
)

// readHours reads time, energy and temperature of hours, compressed.
func readHours(t testing.TB, path string) *Frame {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	z, err := gzip.NewReader(file)
	require.NoError(t, err)
	records, err := csv.NewReader(z).ReadAll()
	require.NoError(t, err)
	f := &Frame{Step: Hour}
	for _, r := range records[1:] {
		at, err := time.Parse(time.RFC3339, r[0])
		require.NoError(t, err)
		f.Start = append(f.Start, at.In(calendar.Paris))
		f.Energy = append(f.Energy, parse(r[1]))
		f.Temperature = append(f.Temperature, parse(r[2]))
	}
	return f
}

// segmentNames are OpenEEmeter's names of the segments of each month.
var segmentNames = []string{
	"dec-jan-feb-weighted", "jan-feb-mar-weighted", "feb-mar-apr-weighted", "mar-apr-may-weighted",
	"apr-may-jun-weighted", "may-jun-jul-weighted", "jun-jul-aug-weighted", "jul-aug-sep-weighted",
	"aug-sep-oct-weighted", "sep-oct-nov-weighted", "oct-nov-dec-weighted", "nov-dec-jan-weighted",
}

// TestCalTRACKHourly holds what OpenEEmeter 3.2.0 finds for a factory of two
// shifts: occupancy, bins, predictions.
func TestCalTRACKHourly(t *testing.T) {
	var want struct {
		Counterfactual float64
		ByMonth        map[string]float64   `json:"by_month"`
		First          []float64            `json:"first_48h"`
		Occupied       map[string][]int     `json:"occupied"`
		OccupiedBins   map[string][]float64 `json:"occupied_bins_f"`
		UnoccupiedBins map[string][]float64 `json:"unoccupied_bins_f"`
		SSE, CVRMSE    float64
		N              int
	}
	b, err := os.ReadFile("testdata/two_shifts.expected.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))
	base := readHours(t, "testdata/two_shifts_baseline.csv.gz")
	report := readHours(t, "testdata/two_shifts_reporting.csv.gz")
	fit, err := CalTRACKHourly(base, HourlyOptions{})
	require.NoError(t, err)
	for m, s := range fit.Hourly.Segments {
		require.Equal(t, want.Occupied[segmentNames[m]], s.Occupied, s.Name)
		for k, e := range s.Warm.EndsC {
			require.InDelta(t, Fahrenheit(want.OccupiedBins[segmentNames[m]][k]), e, 1e-9, s.Name)
		}
		require.Len(t, s.Warm.EndsC, len(want.OccupiedBins[segmentNames[m]]), s.Name)
		for k, e := range s.Idle.EndsC {
			require.InDelta(t, Fahrenheit(want.UnoccupiedBins[segmentNames[m]][k]), e, 1e-9, s.Name)
		}
		require.Len(t, s.Idle.EndsC, len(want.UnoccupiedBins[segmentNames[m]]), s.Name)
	}
	predicted, err := fit.Predict(report)
	require.NoError(t, err)
	total := 0.0
	byMonth := map[string]float64{}
	worst := 0.0
	for i, y := range predicted {
		if math.IsNaN(y) || math.IsNaN(report.Energy[i]) {
			continue
		}
		total += y
		byMonth[report.Start[i].Format("1")] += y
		if i < len(want.First) {
			worst = max(worst, math.Abs(y/want.First[i]-1))
		}
	}
	require.InEpsilon(t, want.Counterfactual, total, 1e-8)
	for m, v := range want.ByMonth {
		require.InEpsilon(t, v, byMonth[m], 1e-8, "month %s", m)
	}
	require.Less(t, worst, 1e-8)
	require.InEpsilon(t, want.SSE, fit.SSE, 1e-8)
	require.InEpsilon(t, want.CVRMSE, fit.CVRMSE, 1e-8)
	require.Equal(t, want.N, fit.N)
	require.InDelta(t, 0.7916369812, fit.Rho1, 1e-9)
}

// TestTimeOfWeekIsLeastSquares solves the same regression with all its columns.
func TestTimeOfWeekIsLeastSquares(t *testing.T) {
	f := readHours(t, "testdata/two_shifts_baseline.csv.gz")
	f = f.Rows(0, 24*100)
	f.Drivers = map[string][]float64{"kiln": nil}
	for i := range f.Energy {
		on := float64(i*i%7) / 7
		f.Drivers["kiln"] = append(f.Drivers["kiln"], on)
		f.Energy[i] += 300 * on
		if i%50 == 3 {
			f.Energy[i] = math.NaN()
		}
	}
	fit, err := TimeOfWeek(f, HourlyOptions{Drivers: []string{"kiln"}, HolidaysAsSunday: true})
	require.NoError(t, err)
	s := &fit.Hourly.Segments[0]
	got, err := fit.Predict(f)
	require.NoError(t, err)
	clocks := fit.Hourly.clocks(f)
	busy := s.occupancy()
	require.NotEmpty(t, s.Occupied)
	for _, class := range []bool{true, false} {
		c := &s.Idle
		if class {
			c = &s.Warm
		}
		k := len(c.PerC) + 1
		columns := make([][]float64, hoursOfWeek+k)
		var y, fitted []float64
		for i, e := range f.Energy {
			if math.IsNaN(e) || busy[clocks[i].how] != class {
				continue
			}
			for j := range columns {
				columns[j] = append(columns[j], 0)
			}
			last := len(y)
			columns[clocks[i].how][last] = 1
			x := make([]float64, len(c.PerC))
			bins(f.Temperature[i], c.EndsC, x)
			for j, v := range x {
				columns[hoursOfWeek+j][last] = v
			}
			columns[hoursOfWeek+k-1][last] = f.Drivers["kiln"][i]
			y = append(y, e)
			fitted = append(fitted, got[i])
		}
		sol := leastSquares(columns, y, nil)
		for i := range y {
			want := 0.0
			for j := range columns {
				want += sol.coef[j] * columns[j][i]
			}
			require.InDelta(t, want, fitted[i], 1e-7)
		}
		require.InDelta(t, 300, c.Drivers[0], 15)
	}
	for _, at := range []string{"2022-01-01T10:00:00", "2022-01-02T10:00:00"} { // a holiday on a Saturday, a Sunday
		when, err := time.ParseInLocation("2006-01-02T15:04:05", at, calendar.Paris)
		require.NoError(t, err)
		for i, start := range f.Start {
			if start.Equal(when) {
				require.Equal(t, 6*24+10, clocks[i].how)
			}
		}
	}
}

// TestInfluence moves single rows of the baseline and fits again.
func TestInfluence(t *testing.T) {
	daily := invented(4, 300, 13, 20)
	daily.Energy[17] = math.NaN()
	later := invented(5, 120, 13, 20)
	hours := readHours(t, "testdata/two_shifts_baseline.csv.gz")
	quarter := readHours(t, "testdata/two_shifts_reporting.csv.gz").Rows(0, 24*90)
	h, c := 13.0, 20.0
	for _, one := range []struct {
		name        string
		base, frame *Frame
		fit         func(f *Frame) (*Fit, error)
		rows        []int
	}{
		{"5P", daily, later, func(f *Frame) (*Fit, error) {
			return Linear(f, Spec{Shape: FiveP, HeatC: &h, CoolC: &c, Drivers: []string{"production_t"}})
		}, []int{0, 17, 18, 250}},
		{"CalTRACK hourly", hours, quarter, func(f *Frame) (*Fit, error) { return CalTRACKHourly(f, HourlyOptions{}) }, []int{5, 700, 4000, 8700}},
		{"TOWT", hours, quarter, func(f *Frame) (*Fit, error) { return TimeOfWeek(f, HourlyOptions{}) }, []int{5, 4000}},
		{"TOWT, weighted", hours, quarter, func(f *Frame) (*Fit, error) { return TimeOfWeek(f, HourlyOptions{TimeScaleDays: 60}) }, []int{5, 8700}},
	} {
		t.Run(one.name, func(t *testing.T) {
			sum := func(f *Fit) (s float64) {
				y, err := f.Predict(one.frame)
				require.NoError(t, err)
				for _, v := range y {
					s += v
				}
				return s
			}
			fit, err := one.fit(one.base)
			require.NoError(t, err)
			a, err := fit.Influence(one.base, one.frame)
			require.NoError(t, err)
			whole := 0.0
			for i, v := range a {
				if v != 0 {
					whole += v * one.base.Energy[i]
				}
			}
			require.InEpsilon(t, sum(fit), whole, 1e-6, "the prediction is linear in the baseline")
			for _, i := range one.rows {
				moved := *one.base
				moved.Energy = append([]float64{}, one.base.Energy...)
				moved.Energy[i] += 1e-3 // too little to change occupancy or bins
				again, err := one.fit(&moved)
				require.NoError(t, err)
				require.InDelta(t, a[i], (sum(again)-sum(fit))/1e-3, 1e-4, "row %d", i)
			}
		})
	}
}

// TestFitsSurviveJSON writes fits, reads them and compares their predictions to
// the bit.
func TestFitsSurviveJSON(t *testing.T) {
	daily := invented(8, 365, 13, 20)
	hours := readHours(t, "testdata/two_shifts_baseline.csv.gz")
	spec := Spec{Shape: FourP, Drivers: []string{"production_t"}, Calendar: []Effect{{Kind: Holiday}, {Kind: Closed, Label: "august", Days: []Span{{"2022-08-01", "2022-08-21"}}}}}
	for _, one := range []struct {
		base *Frame
		fit  func() (*Fit, error)
	}{
		{daily, func() (*Fit, error) { return Linear(daily, spec) }},
		{daily, func() (*Fit, error) { return CalTRACKDaily(daily, CalTRACK{}) }},
		{hours, func() (*Fit, error) { return CalTRACKHourly(hours, HourlyOptions{}) }},
		{hours, func() (*Fit, error) { return TimeOfWeek(hours, HourlyOptions{TimeScaleDays: 90}) }},
	} {
		fit, err := one.fit()
		require.NoError(t, err)
		b, err := json.Marshal(fit)
		require.NoError(t, err)
		back := new(Fit)
		require.NoError(t, json.Unmarshal(b, back))
		want, err := fit.Predict(one.base)
		require.NoError(t, err)
		got, err := back.Predict(one.base)
		require.NoError(t, err)
		require.Equal(t, want, got)
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.JSONEq(t, string(b), string(again))
	}
}

package baseline

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func readMonthly(t *testing.T) *Frame {
	t.Helper()
	file, err := os.Open("testdata/production_monthly.csv")
	require.NoError(t, err)
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	f := &Frame{Step: Month, Drivers: map[string][]float64{}}
	for _, r := range records[1:] {
		at, err := time.Parse("2006-01", r[0])
		require.NoError(t, err)
		f.Start = append(f.Start, at)
		f.Energy = append(f.Energy, parse(r[1]))
		for j, name := range records[0][2:] {
			f.Drivers[name] = append(f.Drivers[name], parse(r[2+j]))
		}
	}
	return f
}

// TestSubsetsMonthly holds a published case of the SEP rules: the figures are
// those of statsmodels and jStat.
func TestSubsetsMonthly(t *testing.T) {
	var want struct {
		Best struct {
			Variables   []string
			Coef, SE, P []float64
			R2          float64
			R2Adj       float64 `json:"r2_adj"`
			FP          float64 `json:"f_pvalue"`
		}
		Validity map[string]bool
		Range    map[string]struct {
			Min     float64  `json:"baseline_min"`
			SD      float64  `json:"baseline_sd"`
			Mean    float64  `json:"report_mean"`
			InMin   bool     `json:"mean_in_min_max"`
			In3     bool     `json:"mean_in_3sd"`
			Outside []string `json:"months_outside"`
		} `json:"range_check"`
	}
	b, err := os.ReadFile("testdata/production_monthly.expected.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))

	f := readMonthly(t)
	base, report := f.Rows(0, 24), f.Rows(24, 36)
	rules := SEP()
	best, err := Choose(base, Choice{Shapes: []Shape{Mean}, Drivers: []string{"production_t", "hdd_16c", "working_days", "visitors"}, AtMost: 4, Rules: &rules, HighestR2Adj: true})
	require.NoError(t, err)
	got := map[string]bool{}
	for _, c := range best.Candidates {
		got[c.Variables] = c.Why == "" || c.Why == whyR2Adj
	}
	require.False(t, got[""], "a mean explains nothing")
	delete(got, "")
	require.Equal(t, want.Validity, got)

	require.Equal(t, want.Best.Variables, best.Spec.Drivers)
	for j, term := range best.Terms {
		require.InEpsilon(t, want.Best.Coef[j], term.Value, 1e-8)
		require.InEpsilon(t, want.Best.SE[j], term.SE, 1e-8)
		require.InEpsilon(t, want.Best.P[j], term.P, 1e-6)
	}
	require.InEpsilon(t, want.Best.R2, best.R2, 1e-9)
	require.InEpsilon(t, want.Best.R2Adj, best.R2Adj, 1e-9)
	require.InEpsilon(t, want.Best.FP, best.FP, 1e-6)
	require.Len(t, best.Candidates, 16)
	for _, c := range best.Candidates[1:] {
		require.NotEmpty(t, c.Why)
	}

	checks := best.CheckRanges(report)
	require.Len(t, checks, 2)
	require.Equal(t, "production_t", checks[0].Variable, "in the order of the model")
	for _, c := range checks {
		w := want.Range[c.Variable]
		require.InDelta(t, w.Min, c.Baseline.Min, 1e-12)
		require.InEpsilon(t, w.SD, c.Baseline.SD, 1e-8)
		require.InEpsilon(t, w.Mean, c.ReportingMean, 1e-8)
		require.Equal(t, w.InMin, c.InMinMax)
		require.Equal(t, w.In3, c.In3SD)
		var outside []string
		for _, at := range c.Outside {
			outside = append(outside, at.Format("2006-01"))
		}
		require.ElementsMatch(t, w.Outside, outside)
	}

	sum := func(x []float64) (s float64) {
		for _, v := range x {
			s += v
		}
		return s
	}
	before, err := best.Predict(base)
	require.NoError(t, err)
	after, err := best.Predict(report)
	require.NoError(t, err)
	a := Forecast(sum(base.Energy), 0, sum(before), sum(after), sum(report.Energy))
	require.InEpsilon(t, 11298.01292, a.Baseline, 1e-8)
	require.InEpsilon(t, 1329.712918, a.Savings, 1e-7)
	require.InEpsilon(t, 0.8823055942, a.SEnPI, 1e-8)
}

func TestBackcast(t *testing.T) {
	// a plant that uses 2 + x before and three quarters of it after
	back := Backcast(12, 0, 9, 15, 15) // x_b = 10, x_r = 18
	require.InDelta(t, 0.75, back.SEnPI, 1e-12)
	require.InDelta(t, 3, back.Savings, 1e-12)
	ahead := Forecast(12, 0, 12, 20, 15)
	require.InDelta(t, 0.75, ahead.SEnPI, 1e-12)
	require.InDelta(t, 5, ahead.Savings, 1e-12)
}

package baseline

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// oracle holds a made-up year of three meters and what OpenEEmeter 3.2.0 makes
// of it.
type oracle struct {
	Params map[string]float64
	R2Adj  float64 `json:"r2_adj"`
	CVRMSE float64
	SSE    float64
	Energy []float64
	Tried  int `json:"candidates"`
}

func readOracle(t testing.TB) (table map[string]*Frame, want map[string]oracle) {
	t.Helper()
	b, err := os.ReadFile("testdata/oracle_daily.expected.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &want))
	file, err := os.Open("testdata/oracle_daily.csv")
	require.NoError(t, err)
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	table = map[string]*Frame{}
	for j, name := range records[0] {
		if j < 2 {
			continue
		}
		f := &Frame{Step: Day}
		for _, r := range records[1:] {
			at, err := time.Parse(time.DateOnly, r[0])
			require.NoError(t, err)
			f.Start = append(f.Start, at)
			f.Temperature = append(f.Temperature, Fahrenheit(parse(r[1])))
			f.Energy = append(f.Energy, parse(r[j]))
		}
		table[name] = f
	}
	return table, want
}

// require parameters of OpenEEmeter, given per degF.
func requireParams(t *testing.T, want map[string]float64, f *Fit, tolerance float64) {
	t.Helper()
	for theirs, ours := range map[string]string{"intercept": Intercept, "beta_hdd": Heating, "beta_cdd": Cooling} {
		got, ok := f.Coefficient(ours)
		w, there := want[theirs]
		require.Equal(t, there, ok, theirs)
		if !there {
			continue
		}
		if theirs != "intercept" {
			w *= 1.8
		}
		require.InEpsilon(t, w, got, tolerance, theirs)
	}
	for theirs, ours := range map[string]string{"heating_balance_point": HeatBalance, "cooling_balance_point": CoolBalance} {
		got, ok := f.Balance(ours)
		w, there := want[theirs]
		require.Equal(t, there, ok, theirs)
		if there {
			require.InDelta(t, Fahrenheit(w), got, 1e-12, theirs)
		}
	}
}

func TestCalTRACKDaily(t *testing.T) {
	table, want := readOracle(t)
	for name, f := range table {
		fit, err := CalTRACKDaily(f, CalTRACK{HeatingOnly: name == "gas"})
		require.NoError(t, err)
		w := want[name]
		requireParams(t, w.Params, fit, 1e-10)
		require.InEpsilon(t, w.R2Adj, fit.R2Adj, 1e-10)
		require.InEpsilon(t, w.CVRMSE, fit.CVRMSE, 1e-10)
		require.InEpsilon(t, w.SSE, fit.SSE, 1e-10)
		require.Equal(t, w.Tried, fit.Tried)
		for k, c := range fit.Candidates {
			require.Equal(t, k > 0, c.Why != "", "losers say why")
		}
		all, err := CalTRACKDaily(f, CalTRACK{HeatingOnly: name == "gas", KeepAll: true})
		require.NoError(t, err)
		require.Len(t, all.Candidates, w.Tried)
	}
}

// months gathers a daily frame by month.
func months(f *Frame) *Frame {
	g := &Frame{Step: Month}
	for i, at := range f.Start {
		if at.Day() == 1 {
			g.Start = append(g.Start, at)
			g.Energy = append(g.Energy, 0)
			g.Daily = append(g.Daily, nil)
		}
		k := len(g.Start) - 1
		g.Energy[k] += f.Energy[i]
		g.Daily[k] = append(g.Daily[k], f.Temperature[i])
	}
	return g
}

func TestCalTRACKBilling(t *testing.T) {
	table, want := readOracle(t)
	for _, name := range []string{"electricity", "gas"} {
		g := months(table[name])
		w := want["billing_"+name]
		require.InDeltaSlice(t, w.Energy, g.Energy, 1e-9)
		fit, err := CalTRACKBilling(g, CalTRACK{HeatingOnly: name == "gas"})
		require.NoError(t, err)
		requireParams(t, w.Params, fit, 1e-8)
		require.InEpsilon(t, w.R2Adj, fit.R2Adj, 1e-8)
		y, err := fit.Predict(g)
		require.NoError(t, err)
		sum, observed := 0.0, 0.0
		for i := range y {
			sum += y[i]
			observed += g.Energy[i]
		}
		require.InEpsilon(t, observed, sum, 1e-9, "weights in days: the year adds up")
	}
}

// TestMonthsNeverLoseToAGrid places change points among the days of months.
func TestMonthsNeverLoseToAGrid(t *testing.T) {
	table, _ := readOracle(t)
	for name, shape := range map[string]Shape{"gas": ThreePHeat, "cooling": ThreePCool, "electricity": FourP} {
		g := months(table[name])
		fit, err := Linear(g, Spec{Shape: shape, PerDay: true})
		require.NoError(t, err)
		least := math.Inf(1)
		for c := -3.0; c < 27; c += 0.02 {
			one, err := Linear(g, Spec{Shape: shape, PerDay: true, HeatC: &c, CoolC: &c})
			if err == nil {
				least = min(least, one.SSE)
			}
		}
		require.LessOrEqual(t, fit.SSE, least*(1+1e-9), name)
		require.InEpsilon(t, least, fit.SSE, 1e-3, name)
	}
	g := months(table["electricity"])
	five, err := Linear(g, Spec{Shape: FiveP, PerDay: true})
	require.NoError(t, err)
	grid, err := CalTRACKBilling(g, CalTRACK{})
	require.NoError(t, err)
	require.Equal(t, FiveP, grid.Spec.Shape)
	require.LessOrEqual(t, five.SSE, grid.SSE)
}

func TestCalTRACKRefuses(t *testing.T) {
	f := invented(1, 365, 14, 20)
	f.Step = Hour
	_, err := CalTRACKDaily(f, CalTRACK{})
	require.ErrorContains(t, err, "not of a day")
	_, err = CalTRACKBilling(f, CalTRACK{})
	require.ErrorContains(t, err, "longer than a day")
	f.Step = Day
	for i := range f.Energy {
		f.Energy[i] = -1
	}
	_, err = CalTRACKDaily(f, CalTRACK{})
	require.ErrorContains(t, err, "not negative")
}

//go:build openeemeter

package baseline

// The public sample meters of OpenEEmeter 3.2.0 are not ours to ship. With them
// in a directory,
//
//	OPENEEMETER_SAMPLES=DIR go test -tags openeemeter ./analytics/baseline
//
// compares with what that program finds. It reads the days of daily samples as
// days of UTC, and so does this.

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func sampleRows(t *testing.T, name string) [][]string {
	t.Helper()
	file, err := os.Open(filepath.Join(os.Getenv("OPENEEMETER_SAMPLES"), name))
	require.NoError(t, err)
	defer file.Close()
	z, err := gzip.NewReader(file)
	require.NoError(t, err)
	records, err := csv.NewReader(z).ReadAll()
	require.NoError(t, err)
	return records[1:]
}

func sampleMeter(t *testing.T, name string, step Step) *Frame {
	t.Helper()
	sum, n := map[int64]float64{}, map[int64]float64{}
	key := func(at time.Time) int64 { return at.Unix() / 3600 }
	if step == Day {
		key = func(at time.Time) int64 { return at.Unix() / 86400 }
	}
	for _, r := range sampleRows(t, "il-tempF.csv.gz") {
		at, err := time.Parse(time.RFC3339, r[0])
		require.NoError(t, err)
		if v := parse(r[1]); v == v {
			sum[key(at)] += v
			n[key(at)]++
		}
	}
	f := &Frame{Step: step}
	for _, r := range sampleRows(t, name+".csv.gz") {
		at, err := time.Parse(time.RFC3339, r[0])
		require.NoError(t, err)
		at = at.UTC()
		if step == Day {
			at = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
		}
		f.Start = append(f.Start, at)
		f.Energy = append(f.Energy, parse(r[1]))
		f.Temperature = append(f.Temperature, Fahrenheit(sum[key(at)]/n[key(at)]))
	}
	return f
}

func savings(t *testing.T, f *Fit, report *Frame) (counterfactual, saved float64) {
	t.Helper()
	y, err := f.Predict(report)
	require.NoError(t, err)
	for i, v := range y {
		if e := report.Energy[i]; e == e && v == v {
			counterfactual += v
			saved += v - e
		}
	}
	return counterfactual, saved
}

var (
	sampleBlackout = time.Date(2016, 12, 26, 0, 0, 0, 0, time.UTC)
	sampleReport   = time.Date(2017, 1, 4, 0, 0, 0, 0, time.UTC)
)

func TestSamplesDaily(t *testing.T) {
	for name, want := range map[string]struct {
		params                map[string]float64
		r2adj, cvrmse         float64
		counterfactual, saved float64
	}{
		"il-electricity-cdd-hdd-daily":  {map[string]float64{"intercept": 13.472385591795213, "beta_cdd": 2.5162550264901267, "beta_hdd": 1.1122947857443493, "cooling_balance_point": 68, "heating_balance_point": 53}, 0.7684732992831353, 0.2536152232413613, 9876.148496, 793.908496},
		"il-electricity-cdd-only-daily": {map[string]float64{"intercept": 8.512271300971534, "beta_cdd": 4.076757636409739, "cooling_balance_point": 64}, 0.8852828856186366, 0.34310571319040845, 9279.928999, 308.768999},
		"il-gas-hdd-only-daily":         {map[string]float64{"intercept": 0.772120977074462, "beta_hdd": 0.218482851021135, "heating_balance_point": 60}, 0.9145328159101601, 0.30353925892949085, 1043.866487, 83.646487},
	} {
		f := sampleMeter(t, name, Day)
		fit, err := CalTRACKDaily(f.Between(sampleBlackout.AddDate(0, 0, -365), sampleBlackout), CalTRACK{HeatingOnly: name[3] == 'g'})
		require.NoError(t, err)
		requireParams(t, want.params, fit, 1e-8)
		require.InEpsilon(t, want.r2adj, fit.R2Adj, 1e-9)
		require.InEpsilon(t, want.cvrmse, fit.CVRMSE, 1e-9)
		c, s := savings(t, fit, f.Between(sampleReport, sampleReport.AddDate(0, 0, 365)))
		require.InEpsilon(t, want.counterfactual, c, 1e-8)
		require.InEpsilon(t, want.saved, s, 1e-6)
	}
}

func TestSamplesHourly(t *testing.T) {
	for name, saved := range map[string]float64{
		"il-electricity-cdd-hdd-hourly": 1104.4326332572823, "il-electricity-cdd-only-hourly": 568.79, "il-gas-hdd-only-hourly": 100.91,
	} {
		f := sampleMeter(t, name, Hour)
		fit, err := CalTRACKHourly(f.Between(sampleBlackout.AddDate(0, 0, -365), sampleBlackout), HourlyOptions{})
		require.NoError(t, err)
		c, s := savings(t, fit, f.Between(sampleReport, sampleReport.AddDate(0, 0, 365)))
		t.Logf("%s: counterfactual %.4f, savings %.4f, CV %.4f", name, c, s, fit.CVRMSE)
		require.InDelta(t, saved, s, 0.006, name)
	}
}

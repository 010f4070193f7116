package task

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// normalCase is a task of one step with a normal year and the truth under normal
// conditions: production 12 % above what the reporting period had, weather of a year
// of its own, a tenth of all use saved.
func normalCase(kind string, seed uint64) (files map[string][]byte, truth float64) {
	r := rand.New(rand.NewPCG(seed, 41))
	w, typical := newWeather(r, y0(2022), y0(2024)), newWeather(r, y0(2015), y0(2016))
	const usual, stated = 200.0, 224.0
	temp := func(w weather, from, to time.Time) float64 {
		s, n := 0.0, 0.0
		for d := from; d.Before(to); d = d.AddDate(0, 0, 1) {
			s += max(15-w.day(d), 0)
			n++
		}
		return s / n
	}
	files = map[string][]byte{}
	var base, rep, norm strings.Builder
	noise := 0.0
	out := func(t time.Time, format string, v ...any) {
		b := &base
		if t.Year() == 2023 {
			b = &rep
		}
		fmt.Fprintf(b, format, v...)
	}
	saved := func(t time.Time, y float64) float64 {
		if t.Year() == 2023 {
			return 0.9 * y
		}
		return y
	}
	switch kind {
	case "daily", "monthly":
		step := func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
		if kind == "monthly" {
			step = func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
		}
		for t := y0(2022); t.Before(y0(2024)); t = step(t) {
			days := step(t).Sub(t).Hours() / 24
			hdd := temp(w, t, step(t))
			p := usual + 30*r.NormFloat64()
			noise = 0.4*noise + 20*r.NormFloat64()
			y := saved(t, 500+35*hdd+2*p+noise)
			if kind == "daily" {
				out(t, "%s,%.2f,%.2f,%.1f\n", t.Format(time.DateOnly), y, w.day(t), p)
			} else {
				out(t, "%s,%.2f,%.2f,%.1f\n", t.Format("2006-01"), y*days, hdd*days, p*days)
			}
		}
		for t := y0(2015); t.Before(y0(2016)); t = step(t) {
			days := step(t).Sub(t).Hours() / 24
			hdd := temp(typical, t, step(t))
			truth += 0.1 * (500 + 35*hdd + 2*stated) * math.Round(days)
			if kind == "daily" {
				fmt.Fprintf(&norm, "%s,%.2f\n", t.Format(time.DateOnly), typical.day(t))
			} else {
				fmt.Fprintf(&norm, "%s,%.2f,%.1f\n", t.Format("2006-01"), hdd*days, stated*days)
			}
		}
		if kind == "daily" {
			head := "time,value,temperature_c,tonnes\n"
			files["baseline.csv"], files["reporting.csv"], files["normal.csv"] = []byte(head+base.String()), []byte(head+rep.String()), []byte("time,temperature_c\n"+norm.String())
			files["case.json"] = caseFile(`"energy": "gas", "unit": "kWh", "timezone": "Europe/Paris", "frequency": "daily", "candidate_variables": ["tonnes"], "normal_conditions": {"tonnes": 224}, "files": ["baseline.csv", "reporting.csv", "normal.csv"]`)
		} else {
			head := "month,value,hdd,tonnes\n"
			files["baseline.csv"], files["reporting.csv"], files["normal.csv"] = []byte(head+base.String()), []byte(head+rep.String()), []byte("month,hdd,tonnes\n"+norm.String())
			files["case.json"] = caseFile(`"energy": "gas", "unit": "kWh", "timezone": "Europe/Paris", "frequency": "monthly", "candidate_variables": ["tonnes", "hdd"], "files": ["baseline.csv", "reporting.csv", "normal.csv"]`)
		}
	case "invoices":
		var temps strings.Builder
		for t := y0(2022); t.Before(y0(2024)); {
			next := t.AddDate(0, 1, 0)
			y := 0.0
			for d := t; d.Before(next); d = d.AddDate(0, 0, 1) {
				y += saved(d, 500+35*max(15-w.day(d), 0)+40*r.NormFloat64())
				fmt.Fprintf(&temps, "%s,%.2f\n", d.Format(time.DateOnly), w.day(d))
			}
			out(t, "%s,%s,%.1f\n", t.Format(time.DateOnly), next.Format(time.DateOnly), y)
			t = next
		}
		for d := y0(2015); d.Before(y0(2016)); d = d.AddDate(0, 0, 1) {
			truth += 0.1 * (500 + 35*max(15-typical.day(d), 0))
			fmt.Fprintf(&norm, "%s,%.2f\n", d.Format(time.DateOnly), typical.day(d))
		}
		head := "start,end,value\n"
		files["baseline.csv"], files["reporting.csv"] = []byte(head+base.String()), []byte(head+rep.String())
		files["normal.csv"], files["temperature.csv"] = []byte("time,temperature_c\n"+norm.String()), []byte("time,temperature_c\n"+temps.String())
		files["case.json"] = caseFile(`"energy": "gas", "unit": "kWh", "timezone": "Europe/Paris", "frequency": "billing", "files": ["baseline.csv", "reporting.csv", "temperature.csv", "normal.csv"]`)
	case "hourly":
		for t := y0(2022); t.Before(y0(2024)); t = t.Add(time.Hour) {
			noise = 0.8*noise + 6*r.NormFloat64()
			out(t, "%s,%.2f,%.2f\n", t.UTC().Format(time.RFC3339), saved(t.In(berlin), factory(t, w.at(t))+noise), w.at(t))
		}
		for t := y0(2015); t.Before(y0(2016)); t = t.Add(time.Hour) {
			fmt.Fprintf(&norm, "%s,%.2f\n", t.UTC().Format(time.RFC3339), typical.at(t))
		}
		for t := y0(2023); t.Before(y0(2024)); t = t.Add(time.Hour) { // the calendar of the reporting period
			local := t.In(berlin)
			truth += 0.1 * factory(t, typical.at(time.Date(2015, local.Month(), local.Day(), local.Hour(), 0, 0, 0, berlin)))
		}
		head := "time,value,temperature_c\n"
		files["baseline.csv"], files["reporting.csv"], files["normal.csv"] = []byte(head+base.String()), []byte(head+rep.String()), []byte(head[:5]+"temperature_c\n"+norm.String())
		files["case.json"] = caseFile(`"energy": "electricity", "unit": "kWh", "timezone": "Europe/Paris", "frequency": "hourly", "files": ["baseline.csv", "reporting.csv", "normal.csv"]`)
	}
	return files, truth
}

// TestNormalConditions: the saving under normal conditions is found at every step, with
// drivers that the task states or a file gives, and lies within its interval about
// as often as that says. NORMAL_SITES sets how many sites are made.
func TestNormalConditions(t *testing.T) {
	sites := 5
	if _, err := fmt.Sscan(os.Getenv("NORMAL_SITES"), &sites); err != nil {
		sites = 5
	}
	for _, kind := range []string{"daily", "monthly", "invoices", "hourly"} {
		held, off := 0, 0.0
		for seed := range sites {
			files, truth := normalCase(kind, uint64(seed+1))
			out := answered(t, files)
			saved, half := num(t, out, "report.normalised.savings"), num(t, out, "report.normalised.unc90")
			if math.Abs(saved-truth) <= half {
				held++
			}
			off += math.Abs(saved-truth) / truth
			require.Less(t, half, 0.6*truth, kind)
			require.InEpsilon(t, truth, saved, 0.5, kind)
		}
		t.Logf("%s: %d of %d within the interval, off by %.1f %% in the mean", kind, held, sites, 100*off/float64(sites))
		require.GreaterOrEqual(t, float64(held), 0.6*float64(sites), kind)
	}
}

// TestNormalConditionsRefused says why there is no figure, for programs too.
func TestNormalConditionsRefused(t *testing.T) {
	files, _ := normalCase("daily", 3)
	lines := strings.Split(string(files["reporting.csv"]), "\n")
	files["reporting.csv"] = []byte(strings.Join(lines[:200], "\n"))
	out := answered(t, files)
	require.Contains(t, out["flags"], NotNormalised)
	require.NotContains(t, out["report"], "normalised")

	files, _ = normalCase("hourly", 3)
	var days strings.Builder
	days.WriteString("time,temperature_c\n")
	for d := y0(2015); d.Before(y0(2016)); d = d.AddDate(0, 0, 1) {
		fmt.Fprintf(&days, "%s,%.1f\n", d.Format(time.DateOnly), 10.0)
	}
	files["normal.csv"] = []byte(days.String())
	out = answered(t, files)
	require.Contains(t, out["flags"].(map[string]any)[NotNormalised], "hours")

	// Without stated values the drivers have the means of the reporting period.
	files, _ = normalCase("daily", 4)
	files["case.json"] = []byte(strings.Replace(string(files["case.json"]), `"normal_conditions": {"tonnes": 224}, `, "", 1))
	out = answered(t, files)
	conditions, _ := at(out, "report.normalised.conditions")
	require.Equal(t, "mean of the reporting period", conditions[0].(map[string]any)["tonnes"])
}

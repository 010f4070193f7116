package task

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func heated(t time.Time, temp float64) float64 { return 500 + 40*math.Max(15-temp, 0) }

// Civil hours without a zone: the hour that comes twice is two hours, for each meter
// of a table, by halves of an hour too.
func TestCivilHourThatComesTwice(t *testing.T) {
	from, to := time.Date(2022, 10, 29, 22, 0, 0, 0, time.UTC), time.Date(2022, 10, 30, 23, 0, 0, 0, time.UTC)
	for _, step := range []time.Duration{time.Hour, 30 * time.Minute} {
		for _, meters := range [][]string{{"a"}, {"a", "b"}} {
			var b strings.Builder
			b.WriteString("time,meter,value\n")
			for at := from; at.Before(to); at = at.Add(step) {
				for _, m := range meters {
					fmt.Fprintf(&b, "%s,%s,1\n", at.In(berlin).Format("2006-01-02 15:04"), m)
				}
			}
			got, err := readTable("x.csv", []byte(b.String()), berlin)
			require.NoError(t, err)
			for i, at := range got.time {
				require.Equal(t, from.Add(time.Duration(i/len(meters))*step), at.UTC(), "line %d", i+2)
			}
		}
	}
}

// A first column of times needs no name; "tempF" is in degrees Fahrenheit.
func TestColumnsWithoutUsualNames(t *testing.T) {
	got, err := readTable("temperature.csv", []byte("dt,tempF\n2022-01-01T00:00:00-06:00,50\n"), time.UTC)
	require.NoError(t, err)
	require.Equal(t, time.Date(2022, 1, 1, 6, 0, 0, 0, time.UTC), got.time[0].UTC())
	require.InDelta(t, 10, got.temperature()[0], 1e-9)
	_, err = readTable("temperature.csv", []byte("foo,bar\n3,50\n"), time.UTC)
	require.ErrorContains(t, err, "no column of time")
}

// A blackout is in neither period; alone it gives both (CalTRACK 2.0: 365 days). An
// end that is the next period's beginning is half-open.
func TestBlackout(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 1))
	w := newWeather(r, y0(2021), y0(2025))
	meter := []byte(daily(r, w, y0(2021), y0(2025), heated, 0.3, 20))
	for name, periods := range map[string]string{
		"alone":     `"blackout": ["2022-12-26", "2023-01-04"]`,
		"with both": `"baseline": ["2021-12-26", "2022-12-26"], "blackout": ["2022-12-26", "2023-01-05"], "reporting": ["2023-01-05", "2024-01-05"]`,
	} {
		got := answered(t, map[string][]byte{"meter.csv": meter,
			"case.json": caseFile(`"energy": "heat", "timezone": "Europe/Paris", "frequency": "daily", "files": ["meter.csv"], ` + periods)})
		require.Equal(t, 365.0, num(t, got, "metrics.n"), name)
		require.Equal(t, 365.0, num(t, got, "report.total.m"), name)
	}
}

// Values that no meter counts are missing, with a warning.
func TestValuesTooGreat(t *testing.T) {
	r := rand.New(rand.NewPCG(32, 1))
	w := newWeather(r, y0(2022), y0(2024))
	base := strings.ReplaceAll(daily(r, w, y0(2022), y0(2023), heated, 0.3, 20), "2022-05-05,", "2022-05-05,1e300,10\n2022-05-06,-1e300,10\n2022-05-07,")
	got := answered(t, map[string][]byte{"baseline.csv": []byte(base), "reporting.csv": []byte(daily(r, w, y0(2023), y0(2024), heated, 0.3, 20)),
		"case.json": caseFile(`"energy": "heat", "timezone": "Europe/Paris", "frequency": "daily", "files": ["baseline.csv", "reporting.csv"]`)})
	require.Contains(t, got["warnings"], "baseline.csv: 2 cells are no number and count as missing")
}

func TestFinite(t *testing.T) {
	v := map[string]any{"a": math.NaN(), "b": []any{1.0, math.Inf(1)}, "c": []float64{math.Inf(-1), 2}, "d": "text", "e": []float64{1}}
	_, bad := finite(v)
	require.True(t, bad)
	require.Equal(t, map[string]any{"a": nil, "b": []any{1.0, nil}, "c": []any{nil, 2.0}, "d": "text", "e": []float64{1}}, v)
	_, bad = finite(v)
	require.False(t, bad)
}

// Of several files each is answered for by itself: one that cannot be read does not
// take the others with it. A saving whose files are not all there has no answer.
func TestUnreadableFileAmongOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 1))
	w := newWeather(r, y0(2022), y0(2024))
	year := []byte(daily(r, w, y0(2022), y0(2023), heated, 0.3, 20))
	files := map[string][]byte{"good.csv": year, "other.csv": year, "empty.csv": []byte("time,value,temperature_c\n"), "broken.csv": {},
		"case.json": caseFile(`"energy": "heat", "timezone": "Europe/Paris", "frequency": "daily", "files": ["good.csv", "other.csv", "empty.csv", "broken.csv", "absent.csv"]`)}
	got := answered(t, files)
	for _, name := range []string{"empty", "broken", "absent"} {
		v, _ := at(got, name+".sufficient")
		require.Equal(t, []any{false}, v, name)
		require.Equal(t, []any{Unreadable}, got["flags"].(map[string]any)[name])
	}
	require.Equal(t, 365.0, num(t, got, "good.n_valid_days"))
	require.Equal(t, 3.0, num(t, got, "refused_files"))
	files = map[string][]byte{"baseline.csv": year, "reporting.csv": []byte("time,value,temperature_c\n"),
		"case.json": caseFile(`"energy": "heat", "files": ["baseline.csv", "reporting.csv"]`)}
	_, err := Answer(files)
	require.ErrorContains(t, err, "reporting.csv: no data")
}

// invoices writes bills of these lengths in turn, without noise, 15 % saved from 2023.
func invoices(w weather, lengths []int) (bills, temps []byte, saved float64) {
	var b, c strings.Builder
	b.WriteString("start,end,value\n")
	c.WriteString("time,temperature_c\n")
	for at := y0(2022); at.Before(y0(2024).AddDate(0, 3, 0)); at = at.AddDate(0, 0, 1) {
		fmt.Fprintf(&c, "%s,%.3f\n", at.Format(time.DateOnly), w.day(at))
	}
	k := 0
	for at := y0(2022); at.Before(y0(2024)); k++ {
		end := at.AddDate(0, 0, lengths[k%len(lengths)])
		if at.Before(y0(2023)) && end.After(y0(2023)) {
			end = y0(2023)
		}
		sum := 0.0
		for d := at; d.Before(end); d = d.AddDate(0, 0, 1) {
			y := 20 + 9*math.Max(15.5-w.day(d), 0)
			if !d.Before(y0(2023)) {
				saved += 0.15 * (y - 20)
				y -= 0.15 * (y - 20)
			}
			sum += y
		}
		fmt.Fprintf(&b, "%s,%s,%.2f\n", at.Format(time.DateOnly), end.Format(time.DateOnly), sum)
		at = end
	}
	return []byte(b.String()), []byte(c.String()), saved
}

// Invoices of irregular lengths: a baseline short of days is answered with a warning,
// one that is mostly of two months takes its limit, and of the reporting period every
// invoice counts, however short or long.
func TestIrregularInvoices(t *testing.T) {
	w := newWeather(rand.New(rand.NewPCG(34, 1)), y0(2022), y0(2024).AddDate(0, 4, 0))
	for name, c := range map[string]struct {
		lengths    []int
		longest    float64
		sufficient any
	}{
		"short and long": {[]int{30, 33, 28, 31, 18, 34, 32, 29, 38, 31, 33, 27}, 70, nil},
		"short":          {[]int{30, 33, 28, 18, 31, 18, 34, 32, 29, 31, 33, 27}, 35, false},
		"two months":     {[]int{61, 62, 60}, 70, true},
	} {
		bills, temps, saved := invoices(w, c.lengths)
		got := answered(t, map[string][]byte{"bills.csv": bills, "temperature.csv": temps,
			"case.json": caseFile(`"energy": "gas", "timezone": "Europe/Paris", "frequency": "billing", "baseline": ["2022-01-01", "2022-12-31"], "reporting": ["2023-01-01", "2023-12-31"], "files": ["bills.csv", "temperature.csv"]`)})
		require.Equal(t, c.longest, num(t, got, "dq.baseline.longest_days"), name)
		require.InEpsilon(t, saved, num(t, got, "report.total.savings"), 0.05, name)
		if c.sufficient != nil {
			require.Equal(t, c.sufficient, got["sufficient"], name)
		}
		if got["sufficient"] == false {
			require.Contains(t, got["flags"], "too_few_days", name)
			require.NotContains(t, got, "refused", name)
		}
	}
}

// Adjustments are those of the site, not of its control; their unit is that of the
// key; words give an amount too.
func TestWaysToWriteAdjustments(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 1))
	w := newWeather(r, y0(2022), y0(2024))
	files := map[string][]byte{"baseline.csv": []byte(daily(r, w, y0(2022), y0(2023), heated, 0.3, 20)),
		"reporting.csv": []byte(daily(r, w, y0(2023), y0(2024), heated, 0.3, 20)), "control.csv": []byte(daily(r, w, y0(2023), y0(2024), heated, 0.3, 20))}
	for nra, want := range map[string]float64{
		`[{"from": "2023-07-01", "to": "2023-07-31", "kwh_per_day": 10}]`:                 310,
		`[{"from": "2023-07-01", "to": "2023-07-31", "added_mwh_per_month": 3}]`:          3000,
		`{"months": ["2023-07", "2023-08"], "mwh_per_month": 2, "reason": "a line"}`:      4000,
		`{"dates": ["2023-07-03", "2023-07-05"], "kwh_per_day": 50}`:                      100,
		`"2023-07 to 2023-08: cold store, +1.5 MWh per month, accepted by the works"`:     3000,
		`"from 2023-07-01 to 2023-07-10 a test bench used 20 kWh/day (invoice attached)"`: 200,
	} {
		files["case.json"] = caseFile(`"energy": "heat", "unit": "kWh", "timezone": "Europe/Paris", "frequency": "daily", "nra": ` + nra + `, "files": ["baseline.csv", "reporting.csv", "control.csv"]`)
		got := answered(t, files)
		require.InDelta(t, want, num(t, got, "report.adjusted.savings")-num(t, got, "report.unadjusted.savings"), 1e-6, nra)
		require.Zero(t, num(t, got, "control.report.total.nra"), nra)
		require.NotContains(t, got, "not_understood", nra)
	}
}

// A change of level that lasts a season is no share of the adjusted baseline, and does
// not hide the closures that come again.
func TestClosuresUnderAnEvent(t *testing.T) {
	r := rand.New(rand.NewPCG(36, 1))
	w := newWeather(r, y0(2022), y0(2024))
	got := answered(t, map[string][]byte{"baseline.csv": []byte(daily(r, w, y0(2022), y0(2023), works, 0.3, 60)),
		"reporting.csv": []byte(daily(r, w, y0(2023), y0(2024), func(at time.Time, temp float64) float64 {
			y := works(at, temp)
			if d := at.YearDay(); d >= 80 && d < 270 {
				y += 450
			}
			return y
		}, 0.3, 60)),
		"case.json": caseFile(`"energy": "electricity", "timezone": "Europe/Paris", "frequency": "daily", "files": ["baseline.csv", "reporting.csv"]`)})
	require.Contains(t, got, "closures")
	require.Contains(t, got["closures"], map[string]any{"from": "2023-08-02", "to": "2023-08-22"})
	events := got["nre"].(map[string]any)["candidates"].([]any)
	require.Len(t, events, 2)
	for i, want := range []string{"2023-03-21", "2023-09-27"} {
		a, _ := time.Parse(time.DateOnly, want)
		b, _ := time.Parse(time.DateOnly, events[i].(string))
		require.LessOrEqual(t, math.Abs(b.Sub(a).Hours()), 7*24.0, events)
	}
}

// Files may be named by role, by meter, with the names of their columns, and lie one
// folder down.
func TestWaysToNameFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 1))
	w := newWeather(r, y0(2022), y0(2024))
	base, rep := daily(r, w, y0(2022), y0(2023), heated, 0.3, 20), daily(r, w, y0(2023), y0(2024), heated, 0.3, 20)
	own := func(s string) string { return strings.Replace(s, "time,value,temperature_c", "stamp,gaz,meteo", 1) }
	columns := `"time": "stamp", "value": "gaz", "temperature": "meteo"`
	for name, c := range map[string]struct {
		files string
		own   bool
	}{
		"roles":           {`{"baseline": "a.csv", "reporting": "b.csv"}`, false},
		"meter":           {`{"M1": ["a_baseline.csv", "b_reporting.csv"]}`, false},
		"maps":            {`[{"file": "a.csv", "role": "baseline", ` + columns + `}, {"file": "b.csv", "role": "reporting", ` + columns + `}]`, true},
		"columns of each": {`{"a_baseline.csv": {"columns": {` + columns + `}}, "b_reporting.csv": {"columns": {` + columns + `}}}`, true},
		"columns of all":  {`["a_baseline.csv", "b_reporting.csv"], "columns": {` + columns + `}`, true},
		"folder":          {`["data/a_baseline.csv", "data/a_reporting.csv"]`, false},
	} {
		one, two := base, rep
		if c.own {
			one, two = own(base), own(rep)
		}
		files := map[string][]byte{"case.json": caseFile(`"energy": "heat", "timezone": "Europe/Paris", "frequency": "daily", "files": ` + c.files)}
		for _, n := range []string{"a.csv", "a_baseline.csv", "data/a_baseline.csv"} {
			files[n] = []byte(one)
		}
		for _, n := range []string{"b.csv", "b_reporting.csv", "data/a_reporting.csv"} {
			files[n] = []byte(two)
		}
		if name == "columns of each" || name == "columns of all" || name == "meter" { // one meter, though the names begin apart
			for n, to := range map[string]string{"a_baseline.csv": "baseline.csv", "b_reporting.csv": "reporting.csv"} {
				files[to] = files[n]
				files["case.json"] = []byte(strings.ReplaceAll(string(files["case.json"]), n, to))
			}
		}
		got := answered(t, files)
		require.Equal(t, 365.0, num(t, got, "report.total.m"), name)
		require.NotContains(t, got, "not_understood", name)
	}
	for _, bad := range []string{`3`, `[3]`, `{"baseline": 3}`, `[{"role": "baseline"}]`} {
		_, err := Answer(map[string][]byte{"case.json": caseFile(`"files": ` + bad)})
		require.ErrorContains(t, err, "task.files", bad)
	}
}

// Among files that are judged one by one, one called control is judged as well.
func TestControlAmongFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(38, 1))
	w := newWeather(r, y0(2022), y0(2024))
	year := []byte(daily(r, w, y0(2022), y0(2023), heated, 0.3, 20))
	got := answered(t, map[string][]byte{"a.csv": year, "b.csv": year, "control.csv": year,
		"case.json": caseFile(`"energy": "heat", "timezone": "Europe/Paris", "frequency": "daily", "files": ["a.csv", "b.csv", "control.csv"]`)})
	for _, name := range []string{"a", "b", "control"} {
		require.Equal(t, 365.0, num(t, got, name+".n_valid_days"))
	}
}

// A file whose name tells no period is the reporting period of a baseline that ends
// before it.
func TestFileAfterBaseline(t *testing.T) {
	r := rand.New(rand.NewPCG(39, 1))
	w := newWeather(r, y0(2022), y0(2024))
	base, rep := daily(r, w, y0(2022), y0(2023), heated, 0.3, 20), daily(r, w, y0(2023), y0(2024), heated, 0.3, 20)
	got := answered(t, map[string][]byte{"baseline.csv": []byte(base), "event.csv": []byte(rep), "control.csv": []byte(rep),
		"case.json": caseFile(`"energy": "heat", "timezone": "Europe/Paris", "frequency": "daily", "files": ["event.csv", "baseline.csv", "control.csv"]`)})
	require.Equal(t, 365.0, num(t, got, "report.total.m"))
	require.Equal(t, 365.0, num(t, got, "control.report.total.m"))
	require.Contains(t, got["nre"], "candidates")
}

// A model left open is chosen: every family is in the record, with least squares that
// no constraint raises, among them time of week and temperature. A task that names a
// family gets it.
func TestFamiliesInTheRecord(t *testing.T) {
	r := rand.New(rand.NewPCG(40, 1))
	w := newWeather(r, y0(2022), y0(2024))
	shop := func(at time.Time, temp float64) float64 { // on working days the slope is another
		if isWeekend(at) {
			return 400 + 5*math.Max(15-temp, 0)
		}
		return 900 + 60*math.Max(15-temp, 0)
	}
	files := map[string][]byte{"baseline.csv": []byte(daily(r, w, y0(2022), y0(2023), shop, 0.2, 15)), "reporting.csv": []byte(daily(r, w, y0(2023), y0(2024), shop, 0.2, 15))}
	task := `"energy": "electricity", "timezone": "Europe/Paris", "frequency": "daily", "files": ["baseline.csv", "reporting.csv"], "model": `
	files["case.json"] = caseFile(task + `"free choice"`)
	got := answered(t, files)
	require.Equal(t, "TOWT", got["model"].(map[string]any)["type"])
	for _, name := range []string{"2P", "3PH", "3PC", "4P", "5P", "6P", "TOWT", "CalTRACK"} {
		require.Positive(t, num(t, got, "models."+name+".sse"), name)
	}
	require.LessOrEqual(t, num(t, got, "models.3PC.sse"), num(t, got, "models.mean.sse"))
	require.LessOrEqual(t, num(t, got, "models.5P.sse"), num(t, got, "models.3PH.sse")*(1+1e-9))
	require.LessOrEqual(t, num(t, got, "models.6P.sse"), num(t, got, "models.5P.sse")*(1+1e-9))
	require.Less(t, math.Abs(num(t, got, "report.total.savings")), num(t, got, "report.total.unc90"))
	files["case.json"] = caseFile(task + `"3PH"`)
	require.Equal(t, "3PH", answered(t, files)["model"].(map[string]any)["type"])
}

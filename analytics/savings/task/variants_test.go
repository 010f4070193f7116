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

// Synthetic tasks of every kind, whose truth is known.

var berlin = func() *time.Location {
	l, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return l
}()

// weather is a temperature for every hour from an instant.
type weather struct {
	from time.Time
	t    []float64
}

func newWeather(r *rand.Rand, from, to time.Time) weather {
	w := weather{from: from}
	e := 0.0
	for at := from; at.Before(to); at = at.Add(time.Hour) {
		e = 0.985*e + 0.6*r.NormFloat64()
		day := float64(at.YearDay())
		w.t = append(w.t, 11-9.5*math.Cos(2*math.Pi*(day-20)/365.25)-3*math.Cos(2*math.Pi*float64(at.UTC().Hour()-3)/24)+e)
	}
	return w
}

func (w weather) at(t time.Time) float64 { return w.t[int(t.Sub(w.from)/time.Hour)] }

// day is the mean of a civil day.
func (w weather) day(t time.Time) float64 {
	s, n := 0.0, 0.0
	for at := t; at.Before(t.AddDate(0, 0, 1)); at = at.Add(time.Hour) {
		s += w.at(at)
		n++
	}
	return s / n
}

// factory is the hourly use of a two-shift site.
func factory(t time.Time, temp float64) float64 {
	local := t.In(berlin)
	y := 110 + 4*math.Max(12-temp, 0) + 2.5*math.Max(temp-19, 0)
	h, w := local.Hour(), local.Weekday()
	if w >= time.Monday && w <= time.Friday && h >= 5 && h < 21 {
		y += 180
	}
	return y
}

func caseFile(task string) []byte { return []byte(`{"case": "synthetic", "task": {` + task + `}}`) }

func y0(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, berlin) }

func TestDirtyHours(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	w := newWeather(r, y0(2022), y0(2024))
	var base, rep strings.Builder
	base.WriteString("time,value,temperature_c\n")
	rep.WriteString("time,value,temperature_c\n")
	truth, e := 0.0, 0.0
	var zero, negative, wild []string
	for at := y0(2022); at.Before(y0(2024)); at = at.Add(time.Hour) {
		i := int(at.Sub(y0(2022)) / time.Hour)
		e = 0.8*e + 6*r.NormFloat64()
		y := factory(at, w.at(at))
		if !at.Before(y0(2023)) {
			truth += 0.08 * y
			fmt.Fprintf(&rep, "%s,%.2f,%.1f\n", stamp(at), y*0.92+e, w.at(at))
			continue
		}
		v, temp := fmt.Sprintf("%.2f", y+e), fmt.Sprintf("%.1f", w.at(at))
		switch {
		case i%701 == 5:
			v, zero = "0", append(zero, stamp(at))
		case i%1709 == 8:
			v, negative = "-12.5", append(negative, stamp(at))
		case i%2003 == 13:
			v, wild = fmt.Sprintf("%.2f", 20*y), append(wild, stamp(at))
		case i%1301 == 20:
			v = "9999"
		case i >= 3000 && i < 3040, i%977 < 3:
			continue // not given
		case i >= 5000 && i < 5020:
			v = "177.77" // stuck
		}
		if i >= 6000 && i < 6004 || i >= 6100 && i < 6110 {
			temp = ""
		}
		fmt.Fprintf(&base, "%s,%s,%s\n", stamp(at), v, temp)
		if i == 4321 {
			fmt.Fprintf(&base, "%s,%s,%s\n", stamp(at), v, temp)
		}
	}
	got := answered(t, map[string][]byte{"baseline.csv": []byte(base.String()), "reporting.csv": []byte(rep.String()),
		"case.json": caseFile(`"energy": "electricity", "unit": "kWh", "timezone": "Europe/Paris", "frequency": "hourly data, daily model", "sentinel": 9999,
			"rule": "a day with more than 50 % of its hours is kept, gaps filled by the day's mean", "files": ["baseline.csv", "reporting.csv"]`)})
	require.Equal(t, 8760.0, num(t, got, "dq.expected_hours_baseline"))
	list := func(path string) []string {
		v, ok := at(got, path)
		require.True(t, ok, path)
		var out []string
		for _, x := range v[0].([]any) {
			out = append(out, x.(string))
		}
		return out
	}
	require.Subset(t, list("dq.zero_hours"), zero)
	require.Subset(t, list("dq.negative_hours"), negative)
	require.Subset(t, list("dq.outliers"), wild)
	require.LessOrEqual(t, len(list("dq.outliers")), len(wild)+10)
	require.Equal(t, []string{stamp(y0(2022).Add(5000 * time.Hour))}, list("dq.stuck_runs"))
	require.Equal(t, []string{"2022-03-27"}, list("dq.days_23h"))
	require.Equal(t, []string{"2022-10-30"}, list("dq.days_25h"))
	require.Len(t, list("dq.temperature_not_interpolated"), 10+40+3) // of lines that are missing too
	require.Len(t, list("dq.duplicates"), 1)
	gaps, _ := at(got, "dq.gaps_ge_24h")
	require.Len(t, gaps[0], 1)
	require.Greater(t, num(t, got, "daily.example.2022-03-27"), 1000.0)
	require.NotContains(t, got, "not_understood")
	require.InDelta(t, truth, num(t, got, "report.total.savings"), num(t, got, "report.total.unc90"))
	require.Equal(t, true, got["report"].(map[string]any)["total"].(map[string]any)["significant"])
}

// daily writes days of a heat or electricity meter.
func daily(r *rand.Rand, w weather, from, to time.Time, use func(t time.Time, temp float64) float64, rho, sd float64) string {
	var b strings.Builder
	b.WriteString("time,value,temperature_c\n")
	e := sd * r.NormFloat64()
	for at := from; at.Before(to); at = at.AddDate(0, 0, 1) {
		temp := w.day(at)
		fmt.Fprintf(&b, "%s,%.2f,%.2f\n", at.Format(time.DateOnly), use(at, temp)+e, temp)
		e = rho*e + sd*math.Sqrt(1-rho*rho)*r.NormFloat64()
	}
	return b.String()
}

func works(t time.Time, temp float64) float64 {
	y := 2000 + 60*math.Max(14-temp, 0)
	if isWeekend(t) {
		y *= 0.6
	}
	if d := t.YearDay(); d > 213 && d < 235 || t.Month() == 12 && t.Day() > 23 {
		y *= 0.45
	}
	return y
}

func TestEventsWithControl(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 1))
	w := newWeather(r, y0(2022), y0(2024))
	step := func(at time.Time, temp float64) float64 {
		y := 0.92 * works(at, temp)
		if d := at.YearDay(); d >= 121 && d < 190 {
			y += 320
		}
		return y
	}
	files := map[string][]byte{
		"baseline.csv":  []byte(daily(r, w, y0(2022), y0(2023), works, 0.4, 90)),
		"reporting.csv": []byte(daily(r, w, y0(2023), y0(2024), step, 0.4, 90)),
		"control.csv":   []byte(daily(r, w, y0(2023), y0(2024), func(at time.Time, temp float64) float64 { return 0.92 * works(at, temp) }, 0.4, 90)),
	}
	head := `"energy": "electricity", "timezone": "Europe/Paris", "frequency": "daily", "files": ["baseline.csv", "reporting.csv", "control.csv"]`
	files["case.json"] = caseFile(head)
	got := answered(t, files)
	dates := func(path string) []string {
		v, ok := at(got, path)
		require.True(t, ok, path)
		var out []string
		for _, x := range v[0].([]any) {
			out = append(out, x.(string))
		}
		return out
	}
	for _, want := range []string{"2023-05-01", "2023-07-09"} {
		a, _ := time.Parse(time.DateOnly, want)
		found := false
		for _, d := range dates("nre.candidates") {
			b, _ := time.Parse(time.DateOnly, d)
			found = found || math.Abs(b.Sub(a).Hours()) <= 7*24
		}
		require.True(t, found, "%s in %v", want, dates("nre.candidates"))
	}
	require.LessOrEqual(t, len(dates("control.nre.candidates")), 2)
	require.Equal(t, num(t, got, "report.unadjusted.savings"), num(t, got, "report.adjusted.savings"), "nothing is applied unasked")

	// An accepted adjustment without a size takes it from the data; both are said.
	files["case.json"] = caseFile(head + `, "nra": [{"from": "2023-05-01", "to": "2023-07-08", "reason": "rented compressor", "accepted_by": "a.m."}]`)
	got = answered(t, files)
	truth := 0.0
	for at := y0(2023); at.Before(y0(2024)); at = at.AddDate(0, 0, 1) {
		truth += 0.08 * works(at, w.day(at))
	}
	require.InDelta(t, truth, num(t, got, "report.adjusted.savings"), num(t, got, "report.adjusted.unc90"))
	require.InDelta(t, 320*69, num(t, got, "report.adjusted.savings")-num(t, got, "report.unadjusted.savings"), 3500)
	log, _ := at(got, "report.adjustment_log")
	require.Len(t, log[0], 1)
	files["case.json"] = caseFile(head + `, "nra": [{"from": "2023-05-01", "to": "2023-07-08", "kwh_per_day": 320, "accepted": false, "reason": "no evidence"}]`)
	got = answered(t, files)
	require.Equal(t, num(t, got, "report.unadjusted.savings"), num(t, got, "report.adjusted.savings"))
}

func TestPortfolio(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	w := newWeather(r, y0(2022), y0(2024))
	var base, rep strings.Builder
	base.WriteString("meter,time,value,temperature_c\n")
	rep.WriteString("meter,time,value,temperature_c\n")
	truth := map[string]float64{}
	for m := range 12 {
		id := fmt.Sprintf("M%02d", m)
		level, slope := 300+80*float64(m), 60+10*float64(m)
		use := func(at time.Time, temp float64) float64 {
			y := level + slope*math.Max(16-temp, 0)
			if !at.Before(y0(2023)) {
				truth[id] += 0.12 * (y - level)
				y -= 0.12 * (y - level)
			}
			return y
		}
		for _, line := range strings.Split(strings.TrimSpace(daily(r, w, y0(2022), y0(2023), use, 0.5, level/8)), "\n")[1:] {
			base.WriteString(id + "," + line + "\n")
		}
		for _, line := range strings.Split(strings.TrimSpace(daily(r, w, y0(2023), y0(2024), use, 0.5, level/8)), "\n")[1:] {
			rep.WriteString(id + "," + line + "\n")
		}
	}
	got := answered(t, map[string][]byte{"baseline.csv": []byte(base.String()), "reporting.csv": []byte(rep.String()),
		"case.json": caseFile(`"energy": "heat", "timezone": "Europe/Paris", "frequency": "daily", "files": ["baseline.csv", "reporting.csv"]`)})
	held, sum := 0, 0.0
	for id, s := range truth {
		sum += s
		if math.Abs(num(t, got, "meters."+id+".total.savings")-s) <= num(t, got, "meters."+id+".total.unc90") {
			held++
		}
		q := 0.0
		for k := 1; k <= 4; k++ {
			q += num(t, got, fmt.Sprintf("meters.%s.quarters.2023-Q%d.savings", id, k))
		}
		require.InEpsilon(t, num(t, got, "meters."+id+".total.savings"), q, 1e-9)
	}
	require.GreaterOrEqual(t, held, 9)
	require.InDelta(t, sum, num(t, got, "portfolio.total.savings"), 1.5*num(t, got, "portfolio.total.unc90"))
	require.Less(t, num(t, got, "portfolio.mean_correlation"), 0.1)
	require.Greater(t, num(t, got, "portfolio.quarters.2023-Q1.unc90"), 0.0)
}

func TestInvoices(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 3))
	w := newWeather(r, y0(2021), y0(2024).AddDate(0, 3, 0))
	var bills, temps strings.Builder
	bills.WriteString("start,end,value,estimated\n")
	temps.WriteString("time,temperature_c\n")
	for at := y0(2022); at.Before(y0(2024).AddDate(0, 2, 0)); at = at.AddDate(0, 0, 1) {
		fmt.Fprintf(&temps, "%s,%.2f\n", at.Format(time.DateOnly), w.day(at))
	}
	truth := 0.0
	lengths := []int{30, 33, 28, 31, 27, 34, 32, 29, 30, 31, 33, 27}
	k := 0
	for at := y0(2022); at.Before(y0(2024)); k++ {
		n := lengths[k%12]
		if k == 5 {
			n = 12 // too short
		}
		end := at.AddDate(0, 0, n)
		sum := 0.0
		for d := at; d.Before(end); d = d.AddDate(0, 0, 1) {
			y := 20 + 9*math.Max(15.5-w.day(d), 0)
			if !d.Before(y0(2023)) {
				truth += 0.15 * (y - 20)
				y -= 0.15 * (y - 20)
			}
			sum += y
		}
		sum += 25 * r.NormFloat64()
		estimated := 0
		if k == 2 {
			estimated = 1
		}
		fmt.Fprintf(&bills, "%s,%s,%.1f,%d\n", at.Format(time.DateOnly), end.Format(time.DateOnly), sum, estimated)
		at = end
	}
	files := map[string][]byte{"bills.csv": []byte(bills.String()), "temperature.csv": []byte(temps.String()),
		"case.json": caseFile(`"energy": "gas", "unit": "kWh", "timezone": "Europe/Paris", "frequency": "billing", "baseline": ["2022-01-01", "2022-12-31"], "reporting": ["2023-01-01", "2023-12-31"],
			"files": ["bills.csv", "temperature.csv"]`)}
	got := answered(t, files)
	require.InEpsilon(t, 9, num(t, got, "model.heat_slope_per_c_day"), 0.05)
	require.InEpsilon(t, 20, num(t, got, "model.intercept_per_day"), 0.5)
	require.InDelta(t, 15.5, num(t, got, "model.heat_balance_c"), 1.2)
	require.Equal(t, 1.0, num(t, got, "dq.baseline.estimated_merged"))
	short, _ := at(got, "dq.baseline.too_short")
	require.Len(t, short[0], 1)
	require.InDelta(t, truth, num(t, got, "report.total.savings"), num(t, got, "report.total.unc90")+0.05*truth)
	q := 0.0
	report, _ := at(got, "report.quarters.*.savings")
	for _, v := range report {
		q += v.(float64)
	}
	require.InEpsilon(t, num(t, got, "report.total.savings"), q, 1e-9)
}

func TestRefusals(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	w := newWeather(r, y0(2022), y0(2024))
	use := func(at time.Time, temp float64) float64 { return 500 + 40*math.Max(15-temp, 0) }
	year := daily(r, w, y0(2022), y0(2023), use, 0.3, 40)
	lines := strings.Split(strings.TrimSpace(year), "\n")
	keep := func(f func(i int, line string) string) []byte {
		out := lines[0] + "\n"
		for i, l := range lines[1:] {
			if l = f(i, l); l != "" {
				out += l + "\n"
			}
		}
		return []byte(out)
	}
	swap := func(l, v string) string {
		c := strings.Split(l, ",")
		return c[0] + "," + v + "," + c[2]
	}
	got := answered(t, map[string][]byte{
		"good.csv":  []byte(year),
		"short.csv": keep(func(i int, l string) string { return map[bool]string{true: l}[i < 200] }),
		"holes.csv": keep(func(i int, l string) string { return map[bool]string{true: l}[i%7 != 0] }),
		"flat.csv":  keep(func(i int, l string) string { return swap(l, "700") }),
		"negative.csv": keep(func(i int, l string) string {
			if i < 6 {
				return swap(l, "-5")
			}
			return l
		}),
		"units.csv": keep(func(i int, l string) string {
			if i > 250 {
				c := strings.Split(l, ",")
				v, _ := number(c[1])
				return swap(l, fmt.Sprint(v/1000))
			}
			return l
		}),
		"case.json": caseFile(`"energy": "gas", "timezone": "Europe/Paris", "frequency": "daily", "files": ["good.csv", "short.csv", "holes.csv", "flat.csv", "negative.csv", "units.csv"]`)})
	for name, ok := range map[string]bool{"good": true, "short": false, "holes": false, "flat": false, "negative": true, "units": false} {
		v, found := at(got, name+".sufficient")
		require.True(t, found, name)
		require.Equal(t, ok, v[0], name)
		if !ok {
			f, _ := at(got, "flags."+name)
			require.NotEmpty(t, f[0])
		}
	}
	require.Equal(t, 365.0, num(t, got, "good.n_valid_days"))
	require.Equal(t, 6.0, num(t, got, "negative.n_negative"))
	require.NotContains(t, got, "report")

	// A baseline that reaches into the reporting period.
	got = answered(t, map[string][]byte{"meter.csv": []byte(daily(r, w, y0(2022), y0(2024), use, 0.3, 40)),
		"case.json": caseFile(`"energy": "gas", "timezone": "Europe/Paris", "baseline": ["2022-01-01", "2022-12-31"], "reporting": ["2022-12-01", "2023-12-31"], "colour": "blue", "files": ["meter.csv"]`)})
	require.Equal(t, true, got["refused"])
	require.Contains(t, got["reasons"], "baseline_overlaps_reporting")
	require.NotContains(t, got, "report")
	require.Equal(t, []any{"task.colour"}, got["not_understood"])
}

// A placebo meter, of which nothing changed, is not significant, in nineteen of
// twenty draws or more.
func TestPlacebo(t *testing.T) {
	significant := 0
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 5))
		w := newWeather(r, y0(2022), y0(2024))
		use := func(at time.Time, temp float64) float64 { return 500 + 40*math.Max(15-temp, 0) }
		got := answered(t, map[string][]byte{"meter.csv": []byte(daily(r, w, y0(2022), y0(2024), use, 0.4, 60)),
			"case.json": caseFile(`"energy": "heat", "timezone": "Europe/Paris", "baseline": ["2022-01-01", "2022-12-31"], "reporting": ["2023-01-01", "2023-12-31"], "files": ["meter.csv"]`)})
		if v, _ := at(got, "report.total.significant"); v[0] == true {
			significant++
		}
	}
	require.LessOrEqual(t, significant, 4)
}

func TestGasWithZeros(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	w := newWeather(r, y0(2022), y0(2024))
	var b strings.Builder
	b.WriteString("time,value,temperature_c\n")
	truth := 0.0
	for at := y0(2022); at.Before(y0(2024)); at = at.AddDate(0, 0, 1) {
		temp := w.day(at)
		y := math.Max(0, 3*math.Max(14-temp, 0)+2*r.NormFloat64()-1)
		if !at.Before(y0(2023)) {
			truth += 0.1 * y
			y *= 0.9
		}
		fmt.Fprintf(&b, "%s,%.0f,%.2f\n", at.Format(time.DateOnly), y, temp)
	}
	got := answered(t, map[string][]byte{"gas.csv": []byte(b.String()),
		"case.json": caseFile(`"energy": "gas", "timezone": "Europe/Paris", "baseline": ["2022-01-01", "2022-12-31"], "reporting": ["2023-01-01", "2023-12-31"], "files": ["gas.csv"]`)})
	require.Equal(t, 365.0, num(t, got, "metrics.n"))
	require.InDelta(t, truth, num(t, got, "report.total.savings"), 1.3*num(t, got, "report.total.unc90"))
	require.Greater(t, num(t, got, "gas.n_zero"), 60.0)
}

func TestCommercialFreeChoice(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	w := newWeather(r, y0(2022), y0(2024))
	var b strings.Builder
	b.WriteString("timestamp;eload;temp\n")
	truth, e := 0.0, 0.0
	for at := y0(2022); at.Before(y0(2024)); at = at.Add(time.Hour) {
		e = 0.8*e + 8*r.NormFloat64()
		y := factory(at, w.at(at))
		if !at.Before(y0(2023)) {
			truth += 0.1 * y
			y *= 0.9
		}
		fmt.Fprintf(&b, "%s;%s;%.1f\n", stamp(at), strings.Replace(fmt.Sprintf("%.2f", y+e), ".", ",", 1), w.at(at))
	}
	got := answered(t, map[string][]byte{"meter.csv": []byte(b.String()),
		"case.json": caseFile(`"energy": "electricity", "timezone": "Europe/Paris", "baseline": ["2022-01-01", "2022-12-31"], "reporting": ["2023-01-01", "2023-12-31"], "files": ["meter.csv"]`)})
	require.Less(t, num(t, got, "metrics.cvrmse"), 0.12)
	require.Greater(t, num(t, got, "models.TOWT.sse"), 0.0)
	require.InDelta(t, truth, num(t, got, "report.total.savings"), num(t, got, "report.total.unc90"))
}

// Invoices may be given by their first days only, and one that reaches over the
// end of the baseline is no part of it.
func TestInvoicesByFirstDays(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 3))
	w := newWeather(r, y0(2022), y0(2024).AddDate(0, 3, 0))
	var bills, temps strings.Builder
	bills.WriteString("time,value\n")
	temps.WriteString("time,temperature_c\n")
	for at := y0(2022); at.Before(y0(2024).AddDate(0, 2, 0)); at = at.AddDate(0, 0, 1) {
		fmt.Fprintf(&temps, "%s,%.2f\n", at.Format(time.DateOnly), w.day(at))
	}
	for k, at := 0, y0(2022).AddDate(0, 0, 3); at.Before(y0(2024)); k++ {
		end := at.AddDate(0, 0, 29+k%4)
		sum := 0.0
		for d := at; d.Before(end); d = d.AddDate(0, 0, 1) {
			sum += 30 + 8*math.Max(16-w.day(d), 0)
		}
		fmt.Fprintf(&bills, "%s,%.1f\n", at.Format(time.DateOnly), sum)
		at = end
	}
	got := answered(t, map[string][]byte{"gas_bills.csv": []byte(bills.String()), "temperature.csv": []byte(temps.String()),
		"case.json": caseFile(`"energy": "gas", "timezone": "Europe/Paris", "frequency": "billing", "baseline": ["2022-01-01", "2022-12-31"], "reporting": ["2023-01-01", "2023-12-31"],
			"files": ["gas_bills.csv", "temperature.csv"]`)})
	beyond, _ := at(got, "dq.baseline.beyond_the_period")
	require.Len(t, beyond[0], 1)
	require.InEpsilon(t, 8, num(t, got, "model.heat_slope_per_c_day"), 0.03)
	require.Greater(t, num(t, got, "metrics.n"), 9.0)
	require.InDelta(t, 0, num(t, got, "report.total.savings"), num(t, got, "report.total.unc90")+0.01*num(t, got, "report.total.observed"))
}

// The ways to write an adjustment.
func TestAdjustments(t *testing.T) {
	for text, want := range map[string]adjustment{
		`{"2023-05": 12.5}`: {amount: 12.5, per: "total", given: true, accepted: true},
		`[{"from": "2023-05-01", "to": "2023-05-31", "kwh_per_day": 40, "status": "accepted"}]`: {amount: 40, per: "day", given: true, accepted: true},
		`[{"start": "2023-05-01", "end": "2023-05-31", "delta_kw": 3}]`:                         {amount: 3, per: "hour", given: true, accepted: true},
		`{"from": "2023-05-01", "to": "2023-05-31", "status": "refused", "value": 3}`:           {amount: 3, per: "total", given: true},
		`"accepted: indicator from 2023-05-01 to 2023-05-31"`:                                   {accepted: true},
	} {
		c, err := readCase(caseFile(`"timezone": "Europe/Paris", "nra": ` + text))
		require.NoError(t, err)
		a := &answer{c: c, out: map[string]any{}}
		got := a.readAdjustments(c.Task.NRA)
		require.Len(t, got, 1, text)
		require.Empty(t, a.ignored, text)
		require.Equal(t, time.Date(2023, 5, 1, 0, 0, 0, 0, berlin), got[0].span.from, text)
		require.Equal(t, time.Date(2023, 6, 1, 0, 0, 0, 0, berlin), got[0].span.to, text)
		got[0].span, got[0].reason = period{}, ""
		require.Equal(t, want, got[0], text)
	}
	c, err := readCase(caseFile(`"nra": [{"from": "2023-05-01", "mood": 4}]`))
	require.NoError(t, err)
	a := &answer{c: c, out: map[string]any{}}
	a.readAdjustments(c.Task.NRA)
	require.Equal(t, []string{"task.nra.mood"}, a.ignored)
}

// Bytes from outside never make the answer panic.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"case":"x","task":{"frequency":"daily","files":["baseline.csv"]}}`), []byte("time,value,temperature_c\n2024-01-01,1,2\n2024-01-02,2,3\n"))
	f.Add([]byte(`{"case":"x","task":{"frequency":"billing","nra":[1],"sentinel":[1,2],"files":["baseline.csv"]}}`), []byte("start,end,value\n2024-01-01,2024-02-01,2\n"))
	f.Add([]byte(`{"case":"x","task":{"timezone":"Europe/Paris","baseline":["2024-01","2024-02"]}}`), []byte("time;value\n2024-01-01T00:00:00Z;1,5\n2024-01-01T01:00:00Z;1,5\n"))
	f.Fuzz(func(t *testing.T, c, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		_, _ = Answer(map[string][]byte{"case.json": c, "baseline.csv": b})
	})
}

// A normal year's saving: both periods modelled, both on the same weather.
func TestNormalisedSavings(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 1))
	w := newWeather(r, y0(2022), y0(2024))
	normal := newWeather(rand.New(rand.NewPCG(32, 1)), y0(2019), y0(2020))
	use := func(at time.Time, temp float64) float64 {
		y := 500 + 60*math.Max(15-temp, 0)
		if !at.Before(y0(2023)) {
			y -= 0.2 * (y - 500)
		}
		return y
	}
	var n strings.Builder
	n.WriteString("time,temperature_c\n")
	truth := 0.0
	for at := y0(2019); at.Before(y0(2020)); at = at.AddDate(0, 0, 1) {
		truth += 0.2 * 60 * math.Max(15-normal.day(at), 0)
		fmt.Fprintf(&n, "%s,%.2f\n", at.Format(time.DateOnly), normal.day(at))
	}
	got := answered(t, map[string][]byte{"baseline.csv": []byte(daily(r, w, y0(2022), y0(2023), use, 0.4, 60)), "reporting.csv": []byte(daily(r, w, y0(2023), y0(2024), use, 0.4, 60)),
		"normal_year.csv": []byte(n.String()),
		"case.json":       caseFile(`"energy": "heat", "timezone": "Europe/Paris", "frequency": "daily", "files": ["baseline.csv", "reporting.csv", "normal_year.csv"]`)})
	require.InDelta(t, truth, num(t, got, "report.normalised.savings"), num(t, got, "report.normalised.unc90"))
	require.Equal(t, 365.0, num(t, got, "report.normalised.days"))
	require.Greater(t, num(t, got, "report.normalised.unc90"), 0.0)
}

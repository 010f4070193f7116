package task

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/quality"
)

// data are the intervals of one period of one meter, ready for a model.
type data struct {
	days  *baseline.Frame // civil days; NaN where unknown
	hours *baseline.Frame // when the file has hours
	clean *quality.Hours
	daily []quality.Day // made of hours
	flags []quality.Flag
	suff  *quality.Sufficiency
	// filled is, by day, the part of it that was missing and filled.
	filled []float64
}

// kind of data, from what the task says and what the file holds.
const (
	kindHourly      = "hourly"
	kindHourlyDaily = "hourly data, daily model"
	kindDaily       = "daily"
	kindMonthly     = "monthly"
	kindBilling     = "billing"
)

func (a *answer) kind(t *table) string {
	f := strings.ToLower(a.c.Task.Frequency)
	m := strings.ToLower(a.c.Task.Model)
	step := t.step()
	switch {
	case t.length == month || t.next && strings.Contains(f, "month") && !strings.Contains(f, "bill"):
		return kindMonthly
	case strings.Contains(f, "bill") || strings.Contains(f, "invoice") || t.end != nil || t.estimated != nil && step > 20*24*time.Hour:
		return kindBilling
	case step > 0 && step <= time.Hour:
		daily := strings.Contains(f, "daily") || strings.Contains(m, "daily") && !strings.Contains(m, "hourly")
		if daily {
			return kindHourlyDaily
		}
		return kindHourly
	case t.length == month || strings.Contains(f, "month"):
		return kindMonthly
	case step > 20*24*time.Hour:
		return kindBilling
	}
	return kindDaily
}

// load makes the civil days, and the hours if there are any, of a period.
func (a *answer) load(t *table, g *group, p period, kind string) (*data, error) {
	value := g.value
	if value == "" {
		value = t.value(a.c.Task.Candidates)
	}
	if value == "" {
		return nil, fmt.Errorf("%s: which column is the energy? Call it value", t.name)
	}
	loc := a.c.Task.Location
	if !p.given() {
		y, m, d := t.time[0].In(loc).Date()
		p.from = time.Date(y, m, d, 0, 0, 0, 0, loc)
		y, m, d = t.time[len(t.time)-1].In(loc).Date()
		p.to = time.Date(y, m, d+1, 0, 0, 0, 0, loc)
	}
	if p.to.Sub(p.from) > 40*366*24*time.Hour {
		return nil, fmt.Errorf("%s: a period from %s to %s: 40 years at most", t.name, p.from.Format(time.DateOnly), p.to.Format(time.DateOnly))
	}
	r := a.rules()
	d := &data{}
	if kind == kindHourly || kind == kindHourlyDaily {
		d.clean = a.hoursOf(t, g, value, p, r)
		quality.CleanHours(d.clean, r)
		d.daily = d.clean.Days(r)
		d.framesOfHours(loc)
	} else {
		d.daysOf(t, g, value, p, r)
	}
	before := append([]float64{}, d.days.Energy...)
	d.suff = quality.CheckDays(d.days.Energy, d.days.Temperature, r)
	d.flags = append(d.flags, d.suff.Flags...)
	if at, factor, ok := quality.UnitRun(before); ok {
		d.flags = append(d.flags, quality.Flag{Reason: quality.UnitChange, Refused: true,
			Text: fmt.Sprintf("from %s on the values are about %.4g times those before: another unit", d.days.Start[at].Format(time.DateOnly), factor)})
	}
	return d, nil
}

// hoursOf puts the lines of a table on the hours of a period; shorter intervals
// are added up.
func (a *answer) hoursOf(t *table, g *group, value string, p period, r quality.Rules) *quality.Hours {
	n := int(p.to.Sub(p.from) / time.Hour)
	h := &quality.Hours{From: p.from.UTC(), Value: nans(n), Other: map[string][]float64{}}
	step := t.step()
	per := 1
	if step > 0 && step < time.Hour {
		per = int(time.Hour / step)
	}
	x, temp := t.columns[value], t.temperature()
	if temp != nil || g.weather != nil {
		h.Temperature = nans(n)
	}
	names := t.drivers(value)
	for _, name := range names {
		h.Other[name] = nans(n)
	}
	count := make([]int, n)
	warm := make([]int, n)
	var last time.Time
	for i, at := range t.time {
		k := int(at.Sub(p.from) / time.Hour)
		if at.Before(p.from) || k >= n {
			continue
		}
		again := i > 0 && at.Equal(last)
		last = at
		if again {
			h.Duplicates = append(h.Duplicates, at.UTC())
		}
		if per == 1 {
			h.Value[k] = x[i]
		} else if again {
			continue // of short intervals the first line counts
		} else {
			addTo(h.Value, k, x[i], &count[k])
		}
		if temp != nil {
			if per == 1 {
				h.Temperature[k] = temp[i]
			} else {
				addTo(h.Temperature, k, temp[i], &warm[k])
			}
		}
		for _, name := range names {
			h.Other[name][k] = t.columns[name][i]
		}
	}
	for k := range n {
		if per > 1 && count[k] < per { // a part of the hour is missing
			h.Value[k] = math.NaN()
		}
		if per > 1 && warm[k] > 0 {
			h.Temperature[k] /= float64(warm[k])
		}
	}
	if g.weather != nil && temp == nil {
		joinHours(h.Temperature, g.weather, p)
	}
	for _, dt := range g.drivers {
		for _, name := range dt.names {
			h.Other[name] = nans(n)
			for i, at := range dt.time {
				k := int(at.Sub(p.from) / time.Hour)
				for j := k; !at.Before(p.from) && j < min(k+int(max(dt.step(), time.Hour)/time.Hour), n); j++ {
					h.Other[name][j] = dt.columns[name][i]
				}
			}
		}
	}
	return h
}

func addTo(x []float64, k int, v float64, count *int) {
	if math.IsNaN(v) {
		return
	}
	if *count == 0 {
		x[k] = 0
	}
	x[k] += v
	*count++
}

// joinHours fills the temperatures of hours from a table of weather; each line
// holds until the next.
func joinHours(temperature []float64, w *table, p period) {
	x := w.temperature()
	long := max(int(w.step()/time.Hour), 1)
	for i, at := range w.time {
		k := int(math.Floor(at.Sub(p.from).Hours()))
		for j := max(k, 0); j < min(k+long, len(temperature)); j++ {
			temperature[j] = x[i]
		}
	}
}

// drivers are the columns that are neither energy nor temperature.
func (t *table) drivers(value string) []string {
	var out []string
	for _, n := range t.names {
		if n != value && !isTemperature.MatchString(n) && !isValue.MatchString(n) {
			out = append(out, n)
		}
	}
	return out
}

func nans(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = math.NaN()
	}
	return x
}

func (d *data) framesOfHours(loc *time.Location) {
	h := d.clean
	d.hours = &baseline.Frame{Step: baseline.Hour, Energy: h.Value, Temperature: h.Temperature, Drivers: h.Other}
	for i := range h.Value {
		d.hours.Start = append(d.hours.Start, h.At(i).In(loc))
	}
	d.days = &baseline.Frame{Step: baseline.Day, Drivers: map[string][]float64{}}
	for i := range d.daily {
		q := &d.daily[i]
		d.days.Start = append(d.days.Start, q.Start)
		d.days.Energy = append(d.days.Energy, q.Value)
		if h.Temperature != nil {
			d.days.Temperature = append(d.days.Temperature, q.Temperature)
		}
		d.filled = append(d.filled, 1-float64(q.Known)/float64(q.Hours))
		from := int(q.Start.Sub(h.From) / time.Hour)
		for _, name := range sortedKeys(h.Other) {
			s, n := 0.0, 0.0
			for _, v := range h.Other[name][from : from+q.Hours] {
				if !math.IsNaN(v) {
					s += v
					n++
				}
			}
			if n == 0 {
				s = math.NaN()
			}
			d.days.Drivers[name] = append(d.days.Drivers[name], s)
		}
	}
}

// daysOf puts the lines of a table of days on the civil days of a period.
func (d *data) daysOf(t *table, g *group, value string, p period, r quality.Rules) {
	d.days = &baseline.Frame{Step: baseline.Day, Drivers: map[string][]float64{}}
	index := map[string]int{}
	for at := p.from; at.Before(p.to); at = at.AddDate(0, 0, 1) {
		index[at.Format(time.DateOnly)] = len(d.days.Start)
		d.days.Start = append(d.days.Start, at)
	}
	n := len(d.days.Start)
	d.days.Energy = nans(n)
	temp := t.temperature()
	if temp != nil || g.weather != nil {
		d.days.Temperature = nans(n)
	}
	names := t.drivers(value)
	for _, name := range names {
		d.days.Drivers[name] = nans(n)
	}
	sentinel := func(v float64) bool {
		for _, s := range r.Sentinels {
			if v == s {
				return true
			}
		}
		return false
	}
	seen, twice := make([]bool, n), 0
	for i, at := range t.time {
		k, ok := index[at.In(r.Location).Format(time.DateOnly)]
		if !ok {
			continue
		}
		if seen[k] {
			twice++
		}
		seen[k] = true
		if v := t.columns[value][i]; !sentinel(v) {
			d.days.Energy[k] = v
		} else {
			d.days.Energy[k] = math.NaN()
		}
		if temp != nil && !sentinel(temp[i]) && !(math.Abs(temp[i]) > 60) {
			d.days.Temperature[k] = temp[i]
		}
		for _, name := range names {
			d.days.Drivers[name][k] = t.columns[name][i]
		}
	}
	if twice > 0 {
		d.flags = append(d.flags, quality.Flag{Reason: quality.DuplicateTimes, Text: fmt.Sprintf("%s: %d days are given twice; the later line counts", t.name, twice)})
	}
	if temp == nil && g.weather != nil {
		dailyWeather(d.days.Temperature, index, g.weather, r.Location)
	}
	for _, dt := range g.drivers {
		for _, name := range dt.names {
			d.days.Drivers[name] = nans(n)
			for i, at := range dt.time {
				if k, ok := index[at.In(r.Location).Format(time.DateOnly)]; ok {
					d.days.Drivers[name][k] = dt.columns[name][i]
				}
			}
		}
	}
	d.filled = make([]float64, n)
}

// dailyWeather averages a table of weather over civil days; a day of hours needs
// more than half of them.
func dailyWeather(temperature []float64, index map[string]int, w *table, loc *time.Location) {
	x := w.temperature()
	need := 1
	if w.step() <= time.Hour {
		need = 13
	}
	sum, n := make([]float64, len(temperature)), make([]int, len(temperature))
	for i, at := range w.time {
		if k, ok := index[at.In(loc).Format(time.DateOnly)]; ok && !math.IsNaN(x[i]) {
			sum[k] += x[i]
			n[k]++
		}
	}
	for k := range temperature {
		if n[k] >= need {
			temperature[k] = sum[k] / float64(n[k])
		}
	}
}

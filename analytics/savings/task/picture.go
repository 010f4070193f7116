package task

import (
	"math"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/savings/chart"
	"github.com/thermie/thermie/metering"
)

// draw makes the picture of a site's saving.
func (a *answer) draw(fit *baseline.Fit, base *baseline.Frame, l *ledger) error {
	p := &chart.Picture{Title: metering.Text{FR: "Économies : " + a.title(), EN: "Savings: " + a.title()}, Unit: a.c.Task.Unit}
	if p.Unit == "" {
		p.Unit = "kWh"
	}
	fitted, err := fit.Predict(base)
	if err != nil {
		return err
	}
	if base.Temperature == nil && base.Daily == nil {
		p.Against = chart.Fitted
	}
	type sum struct{ y, f, t, n float64 }
	last := -1
	var cells []sum
	var at []time.Time
	for i, t := range base.Start { // hours are drawn as days
		if math.IsNaN(base.Energy[i]) || math.IsNaN(fitted[i]) {
			continue
		}
		if k := dayNumber(t); k != last {
			cells, at, last = append(cells, sum{}), append(at, t), k
		}
		c := &cells[len(cells)-1]
		c.y += base.Energy[i]
		c.f += fitted[i]
		c.t += temperatureOf(base, i)
		c.n++
	}
	for i, c := range cells {
		if base.Step == baseline.Hour && c.n < 23 {
			continue
		}
		q := chart.FitPoint{At: at[i], X: c.t / c.n, Observed: c.y, Fitted: c.f}
		if p.Against == chart.Fitted {
			q.X = c.f
		}
		p.Fit = append(p.Fit, q)
	}
	rows := l.known()
	week := -1
	for _, i := range rows {
		span := dayNumber(l.start[i]) / 7
		if base.Step == baseline.Month || base.Step == baseline.Period {
			span = i
		}
		if span != week {
			p.Course, week = append(p.Course, chart.Span{From: l.start[i]}), span
		}
		s := &p.Course[len(p.Course)-1]
		s.Actual += l.observed[i]
		s.Adjusted += l.predicted[i]
		if l.nra != nil {
			s.Adjusted += l.nra[i]
		}
	}
	for k, i := range rows {
		end := k+1 == len(rows) || l.start[rows[k+1]].Month() != l.start[i].Month()
		if !end {
			continue
		}
		f, err := l.figures(rows[:k+1], true)
		if err != nil {
			return err
		}
		p.Saved = append(p.Saved, chart.Sum{At: l.start[i], Saved: f["savings"].(float64), Half: f["unc90"].(float64)})
	}
	a.picture = p
	return nil
}

// title is the task's title, or its name where that is long.
func (a *answer) title() string {
	if a.c.Title != "" && len(a.c.Title) <= 70 {
		return a.c.Title
	}
	return a.c.Name
}

// temperatureOf is the mean temperature of an interval; zero when there is none.
func temperatureOf(f *baseline.Frame, i int) float64 {
	switch {
	case len(f.Temperature) > 0:
		return f.Temperature[i]
	case len(f.Daily) > 0:
		s := 0.0
		for _, t := range f.Daily[i] {
			s += t
		}
		return s / float64(len(f.Daily[i]))
	}
	return 0
}

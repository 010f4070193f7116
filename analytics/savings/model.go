package savings

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/calendar"
)

// Fit is the adjusted baseline of one energy of a site: a regression of package
// baseline on days, weeks or months, applied to every day. How sure a sum of days is
// follows from what the baseline's rows tell of season and memory (package interval);
// days of one week or month share its scatter where the model was fitted on those.
type Fit struct {
	*baseline.Fit
	Gates []baseline.Gate `json:"gates"`

	model *Model
	frame *baseline.Frame // that it was fitted on
	days  *baseline.Frame // of the grid
	site  []siteDay
	y     []float64 // adjusted baseline of each day; NaN where a driver is not known
	jac   [][]float64
	steps []int
	share []float64 // days of the step of each day
	band  *interval.Band
}

// errTogether says that the drivers of a model cannot be told apart, or that one
// of them never changes.
var errTogether = errors.New("drivers are constant or move together: the model has no unique fit")

// degrees says whether a driver is made of degrees beyond a balance temperature.
func degrees(k DriverKind) bool { return k == DriverHeating || k == DriverCooling }

// searched are the positions of the drivers whose balance temperature is searched,
// -1 for none.
func searched(ds []Driver) (heat, cool int) {
	heat, cool = -1, -1
	for i := range ds {
		switch {
		case !degrees(ds[i].Kind) || ds[i].BalanceC != nil:
		case ds[i].Kind == DriverHeating:
			heat = i
		default:
			cool = i
		}
	}
	return heat, cool
}

// termName is the name of a driver in a fit; those of the regression's own terms are
// kept apart.
func termName(d *Driver) string {
	switch d.Name {
	case baseline.Intercept, baseline.Slope, baseline.Heating, baseline.Cooling:
		return "driver-" + d.Name
	}
	return d.Name
}

// choiceOf is what a model lets compete: each driver in or out. Degrees whose balance
// temperature is searched are the shape of the response, all others are columns.
func choiceOf(ds []Driver) baseline.Choice {
	c := baseline.Choice{Shapes: []baseline.Shape{baseline.Mean}}
	heat, cool := searched(ds)
	if heat >= 0 {
		c.Shapes = append(c.Shapes, baseline.ThreePHeat)
	}
	if cool >= 0 {
		c.Shapes = append(c.Shapes, baseline.ThreePCool)
	}
	if heat >= 0 && cool >= 0 {
		c.Shapes = append(c.Shapes, baseline.FiveP)
	}
	for i := range ds {
		if i != heat && i != cool {
			c.Drivers = append(c.Drivers, termName(&ds[i]))
		}
	}
	return c
}

// fitOn fits all drivers, or lets them compete.
func fitOn(f *baseline.Frame, ds []Driver, compete, anySign bool) (*baseline.Fit, error) {
	c := choiceOf(ds)
	keep := baseline.Spec{PerDay: f.Step != baseline.Day, AnySign: anySign}
	if compete {
		c.Keep = keep
		return baseline.Choose(f, c)
	}
	keep.Shape, keep.Drivers = c.Shapes[len(c.Shapes)-1], c.Drivers
	fit, err := baseline.Linear(f, keep)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(fit.Terms, func(t baseline.Term) bool { return t.Dropped }) {
		return nil, fmt.Errorf("%w: %v", errTogether, fit.Notes)
	}
	return fit, nil
}

// frameOf is the frame of days: the energy and the drivers' values of each.
func frameOf(ds []Driver, start []time.Time, energy []float64, x [][]float64) *baseline.Frame {
	f := &baseline.Frame{Step: baseline.Day, Energy: energy, Drivers: map[string][]float64{}}
	for _, t := range start {
		f.Start = append(f.Start, t.In(calendar.Paris))
	}
	heat, cool := searched(ds)
	for j := range ds {
		column := make([]float64, len(x))
		for i := range x {
			column[i] = x[i][j]
			if degrees(ds[j].Kind) && ds[j].BalanceC != nil {
				column[i] = max(*ds[j].BalanceC-x[i][j], 0)
				if ds[j].Kind == DriverCooling {
					column[i] = max(x[i][j]-*ds[j].BalanceC, 0)
				}
				if math.IsNaN(x[i][j]) {
					column[i] = math.NaN()
				}
			}
		}
		if j == heat || j == cool {
			f.Temperature = column
		} else {
			f.Drivers[termName(&ds[j])] = column
		}
	}
	return f
}

// stepped sums the days [from, to) by steps; of each step four fifths of the days must
// count, and the others are left out of it.
func stepped(days *baseline.Frame, steps []int, step string, from, to int) (f *baseline.Frame, valid int) {
	usable := func(d int) bool {
		known := !math.IsNaN(days.Energy[d]) && (days.Temperature == nil || !math.IsNaN(days.Temperature[d]))
		for _, x := range days.Drivers {
			known = known && !math.IsNaN(x[d])
		}
		return known
	}
	if step == "day" {
		f = days.Rows(from, to)
		f.Energy = slices.Clone(f.Energy)
		for d := from; d < to; d++ {
			if usable(d) {
				valid++
			} else {
				f.Energy[d-from] = math.NaN()
			}
		}
		return f, valid
	}
	f = &baseline.Frame{Step: map[string]baseline.Step{"week": baseline.Week, "month": baseline.Month}[step], Drivers: map[string][]float64{}}
	for d := from; d < to; {
		end := d
		var rows []int
		for ; end < to && steps[end] == steps[d]; end++ {
			if usable(end) {
				rows = append(rows, end)
			}
		}
		first, length := d, end-d
		d = end
		if len(rows) == 0 || float64(len(rows)) < 0.8*float64(length) {
			continue
		}
		valid += len(rows)
		start := days.Start[first]
		if step == "week" { // weeks are numbered by their Mondays
			start = start.AddDate(0, 0, -int(start.Weekday()+6)%7)
		}
		f.Start, f.Days = append(f.Start, start), append(f.Days, float64(len(rows)))
		f.Energy = append(f.Energy, sumOf(days.Energy, rows))
		for name, x := range days.Drivers {
			f.Drivers[name] = append(f.Drivers[name], sumOf(x, rows))
		}
		if days.Temperature != nil {
			var t []float64
			for _, r := range rows {
				t = append(t, days.Temperature[r])
			}
			f.Daily = append(f.Daily, t)
		}
	}
	return f, valid
}

func sumOf(x []float64, rows []int) float64 {
	s := 0.0
	for _, r := range rows {
		s += x[r]
	}
	return s
}

// apply predicts every day and prepares the bands.
func (f *Fit) apply() error {
	var err error
	if f.y, err = f.Predict(f.days); err != nil {
		return err
	}
	if f.jac, err = f.Jacobian(f.days); err != nil {
		return err
	}
	f.band, err = interval.NewBand(f.Fit, f.frame)
	return err
}

// bands are the two parts of the 90 % half width of a weighted sum of the days [i, j):
// from the parameters and from the scatter of the days themselves.
func (f *Fit) bands(i, j int, weight func(day int) float64) (model, scatter float64) {
	g := make([]float64, len(f.Parameters()))
	terms := make([]interval.Term, 0, j-i)
	for d := i; d < j; d++ {
		w := weight(d)
		if w == 0 || math.IsNaN(f.y[d]) {
			continue
		}
		for k := range g {
			g[k] += float64(w * f.jac[d][k])
		}
		terms = append(terms, interval.DayTerm(f.steps[d], interval.Phase(f.days.Start[d]), w, f.share[d]))
	}
	return f.band.Half90(g, terms)
}

package savings

import (
	"errors"
	"fmt"
	"math"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/interval"
)

// Normal are the conditions under which a saving of option C is stated beside the
// avoided consumption (IPMVP: normalised savings): a year of weather and, for
// drivers such as production, a value for each day.
type Normal struct {
	// Year is the span of readings whose weather counts as normal, ten to thirteen
	// months inside the plan's data: it begins with the baseline or later.
	Year indicators.Span `yaml:"year" json:"year"`
	// Drivers are values a day by the driver's name. One that is not given has the mean
	// of the last twelve months, by day of the week. Working days and closures are
	// those of the year.
	Drivers map[string]float64 `yaml:"drivers,omitempty" json:"drivers,omitempty"`
}

// Normalised is the saving of one energy under the plan's normal conditions.
type Normalised struct {
	Energy          indicators.Flow    `json:"energy"`
	Days            int                `json:"days"`
	BaselineMWh     float64            `json:"baseline_mwh"`  // by the baseline's model
	ReportingMWh    float64            `json:"reporting_mwh"` // by the same form on the last twelve months
	SavedMWh        float64            `json:"saved_mwh"`
	Half90          float64            `json:"half90"`
	Drivers         map[string]float64 `json:"drivers,omitempty"` // mean normal values a day
	ReportingR2     float64            `json:"reporting_r2"`
	ReportingCVRMSE float64            `json:"reporting_cvrmse"`
}

const leastNormalDays = 300 // of the reporting period that its own model needs

// ErrNotNormalised says that there is no saving under normal conditions yet.
var ErrNotNormalised = errors.New("no saving under normal conditions")

// Normalised gives the saving of the k-th model under the plan's normal conditions;
// nil without an error when the plan states none.
func (e *Evaluation) Normalised(k int) (*Normalised, error) {
	c := e.Plan.Normal
	if c == nil {
		return nil, nil
	}
	f := e.Fits[k]
	first := max(e.first, e.last-366)
	frame, valid := stepped(f.days, f.steps, f.model.Step, first, e.last)
	if valid < leastNormalDays {
		return nil, fmt.Errorf("%w: the reporting period has %d good days, its model needs %d", ErrNotNormalised, valid, leastNormalDays)
	}
	from, to := e.grid.index(c.Year.From.Time()), e.grid.index(c.Year.To.Time())
	if to-from < leastNormalDays {
		return nil, fmt.Errorf("%w: %d days of the normal year lie inside the data", ErrNotNormalised, to-from)
	}
	after, err := baseline.Linear(frame, f.Spec)
	if err != nil {
		return nil, fmt.Errorf("%w: model of the reporting period: %w", ErrNotNormalised, err)
	}
	year := f.days.Rows(from, to)
	year.Energy = nil
	n := &Normalised{Energy: f.model.Energy, Drivers: map[string]float64{}, ReportingR2: after.R2, ReportingCVRMSE: after.CVRMSEAdj}
	for j := range f.model.Drivers {
		d := &f.model.Drivers[j]
		if d.Kind != DriverAmount && d.Kind != DriverMean || year.Drivers[termName(d)] == nil {
			continue
		}
		x := normalDriver(f.days, termName(d), first, e.last, year)
		if v, stated := c.Drivers[d.Name]; stated {
			for i := range x {
				x[i] = v
			}
		}
		year.Drivers[termName(d)], n.Drivers[d.Name] = x, meanKnown(x)
	}
	both, err := interval.Under(year, interval.Model{Fit: f.Fit, Base: f.frame}, interval.Model{Fit: after, Base: frame})
	if err != nil {
		return nil, err
	}
	var sums [2]float64
	for _, d := range both.Rows {
		sums[0] += both.Predicted[0][d] / 1000
		sums[1] += both.Predicted[1][d] / 1000
	}
	if len(both.Rows) < leastNormalDays {
		return nil, fmt.Errorf("%w: conditions are known for %d days of the normal year", ErrNotNormalised, len(both.Rows))
	}
	half, err := both.Half(0.90)
	if err != nil {
		return nil, err
	}
	n.Days, n.BaselineMWh, n.ReportingMWh, n.SavedMWh, n.Half90 = len(both.Rows), sums[0], sums[1], sums[0]-sums[1], interval.Round(half/1000)
	return n, nil
}

// normalDriver gives each day of a year the mean of the days [first, last) of its
// weekday.
func normalDriver(days *baseline.Frame, name string, first, last int, year *baseline.Frame) []float64 {
	var sum, n [7]float64
	for d := first; d < last; d++ {
		if v := days.Drivers[name][d]; !math.IsNaN(v) {
			sum[days.Start[d].Weekday()] += v
			n[days.Start[d].Weekday()]++
		}
	}
	x := make([]float64, year.Len())
	for i, t := range year.Start {
		x[i] = sum[t.Weekday()] / n[t.Weekday()] // NaN where no such day is known
	}
	return x
}

func meanKnown(x []float64) float64 {
	s, n := 0.0, 0.0
	for _, v := range x {
		if !math.IsNaN(v) {
			s += v
			n++
		}
	}
	return s / max(n, 1)
}

func (p *Plan) checkNormal() error {
	c := p.Normal
	switch {
	case c == nil:
		return nil
	case p.Option != OptionC:
		return errors.New("normal: conditions are for plans of option C")
	case c.Year.From.IsZero() || c.Year.To.IsZero():
		return errors.New("normal: year needs both ends")
	case c.Year.From.Time().Before(p.Baseline.From.Time()):
		return errors.New("normal: year begins before the baseline")
	}
	if err := c.Year.Check(); err != nil {
		return fmt.Errorf("normal: year: %w", err)
	}
	if days := c.Year.To.Time().Sub(c.Year.From.Time()).Hours() / 24; days < leastNormalDays || days > 400 {
		return fmt.Errorf("normal: a year of %.0f days: want %d to 400", days, leastNormalDays)
	}
	for name, v := range c.Drivers {
		known := false
		for i := range p.Models {
			for _, d := range p.Models[i].Drivers {
				known = known || d.Name == name && (d.Kind == DriverAmount || d.Kind == DriverMean)
			}
		}
		if !known || !finite(v) {
			return fmt.Errorf("normal: driver %s: want a number a day of a driver of kind amount or mean", name)
		}
	}
	return nil
}

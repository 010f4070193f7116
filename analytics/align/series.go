package align

import (
	"time"

	"github.com/thermie/thermie/metering"
)

// Grid is a run of equal steps: step i is [From + i Step, From + (i+1) Step).
type Grid struct {
	From  time.Time
	Step  time.Duration
	Steps int
}

// Hours is the grid of the whole hours of [from, to).
func Hours(from, to time.Time) Grid {
	return Grid{From: from, Step: time.Hour, Steps: int(to.Sub(from) / time.Hour)}
}

// At is the beginning of step i.
func (g Grid) At(i int) time.Time { return g.From.Add(time.Duration(i) * g.Step) }

// To is the end of the last step.
func (g Grid) To() time.Time { return g.At(g.Steps) }

// Series is one series on a grid.
type Series struct {
	// Amount is the increase of a register in each step, or the mean of a gauge,
	// in the unit of the series (joules as kWh, kilograms as kilograms).
	Amount []float64
	// Covered is the share of each step, 0 to 1, between good readings that lie
	// close enough. A step can have an amount and no cover: the amount of a gap,
	// split over its steps in proportion to time.
	Covered []float64
	// Split is, for each bound of steps, the variance of the amount that a gap
	// across that bound puts on one side or the other; Steps+1 long, or nil for none.
	Split []float64
	// Last is the instant of the last reading; zero when there is none.
	Last time.Time
	// Events are what a reader must know: resets, exchanges, faults, gaps.
	Events []Event
}

// Kinds of event.
const (
	Gap            = "gap"             // no usable reading for long
	Rollover       = "rollover"        // the register passed its capacity
	Exchanged      = "exchange"        // the meter was exchanged, with a record
	ExchangeUnfit  = "exchange_unfit"  // a record of an exchange that fits no reading
	Reset          = "reset"           // the register fell without a record
	Jump           = "jump"            // the register leapt beyond all it ever did
	Outlier        = "outlier"         // single readings that were passed over
	Scale          = "scale"           // readings a power of ten too large or too small
	Frozen         = "frozen"          // a gauge that stands still
	SensorsSwapped = "sensors_swapped" // flow and return sensors of a heat meter exchanged
	Silent         = "silent"          // no usable reading until now
)

// Event is something that happened to a series.
type Event struct {
	From, To time.Time
	Kind     string
	Text     metering.Text
	// Fault says that a person should look at the meter.
	Fault bool
	// Open says that it lasts to the last reading.
	Open bool
}

// Exclude takes the steps that an event touches from what is covered, and keeps
// the event.
func (s *Series) Exclude(g Grid, e Event) {
	s.Events = append(s.Events, e)
	for i := max(int(e.From.Sub(g.From)/g.Step), 0); i < g.Steps && g.At(i).Before(e.To); i++ {
		s.Covered[i] = 0
	}
}

// Slice is the part of a series that lies on a grid of the same steps: from is
// the series' own grid. Steps that from does not have are empty.
func (s *Series) Slice(from, to Grid) *Series {
	out := &Series{Amount: make([]float64, to.Steps), Covered: make([]float64, to.Steps), Last: s.Last}
	shift := int(to.From.Sub(from.From) / from.Step) // index in s of to's first step
	lo, hi := max(shift, 0), min(shift+to.Steps, from.Steps)
	if lo < hi {
		copy(out.Amount[lo-shift:], s.Amount[lo:hi])
		copy(out.Covered[lo-shift:], s.Covered[lo:hi])
	}
	if s.Split != nil && lo <= hi {
		out.Split = make([]float64, to.Steps+1)
		copy(out.Split[lo-shift:], s.Split[lo:hi+1])
	}
	for _, e := range s.Events {
		if e.From.Before(to.To()) && !e.To.Before(to.From) {
			out.Events = append(out.Events, e)
		}
	}
	return out
}

// gapVariance is the variance of the part of a gap's amount that falls before
// an instant at the share f of the gap. The part is taken as beta distributed
// with mean f and parameters that add up to 2: at the middle of the gap every
// part is equally likely, at its ends none is in doubt.
func gapVariance(amount, f float64) float64 {
	return amount * amount * (f * (1 - f)) / 3
}

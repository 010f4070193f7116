package align

import (
	"strconv"
	"time"

	"github.com/thermie/thermie/metering"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

const (
	frozenFor = 48 * time.Hour
	livelyFor = 6 * time.Hour
	livelyIn  = 0.8 // share of the time that a lively gauge spends in shorter runs
)

// gauge keeps the numbers and finds where the gauge stands still although it
// otherwise moves: the very same number, not zero, for two days or longer, in a
// gauge that spends four fifths of its other time, and at least as much as it
// stood still, in runs of less than six hours. (A setpoint is no fault.)
func (t *Track) gauge(ps []metering.Point) {
	t.at, t.number = make([]int64, len(ps)), make([]float64, len(ps))
	type run struct {
		from, to int64
		zero     bool
	}
	var long []run
	var short, total int64
	start := 0
	end := func(i int) { // run is ps[start:i]
		r := run{ps[start].At, ps[i-1].At, ps[start].Number.Coef == 0}
		if i < len(ps) && ps[i].At-r.to <= t.maxGap {
			r.to = ps[i].At
		}
		total += r.to - r.from
		if r.to-r.from < livelyFor.Milliseconds() {
			short += r.to - r.from
		} else if r.to-r.from >= frozenFor.Milliseconds() {
			long = append(long, r)
		}
	}
	for i := range ps {
		t.at[i], t.number[i] = ps[i].At, ps[i].Number.Float64()
		if i > start && (ps[i].Number != ps[start].Number && !ps[i].Number.Equal(ps[start].Number) || ps[i].At-ps[i-1].At > t.maxGap) {
			end(i)
			start = i
		}
	}
	end(len(ps))
	for _, r := range long {
		// The other runs decide whether the gauge is lively.
		if r.zero || float64(short) < livelyIn*float64(total-(r.to-r.from)) || short < r.to-r.from {
			continue
		}
		t.holes = append(t.holes, window{r.from, r.to})
		from, to := instant(r.from), instant(r.to)
		t.Events = append(t.Events, Event{From: from, To: to, Kind: Frozen, Fault: true, Open: r.to == ps[len(ps)-1].At,
			Text: say("Mesure figée %s : écartée.", "Reading frozen %s: left out.", span(from, to))})
	}
}

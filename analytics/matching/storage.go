package matching

import (
	"math"
	"slices"
)

// Store is a buffer of hot water between one source and one sink.
type Store struct {
	CapacityKWh float64
	LossPerHour float64 // share of its content lost in an hour
}

// StoragePlan is what a pair delivers with stores of different sizes.
type StoragePlan struct {
	// LevelC is the temperature, shifted, at which the store is charged: the median of
	// the source's hot end while it runs. What the sink wants above it is not served.
	LevelC       float64
	DeliveredMWh []float64 // one for each store
}

// Storage balances one pair hour by hour through stores. Rule: hourly means; at
// the start of an hour the store loses its share; the source's heat, less the
// losses of the way, serves the sink now as far as it is wanted, the rest fills
// the store; what the sink still wants is taken from the store.
//
// To deliver now is optimal: a kilowatt-hour stored is worth at most a
// kilowatt-hour later, less losses, and delivering it now leaves no later state
// worse. So the plan is the optimum of the year's linear programme, without
// solving it.
func (p *Problem) Storage(source, sink int, stores []Store) StoragePlan {
	s, d, gain := &p.Sources[source], &p.Sinks[sink], p.Gain[source][sink]
	plan := StoragePlan{LevelC: math.NaN(), DeliveredMWh: make([]float64, len(stores))}
	var hot []float64
	for i := range p.Steps {
		if s.running(i) {
			hot = append(hot, s.HighC[i])
		}
	}
	if len(hot) == 0 {
		return plan
	}
	slices.Sort(hot)
	plan.LevelC = (hot[(len(hot)-1)/2] + hot[len(hot)/2]) / 2
	perHour := max(1, int(math.Round(1/p.Hours)))
	var offer, want []float64 // kWh of each hour
	for from := 0; from < p.Steps; from += perHour {
		var o, w float64
		steps := min(perHour, p.Steps-from)
		for i := from; i < from+steps; i++ {
			if s.running(i) {
				o += s.KW[i] * p.Hours
			}
			if d.running(i) {
				w += d.KW[i] * p.Hours * d.below(i, plan.LevelC)
			}
		}
		offer, want = append(offer, o*gain), append(want, w)
	}
	hours := p.Hours * float64(perHour)
	for k, store := range stores {
		plan.DeliveredMWh[k] = charge(offer, want, store.CapacityKWh, math.Pow(1-store.LossPerHour, hours)) / 1000
	}
	return plan
}

// charge runs one store over periods and returns the delivered kWh; kept is the
// share of its content that survives a period.
func charge(offer, want []float64, capacity, kept float64) (delivered float64) {
	content := 0.0
	for i := range offer {
		content *= kept
		now := min(offer[i], want[i])
		later := min(content, want[i]-now)
		content = min(capacity, content-later+offer[i]-now)
		delivered += now + later
	}
	return delivered
}

// below is the share of a stream's heat that lies below a temperature.
func (s *Stream) below(i int, t float64) float64 {
	if s.HighC[i]-s.LowC[i] < 1e-9 {
		if t >= s.HighC[i] {
			return 1
		}
		return 0
	}
	return min(max((t-s.LowC[i])/(s.HighC[i]-s.LowC[i]), 0), 1)
}

package synth

import (
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/heat"
)

// faults puts troubles into channels of assets, no two into one channel group,
// none in the first and last week.
func (m *maker) faults() {
	if m.o.Faults == 0 || len(m.Assets) == 0 {
		return
	}
	kinds := []heat.FaultKind{heat.SensorsSwapped, heat.StuckReading, heat.ScaleJump, heat.Gap}
	done := map[string]bool{}
	for k := 0; k < 100 && len(m.Faults) < m.o.Faults; k++ {
		a := m.Assets[m.r.IntN(len(m.Assets))]
		kind := kinds[(len(m.Faults)+int(m.Seed))%len(kinds)]
		if done[a.Card.ID] || a.MeanKW < 20 {
			continue
		}
		perDay := int(24 * time.Hour / m.o.Step)
		from := (7 + m.r.IntN(m.o.Days-40)) * perDay
		from += m.r.IntN(perDay)
		to := from + int(m.between(1.5, 14)*float64(perDay))
		if !m.runs(a.Card.Signals[0], from, to) {
			continue // of what stands still nothing can be seen
		}
		f := heat.Fault{Kind: kind}
		switch kind {
		case heat.SensorsSwapped:
			if !strings.Contains(a.Card.THot, ".T_hot_C") {
				continue
			}
			f.Channels = []string{a.Card.THot, a.Card.TCold}
		case heat.Gap:
			f.Channels = slices.Clone(a.Card.Signals)
			sort.Strings(f.Channels)
		default:
			f.Channels = a.Card.Signals[:1]
		}
		for _, c := range f.Channels {
			m.spoil(c, from, to, &f)
		}
		if kind == heat.SensorsSwapped {
			x, y := m.Grid.Channels[f.Channels[0]], m.Grid.Channels[f.Channels[1]]
			for i := from; i < to; i++ {
				x[i], y[i] = y[i], x[i]
			}
		}
		f.From, f.To = m.Grid.At(from), m.Grid.At(to)
		m.Faults = append(m.Faults, f)
		done[a.Card.ID] = true
	}
}

// runs says whether a channel reads something in a quarter of a window or more.
func (m *maker) runs(channel string, from, to int) bool {
	n := 0
	for _, v := range m.Grid.Channels[channel][from:to] {
		if v > 0 {
			n++
		}
	}
	return 4*n >= to-from
}

func (m *maker) spoil(channel string, from, to int, f *heat.Fault) {
	x := m.Grid.Channels[channel]
	switch f.Kind {
	case heat.StuckReading:
		for i := from; i < to; i++ {
			if x[i] > 0 { // frozen while at work
				from = i
				break
			}
		}
		for i := from + 1; i < to; i++ {
			x[i] = x[from]
		}
	case heat.ScaleJump:
		f.Factor = [...]float64{10, 10, 1000, 0.1, 100}[m.r.IntN(5)]
		f.Kind = heat.ScaleKind(f.Factor)
		for i := from; i < to; i++ {
			x[i] *= f.Factor
		}
	case heat.Gap:
		for i := from; i < to; i++ {
			x[i] = math.NaN()
		}
	}
}

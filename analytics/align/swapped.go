package align

import (
	"slices"
	"time"
)

const (
	swappedHours = 12  // hours of flow that must all be swapped
	swappedByK   = 0.2 // K that the hot side must be colder
)

// FindSwapped finds where the flow and return sensors of a heat meter are
// exchanged: in every hour in which water flows the hot side reads colder than
// the cold one, for twelve such hours or more in a row. Hours without flow
// neither count nor interrupt. Most meters then count nothing, so the energy of
// the window is not covered. flow, hot and cold lie on the same grid.
func FindSwapped(g Grid, flow, hot, cold *Series) []Event {
	var flows []float64
	for i, x := range flow.Amount {
		if flow.Covered[i] > 0 && x > 0 {
			flows = append(flows, x)
		}
	}
	if len(flows) == 0 {
		return nil
	}
	slices.Sort(flows)
	least := 0.05 * flows[len(flows)*95/100]
	var out []Event
	first, last, n, known := -1, -1, time.Duration(0), -1
	flush := func() {
		if n >= swappedHours*time.Hour {
			from, to := g.At(first), g.At(last+1)
			open := known == last
			out = append(out, Event{From: from.UTC(), To: to.UTC(), Kind: SensorsSwapped, Fault: true, Open: open,
				Text: say("Sondes départ et retour inversées %s : l'énergie n'est pas comptée.",
					"Flow and return sensors exchanged %s: energy is not counted.", span(from, to))})
		}
		first, n = -1, 0
	}
	for i := range flow.Amount {
		if flow.Covered[i] == 0 || hot.Covered[i] == 0 || cold.Covered[i] == 0 || flow.Amount[i] < least {
			continue
		}
		known = i
		if hot.Amount[i] >= cold.Amount[i]-swappedByK {
			flush()
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
		n += g.Step
	}
	flush()
	return out
}

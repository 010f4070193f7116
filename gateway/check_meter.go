package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/metering"
)

// meter judges one meter by itself; key is to blame for the error.
func (k *checker) meter(m *Meter, bus poll.Bus, library *profile.Library) (out poll.Meter, key string, err error) {
	if err := metering.CheckID(m.ID); err != nil {
		return out, "id", err
	}
	if m.Unit < 0 || m.Unit > 255 {
		return out, "unit", fmt.Errorf("meter %s: unit %d is not between 0 and 255", m.ID, m.Unit)
	}
	p, err := library.Get(m.Profile)
	if err != nil {
		ids := make([]string, 0, 64)
		for _, p := range library.All() {
			ids = append(ids, p.ID)
		}
		return out, "profile", fmt.Errorf("meter %s: profile %q is not known; nearest: %s", m.ID, m.Profile, strings.Join(nearest(m.Profile, ids, 3), ", "))
	}
	if m.Interval == 0 {
		m.Interval = max(DefaultInterval, p.Timing.MinPoll)
	}
	if m.Interval < 0 || m.Interval > time.Hour {
		return out, "interval", fmt.Errorf("meter %s: %v is not between 0 and 1h", m.ID, m.Interval)
	}
	out = poll.Meter{ID: m.ID, Unit: byte(m.Unit), Profile: p, Interval: m.Interval, Channel: m.Channel}
	if m.Pulse != nil {
		weight, err := metering.ParseDecimal(m.Pulse.Weight)
		if err != nil {
			return out, "pulse", fmt.Errorf("meter %s: weight: %w", m.ID, err)
		}
		out.Pulse = &poll.Pulse{Quantity: metering.Quantity(m.Pulse.Quantity), Weight: weight, Unit: metering.Unit(m.Pulse.Unit)}
	}
	for q, how := range m.Quantities {
		if how.Interval < 0 || how.Interval > time.Hour {
			return out, "quantities", fmt.Errorf("meter %s: %s: interval %v is not between 0 and 1h", m.ID, q, how.Interval)
		}
		if how.Average && q.Kind() == metering.Counter {
			return out, "quantities", fmt.Errorf("meter %s: %s is a counter: it is sent as read, not averaged", m.ID, q)
		}
		if how.Average && how.Skip {
			return out, "quantities", fmt.Errorf("meter %s: %s is skipped, so there is nothing to average", m.ID, q)
		}
		if out.Quantities == nil {
			out.Quantities = map[metering.Quantity]poll.Sampling{}
		}
		out.Quantities[q] = poll.Sampling{Interval: how.Interval, Skip: how.Skip}
	}
	alone := bus
	alone.Meters = []poll.Meter{out}
	if _, err := poll.New(alone, poll.Options{}); err != nil {
		return out, blame(err.Error()), err
	}
	return out, "", nil
}

// means are the series of a meter that are averaged.
func (m *Meter) means() (out []metering.SeriesID) {
	for q, how := range m.Quantities {
		if how.Average {
			out = append(out, metering.Series(m.ID, q))
		}
	}
	return out
}

// blame guesses the key that an error of polling is about.
func blame(text string) string {
	for _, key := range []string{"quantities", "pulse", "channel", "interval", "unit"} {
		if strings.Contains(text, ": "+key) {
			return key
		}
	}
	return "id"
}

// nearest returns the n names with the least edits from a name.
func nearest(name string, names []string, n int) []string {
	distance := make(map[string]int, len(names))
	for _, s := range names {
		distance[s] = edits(name, s)
	}
	sorted := slices.SortedFunc(maps.Keys(distance), func(a, b string) int {
		if d := distance[a] - distance[b]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return sorted[:min(n, len(sorted))]
}

// edits is Levenshtein's distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

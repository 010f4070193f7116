package heat

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/thermie/thermie/calendar"
)

// Bands are the temperature bands of reports, in degC. ADEME's published cuts
// at 60, 90 and 100 degC stay reachable as sums but for the last.
var Bands = []Band{{"0-40", math.Inf(-1), 40}, {"40-60", 40, 60}, {"60-90", 60, 90}, {"90-150", 90, 150}, {">150", 150, math.Inf(1)}}

// Band is a range of temperature, half-open, in degC.
type Band struct {
	Name      string
	Low, High float64
}

// Source is what one asset rejects, by measurement.
type Source struct {
	Card  *Card
	Grade Grade
	// KW is the heat of each step, HotC and ColdC the temperatures between which it
	// is given off, State where it comes from; NaN where unknown.
	KW    []float64
	HotC  []float64
	ColdC []float64
	State []State

	MWh          float64 // over the known steps, estimated ones included
	EstimatedMWh float64 // its part that fills gaps from like times
	MendedMWh    float64 // its part that stands on mended readings
	NoBandMWh    float64 // its part whose temperature is unknown
	ByBand       []float64
	Monthly      [12]float64 // MWh by civil month, January first
	P50KW        float64     // exceeded in half of the valid steps: typical power
	P90KW        float64     // exceeded in nine steps of ten: firm power
	P95KW        float64     // 95th percentile
	MaxKW        float64
	Hours        float64 // above 20 % of the 95th percentile; estimated steps included
	Valid        int     // measured and mended steps
	Known        int     // valid and estimated steps
	Coverage     float64 // valid share of the steps
	LowC         float64 // heat-weighted mean of the cold end, degC
	HighC        float64 // heat-weighted mean of the hot end, degC
	Flags        []string
}

// Sources runs every card over the grid. Faults are put right or left out
// ([Mend]), gaps are filled from like times, and each step says which.
func Sources(g *Grid, cards []Card, faults []Fault) ([]Source, error) {
	clean := Mend(g, faults)
	var out []Source
	for i := range cards {
		s, err := source(clean, &cards[i], faults)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// source runs a card over a grid whose faults are mended.
func source(g *Grid, c *Card, faults []Fault) (Source, error) {
	p, err := c.compile(g)
	if err != nil {
		return Source{}, err
	}
	s := Source{Card: c, Grade: c.grade(), KW: make([]float64, g.Steps), HotC: make([]float64, g.Steps),
		ColdC: make([]float64, g.Steps), State: make([]State, g.Steps), ByBand: make([]float64, len(Bands)), Flags: p.flags}
	touched := concerned(g, c, faults)
	negative := 0
	for i := range s.KW {
		q, hot, cold := p.run(i)
		if q < 0 {
			q = 0
			negative++
		}
		s.KW[i], s.HotC[i], s.ColdC[i] = q, hot, cold
		switch {
		case math.IsNaN(q):
		case touched[i]:
			s.State[i] = Mended
		default:
			s.State[i] = Measured
		}
	}
	if negative > g.Steps/100 {
		s.Flags = append(s.Flags, fmt.Sprintf("the rule gives heat below zero in %.1f %% of the steps, taken as none", 100*float64(negative)/float64(g.Steps)))
	}
	fill(g, s.KW, s.State, s.HotC, s.ColdC)
	s.fillTemperatures(g)
	s.figures(g)
	return s, nil
}

// fillTemperatures fills what is missing of a temperature while the heat is
// known, such as a frozen sensor beside a heat meter, from like times.
func (s *Source) fillTemperatures(g *Grid) {
	unknown := func() (n int) {
		for i, q := range s.KW {
			if q > 0 && math.IsNaN(s.HotC[i]+s.ColdC[i]) {
				n++
			}
		}
		return n
	}
	before := unknown()
	if before == 0 {
		return
	}
	scratch := make([]State, g.Steps)
	fill(g, s.HotC, scratch)
	fill(g, s.ColdC, scratch)
	if filled := before - unknown(); filled > g.Steps/100 {
		s.Flags = append(s.Flags, fmt.Sprintf("a temperature is estimated from like times in %.1f %% of the steps", 100*float64(filled)/float64(g.Steps)))
	}
}

// figures sums up the steps.
func (s *Source) figures(g *Grid) {
	var month calendarMonths
	var valid []float64
	var weight, reversed float64
	for i, q := range s.KW {
		if s.State[i] == Unknown {
			continue
		}
		s.Known++
		mwh := q * g.hours() / 1000
		s.MWh += mwh
		switch s.State[i] {
		case Estimated:
			s.EstimatedMWh += mwh
		case Mended:
			s.MendedMWh += mwh
			valid = append(valid, q)
		default:
			valid = append(valid, q)
		}
		s.Monthly[month.of(g.At(i))] += mwh
		if q == 0 {
			continue
		}
		hot, cold := s.HotC[i], s.ColdC[i]
		if math.IsNaN(hot) || math.IsNaN(cold) {
			s.NoBandMWh += mwh
			continue
		}
		if hot < cold {
			if hot < cold-clearlyKelv {
				reversed += mwh
			}
			hot, cold = cold, hot
		}
		split(s.ByBand, mwh, hot, cold)
		weight += q
		s.LowC += float64(q * cold)
		s.HighC += float64(q * hot)
	}
	s.Valid = len(valid)
	if g.Steps > 0 {
		s.Coverage = float64(s.Valid) / float64(g.Steps)
	}
	if weight > 0 {
		s.LowC /= weight
		s.HighC /= weight
	}
	if s.Valid == 0 {
		s.Flags = append(s.Flags, "no valid reading")
		return
	}
	slices.Sort(valid)
	s.P50KW, s.P90KW, s.P95KW = quantile(valid, 0.5), quantile(valid, 0.1), quantile(valid, 0.95)
	s.MaxKW = valid[len(valid)-1]
	// What is filled is a mean of like times: of a source that comes and goes it would
	// count too many hours, so these follow from the readings.
	above := len(valid) - sort.Search(len(valid), func(i int) bool { return valid[i] > 0.2*s.P95KW })
	s.Hours = g.hours() * float64(above) * float64(s.Known) / float64(s.Valid)
	if s.Coverage < 0.8 {
		s.Flags = append(s.Flags, fmt.Sprintf("only %.0f %% of the time is measured", 100*s.Coverage))
	}
	if reversed > 0.02*s.MWh {
		s.Flags = append(s.Flags, fmt.Sprintf("for %.1f MWh the hot temperature lies below the cold one: they were exchanged", reversed))
	}
	if s.NoBandMWh > 0.01*s.MWh {
		s.Flags = append(s.Flags, fmt.Sprintf("%.1f MWh have no known temperature", s.NoBandMWh))
	}
}

// concerned marks the steps at which a fault of one of the asset's channels was
// mended.
func concerned(g *Grid, c *Card, faults []Fault) []bool {
	out := make([]bool, g.Steps)
	for _, f := range faults {
		if !f.Mend || !slices.ContainsFunc(f.Channels, c.Reads) {
			continue
		}
		from, to := g.window(f)
		for i := from; i < to; i++ {
			out[i] = true
		}
	}
	return out
}

// Reads says whether an asset's figures depend on a channel.
func (c *Card) Reads(channel string) bool {
	return slices.Contains(c.Signals, channel) || c.THot == channel || c.TCold == channel
}

// split shares heat given off between hot and cold, uniformly over temperature,
// among the bands.
func split(bands []float64, mwh, hot, cold float64) {
	if hot-cold < 1e-6 {
		for k, b := range Bands {
			if hot >= b.Low && hot < b.High {
				bands[k] += mwh
			}
		}
		return
	}
	for k, b := range Bands {
		if part := min(hot, b.High) - max(cold, b.Low); part > 0 {
			bands[k] += float64(mwh * (part / (hot - cold)))
		}
	}
}

// quantile interpolates linearly between order statistics (type 7 of Hyndman
// and Fan); the numbers are sorted.
func quantile(sorted []float64, p float64) float64 {
	h := p * float64(len(sorted)-1)
	k := int(h)
	if k+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[k] + float64((h-float64(k))*(sorted[k+1]-sorted[k]))
}

// calendarMonths finds the civil month of ascending instants without a calendar
// computation for each.
type calendarMonths struct {
	index int
	until time.Time
}

func (m *calendarMonths) of(t time.Time) int {
	if !t.Before(m.until) {
		local := t.In(calendar.Paris)
		m.index = int(local.Month()) - 1
		m.until = time.Date(local.Year(), local.Month()+1, 1, 0, 0, 0, 0, calendar.Paris)
	}
	return m.index
}

// String names a source in messages.
func (s Source) String() string { return fmt.Sprintf("%s (%s)", s.Card.ID, s.Card.Type) }

// YearMonths is the heat of each month of a year, January first, MWh: the mean
// over the years in the grid, scaled from the known share of the month.
func (s *Source) YearMonths(g *Grid) []float64 {
	out := make([]float64, 12)
	known := make([]int, 12)
	var m calendarMonths
	for i := range s.KW {
		if k := m.of(g.At(i)); s.State[i] != Unknown {
			known[k]++
		}
	}
	for k := range out {
		if known[k] > 0 {
			out[k] = s.Monthly[k] * daysOfMonth[k] * 24 / (float64(known[k]) * g.hours())
		}
	}
	return out
}

var daysOfMonth = [...]float64{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

package heat

import (
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/calendar"
)

// Profile is how a source's heat lies in time.
type Profile struct {
	// Duration is the load-duration curve: heat exceeded in 0, 5 ... 100 % of the
	// valid steps, kW.
	Duration []float64
	// Hour is the mean of each hour of the civil day, kW: working days, Saturdays
	// and Sundays.
	Hour [2][24]float64
	// Season is the mean of winter (December to February), spring, summer, autumn,
	// kW; NaN where none is known.
	Season [4]float64
	// Operating are the power exceeded in half and in nine tenths of the steps in
	// which the source runs (above 20 % of the 95th percentile), and how much of the
	// time it does.
	OperatingP50KW, OperatingP90KW, OperatingShare float64
	// FirmShare is the part of the energy below the firm power, 0 to 1; the rest is
	// intermittent.
	FirmShare float64
	// LongestOutage is the longest time without heat (below 5 % of the 95th
	// percentile), unknown steps not counted.
	LongestOutage time.Duration
	// ExergyMWh is the work that a perfect machine would get out of the heat against
	// surroundings of [SurroundingsC].
	ExergyMWh float64
}

// SurroundingsC is the temperature against which exergy is counted: about the
// yearly mean outdoors in Strasbourg.
const SurroundingsC = 11.0

// Profile computes how the heat lies in time.
func (s *Source) Profile(g *Grid) Profile {
	var p Profile
	var valid, running []float64
	var hours [2][24]int
	var seasonN [4]int
	outage, firm, total := 0, 0.0, 0.0
	longest := 0
	for i, q := range s.KW {
		if s.State[i] == Unknown {
			continue
		}
		if s.State[i] != Estimated {
			valid = append(valid, q)
			if q > 0.2*s.P95KW {
				running = append(running, q)
			}
		}
		local := g.At(i).In(calendar.Paris)
		w := 0
		if d := local.Weekday(); d == time.Saturday || d == time.Sunday {
			w = 1
		}
		p.Hour[w][local.Hour()] += q
		hours[w][local.Hour()]++
		k := Season(local.Month())
		p.Season[k] += q
		seasonN[k]++
		if q < 0.05*s.P95KW || q == 0 {
			outage++
			longest = max(longest, outage)
		} else {
			outage = 0
		}
		firm += min(q, s.P90KW)
		total += q
		if q > 0 && !math.IsNaN(s.HotC[i]+s.ColdC[i]) {
			p.ExergyMWh += q * g.hours() / 1000 * carnot(s.HotC[i], s.ColdC[i])
		}
	}
	for w := range hours {
		for h, n := range hours[w] {
			if n > 0 {
				p.Hour[w][h] /= float64(n)
			}
		}
	}
	for k, n := range seasonN {
		p.Season[k] /= float64(n) // NaN where none
	}
	p.LongestOutage = time.Duration(longest) * g.Step
	if total > 0 {
		p.FirmShare = firm / total
	}
	if len(valid) == 0 {
		return p
	}
	slices.Sort(valid)
	for k := 0; k <= 20; k++ {
		p.Duration = append(p.Duration, quantile(valid, 1-float64(k)/20))
	}
	slices.Sort(running)
	if len(running) > 0 {
		p.OperatingP50KW, p.OperatingP90KW = quantile(running, 0.5), quantile(running, 0.1)
		p.OperatingShare = float64(len(running)) / float64(len(valid))
	}
	return p
}

// carnot is the exergy of a unit of heat given off between two temperatures, by
// the logarithmic mean: 1 - T0/Tlm, in kelvin; 0 below the surroundings.
func carnot(hot, cold float64) float64 {
	const zero = 273.15
	return max(0, 1-(SurroundingsC+zero)/logMean(hot+zero, cold+zero))
}

// MonthsByBand is the heat of each month of a year, January first, by temperature
// band in the order of [Bands], MWh: means over the years in the grid, scaled
// from the known share of the month. Heat whose temperature is unknown is in none.
func (s *Source) MonthsByBand(g *Grid) [][]float64 {
	out := make([][]float64, 12)
	for k := range out {
		out[k] = make([]float64, len(Bands))
	}
	var known [12]int
	var m calendarMonths
	for i, q := range s.KW {
		if s.State[i] == Unknown {
			continue
		}
		k := m.of(g.At(i))
		known[k]++
		if q > 0 && !math.IsNaN(s.HotC[i]+s.ColdC[i]) {
			split(out[k], q*g.hours()/1000, max(s.HotC[i], s.ColdC[i]), min(s.HotC[i], s.ColdC[i]))
		}
	}
	for k := range out {
		for b := range out[k] {
			if known[k] > 0 {
				out[k][b] *= daysOfMonth[k] * 24 / (float64(known[k]) * g.hours())
			}
		}
	}
	return out
}

// Season is the season of a civil month: 0 winter (December to February), 1
// spring, 2 summer, 3 autumn.
func Season(m time.Month) int { return int(m) % 12 / 3 }

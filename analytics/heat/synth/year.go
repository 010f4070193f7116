// Package synth makes synthetic years of meter channels in which it is known
// what each asset rejects: for tests and benchmarks of waste-heat detection and
// of fault finding. Nothing in it is a measurement, and nothing outside tests may
// show its figures without the word synthetic.
//
// A year has a number of sites; each has one asset that rejects heat, or none,
// and other meters that look alike: boilers, heating circuits, hot water,
// district-heating substations, chilled water, machines. Readings have the error
// of their class, noise, rounding, and silences; faults are put in where asked.
package synth

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/thermie/thermie/analytics/heat"
)

// Options say what kind of year is made.
type Options struct {
	Sites  int // 0: 12
	Days   int // 0: 365
	Step   time.Duration
	Faults int // faults put into channels of assets
}

// Asset is an asset that rejects heat, with the truth about it.
type Asset struct {
	Card    heat.Card
	Kind    string
	Object  string // the site's meter whose channels tell of it
	MWh     float64
	MeanKW  float64
	Monthly [12]float64 // UTC months
}

// Year is a synthetic year.
type Year struct {
	Seed    uint64
	Grid    *heat.Grid
	Weather string
	Places  map[string]heat.Place
	Assets  []Asset
	Decoys  []string // objects that reject nothing
	Faults  []heat.Fault
}

const perM3K = 1.16111 // kWh a m3 and K of water

type maker struct {
	Year
	o      Options
	r      *rand.Rand
	ext    []float64
	words  map[string]string
	silent []bool // of the present site
}

// Make makes the year of a seed; the same seed makes the same year.
func Make(seed uint64, o Options) *Year {
	if o.Sites == 0 {
		o.Sites = 12
	}
	if o.Days == 0 {
		o.Days = 365
	}
	if o.Step == 0 {
		o.Step = 10 * time.Minute
	}
	steps := o.Days * int(24*time.Hour/o.Step)
	m := &maker{o: o, r: rand.New(rand.NewPCG(seed, 0x7468)), Year: Year{Seed: seed, Weather: "ext.T_C", Places: map[string]heat.Place{},
		Grid: &heat.Grid{Start: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Step: o.Step, Steps: steps, Channels: map[string][]float64{}}}}
	m.words = styles[int(seed)%len(styles)]
	m.weather()
	kinds := []func(site string) bool{m.compressor, m.chiller, m.flue, m.effluent, m.coolingLoop, m.dryCooler, m.kiln}
	order := m.r.Perm(len(kinds))
	for k := range o.Sites {
		site := fmt.Sprintf("S%02d", k+1)
		m.Places[site] = heat.Place{X: m.r.Float64() * 3000, Y: m.r.Float64() * 1500}
		m.silences()
		if k%3 != 2 { // every third site rejects nothing that counts
			kinds[order[k%len(kinds)]](site)
		}
		m.decoys(site)
	}
	m.faults()
	return &m.Year
}

// styles are the names that meters go by. The last says nothing of a loop's use.
var styles = []map[string]string{
	{},
	{"compressors": "compresseurs", "chiller": "groupe_froid", "chilled_water": "eau_glacee", "gas": "gaz", "flue": "fumees", "effluent": "rejet", "cooling": "refroidissement",
		"drycooler": "aerorefrigerant", "kiln_gas": "touraille_gaz", "exhaust": "buees", "boiler_house": "chaufferie", "heating": "chauffage", "hotwater": "ecs", "substation": "sous_station", "lighting": "eclairage", "machines": "machines",
		"solar": "solaire", "intake": "prise_eau", "network_process": "reseau_vapeur", "recovery": "recuperation", "hotwater_loop": "bouclage_ecs"},
	{"effluent": "m3", "cooling": "m4", "drycooler": "m5", "chilled_water": "m6", "heating": "m7", "hotwater": "m8", "substation": "m9", "boiler_house": "m10", "solar": "m11", "intake": "m12"},
}

func (m *maker) name(site, object string) string {
	if w, ok := m.words[object]; ok {
		object = w
	}
	return site + "." + object
}

func (m *maker) weather() {
	m.ext = make([]float64, m.Grid.Steps)
	slow, h := 0.0, m.o.Step.Hours()
	for i := range m.ext {
		day := float64(i) * h / 24
		slow += -slow*h/60 + m.r.NormFloat64()*3*math.Sqrt(2*h/60)
		m.ext[i] = 11 - 9.5*math.Cos(2*math.Pi*(day-18)/365) - 3.5*math.Cos(2*math.Pi*(day-2.0/24)) + slow
	}
	m.Grid.Channels["ext.T_C"] = rounded(m.ext, 0.1)
}

// silences draws when the present site's meters cannot be heard: about 1 % of
// the time, an hour or two at once.
func (m *maker) silences() {
	m.silent = make([]bool, m.Grid.Steps)
	for i := 0; i < len(m.silent); i++ {
		if m.r.Float64() < m.o.Step.Hours()/150 {
			n := 1 + int(math.Min(m.r.ExpFloat64()*1.5, 10)/m.o.Step.Hours())
			for j := i; j < min(i+n, len(m.silent)); j++ {
				m.silent[j] = true
			}
			i += n
		}
	}
}

// put adds a channel: class error, noise, rounding, silences.
func (m *maker) put(channel string, truth []float64, class, noise, digit float64) {
	gain := 1 + class*m.r.NormFloat64()
	x := make([]float64, len(truth))
	for i, v := range truth {
		if v != 0 {
			v = v*gain + noise*m.r.NormFloat64()*math.Max(1, math.Abs(v))
		}
		x[i] = v
	}
	x = rounded(x, digit)
	for i := range x {
		if m.silent[i] {
			x[i] = math.NaN()
		}
	}
	m.Grid.Channels[channel] = x
}

// celsius adds a temperature channel: offset, noise, a tenth of a degree.
func (m *maker) celsius(channel string, truth []float64) {
	offset := 0.15 * m.r.NormFloat64()
	x := make([]float64, len(truth))
	for i, v := range truth {
		x[i] = v + offset + 0.1*m.r.NormFloat64()
	}
	x = rounded(x, 0.1)
	for i := range x {
		if m.silent[i] {
			x[i] = math.NaN()
		}
	}
	m.Grid.Channels[channel] = x
}

func rounded(x []float64, digit float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Round(v/digit) * digit
	}
	return out
}

// pattern is an asset's load, 0 to 1, over the year.
func (m *maker) pattern(kind int) []float64 {
	out := make([]float64, m.Grid.Steps)
	h := m.o.Step.Hours()
	wander, left, on := 0.0, 0.0, false
	stop := m.r.IntN(300) // a week's stop for maintenance
	begin := -1
	if m.r.IntN(8) == 0 { // one in eight begins within the year
		begin = m.r.IntN(180)
	}
	for i := range out {
		t := m.Grid.At(i)
		wander += -wander*h/30 + m.r.NormFloat64()*0.08*math.Sqrt(2*h/30)
		load := math.Min(math.Max(0.82+wander, 0.45), 1)
		hour, weekend := t.Hour(), t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
		switch kind {
		case 1: // two shifts on working days, standby else
			if weekend || hour < 5 || hour >= 21 {
				load *= 0.15
			}
		case 2: // round the clock on working days
			if weekend {
				load = 0
			}
		case 3: // batches
			if left -= h; left <= 0 {
				on = !on
				left = 8 + 10*m.r.Float64()
			}
			if !on {
				load = 0
			}
		}
		if day := t.YearDay(); day >= stop && day < stop+5 && kind != 0 || day < begin {
			load = 0
		}
		out[i] = load
	}
	return out
}

func (m *maker) between(a, b float64) float64 { return a + (b-a)*m.r.Float64() }

func (m *maker) series(f func(i int) float64) []float64 {
	x := make([]float64, m.Grid.Steps)
	for i := range x {
		x[i] = f(i)
	}
	return x
}

// asset adds an asset and its true heat.
func (m *maker) asset(kind, site, object string, truth []float64, c heat.Card) bool {
	a := Asset{Card: c, Kind: kind, Object: object}
	a.Card.ID, a.Card.Site, a.Card.Type = site, site, kind
	h := m.o.Step.Hours()
	for i, q := range truth {
		a.MWh += q * h / 1000
		a.Monthly[m.Grid.At(i).Month()-1] += q * h / 1000
	}
	a.MeanKW = a.MWh * 1000 / (float64(m.Grid.Steps) * h)
	m.Assets = append(m.Assets, a)
	return true
}

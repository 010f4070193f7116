package detect

import (
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/thermie/thermie/analytics/heat"
)

// object is a meter or a machine of a site with the channels that tell of it.
type object struct {
	site, name string
	words      string            // its name without the site's, lower case
	vars       map[string]string // variable ("P", "V", "T_hot", "O2") to channel
	declared   bool              // a card or a need reads one of its channels
}

// is says whether the object's name has one of the words.
func (o *object) is(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(o.words, w) })
}

// Words by which meters go, French and English. A name is evidence: it was
// written by somebody who stood in front of the meter.
var (
	usefulWords     = []string{"heating", "chauff", "boiler", "chaudi", "substation", "sous_station", "sous-station", "sst", "ecs", "hotwater", "hot_water", "hot-water", "eau_chaude", "wash", "lavage", "dryer_air", "sechoir", "recover", "recup", "recircul", "boucl", "solar", "solaire", "network", "reseau", "cogen"}
	chilledWords    = []string{"chilled", "glac", "froid", "cold_water", "cooling_load"}
	compressorWords = []string{"compress", "air_comp"}
	chillerWords    = []string{"chiller", "groupe_froid", "groupe-froid", "froid", "refrig", "compressor_nh3"}
	condenserWords  = []string{"cond", "tower", "tour"}
	gasWords        = []string{"gas", "gaz", "burner", "bruleur", "furnace", "four", "fuel", "kiln", "touraille"}
	exhaustWords    = []string{"exhaust", "buee", "extract", "vapo", "sechage"}
	serverWords     = []string{"server", "datacent", "data_cent", "serveur", "it_load", "ups", "onduleur"}
	coolerWords     = []string{"cool", "refroid", "aeroref", "aéroréf", "tower", "tour", "condens", "reject", "rejet", "waste", "fatale"}
)

// objects takes the channels apart. One of whose channels a card, a need or the
// weather is made is declared.
func objects(g *heat.Grid, declared map[string]bool, sites map[string]string) []*object {
	names := make([]string, 0, len(g.Channels))
	for n := range g.Channels {
		names = append(names, n)
	}
	sort.Strings(names)
	byName := map[string]*object{}
	var out []*object
	for _, n := range names {
		name, variable := heat.ChannelParts(n)
		if name == "" || variable == "" {
			continue
		}
		words := name
		site, ok := sites[name]
		if ok {
			words = strings.TrimPrefix(name, site+"-")
		} else {
			site, _, _ = strings.Cut(name, ".")
		}
		o := byName[name]
		if o == nil {
			o = &object{site: site, name: name, words: strings.ToLower(words), vars: map[string]string{}}
			byName[name] = o
			out = append(out, o)
		}
		o.vars[variable] = n
		o.declared = o.declared || declared[n]
	}
	return out
}

// loop is a meter with flow and both temperatures.
func (o *object) loop() (flow, hot, cold string, ok bool) {
	flow = o.vars["V"]
	for _, p := range [...][2]string{{"T_hot", "T_cold"}, {"T_flow", "T_return"}, {"T_supply", "T_return"}} {
		if o.vars[p[0]] != "" && o.vars[p[1]] != "" {
			return flow, o.vars[p[0]], o.vars[p[1]], flow != ""
		}
	}
	return "", "", "", false
}

// daily are a channel's means of each day, NaN where less than half is known.
func daily(g *heat.Grid, x []float64) []float64 {
	perDay := max(1, int(24/g.Step.Hours()))
	out := make([]float64, g.Steps/perDay)
	for d := range out {
		out[d] = meanOf(x[d*perDay:(d+1)*perDay], perDay/2)
	}
	return out
}

func meanOf(x []float64, least int) float64 {
	sum, n := 0.0, 0
	for _, v := range x {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 || n < least {
		return math.NaN()
	}
	return sum / float64(n)
}

// line fits y = a + b x by least squares over the known pairs and gives the
// correlation.
func line(x, y []float64) (slope, correlation float64) {
	var n, sx, sy, sxx, syy, sxy float64
	for i := range x {
		if math.IsNaN(x[i]) || math.IsNaN(y[i]) {
			continue
		}
		n++
		sx += x[i]
		sy += y[i]
		sxx += x[i] * x[i]
		syy += y[i] * y[i]
		sxy += x[i] * y[i]
	}
	vx, vy, c := sxx-sx*sx/n, syy-sy*sy/n, sxy-sx*sy/n
	if n < 10 || vx <= 1e-9*sxx || vy <= 1e-9*syy {
		return 0, 0
	}
	return c / vx, c / math.Sqrt(vx*vy)
}

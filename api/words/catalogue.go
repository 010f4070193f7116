package words

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thermie/thermie/metering"
)

// entry is one text in both languages. Its verbs are those of fmt; one that
// counts has its singular and plural on the two sides of a bar.
type entry = metering.Text

// catalogue holds every text of the pages by key, gathered from the tables of
// this package and set with the typography of each language.
var catalogue = gather(general, overview, synergies, heat, heatPlan, field, companies, funding, administration, problems, contacts, downloads, measured())

func gather(tables ...map[string]entry) map[string]entry {
	all := make(map[string]entry)
	for _, t := range tables {
		for k, e := range t {
			if _, twice := all[k]; twice {
				panic("words: two texts for " + k)
			}
			all[k] = entry{FR: FR.Set(e.FR), EN: EN.Set(e.EN)}
		}
	}
	return all
}

// measured are the names of what is measured and of what ails it, which others
// than the pages use as well.
func measured() map[string]entry {
	all := make(map[string]entry)
	for _, q := range metering.Quantities {
		all["quantity."+string(q.Quantity)] = q.Quantity.Name()
		if q.Kind == metering.Gauge {
			for _, extreme := range []metering.Quantity{q.Quantity.Least(), q.Quantity.Greatest()} {
				all["quantity."+string(extreme)] = extreme.Name()
			}
		}
	}
	for _, r := range metering.Reasons {
		all["reason."+string(r)], all["reason."+string(r)+".do"] = r.Name(), r.Advice()
	}
	return all
}

// Keys lists the keys of the catalogue in order.
func Keys() []string { return slices.Sorted(maps.Keys(catalogue)) }

// Has says whether the catalogue has a text.
func Has(key string) bool { _, ok := catalogue[key]; return ok }

// T returns the text of a key. A key that is missing stands for itself between
// brackets, so that it is seen.
func (l Lang) T(key string, args ...any) string {
	e, ok := catalogue[key]
	if !ok {
		return "[" + key + "]"
	}
	s := e.In(string(l))
	if len(args) > 0 {
		s = fmt.Sprintf(s, args...)
	}
	return s
}

// Or returns the text of a key, or a fallback where the catalogue has none:
// for codes that come from outside.
func (l Lang) Or(key, fallback string) string {
	if Has(key) {
		return l.T(key)
	}
	return fallback
}

// N returns the text of a key that counts: French has its singular for 0 and
// 1, English for 1.
func (l Lang) N(key string, n int) string {
	one, many, _ := strings.Cut(l.T(key), "|")
	s := many
	if n == 1 || n == 0 && l == FR {
		s = one
	}
	return strings.ReplaceAll(s, "#", l.Number(float64(n), 0))
}

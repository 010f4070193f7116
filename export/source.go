package export

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
)

// About is what a file says of a series beside its unit.
type About struct {
	Name     string // of the meter, French
	Source   string
	Imported []Imported
}

// Describe tells where the points of a series come from: by the gateway that reads
// its meter and with which device, and, for stretches that came in batches of the
// origin imported, by which importer.
func Describe(meters []registry.Installation, imported []registry.ImportedSpan, synthetic bool) func(metering.SeriesID) About {
	byID := make(map[string]registry.Installation, len(meters))
	for _, m := range meters {
		byID[m.ID] = m
	}
	origin := func(origin, by string) string {
		if synthetic {
			origin = "synthetic"
		}
		return origin + " by " + by
	}
	spans := map[metering.SeriesID][]Imported{}
	for _, x := range imported {
		source := "imported by " + x.By
		if synthetic {
			source = "synthetic, " + source
		}
		spans[x.Series] = append(spans[x.Series], Imported{x.From, x.To, source})
	}
	return func(id metering.SeriesID) About {
		m, ok := byID[id.Meter()]
		if !ok {
			return About{Source: "unknown", Imported: spans[id]}
		}
		source := origin("measured", m.Gateway)
		if strings.HasPrefix(m.Gateway, registry.ImporterPrefix) {
			source = origin("imported", m.Gateway)
		}
		for _, s := range []string{m.Profile, m.Serial, m.AccuracyClass} {
			if s != "" {
				source += ", " + s
			}
		}
		return About{m.Name.FR, source, spans[id]}
	}
}

// source is where the point at an instant comes from.
func (x *Series) source(at int64) string {
	i := slices.IndexFunc(x.Imported, func(s Imported) bool { return s.From.UnixMilli() <= at && at <= s.To.UnixMilli() })
	if i < 0 {
		return x.Source
	}
	return x.Imported[i].Source
}

// windowSource is where the points of a window come from; "a; b" when its first and
// its last number come from two.
func (x *Series) windowSource(w series.Window) string {
	if w.Numbers() == 0 {
		return x.source(w.From.UnixMilli())
	}
	first, last := x.source(w.First.At), x.source(w.Last.At)
	if first != last {
		return first + "; " + last
	}
	return first
}

// lines say of a series what was imported, for a file's header.
func (x *Series) lines() (out [][2]string) {
	for _, s := range x.Imported {
		out = append(out, [2]string{"imported", fmt.Sprintf("%s; %s to %s; %s", x.ID, s.From.UTC().Format(time.RFC3339), s.To.UTC().Format(time.RFC3339), s.Source)})
	}
	return out
}

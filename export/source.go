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
// origin imported, by which importer. Of a meter whose company is not open to the
// reader, such as a partner's at a shared flow, gateway and device are not named.
func Describe(meters []registry.Installation, imported []registry.ImportedSpan, synthetic bool, open func(company string) bool) func(metering.SeriesID) About {
	byID := make(map[string]registry.Installation, len(meters))
	for _, m := range meters {
		byID[m.ID] = m
	}
	spans := map[metering.SeriesID][]registry.ImportedSpan{}
	for _, x := range imported {
		spans[x.Series] = append(spans[x.Series], x)
	}
	return func(id metering.SeriesID) About {
		m, ok := byID[id.Meter()]
		if !ok {
			return About{Source: "unknown"}
		}
		named := open(m.Company)
		about := About{Name: m.Name.FR, Source: "measured"}
		switch {
		case synthetic:
			about.Source = "synthetic"
		case strings.HasPrefix(m.Gateway, registry.ImporterPrefix):
			about.Source = "imported"
		}
		if named {
			about.Source += " by " + m.Gateway
			for _, s := range []string{m.Profile, m.Serial, m.AccuracyClass} {
				if s != "" {
					about.Source += ", " + s
				}
			}
		}
		for _, x := range spans[id] {
			source := "imported"
			if synthetic {
				source = "synthetic, imported"
			}
			if named {
				source += " by " + x.By
			}
			about.Imported = append(about.Imported, Imported{x.From, x.To, source})
		}
		return about
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

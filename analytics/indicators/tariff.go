package indicators

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Tariff is the price of one flow over time, in time of use where the contract
// says so.
type Tariff struct {
	ID   string        `yaml:"id" json:"id"`
	Name metering.Text `yaml:"name" json:"name"`
	// Unit is "EUR/MWh GCV", "EUR/MWh", "EUR/m3", "EUR/t" or "EUR/km".
	Unit string `yaml:"unit" json:"unit"`
	// Taxes says what the prices include: "hors taxes", "TICGN et CTA incluses" ...
	Taxes  string  `yaml:"taxes,omitempty" json:"taxes,omitempty"`
	Source Source  `yaml:"source" json:"source"`
	Prices []Price `yaml:"prices" json:"prices"`
}

// Price is what the flow costs in a span of days. Outside every band EUR holds.
type Price struct {
	Span  `yaml:",inline"`
	EUR   float64 `yaml:"eur" json:"eur"`
	Bands []Band  `yaml:"bands,omitempty" json:"bands,omitempty"`
}

// Band is a price in certain months, days and hours of civil time. The first
// band that holds an instant gives its price.
type Band struct {
	Name   string  `yaml:"name" json:"name"`                         // "heures pleines hiver"
	Months []int   `yaml:"months,omitempty" json:"months,omitempty"` // 1 to 12; none: all
	Days   string  `yaml:"days,omitempty" json:"days,omitempty"`     // workday, restday; none: all
	From   int     `yaml:"from_hour" json:"from_hour"`               // 0 to 23
	To     int     `yaml:"to_hour" json:"to_hour"`                   // 1 to 24, exclusive; at most From: over midnight
	EUR    float64 `yaml:"eur" json:"eur"`
}

// PriceUnit is the unit in which a flow is priced: "EUR/MWh GCV" for gas.
func (f Flow) PriceUnit() string {
	if f.Energy() {
		return "EUR/M" + f.Unit()[1:] // kWh GCV -> MWh GCV
	}
	return "EUR/" + f.Unit()
}

// At returns the price at an instant, in EUR for one unit of the flow as it is
// counted (kWh, m3, t, km). ok is false when the tariff has no price then.
func (t *Tariff) At(at time.Time) (eur float64, ok bool) {
	for i := range t.Prices {
		if p := &t.Prices[i]; p.Holds(at) {
			eur = p.at(at.In(calendar.Paris))
			if strings.HasPrefix(t.Unit, "EUR/MWh") {
				eur /= 1000
			}
			return eur, true
		}
	}
	return 0, false
}

func (p *Price) at(civil time.Time) float64 {
	for i := range p.Bands {
		if p.Bands[i].holds(civil) {
			return p.Bands[i].EUR
		}
	}
	return p.EUR
}

func (b *Band) holds(civil time.Time) bool {
	if len(b.Months) > 0 && !slices.Contains(b.Months, int(civil.Month())) {
		return false
	}
	if b.Days != "" && calendar.Workday(civil) != (b.Days == "workday") {
		return false
	}
	h := civil.Hour()
	if b.From < b.To {
		return h >= b.From && h < b.To
	}
	return h >= b.From || h < b.To
}

func (t *Tariff) check(seen map[string]bool) error {
	switch {
	case metering.CheckID(t.ID) != nil:
		return metering.CheckID(t.ID)
	case seen[t.ID]:
		return errors.New("id given twice")
	case !slices.ContainsFunc(Flows, func(f Flow) bool { return f.PriceUnit() == t.Unit }):
		return fmt.Errorf("unit %q: want EUR/MWh GCV, EUR/MWh, EUR/m3, EUR/t or EUR/km", t.Unit)
	case len(t.Prices) == 0:
		return errors.New("no prices")
	}
	seen[t.ID] = true
	for i := range t.Prices {
		p := &t.Prices[i]
		if err := p.Check(); err != nil {
			return err
		}
		if !finite(p.EUR) || math.Abs(p.EUR) > 1e6 {
			return fmt.Errorf("eur %v out of range", p.EUR)
		}
		for j := range t.Prices[:i] {
			if p.Overlaps(t.Prices[j].Span) {
				return fmt.Errorf("prices %d and %d overlap", j+1, i+1)
			}
		}
		for j := range p.Bands {
			if err := p.Bands[j].check(); err != nil {
				return fmt.Errorf("band %q: %w", p.Bands[j].Name, err)
			}
		}
	}
	return t.Source.check()
}

func (b *Band) check() error {
	for _, m := range b.Months {
		if m < 1 || m > 12 {
			return fmt.Errorf("month %d", m)
		}
	}
	switch {
	case b.Days != "" && b.Days != "workday" && b.Days != "restday":
		return fmt.Errorf("days %q: want workday, restday or nothing", b.Days)
	case b.From < 0 || b.From > 23 || b.To < 1 || b.To > 24:
		return fmt.Errorf("hours %d to %d: want from_hour 0 to 23 and to_hour 1 to 24", b.From, b.To)
	case !finite(b.EUR) || math.Abs(b.EUR) > 1e6:
		return fmt.Errorf("eur %v out of range", b.EUR)
	}
	return nil
}

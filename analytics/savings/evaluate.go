package savings

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Evaluation is a plan evaluated on data: every day of its reporting period,
// from which any longer period is summed.
type Evaluation struct {
	Plan *Plan
	Set  *indicators.Set
	// Fits are the adjusted baselines of option C, in the order of the plan's models.
	Fits []*Fit
	// Unadjusted is, for option C, the saving in MWh by day before non-routine
	// adjustments; nil when there are none.
	Unadjusted []float64

	data   *Data
	grid   grid
	first  int // first day of the reporting period
	last   int // one after its last day
	ledger *ledger
	prices map[string][]price
	notes  []note
	money  []payment
}

// payment is what one partner pays another for, by day in EUR.
type payment struct {
	cost *Cost
	eur  []float64
}

type price struct {
	eur float64
	ok  bool
}

// Evaluate computes the synergy's figures for each civil day from the beginning
// of the reporting period to until (whole days only). It refuses data that do
// not fit the plan and factors that the set does not have; everything that is
// merely incomplete is computed, with lower coverage and a note.
func Evaluate(p *Plan, set *indicators.Set, d *Data, until time.Time) (*Evaluation, error) {
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("plan of %s: %w", p.Synergy, err)
	}
	g := d.grid(until)
	e := &Evaluation{Plan: p, Set: set, data: d, grid: g, ledger: newLedger(g.n()), prices: map[string][]price{}}
	e.first = g.index(p.Reporting.From.Time())
	e.last = g.n()
	if !p.Reporting.To.IsZero() {
		e.last = g.index(p.Reporting.To.Time())
	}
	e.last = max(e.first, e.last)
	for _, step := range []func() error{e.flows, e.models, e.declarations, e.costs} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("plan of %s: %w", p.Synergy, err)
		}
	}
	e.eventNotes()
	return e, nil
}

// Days are the civil days evaluated: the first day, and the end of the last.
func (e *Evaluation) Days() (from, to time.Time) { return e.grid.days[e.first], e.grid.days[e.last] }

// price of a tariff in every hour of the grid, computed once.
func (e *Evaluation) price(id string) ([]price, error) {
	if id == "" {
		return nil, nil
	}
	if p, ok := e.prices[id]; ok {
		return p, nil
	}
	t, err := e.Set.Tariff(id)
	if err != nil {
		return nil, err
	}
	ps := make([]price, e.data.Hours)
	missing := -1
	for h := e.grid.hours[e.first]; h < e.grid.hours[e.last]; h++ {
		eur, ok := t.At(e.data.From.Add(time.Duration(h) * time.Hour))
		ps[h] = price{eur, ok}
		if !ok && missing < 0 {
			missing = h
		}
	}
	if missing >= 0 {
		at := e.data.From.Add(time.Duration(missing) * time.Hour)
		e.notes = append(e.notes, note{from: at, text: metering.Text{
			FR: "Le tarif « " + t.Name.FR + " » ne donne pas de prix à partir du " + frDate(at) + " : ces heures comptent pour 0 €.",
			EN: "The tariff “" + t.Name.In("en") + "” has no price from " + enDate(at) + ": these hours count for 0 EUR."}})
	}
	e.prices[id] = ps
	return ps, nil
}

// conversion says what one unit of a flow is of another indicator.
type conversion struct {
	indicator metering.Indicator
	perUnit   float64
	factor    *indicators.Factor // whose interval it has; nil for none
}

// worth looks up what a flow is converted to and its hourly prices.
func (e *Evaluation) worth(f indicators.Flow) (to []conversion, prices []price, err error) {
	v := e.Plan.Values[f]
	if v.Factor != "" {
		factor, err := e.Set.Factor(v.Factor)
		if err != nil {
			return nil, nil, fmt.Errorf("values.%s: %w", f, err)
		}
		if factor.Unit != f.FactorUnit() {
			return nil, nil, fmt.Errorf("values.%s: factor %s is in %s, a factor of %s is in %s", f, v.Factor, factor.Unit, f, f.FactorUnit())
		}
		add := func(i metering.Indicator, kg float64) {
			if kg != 0 {
				to = append(to, conversion{i, kg / 1000, &factor})
			}
		}
		add(metering.CO2eAvoidedTonnes, factor.Amount)
		if s := factor.Scopes; s != nil {
			add(metering.CO2eScope1Tonnes, s.Scope1)
			add(metering.CO2eScope2Tonnes, s.Scope2)
			add(metering.CO2eScope3Tonnes, s.Scope3)
		}
	}
	if p, ok := e.Set.PrimaryOf(f); ok && e.primary() {
		to = append(to, conversion{metering.PrimaryEnergyMWh, p / 1000, nil})
	}
	if v.Tariff != "" {
		t, err := e.Set.Tariff(v.Tariff)
		if err != nil {
			return nil, nil, fmt.Errorf("values.%s: %w", f, err)
		}
		if t.Unit != f.PriceUnit() {
			return nil, nil, fmt.Errorf("values.%s: tariff %s is in %s, a price of %s is in %s", f, v.Tariff, t.Unit, f, f.PriceUnit())
		}
	}
	prices, err = e.price(v.Tariff)
	return to, prices, err
}

// primary says whether primary energy can be counted: every flow of energy that
// the plan knows has its factor. A sum that leaves one out would mislead.
func (e *Evaluation) primary() bool {
	flows := slices.Collect(maps.Keys(e.Plan.Values))
	for i := range e.Plan.Displaced {
		flows = append(flows, e.Plan.Displaced[i].Energy)
	}
	for i := range e.Plan.Models {
		flows = append(flows, e.Plan.Models[i].Energy)
	}
	return !slices.ContainsFunc(flows, func(f indicators.Flow) bool {
		_, ok := e.Set.PrimaryOf(f)
		return !ok && f.Energy() && f != indicators.Heat
	})
}

// declarations spreads stated amounts over their days.
func (e *Evaluation) declarations() error {
	all := append(append([]Declared{}, e.Plan.Declared...), e.data.Declarations...)
	for i := range all {
		if err := e.declare(&all[i]); err != nil {
			return fmt.Errorf("declared %s: %w", all[i].ID, err)
		}
	}
	return nil
}

func (e *Evaluation) declare(d *Declared) error {
	flow := d.Flow
	if flow == "" {
		flow = map[metering.Indicator]indicators.Flow{metering.WaterSavedM3: indicators.Water,
			metering.MaterialTonnes: indicators.Material, metering.DistanceAvoidedKM: indicators.Distance}[d.Indicator]
		if _, valued := e.Plan.Values[flow]; !valued {
			flow = ""
		}
	}
	var to []conversion
	var prices []price
	perUnit := 1.0
	if flow != "" {
		var err error
		if to, prices, err = e.worth(flow); err != nil {
			return err
		}
		if flow.Energy() {
			perUnit = 1000 // the indicator counts MWh, the flow kWh
		}
	}
	for day := e.first; day < e.last; day++ {
		share := e.spread(d, day)
		if share == 0 {
			continue
		}
		amount, half := d.Amount*share, d.Half90*share
		key := "declared:" + d.ID
		e.declaredDay(d.Indicator, day, amount, half, key)
		for _, c := range to {
			x := float64(amount*perUnit) * c.perUnit
			e.declaredDay(c.indicator, day, x, float64(half*perUnit)*c.perUnit, key)
			e.factorEffect(c, day, x)
		}
		if prices != nil {
			eur := e.meanPrice(prices, day) * perUnit
			e.declaredDay(metering.MoneySavedEUR, day, amount*eur, half*eur, key)
		}
	}
	return nil
}

// spread is the share of a declared amount that falls on a day.
func (e *Evaluation) spread(d *Declared, day int) float64 {
	from := e.grid.days[day]
	if !d.Holds(from) {
		return 0
	}
	if d.PerYear {
		y := from.In(calendar.Paris).Year()
		return 1 / float64(time.Date(y, 12, 31, 0, 0, 0, 0, time.UTC).YearDay())
	}
	// Civil days of 23 and 25 hours count as one day, as in contracts.
	n := 0
	for t := d.From.Time(); t.Before(d.To.Time()); t = calendar.NextDay(t) {
		n++
		if n > 40000 {
			break
		}
	}
	return 1 / float64(n)
}

func (e *Evaluation) declaredDay(i metering.Indicator, day int, amount, half float64, key string) {
	x := e.ledger.entry(i)
	x.amount[day] += toMicro(amount)
	x.source(key)[day] += half
	x.declared[day] = true
	e.cover(x, day, 1)
}

// cover sets how much of a day is covered: the least of all that contributes.
func (e *Evaluation) cover(x *entry, day int, share float64) {
	h := float64(e.grid.hours[day+1] - e.grid.hours[day])
	if x.hours[day] == 0 {
		x.hours[day], x.covered[day] = h, h
	}
	x.covered[day] = min(x.covered[day], h*share)
}

// factorEffect records that tonnes depend on an emission factor that other
// synergies use as well.
func (e *Evaluation) factorEffect(c conversion, day int, tonnes float64) {
	if c.factor != nil && c.factor.Half90 > 0 {
		key := "factor:" + c.factor.ID
		e.ledger.common[key] = true
		e.ledger.entry(c.indicator).source(key)[day] += float64(tonnes * c.factor.Half90)
	}
}

func (e *Evaluation) meanPrice(ps []price, day int) float64 {
	s, n := 0.0, 0
	for _, p := range ps[e.grid.hours[day]:e.grid.hours[day+1]] {
		if p.ok {
			s += p.eur
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return s / float64(n)
}

// costs deducts what the exchange pays to others and keeps what partners pay
// each other.
func (e *Evaluation) costs() error {
	heat := e.ledger.entries[metering.HeatDeliveredMWh]
	for i := range e.Plan.Costs {
		c := &e.Plan.Costs[i]
		eur := make([]float64, e.grid.n())
		for day := e.first; day < e.last; day++ {
			if !c.Holds(e.grid.days[day]) {
				continue
			}
			y := e.grid.days[day].In(calendar.Paris).Year()
			eur[day] = c.EURPerYear / float64(time.Date(y, 12, 31, 0, 0, 0, 0, time.UTC).YearDay())
			if heat != nil {
				eur[day] += float64(c.EURPerMWh * float64(heat.amount[day]) / micro)
			}
		}
		e.money = append(e.money, payment{c, eur})
		if c.PaidTo != "" {
			continue
		}
		x := e.ledger.entry(metering.MoneySavedEUR)
		for day := e.first; day < e.last; day++ {
			x.amount[day] -= toMicro(eur[day])
			e.cover(x, day, 1)
			if c.EURPerMWh != 0 && heat != nil {
				for _, key := range heat.sources {
					x.source(key)[day] -= float64(c.EURPerMWh * heat.systematic[key][day])
				}
			}
		}
	}
	return nil
}

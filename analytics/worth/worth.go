package worth

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/metering"
)

// Project is one use of a source's heat.
type Project struct {
	MWh         float64 // delivered in a typical year (P50)
	HalfShare   float64 // half width of MWh at 90 %, as a share
	PeakKW      float64
	Electricity float64 // MWh a year, of a heat pump; 0: direct exchange
	SpreadK     float64 // of the pipe's water, for its diameter
	KM          float64 // route
	Internal    bool    // within one site
	SourceKind  string  // key of the asset's type
	Fuel        string  // displaced: key of a price, "" natural gas
	Efficiency  float64 // useful heat a unit of fuel
	Small       bool    // a small or medium firm
	Day         time.Time
}

// The three cases of every range: cautious, middle, favourable.
const (
	cautious = iota
	middle
	favourable
)

// Worth is what a project brings. Ranges go from the cautious case (poor year,
// dear equipment, cheap fuel, dear electricity) over the middle to the
// favourable one.
type Worth struct {
	MWhP50, MWhP90 float64
	CO2eTonnes     Range
	CapexEUR       Range // descending: the cautious case pays most
	OpexEUR        Range // a year, electricity included
	SavingEUR      Range // fuel saved less operation, a year
	DiameterMM     float64
	Without, With  Money // public support
	Aids           []Aid
	// Assumptions are the dated entries that the figures stand on.
	Assumptions []metering.Text
}

// Money is the result of the investment.
type Money struct {
	PaybackYears Range // +Inf where it never pays
	NPVEUR       Range
	LCOHEUR      Range // EUR a MWh delivered
}

// Aid is one rule of support, held against the project.
type Aid struct {
	Key      string
	Name     metering.Text
	Eligible bool
	Why      metering.Text // why not, or what to check
	EUR      Range
}

// z90 is the normal quantile behind half widths at 90 % (two-sided), z80 the one
// that nine years of ten exceed.
const (
	z90 = 1.6449
	z80 = 1.2816
)

// yearShare is the spread of weather and production between years as a half
// width at 90 %: our assumption.
const yearShare = 0.08

// Evaluate computes a project's worth by the rules in force on its day.
func (r *Rules) Evaluate(p Project) (*Worth, error) {
	if !(p.MWh > 0) || !(p.PeakKW > 0) || !(p.Efficiency > 0) || p.Electricity < 0 || p.KM < 0 || !(p.HalfShare >= 0) {
		return nil, fmt.Errorf("worth: %.4g MWh a year, peak %.4g kW, efficiency %.4g, electricity %.4g MWh, %.4g km: want positive figures", p.MWh, p.PeakKW, p.Efficiency, p.Electricity, p.KM)
	}
	f, err := r.at(p.Day)
	if err != nil {
		return nil, err
	}
	key := p.Fuel
	if key == "" {
		key = "natural_gas"
	}
	fuel, ok := f.prices[key]
	if !ok {
		return nil, fmt.Errorf("worth: no price of %q is in force on %s", key, p.Day.Format("2006-01-02"))
	}
	w := &Worth{MWhP50: p.MWh}
	sigma := math.Hypot(p.HalfShare, yearShare) / z90
	w.MWhP90 = p.MWh * max(0, 1-z80*sigma)
	heat := Range{w.MWhP90, p.MWh, p.MWh * (1 + z80*sigma)}
	w.DiameterMM = diameter(p.PeakKW, p.SpreadK)

	machine := f.costs["exchanger"]
	if p.Electricity > 0 {
		machine = f.costs["heat_pump"]
	}
	pipe, electricity := f.costs["pipe"], f.prices["electricity"]
	for k := range heat {
		dear := 2 - k // the cautious case pays the high cost
		m := machine.whole(p.PeakKW, dear)
		l := p.KM * 1000 * pipe.EUR[dear] * math.Pow(w.DiameterMM/pipe.Size, pipe.Exponent)
		current := p.Electricity * heat[k] / p.MWh
		w.CapexEUR[k] = m + l
		w.OpexEUR[k] = m*machine.OpexShare + l*pipe.OpexShare + current*electricity.EURPerMWh[dear]
		w.SavingEUR[k] = heat[k]/p.Efficiency*fuel.EURPerMWh[k] - w.OpexEUR[k]
		w.CO2eTonnes[k] = heat[k]/p.Efficiency*fuel.KgPerKWh - current*electricity.KgPerKWh
	}
	w.Without = money(w, heat, f.finance, Range{})
	var total Range
	for _, a := range r.Aids {
		x := a.held(&p, w, f)
		w.Aids = append(w.Aids, x)
		for k := range total {
			total[k] += x.EUR[k]
		}
	}
	for k := range total {
		total[k] = min(total[k], w.CapexEUR[k]) // support never exceeds the investment
	}
	w.With = money(w, heat, f.finance, total)
	for _, a := range []struct {
		what metering.Text
		source
	}{
		{machineName[machine.Key], machine.Source}, {metering.Text{FR: "conduite", EN: "pipe"}, pipe.Source}, {fuelName(fuel.Key), fuel.Source},
		{metering.Text{FR: "électricité", EN: "electricity"}, electricity.Source}, {metering.Text{FR: "actualisation", EN: "finance"}, f.finance.Source},
		{metering.Text{FR: "CEE", EN: "CEE"}, f.prices["cee"].Source},
	} {
		w.Assumptions = append(w.Assumptions, metering.Text{FR: a.what.FR + " : " + a.FR, EN: a.what.EN + ": " + a.EN})
	}
	return w, nil
}

var machineName = map[string]metering.Text{"exchanger": {FR: "échangeur", EN: "exchanger"}, "heat_pump": {FR: "pompe à chaleur", EN: "heat pump"}}

// fuelName names a fuel; one of a programme's own rules keeps its key.
func fuelName(key string) metering.Text {
	switch key {
	case "natural_gas":
		return metering.Text{FR: "gaz naturel", EN: "natural gas"}
	case "heating_oil":
		return metering.Text{FR: "fioul domestique", EN: "heating oil"}
	case "electricity":
		return metering.Text{FR: "électricité remplacée", EN: "displaced electricity"}
	}
	return metering.Text{FR: key, EN: key}
}

// whole is the cost of equipment of a size.
func (c Cost) whole(size float64, k int) float64 {
	return c.EUR[k] * c.Size * math.Pow(size/c.Size, c.Exponent)
}

// diameter is the nominal diameter, in mm, that carries a power in water at
// 1.5 m/s over a spread (20 K if none is given), from the usual series.
func diameter(kW, spreadK float64) float64 {
	if !(spreadK > 1) {
		spreadK = 20
	}
	m3s := kW / (1.16111 * spreadK) / 3600
	mm := 1000 * math.Sqrt(m3s/1.5*4/math.Pi)
	series := []float64{25, 32, 40, 50, 65, 80, 100, 125, 150, 200, 250, 300, 400, 500, 600, 800}
	i, _ := slices.BinarySearch(series, mm)
	return series[min(i, len(series)-1)]
}

// annuity is the yearly cost of an invested euro, at the k-th discount rate.
func (f *Finance) annuity(k int) float64 {
	if d := f.Discount[k]; d != 0 {
		return d / (1 - math.Pow(1+d, -float64(f.Years)))
	}
	return 1 / float64(f.Years)
}

// money weighs the years: net present value, and the levelised cost of heat,
// (investment x annuity + operation) over the heat delivered.
func money(w *Worth, heat Range, f Finance, aid Range) (m Money) {
	for k := range heat {
		capex, annuity := w.CapexEUR[k]-aid[k], f.annuity(k)
		m.NPVEUR[k] = w.SavingEUR[k]/annuity - capex
		m.LCOHEUR[k] = (capex*annuity + w.OpexEUR[k]) / heat[k]
		m.PaybackYears[k] = math.Inf(1)
		if w.SavingEUR[k] > 0 {
			m.PaybackYears[k] = max(capex, 0) / w.SavingEUR[k]
		}
	}
	return m
}

// held says whether a rule's conditions are met, and what it gives.
func (a *AidRule) held(p *Project, w *Worth, f inForce) Aid {
	out := Aid{Key: a.Key, Name: a.Name}
	no := func(fr, en string, args ...any) Aid {
		out.Why = metering.Text{FR: fmt.Sprintf(fr, args...), EN: fmt.Sprintf(en, args...)}
		return out
	}
	day := p.Day.Format("2006-01-02")
	switch {
	case !a.holds(p.Day):
		return no("pas en vigueur le %s", "not in force on %s", day)
	case a.External && p.Internal:
		return no("réservé à un réseau ou à un autre site", "for a network or another site only")
	case a.Internal && !p.Internal:
		return no("réservé à un usage sur le même site", "for a use on the same site only")
	case a.HeatPump && p.Electricity == 0:
		return no("réservé aux pompes à chaleur", "for heat pumps only")
	case len(a.Kinds) > 0 && !slices.Contains(a.Kinds, p.SourceKind):
		return no("autre type d'équipement", "another type of equipment")
	case a.LeastMWh > 0 && p.MWh < a.LeastMWh:
		return no("moins de %.0f MWh par an", "less than %.0f MWh a year", a.LeastMWh)
	case a.MostMWh > 0 && p.MWh >= a.MostMWh:
		return no("%.0f MWh par an ou plus", "%.0f MWh a year or more", a.MostMWh)
	case a.MostKW > 0 && p.PeakKW > a.MostKW:
		return no("plus de %.0f kW", "more than %.0f kW", a.MostKW)
	case a.LeastPayback > 0 && w.Without.PaybackYears[middle] <= a.LeastPayback:
		short := no("temps de retour brut de %.1f ans, sous les %.0f ans exigés", "gross payback of %.1f years, below the %.0f asked for", w.Without.PaybackYears[middle], a.LeastPayback)
		short.Why.FR = strings.Replace(short.Why.FR, ".", ",", 1)
		return short
	}
	out.Eligible, out.Why = true, a.Check
	for k := range out.EUR {
		if a.Cumac > 0 { // MWh cumac times EUR a MWh cumac
			out.EUR[k] += p.MWh * a.Cumac * f.prices["cee"].EURPerMWh[k]
		}
		share := a.CapexShare[k]
		if p.Small && share > 0 {
			share += a.CapexShareSME
		}
		out.EUR[k] += share * w.CapexEUR[k]
	}
	return out
}

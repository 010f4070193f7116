package api

import (
	"net/http"
	"slices"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/registry"
)

type methodsPage struct {
	Sets   []factorSetView
	SeenBy string
}

// factorSetView is a version of factors and prices as people read it.
type factorSetView struct {
	Title, Valid, Hash string
	Factors, Tariffs   *table
	Open               bool // the set in force
}

// showMethods says how figures are made: formulas in words, and every factor
// with its source. Prices are in the partners' contracts: only who may see a
// synergy's plan sees them.
func showMethods(v *visit) error {
	sets, err := v.s.o.Registry.FactorSets(v.Request().Context())
	if err != nil {
		return err
	}
	p := methodsPage{SeenBy: v.seenBy(access.SeeMethods, "")}
	for i, x := range slices.Backward(sets) {
		view, err := v.factorSet(x)
		if err != nil {
			v.s.o.Log.Warn("dashboard: factor set cannot be read", "set", x.Ref(), "error", err)
			continue
		}
		view.Open = i == len(sets)-1
		p.Sets = append(p.Sets, view)
	}
	return v.page(http.StatusOK, "methods", v.t("nav.methods"), p)
}

func (v *visit) factorSet(x registry.FactorSet) (factorSetView, error) {
	set, err := indicators.ParseSet([]byte(x.Body))
	if err != nil {
		return factorSetView{}, err
	}
	view := factorSetView{Title: v.t("methods.set", x.Ref()), Valid: v.t("methods.valid", v.lang.Date(x.ValidFrom)), Hash: x.Hash,
		Factors: newTable("", v.head("methods.factor"), v.headN("methods.amount"), v.head("methods.unit"), v.head("methods.scope"), v.head("methods.source")).cards()}
	for _, f := range set.Factors {
		amount := v.lang.Number(f.Amount, decimals(f.Amount))
		if f.Half90 > 0 {
			amount += "\u00a0±\u00a0" + v.lang.Percent(f.Half90, 0)
		}
		view.Factors.add(txt(v.lang.Of(f.Name)), right(amount), txt(v.factorUnit(f.Unit)), txt(f.Scope), v.source(f.Source))
	}
	if !v.may(access.SeeSynergy, "") {
		return view, nil
	}
	view.Tariffs = newTable("", v.head("methods.tariff"), v.headN("methods.price"), v.head("methods.unit"), v.head("methods.source")).cards()
	for i := range set.Tariffs {
		t := &set.Tariffs[i]
		view.Tariffs.add(noted(v.lang.Of(t.Name), v.lang.Set(t.Taxes)), right(v.priceNow(t)), txt(v.factorUnit(t.Unit)), v.source(t.Source))
	}
	return view, nil
}

// priceNow is a tariff's price as it stands: one number, or the range over its
// bands of time.
func (v *visit) priceNow(t *indicators.Tariff) string {
	for _, p := range t.Prices {
		if !p.Holds(v.s.o.Clock()) {
			continue
		}
		low, high := p.EUR, p.EUR
		for _, b := range p.Bands {
			low, high = min(low, b.EUR), max(high, b.EUR)
		}
		if low == high {
			return v.lang.Number(low, decimals(low))
		}
		return v.t("methods.price_range", v.lang.Number(low, decimals(low)), v.lang.Number(high, decimals(high)))
	}
	return v.t("methods.no_price")
}

// factorUnit writes "kgCO2e/kWh GCV" as a page does.
func (v *visit) factorUnit(unit string) string { return v.lang.Or("unit.of."+unit, v.lang.Set(unit)) }

func (v *visit) source(s indicators.Source) cell {
	return noted(v.lang.Set(s.Publisher)+" ("+year(s.Year)+")", v.lang.Set(s.Note))
}

// decimals shows a factor with its own digits, at most four.
func decimals(x float64) int {
	for n := range 4 {
		p := []float64{1, 10, 100, 1000}[n]
		if r := x * p; r == float64(int64(r)) {
			return n
		}
	}
	return 4
}

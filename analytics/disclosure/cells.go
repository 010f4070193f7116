package disclosure

import (
	"math"
	"slices"

	"github.com/thermie/thermie/metering"
)

// Synergy is what a period's figures are made of.
type Synergy struct {
	ID      string
	Theme   string // its resource: heat, water, material ...
	Parties []metering.Party
	// Shares are the partners' parts by company, as the plan agrees; companies that
	// it does not name have none. Empty: equal parts.
	Shares map[string]float64
	Result metering.Result // of the period
}

// Companies says what disclosure control must know of companies.
type Companies struct {
	Holdings map[string]string // by company; "" or absent: it stands alone
	Waived   map[string]bool   // consented to their figures being shown
}

func (c Companies) holding(company string) string {
	if h := c.Holdings[company]; h != "" {
		return "holding:" + h
	}
	return company
}

// Figure is one indicator for one theme or for all.
type Figure struct {
	Cell
	// Contributors counts holdings.
	Contributors int
	// Suppressed names the rule that withholds the figure; then what follows is zero
	// after [Show].
	Suppressed                     Reason
	Amount                         float64
	Half90                         float64
	Coverage                       float64 // mean of the synergies', by the size of their amounts
	Measured, Calculated, Declared float64 // the parts of Amount by class
}

// Figures sums the synergies' results by indicator and theme and over all
// themes, in the order of [metering.Indicators], each with All first, then the
// themes by name. Nothing is withheld yet.
//
// Half widths of synergies are added in quadrature; those of t CO2e linearly,
// since synergies share emission factors (an upper bound). The scopes of emissions
// are for those who see the synergy: parts beside their sum would give more away.
func Figures(period string, synergies []Synergy, who Companies) []Figure {
	var out []Figure
	sorted := slices.Clone(synergies)
	slices.SortFunc(sorted, func(a, b Synergy) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
	for _, ind := range metering.Indicators {
		if slices.Contains(metering.Scopes, ind) {
			continue
		}
		var themes []string
		for _, s := range sorted {
			if _, ok := s.Result.Figure(ind); ok && !slices.Contains(themes, s.Theme) {
				themes = append(themes, s.Theme)
			}
		}
		if len(themes) == 0 {
			continue
		}
		slices.Sort(themes)
		for _, theme := range append([]string{All}, themes...) {
			f := Figure{Cell: Cell{Key: Key{ind, theme, period}}}
			f.add(ind, theme, sorted, who)
			out = append(out, f)
		}
	}
	return out
}

func (f *Figure) add(ind metering.Indicator, theme string, synergies []Synergy, who Companies) {
	square, line, weight, covered := 0.0, 0.0, 0.0, 0.0
	holdings := map[string]bool{}
	n, plain := 0, 0.0
	for i := range synergies {
		s := &synergies[i]
		x, ok := s.Result.Figure(ind)
		if !ok || theme != All && s.Theme != theme {
			continue
		}
		f.Amount += x.Amount
		square += float64(x.Half90 * x.Half90)
		line += x.Half90
		weight += math.Abs(x.Amount)
		covered += float64(math.Abs(x.Amount) * x.Coverage)
		n++
		plain += x.Coverage
		switch x.Class {
		case metering.ClassDeclared:
			f.Declared += x.Amount
		case metering.ClassCalculated:
			f.Calculated += x.Amount
		default:
			f.Measured += x.Amount
		}
		for _, c := range s.contributions(x.Amount, who) {
			holdings[c.Holding] = true
			f.Contributions = append(f.Contributions, c)
		}
	}
	f.Contributors = len(holdings)
	f.Half90 = math.Sqrt(square)
	if ind == metering.CO2eAvoidedTonnes {
		f.Half90 = line
	}
	switch {
	case weight > 0:
		f.Coverage = covered / weight
	case n > 0:
		f.Coverage = plain / float64(n)
	}
}

// contributions splits a synergy's amount over its partners.
func (s *Synergy) contributions(amount float64, who Companies) []Contribution {
	var out []Contribution
	for _, p := range s.Parties {
		share := 1 / float64(len(s.Parties))
		if len(s.Shares) > 0 {
			share = s.Shares[p.Company]
		}
		if share == 0 {
			continue
		}
		out = append(out, Contribution{Holding: who.holding(p.Company), Synergy: s.ID, Amount: float64(amount * share), Waived: who.Waived[p.Company]})
	}
	return out
}

// Show controls figures that are shown together and empties those that are
// withheld: they keep their key and the reason, nothing else.
func Show(figures []Figure, rules Rules, sums []Sum) []Figure {
	cells := make([]Cell, len(figures))
	for i := range figures {
		cells[i] = figures[i].Cell
	}
	out := slices.Clone(figures)
	for i, v := range Control(cells, rules, sums) {
		if v.Suppressed != "" {
			out[i] = Figure{Cell: Cell{Key: v.Key}, Suppressed: v.Suppressed}
		}
	}
	return out
}

package disclosure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/metering"
)

const co2 = metering.CO2eAvoidedTonnes

func cell(theme string, c ...Contribution) Cell {
	return Cell{Key: Key{co2, theme, "2026-Q1"}, Contributions: c}
}

// c is a contribution through a synergy of its own, unless one is named.
func c(holding string, amount float64, synergy ...string) Contribution {
	s := "s-" + holding
	if len(synergy) > 0 {
		s = synergy[0]
	}
	return Contribution{Holding: holding, Synergy: s, Amount: amount}
}

func waived(x Contribution) Contribution {
	x.Waived = true
	return x
}

// total is the cell of all themes over cells.
func total(cells ...Cell) []Cell {
	all := cell(All)
	for _, x := range cells {
		all.Contributions = append(all.Contributions, x.Contributions...)
	}
	return append([]Cell{all}, cells...)
}

func reasons(vs []Verdict) (out []Reason) {
	for _, v := range vs {
		out = append(out, v.Suppressed)
	}
	return out
}

func TestRules(t *testing.T) {
	for _, x := range []struct {
		name string
		c    []Contribution
		want Reason
	}{
		{"three alike", []Contribution{c("a", 10), c("b", 10), c("d", 10)}, ""},
		{"two", []Contribution{c("a", 10), c("b", 10)}, TooFew},
		{"three companies of two holdings", []Contribution{c("a", 10), c("a", 10, "s2"), c("b", 10)}, TooFew},
		{"a zero is no contributor", []Contribution{c("a", 10), c("b", 10), c("d", 0)}, TooFew},
		{"none", nil, ""},
		{"one has 86 %", []Contribution{c("a", 86), c("b", 7), c("d", 7)}, Dominance},
		{"one has 80 %, but the second knows it nearly", []Contribution{c("a", 80), c("b", 15), c("d", 5)}, PPercent},
		{"one has 80 %, and two others hide it", []Contribution{c("a", 80), c("b", 10), c("d", 10)}, ""},
		{"a loss counts by its size", []Contribution{c("a", -86), c("b", 7), c("d", 7)}, Dominance},
		{"partners of one synergy know it whole", []Contribution{c("a", 30, "s1"), c("b", 30, "s1"), c("d", 30)}, PPercent},
		{"two synergies hide one another's partners", []Contribution{c("a", 30, "s1"), c("b", 30, "s1"), c("d", 30, "s2"), c("e", 30, "s2")}, ""},
		{"two synergies, one partner with nearly all of the other", []Contribution{c("a", 30, "s1"), c("b", 30, "s1"), c("d", 30, "s2"), c("e", 2, "s2")}, PPercent},
		{"all waive", []Contribution{waived(c("a", 10)), waived(c("b", 10))}, ""},
		{"who waives protects nobody", []Contribution{waived(c("a", 10)), waived(c("b", 10)), c("d", 10)}, TooFew},
		{"who waives does not dominate", []Contribution{waived(c("a", 1000)), c("b", 10), c("d", 10), c("e", 10)}, ""},
	} {
		require.Equal(t, []Reason{x.want}, reasons(Control([]Cell{cell("heat", x.c...)}, Default, nil)), x.name)
	}
}

func TestComplementary(t *testing.T) {
	many := func(p string, x float64) []Contribution {
		return []Contribution{c(p+"1", x), c(p+"2", x), c(p+"3", x)}
	}
	// One theme withheld would follow from the total: the smallest other goes too.
	v := Control(total(cell("heat", many("h", 100)...), cell("material", many("m", 20)...), cell("water", c("w1", 10), c("w2", 10))), Default, nil)
	require.Equal(t, []Reason{"", "", Complementary, TooFew}, reasons(v))
	require.Equal(t, []int{8, 3, 3, 2}, []int{v[0].Contributors, v[1].Contributors, v[2].Contributors, v[3].Contributors})
	// Two that are withheld hide one another when together they pass.
	v = Control(total(cell("heat", many("h", 100)...), cell("service", c("x1", 10), c("x2", 10)), cell("water", c("w1", 10), c("w2", 10))), Default, nil)
	require.Equal(t, []Reason{"", "", TooFew, TooFew}, reasons(v))
	// ... and do not when the one dwarfs the other.
	v = Control(total(cell("heat", many("h", 100)...), cell("service", c("x1", 10)), cell("water", c("w1", 900), c("w2", 10))), Default, nil)
	require.Equal(t, []Reason{"", Complementary, TooFew, TooFew}, reasons(v)[0:4:4])
	// A single theme is the whole: both go.
	v = Control(total(cell("heat", c("a", 10), c("b", 10))), Default, nil)
	require.Equal(t, []Reason{TooFew, TooFew}, reasons(v))
	// The year and three quarters tell the fourth.
	q := func(n int, c ...Contribution) Cell { return Cell{Key{co2, All, fmt.Sprint(n)}, c, nil} }
	year := Cell{Key: Key{co2, All, "year"}}
	cells := []Cell{year, q(1, many("h", 90)...), q(2, many("h", 80)...), q(3, many("h", 70)...), q(4, c("h1", 60))}
	for _, x := range cells[1:] {
		cells[0].Contributions = append(cells[0].Contributions, x.Contributions...)
	}
	sum := Sum{Total: year.Key}
	for _, x := range cells[1:] {
		sum.Parts = append(sum.Parts, x.Key)
	}
	v = Control(cells, Default, []Sum{sum})
	shown := 0
	for _, x := range v {
		if x.Suppressed == "" {
			shown++
		}
	}
	require.Equal(t, TooFew, v[4].Suppressed)
	require.Equal(t, 3, shown, "%v", reasons(v))
}

// MWh and t CO2e of one exchange are as good as one figure.
func TestLinked(t *testing.T) {
	a := Cell{Key: Key{metering.HeatDeliveredMWh, "heat", "q"}, Contributions: []Contribution{c("a", 100, "s1"), c("b", 2, "s1")}}
	b := Cell{Key: Key{co2, "heat", "q"}, Contributions: []Contribution{c("a", 30, "s1"), c("b", 30, "s1"), c("d", 0, "s2")}}
	b.Contributions = append(b.Contributions, waived(c("a", 1, "s1")))
	other := Cell{Key: Key{metering.WaterSavedM3, "water", "q"}, Contributions: []Contribution{c("a", 1), c("b", 1), c("d", 1)}}
	require.Equal(t, []Reason{TooFew, TooFew, ""}, reasons(Control([]Cell{a, b, other}, Default, nil)))
	free := Cell{Key: Key{co2, "heat", "q"}, Contributions: []Contribution{waived(c("a", 30, "s1")), waived(c("b", 30, "s1"))}}
	require.Equal(t, []Reason{TooFew, Linked, ""}, reasons(Control([]Cell{a, free, other}, Default, nil)))
}

func TestRevisions(t *testing.T) {
	was := []Contribution{c("a", 100), c("b", 100), c("d", 100), c("e", 0.5)}
	with := func(shown bool, now ...Contribution) Reason {
		x := cell("heat", now...)
		x.Earlier = []Earlier{{Shown: shown, Contributions: was}}
		return Control([]Cell{x}, Default, nil)[0].Suppressed
	}
	require.Equal(t, Reason(""), with(true, was...))
	// Late data of one company, little against what it had.
	require.Equal(t, Reason(""), with(true, c("a", 110), c("b", 100), c("d", 100), c("e", 0.5)))
	// Nearly all of one company came late: the difference is its figure.
	require.Equal(t, Revision, with(true, c("a", 100), c("b", 100), c("d", 100), c("e", 60)))
	require.Equal(t, Reason(""), with(false, c("a", 100), c("b", 100), c("d", 100), c("e", 60)))
	// Several at once hide one another.
	require.Equal(t, Reason(""), with(true, c("a", 150), c("b", 140), c("d", 100), c("e", 60)))
	// A theme that was shown before does not hide another.
	heat, water, wood := cell("heat", c("a", 50), c("b", 50), c("d", 50)), cell("water", c("x", 5)), cell("wood", c("f", 9), c("g", 9), c("h", 9))
	heat.Earlier = []Earlier{{true, heat.Contributions}}
	v := Control(total(heat, water, wood), Default, nil)
	require.Equal(t, []Reason{"", "", TooFew, Complementary}, reasons(v))
	wood.Earlier = []Earlier{{true, wood.Contributions}}
	v = Control(total(heat, water, wood), Default, nil)
	require.Equal(t, Complementary, v[0].Suppressed, "themes shown before: the total goes")
}

// An attacker who knows what is shown, the synergies that it takes part in and
// that nothing is negative, cannot bound another holding's contribution to a
// theme from above to within p %. The attack is a linear programme, independent
// of how the rules are implemented.
func TestAttack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		holdings := rapid.IntRange(2, 7).Draw(t, "holdings")
		var cells []Cell
		for k := range rapid.IntRange(1, 4).Draw(t, "themes") {
			x := cell(fmt.Sprintf("theme%d", k))
			for s := range 1 + r.IntN(3) {
				for range 1 + r.IntN(3) {
					amount := math.Exp(3 * r.NormFloat64())
					x.Contributions = append(x.Contributions, c(fmt.Sprint("h", r.IntN(holdings)), amount, fmt.Sprintf("s%d-%d", k, s)))
				}
			}
			cells = append(cells, x)
		}
		cells = total(cells...)
		verdicts := Control(cells, Default, nil)
		// A variable for each holding and theme that the attacker does not know.
		for attacker := -1; attacker < holdings; attacker++ {
			own := map[string]bool{}
			for _, x := range cells[0].Contributions {
				if x.Holding == fmt.Sprint("h", attacker) {
					own[x.Synergy] = true
				}
			}
			for target := range holdings {
				if target != attacker {
					attack(t, cells, verdicts, own, fmt.Sprint("h", target))
				}
			}
		}
	})
}

// attack computes, for each theme, the most that the target can have there.
func attack(t *rapid.T, cells []Cell, verdicts []Verdict, own map[string]bool, target string) {
	type variable struct {
		theme  int
		target bool
	}
	var vars []variable
	truth := map[variable]float64{}
	for k := 1; k < len(cells); k++ {
		for _, x := range cells[k].Contributions {
			if !own[x.Synergy] {
				v := variable{k, x.Holding == target}
				if _, seen := truth[v]; !seen {
					vars = append(vars, v)
				}
				truth[v] += x.Amount
			}
		}
	}
	var rows [][]float64
	var b []float64
	for i := range cells {
		if verdicts[i].Suppressed != "" {
			continue
		}
		row, sum := make([]float64, len(vars)), 0.0
		for j, v := range vars {
			if i == 0 || v.theme == i {
				row[j] = 1
				sum += truth[v]
			}
		}
		rows, b = append(rows, row), append(b, sum)
	}
	for k := 1; k < len(cells); k++ {
		x := truth[variable{k, true}]
		if x == 0 || len(rows) == 0 {
			continue
		}
		if most, bounded := maximum(rows, b, vars2index(len(vars), func(j int) bool { return vars[j] == variable{k, true} })); bounded {
			require.GreaterOrEqual(t, most, x*(1+Default.P)*(1-1e-6), "target %s in %s: %v, %v", target, cells[k].Key.Theme, cells, verdicts)
		}
	}
}

func vars2index(n int, is func(int) bool) int {
	for j := range n {
		if is(j) {
			return j
		}
	}
	return -1
}

// maximum of variable j under rows x = b, x >= 0; rows that follow from others
// are left out, as the simplex asks.
func maximum(rows [][]float64, b []float64, j int) (float64, bool) {
	n := len(rows[0])
	var keep [][]float64
	var rhs []float64
	for i, r := range rows {
		try := mat.NewDense(len(keep)+1, n, nil)
		for k, x := range keep {
			try.SetRow(k, x)
		}
		try.SetRow(len(keep), r)
		var svd mat.SVD
		if svd.Factorize(try, mat.SVDNone) && svd.Rank(1e-9) == len(keep)+1 {
			keep, rhs = append(keep, r), append(rhs, b[i])
		}
	}
	touched := false
	for _, r := range keep {
		touched = touched || r[j] != 0
	}
	if !touched {
		return 0, false
	}
	a := mat.NewDense(len(keep), n, nil)
	for k, x := range keep {
		a.SetRow(k, x)
	}
	cost := make([]float64, n)
	cost[j] = -1
	if len(keep) == n { // one solution
		var x mat.VecDense
		if err := x.SolveVec(a, mat.NewVecDense(len(rhs), rhs)); err != nil {
			return 0, false
		}
		return x.AtVec(j), true
	}
	opt, _, err := lp.Simplex(cost, a, rhs, 1e-10, nil)
	if err != nil {
		return 0, false
	}
	return -opt, true
}

func TestFigures(t *testing.T) {
	s := func(id, theme string, shares map[string]float64, class metering.Class, amount float64, companies ...string) Synergy {
		x := Synergy{ID: id, Theme: theme, Shares: shares, Result: metering.Result{Figures: []metering.Figure{
			{Indicator: co2, Amount: amount, Half90: amount / 10, Coverage: 0.5, Class: class},
			{Indicator: metering.MoneySavedEUR, Amount: 10 * amount, Half90: 3, Coverage: 1, Class: class}}}}
		for _, c := range companies {
			x.Parties = append(x.Parties, metering.Party{Company: c})
		}
		return x
	}
	all := []Synergy{
		s("s3", "water", nil, metering.ClassDeclared, 40, "e", "f"),
		s("s1", "heat", map[string]float64{"a": 0.25, "b": 0.75}, metering.ClassMeasured, 100, "a", "b"),
		s("s2", "heat", nil, metering.ClassCalculated, 60, "c", "d"),
	}
	who := Companies{Holdings: map[string]string{"a": "x", "c": "x"}, Waived: map[string]bool{"e": true, "f": true}}
	fs := Figures("2026-Q1", all, who)
	require.Len(t, fs, 6)
	require.Equal(t, Key{co2, All, "2026-Q1"}, fs[0].Key)
	require.Equal(t, "heat", fs[1].Key.Theme)
	require.Equal(t, "water", fs[2].Key.Theme)
	require.InDelta(t, 200, fs[0].Amount, 1e-12)
	require.InDelta(t, 20, fs[0].Half90, 1e-12) // linear: shared factors
	require.InDelta(t, 3*math.Sqrt(3), fs[3].Half90, 1e-12)
	require.Equal(t, []float64{100, 60, 40}, []float64{fs[0].Measured, fs[0].Calculated, fs[0].Declared})
	require.InDelta(t, 0.5, fs[0].Coverage, 1e-12)
	require.Equal(t, 5, fs[0].Contributors)
	require.Equal(t, 3, fs[1].Contributors)
	require.Contains(t, fs[1].Contributions, Contribution{Holding: "holding:x", Synergy: "s1", Amount: 25})
	// Input order does not matter.
	all[0], all[2] = all[2], all[0]
	require.Equal(t, fs, Figures("2026-Q1", all, who))

	shown := Show(fs, Default, nil)
	// heat: x takes part in both synergies and knows both whole; nobody is left to
	// attack from but b and d, who see x and each other's part mixed.
	for i, f := range shown {
		if f.Suppressed != "" {
			require.Equal(t, Figure{Cell: Cell{Key: fs[i].Key}, Suppressed: f.Suppressed}, f)
		} else {
			require.Equal(t, fs[i], f)
		}
	}
	require.Equal(t, Reason(""), shown[2].Suppressed, "both of the water synergy waive")
}

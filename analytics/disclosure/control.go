package disclosure

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/thermie/thermie/metering"
)

// All is the theme of a total over all themes.
const All = "all"

// Key names a figure.
type Key struct {
	Indicator metering.Indicator
	Theme     string // a resource (heat, water, material ...) or [All]
	Period    string // "2026-Q1"; figures of other periods are apart unless a Sum ties them
}

// Cell is a figure that somebody would like to show.
type Cell struct {
	Key           Key
	Contributions []Contribution
	// Earlier are the earlier revisions of the same figure, oldest first.
	Earlier []Earlier
}

// Earlier is what an earlier revision did with a figure.
type Earlier struct {
	Shown         bool
	Contributions []Contribution
}

// Sum says that a figure is the sum of others, which anybody knows: the year is
// the sum of its quarters. That the theme [All] is the sum of the other themes
// need not be said.
type Sum struct {
	Total Key
	Parts []Key
}

// Verdict says whether a figure may be shown.
type Verdict struct {
	Key          Key
	Suppressed   Reason // "": it may be shown
	Contributors int    // holdings that contribute, those that waive included
}

// Control applies the rules to all figures that are shown together and returns
// a verdict for each, in their order. sums may be nil.
func Control(cells []Cell, rules Rules, sums []Sum) []Verdict {
	t := &table{cells: cells, rules: rules, out: make([]Verdict, len(cells)), at: map[Key]int{}}
	for i, c := range cells {
		ps := parts([]weightedCell{{1, c.Contributions}})
		t.out[i] = Verdict{Key: c.Key, Suppressed: rules.check(ps), Contributors: len(allHoldings(ps))}
		if t.out[i].Suppressed == "" && !rules.revisions(c) {
			t.out[i].Suppressed = Revision
		}
		t.at[c.Key] = i
		t.synergies = append(t.synergies, synergiesOf(ps))
	}
	t.relations(sums)
	for t.link() || t.complement() {
	}
	return t.out
}

// revisions says whether a cell may be shown beside its earlier revisions.
// Whoever sees two revisions learns their difference. Late readings of one
// company change that company's part alone, so the difference is its change; it
// must leave the part itself in doubt.
func (r Rules) revisions(c Cell) bool {
	now := parts([]weightedCell{{1, c.Contributions}})
	for _, e := range c.Earlier {
		if !e.Shown {
			continue
		}
		before := parts([]weightedCell{{1, e.Contributions}})
		change := parts([]weightedCell{{1, c.Contributions}, {-1, e.Contributions}})
		if len(change) == 0 {
			continue
		}
		for _, attacker := range append([]string{""}, allHoldings(now)...) {
			for _, target := range allHoldings(now) {
				if target == attacker {
					continue
				}
				x, _ := r.doubt(now, attacker, target)
				old, hidden := r.doubt(before, attacker, target)
				moved, noise := r.doubt(change, attacker, target)
				if x > 0 && moved > 0 && noise+min(old, hidden) < float64(r.P*x) {
					return false
				}
			}
		}
	}
	return true
}

// table is the state of a control.
type table struct {
	cells     []Cell
	rules     Rules
	out       []Verdict
	at        map[Key]int
	synergies []string // of each cell, joined
	relation  []relation
}

// relation: cell total = sum of cells parts.
type relation struct {
	total int
	parts []int
}

func (t *table) relations(sums []Sum) {
	type row struct {
		i metering.Indicator
		p string
	}
	themes, order := map[row][]int{}, []row{}
	for i, c := range t.cells {
		r := row{c.Key.Indicator, c.Key.Period}
		if c.Key.Theme == All {
			continue
		}
		if themes[r] == nil {
			order = append(order, r)
		}
		themes[r] = append(themes[r], i)
	}
	for _, r := range order {
		if total, ok := t.at[Key{r.i, All, r.p}]; ok {
			t.relation = append(t.relation, relation{total, themes[r]})
		}
	}
	for _, s := range sums {
		total, ok := t.at[s.Total]
		if !ok {
			continue
		}
		r := relation{total: total}
		for _, k := range s.Parts {
			if i, ok := t.at[k]; ok {
				r.parts = append(r.parts, i)
			}
		}
		t.relation = append(t.relation, r)
	}
}

// known says whether a figure is or was shown.
func (t *table) known(i int) bool {
	return t.out[i].Suppressed == "" || slices.ContainsFunc(t.cells[i].Earlier, func(e Earlier) bool { return e.Shown })
}

// link withholds the figures of the same synergies, theme and period as one that
// is withheld, but for the whole (All), whose parts hide one another. It reports
// whether it changed anything.
func (t *table) link() bool {
	changed := false
	for i := range t.cells {
		if t.out[i].Suppressed == "" {
			continue
		}
		for j := range t.cells {
			a, b := t.cells[i].Key, t.cells[j].Key
			if t.out[j].Suppressed == "" && a.Period == b.Period && t.synergies[i] == t.synergies[j] {
				t.out[j].Suppressed = Linked
				changed = true
			}
		}
	}
	return changed
}

// complement finds a combination of withheld figures that follows from those
// shown and does not pass the rules, and withholds one more figure that it rests
// on: the smallest theme, or the total when no theme is left.
func (t *table) complement() bool {
	var unknown []int
	column := map[int]int{}
	for i := range t.cells {
		if !t.known(i) {
			column[i] = len(unknown)
			unknown = append(unknown, i)
		}
	}
	if len(unknown) == 0 {
		return false
	}
	// Each relation, with what is known on the other side, is an equation of the
	// unknown figures. Every combination of the equations can be computed.
	var rows []equation
	for k, r := range t.relation {
		e := equation{weights: make([]float64, len(unknown)), from: map[int]bool{k: true}}
		if c, ok := column[r.total]; ok {
			e.weights[c] = -1
		}
		for _, p := range r.parts {
			if c, ok := column[p]; ok {
				e.weights[c] += 1
			}
		}
		rows = append(rows, e)
	}
	for _, e := range append(rows, eliminate(rows, len(unknown))...) {
		var sum []weightedCell
		for c, w := range e.weights {
			if w != 0 {
				sum = append(sum, weightedCell{w, t.cells[unknown[c]].Contributions})
			}
		}
		ps := parts(sum)
		if len(ps) == 0 || t.rules.check(ps) == "" {
			continue
		}
		if t.withhold(e.from) {
			return true
		}
	}
	return false
}

// withhold suppresses the least shown figure of some relations.
func (t *table) withhold(relations map[int]bool) bool {
	best := -1
	for k, r := range t.relation {
		if !relations[k] {
			continue
		}
		for _, i := range append(slices.Clone(r.parts), r.total) {
			if t.out[i].Suppressed == "" && !t.wasShown(i) && (best < 0 || t.cost(i) < t.cost(best)) {
				best = i
			}
		}
	}
	if best < 0 {
		// All that is left was shown before: withhold the totals, which at least stops
		// telling the new figure.
		for k, r := range t.relation {
			if relations[k] && t.out[r.total].Suppressed == "" {
				best = r.total
			}
		}
	}
	if best < 0 {
		return false
	}
	t.out[best].Suppressed = Complementary
	return true
}

func (t *table) wasShown(i int) bool {
	return slices.ContainsFunc(t.cells[i].Earlier, func(e Earlier) bool { return e.Shown })
}

// cost is what is lost by withholding a figure; totals last.
func (t *table) cost(i int) float64 {
	x := 0.0
	for _, c := range t.cells[i].Contributions {
		x += math.Abs(c.Amount)
	}
	if t.cells[i].Key.Theme == All {
		x = (x + 1) * 1e12
	}
	return x
}

// equation is a combination of unknown figures that can be computed, and the
// relations that it was made of.
type equation struct {
	weights []float64
	from    map[int]bool
}

// eliminate brings the equations to reduced echelon form. Weights are small
// integers and their quotients; what is below 1e-9 is rounding.
func eliminate(in []equation, n int) []equation {
	rows := make([]equation, len(in))
	for i, e := range in {
		rows[i] = equation{slices.Clone(e.weights), cloneSet(e.from)}
	}
	done := 0
	for c := 0; c < n && done < len(rows); c++ {
		pivot := -1
		for i := done; i < len(rows); i++ {
			if math.Abs(rows[i].weights[c]) > 1e-9 && (pivot < 0 || math.Abs(rows[i].weights[c]) > math.Abs(rows[pivot].weights[c])) {
				pivot = i
			}
		}
		if pivot < 0 {
			continue
		}
		rows[done], rows[pivot] = rows[pivot], rows[done]
		p := rows[done].weights[c]
		for k := range rows[done].weights {
			rows[done].weights[k] /= p
		}
		for i := range rows {
			f := rows[i].weights[c]
			if i == done || math.Abs(f) <= 1e-9 {
				continue
			}
			for k := range rows[i].weights {
				rows[i].weights[k] -= float64(f * rows[done].weights[k])
				if math.Abs(rows[i].weights[k]) <= 1e-9 {
					rows[i].weights[k] = 0
				}
			}
			for k := range rows[done].from {
				rows[i].from[k] = true
			}
		}
		done++
	}
	return rows
}

func cloneSet(s map[int]bool) map[int]bool {
	out := make(map[int]bool, len(s))
	for k := range s {
		out[k] = true
	}
	return out
}

func synergiesOf(ps []part) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.synergy)
	}
	slices.SortFunc(out, cmp.Compare)
	return strings.Join(slices.Compact(out), " ")
}

package api

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/disclosure"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
)

// quarterCells are the indicators of one quarter as anybody may see them.
type quarterCells struct {
	Quarter              calendar.Quarter
	Sealed               *registry.Report // nil: computed now, under the same rules
	Synergies, Companies int
	Cells                []proof.Cell
}

func (q quarterCells) cell(i metering.Indicator, theme string) (proof.Cell, bool) {
	r := proof.Report{Cells: q.Cells}
	return r.Cell(i, theme)
}

// publishedQuarters returns the indicators of every quarter that has ended,
// the newest first: a sealed quarter's from its report, the others' computed
// from the results. The running quarter is left out: sums that move from day
// to day would let one guess what each day, and so each company, added.
func (v *visit) publishedQuarters() ([]quarterCells, error) {
	sealed, err := v.sealedReports()
	if err != nil {
		return nil, err
	}
	all, err := v.s.o.Registry.Results(v.Request().Context(), registry.Query{Kind: metering.PeriodQuarter})
	if err != nil {
		return nil, err
	}
	byQuarter := make(map[calendar.Quarter][]metering.Result)
	for _, r := range all {
		q := calendar.QuarterOf(r.From)
		if !v.s.o.Clock().Before(q.End()) {
			byQuarter[q] = append(byQuarter[q], r)
		}
	}
	var out []quarterCells
	for q, results := range byQuarter {
		if _, ok := sealed[q]; ok {
			continue
		}
		x, err := v.controlled(q, results)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	for _, x := range sealed {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b quarterCells) int {
		if a.Quarter.Before(b.Quarter) {
			return 1
		}
		return -1
	})
	return out, nil
}

// sealedReports reads the last revision of every sealed quarter. One whose
// files are not there is logged and left to be computed.
func (v *visit) sealedReports() (map[calendar.Quarter]quarterCells, error) {
	out := make(map[calendar.Quarter]quarterCells)
	list, err := v.s.o.Registry.Reports(v.Request().Context())
	if err != nil || v.s.o.Bundles == nil {
		return out, err
	}
	for _, r := range list { // the last revision of a quarter comes first
		if _, ok := out[r.Quarter]; ok {
			continue
		}
		x, err := v.readReport(r)
		if err != nil {
			v.s.o.Log.Warn("dashboard: sealed report cannot be read", "quarter", r.Quarter, "revision", r.Revision, "error", err)
			continue
		}
		out[r.Quarter] = quarterCells{Quarter: r.Quarter, Sealed: &r, Synergies: x.Synergies, Companies: x.Companies, Cells: x.Cells}
	}
	return out, nil
}

// maxReportJSON bounds what is read of a report.
const maxReportJSON = 4 << 20

func (v *visit) readReport(r registry.Report) (x proof.Report, err error) {
	files, err := v.s.o.Bundles.Bundle(v.Request().Context(), r)
	if err != nil {
		return x, err
	}
	f, err := files.Open("report.json")
	if err != nil {
		return x, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxReportJSON)).Decode(&x); err != nil {
		return x, fmt.Errorf("report.json: %w", err)
	}
	if x.Quarter != r.Quarter || x.Revision != r.Revision {
		return x, fmt.Errorf("report.json is of %s revision %d", x.Quarter, x.Revision)
	}
	return x, x.Check()
}

// controlled sums a quarter's results and lets disclosure control decide what
// of them may be seen.
func (v *visit) controlled(q calendar.Quarter, results []metering.Result) (quarterCells, error) {
	m, err := v.members()
	if err != nil {
		return quarterCells{}, err
	}
	who := disclosure.Companies{Holdings: make(map[string]string), Waived: make(map[string]bool)}
	for _, c := range m.companies {
		who.Holdings[c.ID] = c.Holding
		who.Waived[c.ID] = v.facts.Consented(c.ID, access.Funder, access.FiguresMatter)
	}
	taking := make(map[string]bool)
	var parts []disclosure.Synergy
	for _, r := range results {
		i := slices.IndexFunc(m.synergies, func(s metering.Synergy) bool { return s.ID == r.Synergy })
		if i < 0 {
			continue
		}
		s := m.synergies[i]
		part := disclosure.Synergy{ID: s.ID, Theme: s.Resource, Parties: s.Parties, Result: r}
		plan, err := v.planOf(r)
		if err != nil {
			return quarterCells{}, err
		}
		if plan == nil && len(s.Parties) > 0 {
			// Who has which part is not known: as if one had all, so that nothing shows
			// that might not.
			part.Shares = map[string]float64{s.Parties[0].Company: 1}
		}
		if plan != nil && len(plan.Shares) > 0 {
			part.Shares = make(map[string]float64)
			for _, x := range plan.Shares {
				part.Shares[x.Company] = x.Share
			}
		}
		for _, p := range s.Parties {
			taking[p.Company] = true
		}
		parts = append(parts, part)
	}
	out := quarterCells{Quarter: q, Synergies: len(parts), Companies: len(taking)}
	for _, f := range disclosure.Show(disclosure.Figures(q.String(), parts, who), disclosure.Default, nil) {
		out.Cells = append(out.Cells, proof.Cell{Indicator: f.Key.Indicator, Theme: f.Key.Theme, Suppressed: string(f.Suppressed), Contributors: f.Contributors,
			Amount: f.Amount, Half90: f.Half90, Coverage: f.Coverage, Measured: f.Measured, Calculated: f.Calculated, Declared: f.Declared})
	}
	return out, nil
}

// planOf is the plan that a result was made with; nil when it cannot be read.
func (v *visit) planOf(r metering.Result) (*savings.Plan, error) {
	all, err := v.s.o.Registry.Plans(v.Request().Context(), r.Synergy)
	if err != nil {
		return nil, err
	}
	p, ok, _ := find(all, func(p registry.Plan) bool { return p.Hash == r.PlanHash })
	if !ok {
		return nil, nil
	}
	plan, err := savings.ParsePlan([]byte(p.Body))
	if err != nil {
		v.s.o.Log.Warn("dashboard: plan cannot be read", "synergy", r.Synergy, "version", p.Version, "error", err)
		return nil, nil
	}
	return plan, nil
}

type indicatorsPage struct {
	Quarter, Count, Status, ReportHref string
	Quarters                           []choice
	Figures                            []shown
	Themes, Others                     *table
	Withheld                           string
	Since                              []shown
	SinceNote                          string
	Plots                              []*plot
	SeenBy                             string
}

// shown is an indicator that is printed, or the reason why it is not.
type shown struct {
	Name, Withheld, Contributors string
	Total                        total
}

func showIndicators(v *visit) error {
	all, err := v.publishedQuarters()
	if err != nil {
		return err
	}
	p := indicatorsPage{SeenBy: v.seenBy(access.SeeIndicators, "")}
	if len(all) == 0 {
		return v.page(http.StatusOK, "indicators", v.t("nav.indicators"), p)
	}
	chosen := all[0]
	if v.QueryParam("quarter") != "" {
		q, err := v.chosenQuarter()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(x quarterCells) bool { return x.Quarter == q })
		if i < 0 {
			return errNotFound
		}
		chosen = all[i]
	}
	for _, x := range all {
		p.Quarters = append(p.Quarters, choice{x.Quarter.String(), v.lang.Quarter(x.Quarter), x.Quarter == chosen.Quarter})
	}
	p.Quarter = v.lang.Quarter(chosen.Quarter)
	n := func(x int) string { return v.lang.Number(float64(x), 0) }
	p.Count = v.t("indicators.count", n(chosen.Synergies), n(chosen.Companies))
	p.Status = v.t("indicators.not_sealed")
	if r := chosen.Sealed; r != nil {
		p.Status, p.ReportHref = v.t("indicators.sealed", v.lang.Date(r.SealedAt), n(r.Revision)), "/reports#"+r.Quarter.String()
	}
	withheld := 0
	for _, c := range chosen.Cells {
		if c.Suppressed != "" {
			withheld++
		}
	}
	if withheld > 0 {
		p.Withheld = v.lang.N("indicators.withheld_n", withheld)
	}
	for _, i := range headline {
		if c, ok := chosen.cell(i, disclosure.All); ok {
			p.Figures = append(p.Figures, v.shown(c))
		}
	}
	p.Themes, p.Others = v.themeTable(chosen), v.otherTable(chosen)
	p.Since, p.SinceNote = v.since(all)
	if p.Plots, err = v.quarterPlots(all); err != nil {
		return err
	}
	return v.page(http.StatusOK, "indicators", v.t("nav.indicators"), p)
}

// shown prints a cell, or why it is withheld.
func (v *visit) shown(c proof.Cell) shown {
	out := shown{Name: v.t("indicator." + string(c.Indicator))}
	if c.Suppressed != "" {
		out.Withheld = v.lang.Or("withheld."+c.Suppressed, c.Suppressed)
		return out
	}
	out.Contributors = v.lang.N("indicators.contributors", c.Contributors)
	out.Total = total{Name: out.Name, Figure: v.lang.Figure(cellFigure(c)), Split: v.split(classesOf(c)), Coverage: v.lang.Percent(c.Coverage, 1)}
	return out
}

func cellFigure(c proof.Cell) metering.Figure {
	return metering.Figure{Indicator: c.Indicator, Amount: c.Amount, Half90: c.Half90, Coverage: c.Coverage}
}

func classesOf(c proof.Cell) sum {
	parts := map[metering.Class]float64{metering.ClassMeasured: math.Abs(c.Measured), metering.ClassCalculated: math.Abs(c.Calculated), metering.ClassDeclared: math.Abs(c.Declared)}
	return sum{byClass: parts, weight: parts[metering.ClassMeasured] + parts[metering.ClassCalculated] + parts[metering.ClassDeclared]}
}

// shownCell is an indicator in a table whose head names its unit.
func (v *visit) shownCell(c proof.Cell, ok bool) cell {
	switch {
	case !ok:
		return right("")
	case c.Suppressed != "":
		return cell{Text: v.t("indicators.withheld"), Note: v.lang.Or("withheld."+c.Suppressed, c.Suppressed), Num: true}
	}
	w := v.lang.Figure(cellFigure(c))
	w.Unit = ""
	return right(w.String())
}

// themeTable has a row for each theme and a column for each headline indicator.
func (v *visit) themeTable(q quarterCells) *table {
	t := newTable("", v.head("indicators.theme"), v.headN("short.energy"), v.headN("short.co2e"), v.headN("short.money"), v.headN("short.water")).cards()
	var themes []string
	for _, c := range q.Cells {
		if c.Theme != disclosure.All && slices.Contains(headline, c.Indicator) && !slices.Contains(themes, c.Theme) {
			themes = append(themes, c.Theme)
		}
	}
	slices.Sort(themes)
	for _, theme := range append(themes, disclosure.All) {
		row := []cell{txt(v.lang.Or("theme."+theme, theme))}
		for _, i := range headline {
			row = append(row, v.shownCell(q.cell(i, theme)))
		}
		t.add(row...)
	}
	return t
}

// otherTable has the indicators that are not in the headline; nil without any.
func (v *visit) otherTable(q quarterCells) *table {
	t := newTable("", v.head("indicators.one"), v.headN("indicators.amount"), v.headN("figure.coverage_head"), v.headN("indicators.contributors_head")).cards()
	for _, c := range q.Cells {
		if c.Theme != disclosure.All || slices.Contains(headline, c.Indicator) {
			continue
		}
		name := txt(v.t("indicator." + string(c.Indicator)))
		if c.Suppressed != "" {
			t.add(name, v.shownCell(c, true), right(""), right(""))
			continue
		}
		t.add(name, right(v.lang.Figure(cellFigure(c)).String()), right(v.lang.Percent(c.Coverage, 1)), right(v.lang.Number(float64(c.Contributors), 0)))
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// since adds up the published figures of all quarters; what was withheld is
// not in it, so that nothing new follows from the sum.
func (v *visit) since(all []quarterCells) ([]shown, string) {
	if len(all) < 2 {
		return nil, ""
	}
	var out []shown
	for _, i := range headline {
		s, n := sum{}, 0
		for _, q := range all {
			c, ok := q.cell(i, disclosure.All)
			if !ok || c.Suppressed != "" {
				continue
			}
			n++
			f := cellFigure(c)
			s.add(f)
		}
		if n == 0 {
			continue
		}
		f := s.figure(i)
		// The errors of meters are the same in every quarter: half widths add up.
		f.Half90 = 0
		for _, q := range all {
			if c, ok := q.cell(i, disclosure.All); ok && c.Suppressed == "" {
				f.Half90 += c.Half90
			}
		}
		x := shown{Name: v.t("indicator." + string(i)), Total: total{Figure: v.lang.Figure(f), Coverage: v.lang.Percent(f.Coverage, 1)}}
		if n < len(all) {
			x.Contributors = v.t("indicators.of_quarters", v.lang.Number(float64(n), 0), v.lang.Number(float64(len(all)), 0))
		}
		out = append(out, x)
	}
	return out, v.t("indicators.since_note", v.lang.Quarter(all[len(all)-1].Quarter), v.lang.Quarter(all[0].Quarter))
}

// quarterPlots draw energy and emissions quarter by quarter.
func (v *visit) quarterPlots(all []quarterCells) ([]*plot, error) {
	var out []*plot
	for _, i := range []metering.Indicator{metering.EnergyAvoidedMWh, metering.CO2eAvoidedTonnes} {
		name, unit := v.t("indicator."+string(i)), v.lang.Unit(i)
		t := newTable("", v.head("frame.quarter"), right(v.t("short."+string(i))), v.headN("figure.coverage_head"), v.head("indicators.state"))
		bar := chart.Bar{Name: name, Colour: "accent"}
		m := chart.Bars{Unit: unit, Short: unit}
		for _, q := range slices.Backward(all) {
			c, ok := q.cell(i, disclosure.All)
			amount, coverage := chart.Missing, ""
			if ok && c.Suppressed == "" {
				amount, coverage = c.Amount, v.lang.Percent(c.Coverage, 1)
			}
			m.Categories, bar.Values = append(m.Categories, v.lang.Quarter(q.Quarter)), append(bar.Values, amount)
			state := v.t("indicators.state_ended")
			if q.Sealed != nil {
				state = v.t("indicators.state_sealed")
			}
			t.add(txt(v.lang.Quarter(q.Quarter)), v.shownCell(c, ok), right(coverage), txt(state))
		}
		m.Series = []chart.Bar{bar}
		p := &plot{ID: "q-" + string(i), Title: v.t("indicators.chart", name), Caption: v.t("indicators.caption"), Class: "low", Table: t}
		p, err := p.draw(m)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

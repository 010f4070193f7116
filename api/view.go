package api

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// cell is one field of a table. Label is its column's name, for narrow screens.
type cell struct {
	Text, Note, Href, Label string
	Num                     bool
}

// table is what stands in a page as a table; the first cell of a row names it.
type table struct {
	Caption, Class string
	Head           []cell
	Rows           [][]cell
}

func newTable(caption string, head ...cell) *table { return &table{Caption: caption, Head: head} }

// add appends a row and labels its cells with the names of their columns.
func (t *table) add(cells ...cell) {
	for i := range cells {
		if i < len(t.Head) {
			cells[i].Label, cells[i].Num = t.Head[i].Text, t.Head[i].Num
		}
	}
	t.Rows = append(t.Rows, cells)
}

// cards marks a table that becomes a list on a narrow screen.
func (t *table) cards() *table { t.Class = "cards"; return t }

func txt(s string) cell              { return cell{Text: s} }
func right(s string) cell            { return cell{Text: s, Num: true} }
func link(text, href string) cell    { return cell{Text: text, Href: href} }
func noted(text, note string) cell   { return cell{Text: text, Note: note} }
func (v *visit) head(k string) cell  { return txt(v.t(k)) }
func (v *visit) headN(k string) cell { return right(v.t(k)) }

// plot is a chart with its words and its table.
type plot struct {
	ID, Title, Caption, Class, Empty string
	Model                            json.RawMessage
	Table                            *table
	Open                             bool // the table stands open: it is what one came for
}

// draw puts a model into a plot; one without numbers stays without a chart.
func (p *plot) draw(m chart.Model) (*plot, error) {
	b, err := chart.JSON(m)
	p.Model = b
	return p, err
}

// total is one indicator summed over synergies, with what must stand beside it.
type total struct {
	Name     string
	Figure   words.Figure
	Split    split
	Coverage string
	Planned  string
	Before   string
}

// split says by which class a sum is known.
type split struct {
	Words string
	Parts []splitPart
}

type splitPart struct {
	Class       metering.Class
	From, Width float64
}

// sum is an indicator added up over several results.
type sum struct {
	amount, variance, linear, covered, weight float64
	byClass                                   map[metering.Class]float64
}

// add takes a figure in; coverage is weighted by amount.
func (s *sum) add(f metering.Figure) {
	if s.byClass == nil {
		s.byClass = make(map[metering.Class]float64)
	}
	s.amount += f.Amount
	s.variance += f.Half90 * f.Half90
	s.linear += f.Half90
	w := math.Abs(f.Amount)
	s.covered += w * f.Coverage
	s.weight += w
	s.byClass[f.Class] += w
}

// figure is the sum with its interval. Half widths of different synergies are
// combined as independent (root of the sum of squares), since their meters
// differ; those of CO2e are added, since most of them is the emission factor that
// synergies share. Adding is the upper bound (JCGM 100:2008, 5.2.2).
func (s sum) figure(i metering.Indicator) metering.Figure {
	f := metering.Figure{Indicator: i, Amount: s.amount, Half90: math.Sqrt(s.variance), Coverage: 1}
	if i == metering.CO2eAvoidedTonnes {
		f.Half90 = s.linear
	}
	if s.weight > 0 {
		f.Coverage = s.covered / s.weight
	}
	return f
}

var classes = []metering.Class{metering.ClassMeasured, metering.ClassCalculated, metering.ClassDeclared}

func (v *visit) split(s sum) split {
	if s.weight == 0 {
		return split{}
	}
	var out split
	var said []string
	from := 0.0
	for _, c := range classes {
		share := s.byClass[c] / s.weight
		if share <= 0 {
			continue
		}
		said = append(said, v.t("class."+string(c))+" "+v.lang.Percent(share, 0))
		out.Parts = append(out.Parts, splitPart{c, from, 100 * share})
		from += 100 * share
	}
	out.Words = strings.Join(said, " | ")
	return out
}

// headline are the indicators of an overview, in this order.
var headline = []metering.Indicator{metering.EnergyAvoidedMWh, metering.CO2eAvoidedTonnes, metering.MoneySavedEUR, metering.WaterSavedM3}

// sums adds up the figures of results by indicator.
func sums(results []metering.Result) map[metering.Indicator]sum {
	out := make(map[metering.Indicator]sum)
	for _, r := range results {
		for _, f := range r.Figures {
			if _, ok := figureOf(r, f.Indicator); !ok {
				continue
			}
			s := out[f.Indicator]
			s.add(f)
			out[f.Indicator] = s
		}
	}
	return out
}

type choice struct {
	Key, Name string
	Current   bool
}

// quarterChoices lists the quarters from the first to the one that runs, the
// newest first.
func (v *visit) quarterChoices(first, chosen calendar.Quarter) []choice {
	var out []choice
	now := calendar.QuarterOf(v.s.o.Clock())
	if first.Before(now.Add(-40)) {
		first = now.Add(-40)
	}
	for q := now; !q.Before(first); q = q.Add(-1) {
		out = append(out, choice{q.String(), v.lang.Quarter(q), q == chosen})
	}
	if chosen.Before(first) || now.Before(chosen) {
		out = append(out, choice{chosen.String(), v.lang.Quarter(chosen), true})
	}
	return out
}

// alarmLine is an alarm in words.
type alarmLine struct {
	Subject, Href, Text, Since, Cost string
}

// alarms prints those alarms that the person may know of, the dearest first.
// A synergy's alarm follows the right to see the synergy, any other the right
// to see its company's meters.
func (v *visit) alarms(all []metering.Alarm) ([]alarmLine, error) {
	slices.SortStableFunc(all, func(a, b metering.Alarm) int {
		switch {
		case a.CostEURPerYear != b.CostEURPerYear:
			return compareDown(a.CostEURPerYear, b.CostEURPerYear)
		default:
			return b.Since.Compare(a.Since)
		}
	})
	var out []alarmLine
	for _, a := range all {
		l, ok, err := v.alarm(a)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, l)
		}
	}
	return out, nil
}

func compareDown(a, b float64) int {
	if a > b {
		return -1
	}
	return 1
}

func (v *visit) alarm(a metering.Alarm) (l alarmLine, ok bool, err error) {
	l = alarmLine{Subject: a.Subject, Text: v.lang.Of(a.Text), Since: v.t("alarms.since", v.lang.ShortDate(a.Since))}
	if a.CostEURPerYear > 0 && v.person.Role != access.Installer {
		l.Cost = v.t("alarms.cost", v.lang.Money(a.CostEURPerYear/12))
	}
	if s, found, err := v.synergy(a.Subject); found || err != nil {
		l.Subject, l.Href = v.synergyName(s), "/synergies/"+a.Subject
		return l, v.may(access.SeeSynergy, a.Subject), err
	}
	if g, found, err := v.gateway(a.Subject); found || err != nil {
		l.Subject, l.Href = v.t("alarms.gateway", v.gatewayName(g)), "/gateways/"+a.Subject
		return l, v.may(access.SeeMeters, g.Company), err
	}
	m, found, err := v.meter(a.Subject)
	if err != nil || !found {
		return l, a.Company != "" && v.may(access.SeeMeters, a.Company), err
	}
	l.Subject, l.Href = v.lang.Of(m.Name), "/meters/"+a.Subject
	return l, v.may(access.SeeMeters, m.Company), nil
}

// members are the things of the programme, as one request sees them.
type members struct {
	companies []metering.Company
	gateways  []metering.Gateway
	meters    []registry.Installation
	synergies []metering.Synergy
}

// members reads the programme, once a request.
func (v *visit) members() (*members, error) {
	if v.known != nil {
		return v.known, nil
	}
	ctx, m := v.Request().Context(), new(members)
	var err error
	if m.companies, err = v.s.o.Registry.Companies(ctx); err != nil {
		return nil, err
	}
	if m.gateways, err = v.s.o.Registry.Gateways(ctx); err != nil {
		return nil, err
	}
	if m.meters, err = v.s.o.Registry.Installations(ctx); err != nil {
		return nil, err
	}
	if m.synergies, err = v.s.o.Registry.Synergies(ctx); err != nil {
		return nil, err
	}
	v.known = m
	return m, nil
}

// Lookups by identifier; ok is false for one that is not in the programme.

func (v *visit) synergy(id string) (s metering.Synergy, ok bool, err error) {
	m, err := v.members()
	if err != nil {
		return s, false, err
	}
	return find(m.synergies, func(s metering.Synergy) bool { return s.ID == id })
}

func (v *visit) company(id string) (c metering.Company, ok bool, err error) {
	m, err := v.members()
	if err != nil {
		return c, false, err
	}
	return find(m.companies, func(c metering.Company) bool { return c.ID == id })
}

func (v *visit) gateway(id string) (g metering.Gateway, ok bool, err error) {
	m, err := v.members()
	if err != nil {
		return g, false, err
	}
	return find(m.gateways, func(g metering.Gateway) bool { return g.ID == id })
}

func (v *visit) meter(id string) (i registry.Installation, ok bool, err error) {
	m, err := v.members()
	if err != nil {
		return i, false, err
	}
	return find(m.meters, func(m registry.Installation) bool { return m.ID == id })
}

func (v *visit) opportunity(id string) (o metering.Opportunity, ok bool, err error) {
	all, err := v.s.o.Registry.Opportunities(v.Request().Context())
	if err != nil {
		return o, false, err
	}
	return find(all, func(o metering.Opportunity) bool { return o.ID == id })
}

func find[T any](all []T, is func(T) bool) (T, bool, error) {
	var none T
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true, nil
	}
	return none, false, nil
}

// companyNames maps companies to their names.
func (v *visit) companyNames() (map[string]string, error) {
	m, err := v.members()
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(m.companies))
	for _, c := range m.companies {
		names[c.ID] = c.Name
	}
	return names, nil
}

// synergyName is "Synergie 2 – Air du touraillage".
func (v *visit) synergyName(s metering.Synergy) string {
	return v.t("synergy.numbered", s.Number, v.lang.Of(s.Name))
}

// seenBy says in words who may do a to subject: the line beside figures.
func (v *visit) seenBy(a access.Action, subject string) string {
	var names []string
	for _, r := range access.Roles {
		p := access.Person{Role: r}
		if r == access.Company {
			continue
		}
		if access.May(p, v.facts, a, subject) {
			names = append(names, v.t("role.many."+string(r)))
		}
	}
	if m, err := v.members(); err == nil {
		var some []string
		for _, c := range m.companies {
			if access.May(access.Person{Role: access.Company, Company: c.ID}, v.facts, a, subject) {
				some = append(some, c.Name)
			}
		}
		switch {
		case len(some) == len(m.companies) && len(some) > 0:
			names = append(names, v.t("role.many.company"))
		default:
			names = append(names, some...)
		}
	}
	if len(names) == 0 {
		return v.t("seenby.nobody")
	}
	return strings.Join(names, ", ")
}

// span is a half-open period.
type span struct{ from, to time.Time }

// resourceColour is the style colour of a synergy's resource.
func resourceColour(resource string) string {
	switch resource {
	case "heat", "water", "electricity", "gas", "material", "service":
		return resource
	case "cooling":
		return "water"
	case "steam", "temperature":
		return "heat"
	case "biomethane", "biogas":
		return "gas"
	}
	return "service"
}

package api

import (
	_ "embed"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// The JSON API, version 1. openapi.yaml describes it, and a test holds every
// answer against that document. Its rules:
//
//   - what a person may not see is not there: lists leave it out, addresses
//     answer 404;
//   - units stand in names or beside the amount; a reading is the exact decimal
//     of the register, as text;
//   - instants are RFC 3339 in UTC, periods half-open;
//   - lists that can be long are paged: "next" is the address of the next page.

//go:embed openapi.yaml
var openAPI []byte

func showOpenAPI(v *visit) error {
	return v.Blob(http.StatusOK, "application/yaml; charset=utf-8", openAPI)
}

// page of a list.
type listJSON[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

func (v *visit) answerJSON(x any) error { return v.JSON(http.StatusOK, x) }

// list never answers null for an empty list.
func list[T any](items []T) listJSON[T] {
	if items == nil {
		items = []T{}
	}
	return listJSON[T]{Items: items}
}

// Pages of lists.
const (
	defaultPage = 500
	maxPage     = 5000
)

// pageOf cuts the page that ?offset= and ?limit= ask for out of a list.
func pageOf[T any](v *visit, all []T) (listJSON[T], error) {
	limit, err := v.whole("limit", defaultPage, 1, maxPage)
	if err != nil {
		return listJSON[T]{}, err
	}
	offset, err := v.whole("offset", 0, 0, math.MaxInt32)
	if err != nil {
		return listJSON[T]{}, err
	}
	from := min(offset, len(all))
	to := min(from+limit, len(all))
	out := list(all[from:to])
	if to < len(all) {
		out.Next = v.nextPage("offset", strconv.Itoa(to))
	}
	return out, nil
}

// nextPage is this address with one parameter changed.
func (v *visit) nextPage(name, to string) string {
	q := v.Request().URL.Query()
	q.Set(name, to)
	return (&url.URL{Path: v.Request().URL.Path, RawQuery: q.Encode()}).String()
}

// whole reads a whole number of a query within bounds.
func (v *visit) whole(name string, otherwise, least, most int) (int, error) {
	text := v.QueryParam(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, problem{http.StatusBadRequest, v.t("problem.whole", name, text, strconv.Itoa(least), strconv.Itoa(most))}
	}
	return n, nil
}

// instant reads an RFC 3339 instant or a civil day in Paris of a query.
func (v *visit) instant(name string, otherwise time.Time) (time.Time, error) {
	text := v.QueryParam(name)
	if text == "" {
		return otherwise, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, text, calendar.Paris)
	if err != nil {
		return t, problem{http.StatusBadRequest, v.t("problem.instant", name, text)}
	}
	return t, nil
}

// period reads ?from= and ?to=, at most longest apart.
func (v *visit) period(from, to time.Time, longest time.Duration) (span, error) {
	var p span
	var err error
	if p.to, err = v.instant("to", to); err != nil {
		return p, err
	}
	if v.QueryParam("to") != "" && v.QueryParam("from") == "" {
		from = p.to.Add(from.Sub(to))
	}
	if p.from, err = v.instant("from", from); err != nil {
		return p, err
	}
	switch {
	case !p.from.Before(p.to):
		return p, problem{http.StatusBadRequest, v.t("problem.period_order")}
	case longest > 0 && p.to.Sub(p.from) > longest:
		return p, problem{http.StatusBadRequest, v.lang.N("problem.period_long", int(longest.Hours()/24))}
	}
	return p, nil
}

type personJSON struct {
	Name     string      `json:"name"`
	Email    string      `json:"email"`
	Role     access.Role `json:"role"`
	Company  string      `json:"company,omitempty"`
	Language string      `json:"language"`
}

func jsonMe(v *visit) error {
	p := v.person
	return v.answerJSON(personJSON{p.Name, p.Email, p.Role, p.Company, string(v.lang)})
}

type synergyJSON struct {
	ID       string               `json:"id"`
	Number   int                  `json:"number"`
	Name     metering.Text        `json:"name"`
	Kind     metering.SynergyKind `json:"kind"`
	Resource string               `json:"resource"`
	Status   metering.Status      `json:"status"`
	Since    *time.Time           `json:"since,omitempty"`
	Parties  []metering.Party     `json:"parties"`
	Results  string               `json:"results,omitempty"` // address, for who may see them
}

func jsonSynergies(v *visit) error {
	m, err := v.members()
	if err != nil {
		return err
	}
	var out []synergyJSON
	for _, s := range m.synergies {
		x := synergyJSON{ID: s.ID, Number: s.Number, Name: s.Name, Kind: s.Kind, Resource: s.Resource, Status: s.Status, Since: known(s.Since), Parties: s.Parties}
		if v.may(access.SeeSynergy, s.ID) {
			x.Results = "/api/v1/synergies/" + s.ID + "/results"
		}
		out = append(out, x)
	}
	return v.answerJSON(list(out))
}

// known is an instant in UTC, nil when there is none.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// figureJSON is an indicator with all that must be said beside it.
type figureJSON struct {
	Indicator   metering.Indicator `json:"indicator"`
	Unit        string             `json:"unit"`
	Amount      float64            `json:"amount"`
	HalfWidth90 float64            `json:"half_width_90"` // of the two-sided 90 % interval, in the unit
	Coverage    float64            `json:"coverage"`      // 0 to 1
	Class       metering.Class     `json:"class"`
}

type resultJSON struct {
	Kind      metering.PeriodKind `json:"kind"`
	From      time.Time           `json:"from"`
	To        time.Time           `json:"to"`
	Figures   []figureJSON        `json:"figures"`
	Notes     []metering.Text     `json:"notes"`
	PlanHash  string              `json:"plan_hash,omitempty"`
	FactorSet string              `json:"factor_set,omitempty"`
}

// units are the indicators' units as the API writes them.
var units = map[metering.Indicator]string{
	metering.EnergyAvoidedMWh: "MWh", metering.CO2eAvoidedTonnes: "t CO2e", metering.MoneySavedEUR: "EUR", metering.WaterSavedM3: "m3",
	metering.HeatDeliveredMWh: "MWh", metering.ElectricityUsedMWh: "MWh", metering.MaterialTonnes: "t", metering.BiomethaneMWh: "MWh",
	metering.DistanceAvoidedKM: "km", metering.JobsKept: "jobs", metering.PrimaryEnergyMWh: "MWh",
	metering.CO2eScope1Tonnes: "t CO2e", metering.CO2eScope2Tonnes: "t CO2e", metering.CO2eScope3Tonnes: "t CO2e",
}

var periodKinds = []metering.PeriodKind{metering.PeriodDay, metering.PeriodMonth, metering.PeriodQuarter, metering.PeriodYear, metering.PeriodToDate}

func jsonResults(v *visit) error {
	kind := metering.PeriodKind(v.QueryParam("kind"))
	if kind == "" {
		kind = metering.PeriodQuarter
	}
	if !slices.Contains(periodKinds, kind) {
		return problem{http.StatusBadRequest, v.t("problem.kind", string(kind))}
	}
	q := registry.Query{Synergy: v.Param("synergy"), Kind: kind}
	if v.QueryParam("from") != "" || v.QueryParam("to") != "" {
		now := v.s.o.Clock()
		p, err := v.period(now.AddDate(-1, 0, 0), now, 0)
		if err != nil {
			return err
		}
		q.From, q.To = p.from, p.to
	}
	all, err := v.results(q)
	if err != nil {
		return err
	}
	page, err := pageOf(v, all)
	if err != nil {
		return err
	}
	out := listJSON[resultJSON]{Items: make([]resultJSON, 0, len(page.Items)), Next: page.Next}
	for _, r := range page.Items {
		x := resultJSON{Kind: r.Kind, From: r.From.UTC(), To: r.To.UTC(), Figures: []figureJSON{}, Notes: list(r.Notes).Items, PlanHash: r.PlanHash, FactorSet: r.FactorSet}
		for _, f := range r.Figures {
			x.Figures = append(x.Figures, figureJSON{f.Indicator, units[f.Indicator], f.Amount, f.Half90, f.Coverage, f.Class})
		}
		out.Items = append(out.Items, x)
	}
	return v.answerJSON(out)
}

type opportunityJSON struct {
	ID             string             `json:"id"`
	Company        string             `json:"company"`
	Name           metering.Text      `json:"name"`
	Grade          string             `json:"grade"`
	MWhPerYear     float64            `json:"mwh_per_year"`
	HalfWidth90MWh float64            `json:"half_width_90_mwh"`
	TypicalKW      float64            `json:"typical_kw"`
	FirmKW         float64            `json:"firm_kw"`
	HoursPerYear   float64            `json:"hours_per_year"`
	LowCelsius     float64            `json:"low_celsius"`
	HighCelsius    float64            `json:"high_celsius"`
	MWhByBand      map[string]float64 `json:"mwh_by_band"`
	MonthlyMWh     []float64          `json:"monthly_mwh"`
	Coverage       float64            `json:"coverage"`
	Uses           []useJSON          `json:"uses"`
	Why            metering.Text      `json:"why"`
	Against        metering.Text      `json:"against"`
	MeasureNext    metering.Text      `json:"measure_next"`
}

type useJSON struct {
	Company          string          `json:"company"`
	How              metering.Text   `json:"how"`
	COP              float64         `json:"cop,omitempty"`
	MWhPerYear       float64         `json:"mwh_per_year"`
	CO2eTonnes       float64         `json:"co2e_t_per_year"`
	DistanceMetres   float64         `json:"distance_m"`
	PaybackYearsLow  float64         `json:"payback_years_low"`
	PaybackYearsHigh float64         `json:"payback_years_high"`
	LCOHLow          float64         `json:"lcoh_eur_per_mwh_low,omitempty"`
	LCOHHigh         float64         `json:"lcoh_eur_per_mwh_high,omitempty"`
	Support          []metering.Text `json:"support,omitempty"`
}

func jsonOpportunities(v *visit) error {
	all, err := v.visibleOpportunities()
	if err != nil {
		return err
	}
	var out []opportunityJSON
	for _, o := range all {
		x := opportunityJSON{ID: o.ID, Company: o.Company, Name: o.Name, Grade: o.Grade, MWhPerYear: o.MWhPerYear, HalfWidth90MWh: o.Half90, TypicalKW: o.TypicalKW, FirmKW: o.FirmKW,
			HoursPerYear: o.HoursAYear, LowCelsius: o.LowC, HighCelsius: o.HighC, MWhByBand: o.MWhByBand, MonthlyMWh: list(o.MonthlyMWh).Items, Coverage: o.Coverage,
			Uses: []useJSON{}, Why: o.Why, Against: o.Against, MeasureNext: o.MeasureNext}
		if x.MWhByBand == nil {
			x.MWhByBand = map[string]float64{}
		}
		for _, u := range o.Uses {
			x.Uses = append(x.Uses, useJSON{u.Company, u.How, u.COP, u.MWhPerYear, u.CO2eTonnes, u.DistanceM, u.PaybackYears, u.PaybackYearsH, u.LCOHLowEUR, u.LCOHHighEUR, u.Support})
		}
		out = append(out, x)
	}
	return v.answerJSON(list(out))
}

// indicatorJSON is an indicator for one theme, or why it is withheld.
type indicatorJSON struct {
	Indicator    metering.Indicator `json:"indicator"`
	Unit         string             `json:"unit"`
	Theme        string             `json:"theme"`
	Withheld     string             `json:"withheld,omitempty"`
	Contributors int                `json:"contributors,omitempty"`
	Amount       *float64           `json:"amount,omitempty"`
	HalfWidth90  *float64           `json:"half_width_90,omitempty"`
	Coverage     *float64           `json:"coverage,omitempty"`
	Measured     *float64           `json:"measured,omitempty"`
	Calculated   *float64           `json:"calculated,omitempty"`
	Declared     *float64           `json:"declared,omitempty"`
}

type quarterJSON struct {
	Quarter    calendar.Quarter `json:"quarter"`
	Sealed     bool             `json:"sealed"`
	Revision   int              `json:"revision,omitempty"`
	Synergies  int              `json:"synergies"`
	Companies  int              `json:"companies"`
	Indicators []indicatorJSON  `json:"indicators"`
}

func jsonIndicators(v *visit) error {
	all, err := v.publishedQuarters()
	if err != nil {
		return err
	}
	if text := v.QueryParam("quarter"); text != "" {
		q, err := v.chosenQuarter()
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(x quarterCells) bool { return x.Quarter != q })
	}
	var out []quarterJSON
	for _, q := range all {
		x := quarterJSON{Quarter: q.Quarter, Sealed: q.Sealed != nil, Synergies: q.Synergies, Companies: q.Companies, Indicators: []indicatorJSON{}}
		if q.Sealed != nil {
			x.Revision = q.Sealed.Revision
		}
		for _, c := range q.Cells {
			i := indicatorJSON{Indicator: c.Indicator, Unit: units[c.Indicator], Theme: c.Theme, Withheld: c.Suppressed}
			if c.Suppressed == "" {
				i.Contributors, i.Amount, i.HalfWidth90, i.Coverage = c.Contributors, &c.Amount, &c.Half90, &c.Coverage
				i.Measured, i.Calculated, i.Declared = &c.Measured, &c.Calculated, &c.Declared
			}
			x.Indicators = append(x.Indicators, i)
		}
		out = append(out, x)
	}
	return v.answerJSON(list(out))
}

type reportJSON struct {
	Quarter     calendar.Quarter  `json:"quarter"`
	Revision    int               `json:"revision"`
	SHA256      string            `json:"sha256"`
	LedgerIndex uint64            `json:"ledger_index"`
	SealedBy    string            `json:"sealed_by"`
	SealedAt    time.Time         `json:"sealed_at"`
	Reason      string            `json:"reason,omitempty"`
	Files       map[string]string `json:"files,omitempty"` // addresses by kind
}

func jsonReports(v *visit) error {
	all, err := v.s.o.Registry.Reports(v.Request().Context())
	if err != nil {
		return err
	}
	var out []reportJSON
	for _, r := range all {
		x := reportJSON{Quarter: r.Quarter, Revision: r.Revision, SHA256: r.Hash, LedgerIndex: r.LedgerIndex, SealedBy: r.SealedBy, SealedAt: r.SealedAt.UTC(), Reason: r.Reason}
		if view := v.revision(r); view.Available {
			x.Files = map[string]string{"json": view.JSON, "csv": view.CSV, "html": view.Read, "zip": view.Zip}
			if view.Dossier != "" {
				x.Files["dossier"] = view.Dossier
			}
		}
		out = append(out, x)
	}
	return v.answerJSON(list(out))
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/asset"
	"github.com/thermie/thermie/analytics/plot"
	"github.com/thermie/thermie/analytics/worth"
	"github.com/thermie/thermie/metering"
)

// sourcesAnswer is the answer of the command.
type sourcesAnswer struct {
	from, to  time.Time
	order     []string
	sources   map[string]*sourceAnswer
	demands   map[string]*demandAnswer
	faults    []faultAnswer
	detected  map[string]*sourceAnswer // by object
	drawn     []drawnSource
	proposals []worth.Proposal
	bound     float64 // MWh, in the time of the data

	detectedOrder []string
	simultaneous  map[string]float64 // MWh by site
	warnings      []string
}

type sourceAnswer struct {
	MWh       *float64           `json:"MWh"`
	Interval  *[2]float64        `json:"MWh_interval_90,omitempty"`
	ByBand    map[string]float64 `json:"by_band_MWh,omitempty"`
	NoBand    float64            `json:"no_band_MWh,omitempty"`
	Hours     float64            `json:"hours_above_20pct_of_P95"`
	P50       float64            `json:"P50_kW"`
	P90       float64            `json:"P90_firm_kW"`
	Max       float64            `json:"max_kW"`
	Monthly   []float64          `json:"monthly_MWh,omitempty"`
	Grade     heat.Grade         `json:"grade,omitempty"`
	Coverage  float64            `json:"coverage"`
	Estimated float64            `json:"estimated_MWh"`
	Mended    float64            `json:"mended_MWh"`
	HighC     float64            `json:"T_hot_mean_C"`
	LowC      float64            `json:"T_cold_mean_C"`
	Profile   *profileAnswer     `json:"profile,omitempty"`
	Kind      string             `json:"kind,omitempty"`
	Class     asset.Class        `json:"class,omitempty"`
	Fluid     *metering.Text     `json:"fluid,omitempty"`
	Caveats   *metering.Text     `json:"caveats,omitempty"`
	Site      string             `json:"site,omitempty"`
	Pattern   string             `json:"pattern,omitempty"`
	Rule      string             `json:"rule,omitempty"`
	Signals   []string           `json:"signals,omitempty"`
	Why       *metering.Text     `json:"why,omitempty"`
	Signs     []metering.Text    `json:"signs,omitempty"`
	Flags     []string           `json:"flags,omitempty"`
}

// profileAnswer is how the heat lies in time.
type profileAnswer struct {
	Duration       []float64          `json:"load_duration_kW"` // exceeded in 0, 5 ... 100 % of the time
	WorkingDay     []float64          `json:"working_day_kW"`   // by civil hour
	Weekend        []float64          `json:"weekend_kW"`
	Season         map[string]float64 `json:"season_kW"`
	OperatingP50   float64            `json:"operating_P50_kW"`
	OperatingP90   float64            `json:"operating_P90_kW"`
	OperatingShare float64            `json:"operating_share"`
	FirmShare      float64            `json:"firm_share"`
	OutageHours    float64            `json:"longest_outage_h"`
	ExergyMWh      float64            `json:"exergy_MWh"`
}

type demandAnswer struct {
	MWh       float64  `json:"MWh"`
	Max       float64  `json:"max_kW"`
	Coverage  float64  `json:"coverage"`
	Estimated float64  `json:"estimated_MWh"`
	Hours     float64  `json:"hours,omitempty"`
	TargetC   float64  `json:"T_target_mean_C,omitempty"`
	SupplyC   float64  `json:"T_supply_mean_C,omitempty"`
	Night     float64  `json:"night_weekend_over_day,omitempty"`
	Fuel      string   `json:"fuel,omitempty"`
	FuelMWh   float64  `json:"fuel_MWh_gross,omitempty"`
	Heating   *heating `json:"heating_line,omitempty"`
	Flags     []string `json:"flags,omitempty"`
}

// heating is the line of daily heat against the cold.
type heating struct {
	Base   float64 `json:"base_kW"`
	Slope  float64 `json:"slope_kW_per_K"`
	Limit  float64 `json:"limit_C"`
	R2     float64 `json:"r2"`
	AtZero float64 `json:"T_target_at_0C,omitempty"`
	Curve  float64 `json:"T_target_slope_K_per_K,omitempty"`
}

type faultAnswer struct {
	Kind      heat.FaultKind `json:"kind"`
	Channels  []string       `json:"channels"`
	From      string         `json:"from"`
	To        string         `json:"to"`
	Treatment string         `json:"treatment"`
}

// MarshalJSON puts the sites' figures beside the others, as the answer's format
// has them: "B_simultaneous_heat_and_cool_MWh".
func (a *sourcesAnswer) MarshalJSON() ([]byte, error) {
	out := map[string]any{
		"period":  map[string]string{"from": a.from.Format("2006-01-02T15:04Z"), "to": a.to.Format("2006-01-02T15:04Z")},
		"sources": a.sources, "demands": a.demands, "faults": a.faults, "detected": a.detected,
		"proposals": proposalsOf(a.proposals), "upper_bound_direct_MWh": round(a.bound, 10), "warnings": append([]string{}, a.warnings...),
	}
	for site, mwh := range a.simultaneous {
		out[site+"_simultaneous_heat_and_cool_MWh"] = round(mwh, 10)
	}
	return json.Marshal(out)
}

func round(x, per float64) float64 { return math.Round(x*per) / per }

func (in *heatInput) sourceOf(s *heat.Source) *sourceAnswer {
	mwh, half := round(s.MWh, 10), s.HalfWidthMWh()
	a := &sourceAnswer{MWh: &mwh, Interval: &[2]float64{round(max(s.MWh-half, 0), 10), round(s.MWh+half, 10)}, ByBand: map[string]float64{},
		NoBand: round(s.NoBandMWh, 10), Hours: round(s.Hours, 10), P50: round(s.P50KW, 10), P90: round(s.P90KW, 10), Max: round(s.MaxKW, 10),
		Grade: s.Grade, Coverage: round(s.Coverage, 1e4), Estimated: round(s.EstimatedMWh, 10), Mended: round(s.MendedMWh, 10),
		HighC: round(s.HighC, 10), LowC: round(s.LowC, 10), Flags: s.Flags}
	for k, b := range heat.Bands {
		a.ByBand[b.Name] = round(s.ByBand[k], 10)
	}
	for _, m := range s.Monthly {
		a.Monthly = append(a.Monthly, round(m, 10))
	}
	if k := in.kinds.Of(s.Card); k != nil {
		a.Kind, a.Class, a.Fluid, a.Caveats = k.Key, k.Class, &k.Fluid, &k.Caveats
	}
	if s.Known == 0 { // nothing is not zero
		a.MWh, a.Interval = nil, nil
		return a
	}
	a.Profile = profileOf(s.Profile(in.clean))
	return a
}

func profileOf(p heat.Profile) *profileAnswer {
	a := &profileAnswer{Season: map[string]float64{}, OperatingP50: round(p.OperatingP50KW, 10), OperatingP90: round(p.OperatingP90KW, 10),
		OperatingShare: round(p.OperatingShare, 1e4), FirmShare: round(p.FirmShare, 1e4), OutageHours: round(p.LongestOutage.Hours(), 10), ExergyMWh: round(p.ExergyMWh, 10)}
	for _, q := range p.Duration {
		a.Duration = append(a.Duration, round(q, 10))
	}
	for h := range 24 {
		a.WorkingDay, a.Weekend = append(a.WorkingDay, round(p.Hour[0][h], 10)), append(a.Weekend, round(p.Hour[1][h], 10))
	}
	for k, name := range [...]string{"winter", "spring", "summer", "autumn"} {
		if !math.IsNaN(p.Season[k]) {
			a.Season[name] = round(p.Season[k], 10)
		}
	}
	return a
}

func demandOf(n *heat.Need) *demandAnswer {
	return &demandAnswer{MWh: round(n.MWh, 10), Max: round(n.MaxKW, 10), Coverage: round(n.Coverage, 1e4), Estimated: round(n.EstimatedMWh, 10), Flags: n.Flags}
}

// needOf is a demand with what an engineer asks about it.
func needOf(f heat.NeedFigures, n *heat.Need) *demandAnswer {
	a := demandOf(n)
	a.Hours, a.TargetC, a.SupplyC, a.Night = round(f.Hours, 10), round(f.TargetC, 10), round(f.SupplyC, 10), round(f.Night, 100)
	a.Fuel, a.FuelMWh = f.Fuel, round(f.FuelMWh, 10)
	if h := f.Heating; h != nil {
		a.Heating = &heating{round(h.BaseKW, 10), round(h.SlopeKWPerK, 100), h.LimitC, round(h.R2, 1000), round(h.TargetAtZeroC, 10), round(h.TargetSlope, 100)}
	}
	return a
}

// proposalAnswer is one use of one source's heat.
type proposalAnswer struct {
	Source     string      `json:"source"`
	Demand     string      `json:"demand"`
	Status     string      `json:"status"` // "synergy" or "lead"
	Internal   bool        `json:"internal"`
	COP        float64     `json:"COP,omitempty"`
	KM         float64     `json:"L_km"`
	MWhP50     float64     `json:"MWh_P50"`
	MWhP90     float64     `json:"MWh_P90"`
	CO2e       worth.Range `json:"co2e_t"`
	Capex      worth.Range `json:"capex_EUR"`
	Saving     worth.Range `json:"net_saving_EUR_per_year"`
	NPV        worth.Range `json:"npv_EUR"`
	LCOH       worth.Range `json:"lcoh_EUR_per_MWh"`
	Payback    any         `json:"payback_years"` // null where it never pays
	NPVAid     worth.Range `json:"npv_with_support_EUR"`
	LCOHAid    worth.Range `json:"lcoh_with_support_EUR_per_MWh"`
	PaybackAid any         `json:"payback_with_support_years"`
	Aids       []string    `json:"eligible_support"`
}

func proposalsOf(all []worth.Proposal) []proposalAnswer {
	out := []proposalAnswer{}
	cut := func(r worth.Range, per float64) (x worth.Range) {
		for k := range r {
			x[k] = round(r[k], per)
		}
		return x
	}
	years := func(r worth.Range) any {
		var x [3]any
		for k := range r {
			if !math.IsInf(r[k], 0) {
				x[k] = round(r[k], 10)
			}
		}
		return x
	}
	for _, p := range all {
		w := p.Worth
		a := proposalAnswer{Source: p.Source.Card.ID, Demand: p.Need.Demand.ID, Status: "synergy", Internal: p.Internal, COP: round(p.COP, 100), KM: round(p.KM, 1000),
			MWhP50: round(w.MWhP50, 10), MWhP90: round(w.MWhP90, 10), CO2e: cut(w.CO2eTonnes, 10), Capex: cut(w.CapexEUR, 1), Saving: cut(w.SavingEUR, 1),
			NPV: cut(w.Without.NPVEUR, 1), LCOH: cut(w.Without.LCOHEUR, 10), Payback: years(w.Without.PaybackYears),
			NPVAid: cut(w.With.NPVEUR, 1), LCOHAid: cut(w.With.LCOHEUR, 10), PaybackAid: years(w.With.PaybackYears), Aids: []string{}}
		if p.Lead {
			a.Status = "lead"
		}
		for _, x := range w.Aids {
			if x.Eligible {
				a.Aids = append(a.Aids, x.Key)
			}
		}
		out = append(out, a)
	}
	return out
}

func faultOf(f heat.Fault) faultAnswer {
	a := faultAnswer{Kind: f.Kind, Channels: f.Channels, From: f.From.Format("2006-01-02T15:04Z"), To: f.To.Format("2006-01-02T15:04Z"),
		Treatment: "left out; filled from like times where there are any, and counted as estimated"}
	switch {
	case f.Kind == heat.SensorsSwapped && f.Mend:
		a.Treatment = "mended: exchanged back"
	case f.Factor > 0 && f.Mend:
		a.Treatment = fmt.Sprintf("mended: divided by %.4g", f.Factor)
	}
	return a
}

// print writes the answer for people.
func (a *sourcesAnswer) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(a.order) > 0 {
		a.table(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, f := range a.faults {
		fmt.Fprintf(out, "%s: %s, %s to %s UTC; %s\n", f.Kind, strings.Join(f.Channels, ", "), f.From, f.To, f.Treatment)
	}
	for _, o := range a.detectedOrder {
		d := a.detected[o]
		fmt.Fprintf(out, "not declared: %s, %s: %.0f MWh (%.0f to %.0f), evidence %s, by the rule %s\n", o, d.Pattern, *d.MWh, d.Interval[0], d.Interval[1], d.Grade, d.Rule)
	}
	sites := make([]string, 0, len(a.simultaneous))
	for s := range a.simultaneous {
		sites = append(sites, s)
	}
	slices.Sort(sites)
	for _, s := range sites {
		fmt.Fprintf(out, "site %s heats and cools at once: %.1f MWh it could recover itself\n", s, a.simultaneous[s])
	}
	for _, m := range a.warnings {
		fmt.Fprintf(out, "note: %s\n", m)
	}
	return nil
}

// table prints a line a source.
func (a *sourcesAnswer) table(w io.Writer) {
	fmt.Fprintln(w, "SOURCE\tMWh\t± 90 %\tGRADE\t<40\t40-60\t60-90\t90-150\t>150 degC\tP50 kW\tP90 kW\tMAX kW\tHOURS\tCOVERAGE\tESTIMATED\t")
	for _, id := range a.order {
		s := a.sources[id]
		if s.MWh == nil {
			fmt.Fprintf(w, "%s\t-\t\t\t\t\t\t\t\t\t\t\t\t\t\t\n", id)
			continue
		}
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%s", id, *s.MWh, (s.Interval[1]-s.Interval[0])/2, s.Grade)
		for _, b := range heat.Bands {
			fmt.Fprintf(w, "\t%.1f", s.ByBand[b.Name])
		}
		fmt.Fprintf(w, "\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f %%\t%.1f\t\n", s.P50, s.P90, s.Max, s.Hours, 100*s.Coverage, s.Estimated)
	}
}

// explain prints the best uses, one page each.
func (a *sourcesAnswer) explain(out io.Writer, o sourcesOptions) error {
	if len(a.proposals) == 0 {
		_, err := fmt.Fprintln(out, map[string]string{"fr": "Aucun usage à portée ne vaut la peine.", "en": "No use within reach is worth it."}[o.lang])
		return err
	}
	bound := map[string]string{
		"fr": "Borne du site : sources et besoins réunis échangent au plus %.0f MWh sur la période, sans machine et sans distance.\n\n",
		"en": "Bound of the site: all sources and needs together exchange at most %.0f MWh in the data's time, without machine and without distance.\n\n",
	}[o.lang]
	if _, err := fmt.Fprintf(out, bound, a.bound); err != nil {
		return err
	}
	for i := range a.proposals[:min(o.explain, len(a.proposals))] {
		if _, err := fmt.Fprintf(out, "%s\f\n", a.proposals[i].Explain(o.lang)); err != nil {
			return err
		}
	}
	return nil
}

// drawnSource is a source with what its charts show.
type drawnSource struct {
	id      string
	source  *heat.Source
	profile heat.Profile
}

// charts draw the load-duration curves, the months and the week of the sources.
func (a *sourcesAnswer) charts() []plot.Chart {
	duration := plot.Chart{Title: "Load-duration curves / Courbes monotones", XLabel: "% of the time", YLabel: "kW"}
	out := []plot.Chart{duration}
	for _, d := range a.drawn {
		l := plot.Line{Name: d.id}
		for k, q := range d.profile.Duration {
			l.Points = append(l.Points, [2]float64{float64(5 * k), q})
		}
		out[0].Lines = append(out[0].Lines, l)
	}
	for _, d := range a.drawn {
		months := plot.Chart{Title: d.id + ": MWh by month / par mois", YLabel: "MWh"}
		for m, mwh := range d.source.Monthly {
			months.Bars = append(months.Bars, plot.Bar{Name: strconv.Itoa(m + 1), Height: mwh})
		}
		day := plot.Chart{Title: d.id + ": mean day / jour moyen", XLabel: "h", YLabel: "kW"}
		for w, name := range [...]string{"working days / jours ouvrés", "week-end"} {
			l := plot.Line{Name: name, Dashed: w == 1}
			for h, q := range d.profile.Hour[w] {
				l.Points = append(l.Points, [2]float64{float64(h), q})
			}
			day.Lines = append(day.Lines, l)
		}
		out = append(out, months, day)
	}
	return out
}

package api

import (
	"strings"

	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/metering"
)

// sourceProfile is what an engineer wants to know of a source.
type sourceProfile struct {
	Months, Load, Week *plot
	Facts              []pair
	Faults             *table
}

func (v *visit) sourceProfile(o metering.Opportunity) (*sourceProfile, error) {
	p := o.Profile
	if p == nil {
		return nil, nil
	}
	out := &sourceProfile{Facts: v.profileFacts(o), Faults: v.heatFaults(p.Faults)}
	var err error
	if out.Months, err = v.monthBands(p.MonthBandMWh); err != nil {
		return nil, err
	}
	if out.Load, err = v.loadDuration(o); err != nil {
		return nil, err
	}
	out.Week, err = v.usualDay(p)
	return out, err
}

// monthBands shows the year's heat by month, each split by temperature.
func (v *visit) monthBands(months [][]float64) (*plot, error) {
	if len(months) != 12 {
		return nil, nil
	}
	m := chart.Bars{Unit: "MWh", Short: "MWh", Categories: v.months(), Stacked: true}
	t := newTable("", append([]cell{v.head("bands.band")}, monthHeads(m.Categories)...)...)
	t.Class = "compact"
	for k, b := range bands {
		bar := chart.Bar{Name: v.t("band." + b.key), Colour: "heat", Strength: b.strength}
		row := []cell{txt(v.t("band." + b.key))}
		some := false
		for _, month := range months {
			x := 0.0
			if k < len(month) {
				x = month[k]
			}
			some = some || x > 0.005
			bar.Values = append(bar.Values, x)
			row = append(row, right(v.lang.Number(x, 0)))
		}
		if some {
			m.Series = append(m.Series, bar)
			t.add(row...)
		}
	}
	if len(m.Series) == 0 {
		return nil, nil
	}
	return (&plot{ID: "months", Title: v.t("profile.month_band"), Caption: v.t("profile.month_caption"), Table: t}).draw(m)
}

// loadDuration draws the power that is exceeded for so many hours of a year.
func (v *visit) loadDuration(o metering.Opportunity) (*plot, error) {
	kw := o.Profile.LoadKW
	if len(kw) < 2 {
		return nil, nil
	}
	t := newTable("", v.headN("monotone.hours"), v.headN("monotone.power"))
	l := chart.Line{Name: v.t("monotone.power"), Colour: "heat", Area: true}
	for k, x := range kw {
		hours := 8760 * float64(k) / float64(len(kw)-1)
		l.Points = append(l.Points, chart.Point{X: hours, Y: x})
		t.add(right(v.lang.Number(hours, 0)), right(v.lang.Amount(rough(x))))
	}
	return (&plot{ID: "monotone", Title: v.t("profile.load"), Caption: v.t("profile.load_caption"), Table: t}).draw(
		chart.Time{Axis: "number", XUnit: v.t("monotone.hours"), Unit: "kW", Short: "kW", Zero: true, To: 8760, Series: []chart.Line{l},
			Levels: []chart.Mark{{At: o.TypicalKW, Label: v.t("monotone.typical")}, {At: o.FirmKW, Label: v.t("monotone.firm")}}})
}

// usualDay shows the mean power by hour on working days and week-ends.
func (v *visit) usualDay(p *metering.HeatProfile) (*plot, error) {
	if len(p.WorkingDayKW) != 24 || len(p.WeekendKW) != 24 {
		return nil, nil
	}
	m := chart.Time{Axis: "number", XUnit: v.t("profile.hour"), Unit: "kW", Short: "kW", Zero: true, To: 23}
	t := newTable("", v.headN("profile.hour"), v.headN("profile.workday"), v.headN("profile.weekend"))
	for _, d := range []struct {
		key, colour string
		kw          []float64
		dashed      bool
	}{{"profile.workday", "heat", p.WorkingDayKW, false}, {"profile.weekend", "soft", p.WeekendKW, true}} {
		l := chart.Line{Name: v.t(d.key), Colour: d.colour, Dashed: d.dashed}
		for h, x := range d.kw {
			l.Points = append(l.Points, chart.Point{X: float64(h), Y: x})
		}
		m.Series = append(m.Series, l)
	}
	for h := range 24 {
		t.add(right(v.lang.Number(float64(h), 0)), right(v.lang.Amount(rough(p.WorkingDayKW[h]))), right(v.lang.Amount(rough(p.WeekendKW[h]))))
	}
	return (&plot{ID: "week", Title: v.t("profile.week"), Caption: v.t("profile.week_caption"), Table: t}).draw(m)
}

func (v *visit) profileFacts(o metering.Opportunity) []pair {
	p, l := o.Profile, v.lang
	amount := func(x float64) string { return l.Amount(rough(x)) }
	var out []pair
	add := func(key, text string) {
		if text != "" {
			out = append(out, pair{v.t(key), text})
		}
	}
	add("profile.running_power", v.t("profile.kw_pair", amount(p.OperatingP50KW), amount(p.OperatingP90KW)))
	add("profile.running_share", v.t("profile.of_time", l.Percent(p.OperatingShare, 0)))
	add("profile.firm_share", l.Percent(p.FirmShare, 0))
	add("profile.outage", l.N("profile.outage_hours", int(p.OutageHours+0.5)))
	if o.MWhPerYear > 0 {
		add("profile.exergy", v.t("profile.exergy_mwh", amount(p.ExergyMWh), l.Percent(p.ExergyMWh/o.MWhPerYear, 0)))
	}
	add("profile.coverage", v.t("profile.treated", l.Percent(o.Coverage, 1), l.Number(p.MendedMWh, 0), l.Number(p.EstimatedMWh, 0)))
	add("profile.kind", l.Of(p.Kind))
	if p.Class != "" {
		add("profile.class", v.t("class.heat."+p.Class)+v.t("sep")+l.Of(p.ClassWhy))
	}
	add("profile.fluid", l.Of(p.Fluid))
	if p.Cutoff.FR != "" {
		add("profile.cutoff", v.t("profile.cutoff_c", l.Number(p.CutoffC, 0), l.Of(p.Cutoff)))
	}
	own := l.Of(p.Internal)
	if p.InternalMWh > 0.5 {
		if own != "" {
			own += v.t("sep")
		}
		own += v.t("profile.internal_mwh", amount(p.InternalMWh))
	}
	add("profile.internal", own)
	add("profile.rule", p.Rule)
	return out
}

// heatFaults names the windows in which an asset's meters were not believed.
func (v *visit) heatFaults(all []metering.HeatFault) *table {
	if len(all) == 0 {
		return nil
	}
	t := newTable("", v.head("faults.kind"), v.head("faults.channels"), v.head("faults.from"), v.head("faults.to"), v.head("faults.treatment")).cards()
	for _, f := range all {
		treatment := v.t("faults.left_out")
		if f.Mended {
			treatment = v.t("faults.mended")
		}
		t.add(txt(v.faultName(f.Kind)), txt(strings.Join(f.Channels, ", ")), txt(v.lang.Moment(f.From)), txt(v.lang.Moment(f.To)), txt(treatment))
	}
	return t
}

func (v *visit) faultName(kind string) string {
	if factor, ok := strings.CutPrefix(kind, "scale_x"); ok {
		return v.t("heatfault.scale", v.lang.Set(strings.ReplaceAll(factor, ".", v.t("decimal"))))
	}
	return v.lang.Or("heatfault."+kind, kind)
}

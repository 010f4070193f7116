package savings

import (
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Result sums the days of [from, to), which are civil days inside the reporting
// period; a period that reaches beyond is cut to it.
func (e *Evaluation) Result(kind metering.PeriodKind, from, to time.Time) metering.Result {
	i := min(max(e.grid.index(from), e.first), e.last)
	j := min(max(e.grid.index(to), i), e.last)
	r := metering.Result{Synergy: e.Plan.Synergy, Kind: kind, From: e.grid.days[i].UTC(), To: e.grid.days[j].UTC(),
		PlanHash: e.Plan.Hash(), FactorSet: e.Set.Ref(), Figures: []metering.Figure{}}
	for _, ind := range metering.Indicators {
		en := e.ledger.entries[ind]
		if en == nil {
			continue
		}
		t := en.total(e.ledger, i, j)
		f := metering.Figure{Indicator: ind, Amount: t.amount, Half90: t.half90(), Coverage: t.coverage, Class: e.Plan.Option.Class()}
		if t.declared {
			f.Class = metering.ClassDeclared
		}
		r.Figures = append(r.Figures, f)
	}
	for _, n := range e.notes {
		// What always holds is said once, with the longer periods.
		if n.touches(r.From, r.To) && (kind != metering.PeriodDay || !n.from.IsZero()) {
			r.Notes = append(r.Notes, n.text)
		}
	}
	return r
}

// Results are the results of every period that touches [from, to): days,
// months, quarters, the last twelve months and the whole reporting period to
// date. The running month and quarter end with the last evaluated day.
func (e *Evaluation) Results(from, to time.Time) []metering.Result {
	first, last := e.Days()
	if !first.Before(last) {
		return nil
	}
	var out []metering.Result
	periods := func(kind metering.PeriodKind, start time.Time, next func(time.Time) time.Time) {
		for t := start; t.Before(last); t = next(t) {
			end := next(t)
			if end.After(from) && t.Before(to) && end.After(first) {
				out = append(out, e.Result(kind, t, end))
			}
		}
	}
	periods(metering.PeriodDay, first, calendar.NextDay)
	periods(metering.PeriodMonth, calendar.Month(first), nextMonth)
	periods(metering.PeriodQuarter, calendar.QuarterOf(first).Start(), func(t time.Time) time.Time { return calendar.QuarterOf(t).End() })
	out = append(out, e.Result(metering.PeriodYear, yearBefore(last), last))
	return append(out, e.Result(metering.PeriodToDate, first, last))
}

func nextMonth(t time.Time) time.Time {
	y, m, _ := t.In(calendar.Paris).Date()
	return time.Date(y, m+1, 1, 0, 0, 0, 0, calendar.Paris)
}

func yearBefore(t time.Time) time.Time {
	y, m, d := t.In(calendar.Paris).Date()
	return time.Date(y-1, m, d, 0, 0, 0, 0, calendar.Paris)
}

// Expected is what the plan expects of an indicator in the days of [from, to):
// the expected year spread over its months by the plan's profile and over their
// days evenly. ok is false when the plan expects nothing of it.
func (p *Plan) ExpectedIn(i metering.Indicator, from, to time.Time) (amount float64, ok bool) {
	return p.normal(p.Expected, i, from, to)
}

// AnnouncedIn is [Plan.ExpectedIn] for what was announced in public.
func (p *Plan) AnnouncedIn(i metering.Indicator, from, to time.Time) (amount float64, ok bool) {
	return p.normal(p.Announced, i, from, to)
}

func (p *Plan) normal(of map[metering.Indicator]float64, i metering.Indicator, from, to time.Time) (float64, bool) {
	year, ok := of[i]
	if !ok {
		return 0, false
	}
	sum := 0.0
	for t := calendar.Day(from); t.Before(to); t = calendar.NextDay(t) {
		sum += float64(year * p.dayShare(t))
	}
	return sum, true
}

// dayShare is the part of a normal year that falls on the day that begins at t.
func (p *Plan) dayShare(t time.Time) float64 {
	y, m, _ := t.In(calendar.Paris).Date()
	inYear := float64(time.Date(y, 12, 31, 0, 0, 0, 0, time.UTC).YearDay())
	if len(p.ExpectedProfile) != 12 {
		return 1 / inYear
	}
	return p.ExpectedProfile[m-1] / float64(time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day())
}

// PartnerEUR is what each partner gains in EUR in [from, to): its share of what
// the exchange saves, in the order of the plan's shares. What one partner pays
// another (heat bought) is in paid, positive for who receives; it sums to zero.
func (e *Evaluation) PartnerEUR(from, to time.Time) (gain, paid map[string]float64) {
	gain, paid = map[string]float64{}, map[string]float64{}
	i := min(max(e.grid.index(from), e.first), e.last)
	j := min(max(e.grid.index(to), i), e.last)
	if en := e.ledger.entries[metering.MoneySavedEUR]; en != nil {
		t := en.total(e.ledger, i, j)
		for _, s := range e.Plan.Shares {
			gain[s.Company] += float64(s.Share * t.amount)
		}
	}
	for _, p := range e.money {
		if p.cost.PaidTo == "" {
			continue
		}
		s := 0.0
		for _, x := range p.eur[i:j] {
			s += x
		}
		paid[p.cost.PaidBy] -= s
		paid[p.cost.PaidTo] += s
	}
	return gain, paid
}

package assessment

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// attribution shares what a site as a whole has saved among the synergies on it, of
// each quarter and to date, and keeps it. A site is that of a company with a plan of
// option C; others take part whose receiver or partner is that company, or whose own
// plan of option C measures its meters. One synergy alone has nothing to share.
func (r *run) attribution(ctx context.Context) error {
	all := []metering.Attribution{}
	seen := map[string]bool{}
	for _, s := range r.programme.synergies {
		site := r.evaluated[s.ID]
		company := r.siteOf(site)
		if company == "" || seen[company] {
			continue
		}
		seen[company] = true
		var others []*savings.Evaluation
		for _, o := range r.programme.synergies {
			if e := r.evaluated[o.ID]; e != nil && o.ID != s.ID && (r.siteOf(e) == company || savesAt(&o, company)) {
				others = append(others, e)
			}
		}
		shared, err := attributions(site, others)
		if err != nil {
			r.failed("not_attributed", s.ID, company, err, "L'économie du site n'a pas pu être partagée", "The site's saving could not be shared")
			continue
		}
		for _, a := range shared {
			a.Company = company
			all = append(all, a)
		}
	}
	r.step()
	return r.Registry.PutAttributions(ctx, all)
}

// siteOf is the company whose site an evaluation measures as a whole; "" for none.
func (r *run) siteOf(e *savings.Evaluation) string {
	if e == nil || len(e.Fits) == 0 {
		return ""
	}
	for _, m := range e.Plan.Meters {
		if m.Role == savings.RoleSite {
			return r.programme.meter[m.Series.Meter()].Company
		}
	}
	return ""
}

// savesAt says whether a synergy saves energy on the site of a company: who only
// gives saves nothing there.
func savesAt(s *metering.Synergy, company string) bool {
	return slices.ContainsFunc(s.Parties, func(p metering.Party) bool { return p.Company == company && p.Role != "donor" })
}

// attributions are those of the common quarters and of all common days.
func attributions(site *savings.Evaluation, others []*savings.Evaluation) ([]metering.Attribution, error) {
	// A synergy that has not begun has nothing to claim yet.
	others = slices.DeleteFunc(others, func(e *savings.Evaluation) bool {
		_, _, ok := savings.CommonDays(site, e)
		return !ok
	})
	if len(others) == 0 {
		return nil, nil
	}
	from, to, ok := savings.CommonDays(append([]*savings.Evaluation{site}, others...)...)
	if !ok {
		return nil, nil
	}
	var out []metering.Attribution
	add := func(kind metering.PeriodKind, from, to time.Time) error {
		a, err := savings.AttributeSite(site, others, kind, from, to)
		switch {
		case errors.Is(err, savings.ErrNoClaim):
			return nil
		case err != nil:
			return err
		}
		out = append(out, *a)
		return nil
	}
	for q := calendar.QuarterOf(from); q.Start().Before(to); q = q.Add(1) {
		first, last := q.Start(), q.End()
		if from.After(first) {
			first = from
		}
		if to.Before(last) {
			last = to
		}
		if err := add(metering.PeriodQuarter, first, last); err != nil {
			return nil, err
		}
	}
	return out, add(metering.PeriodToDate, from, to)
}

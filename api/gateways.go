package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// staleAfter is how old a gateway's word may be before it counts as silent.
const staleAfter = 10 * time.Minute

// stripDays is how many days a strip of completeness shows.
const stripDays = 28

// renewWithin is how long before its end a certificate is called for.
const renewWithin = 30 * 24 * time.Hour

// refreshSeconds is how often a live page reads itself again.
const refreshSeconds = 10

// state is how something is, in a word with its shape: good, suspect, missing
// or none. Do says what to do about it, "" when nothing.
type state struct{ Level, Text, Do string }

type gatewayRow struct {
	ID, Name, Place string
	State           state
	Seen            time.Time
	Meters, Faults  int
	Waiting         string
}

type gatewaysPage struct {
	Well, Faulty string
	Rows         []gatewayRow
	Meters       []meterRow
	Days         *table
	Todo         []alarmLine
	From, To     string
}

// meterRow is one meter in the list of all.
type meterRow struct {
	liveMeter
	Gateway, Place string
	Strip          stripRow
}

func showGateways(v *visit) error {
	ctx := v.Request().Context()
	gateways, err := v.visibleGateways()
	if err != nil {
		return err
	}
	statuses, err := v.statuses()
	if err != nil {
		return err
	}
	meters, err := v.visibleMeters()
	if err != nil {
		return err
	}
	p := gatewaysPage{}
	faulty := 0
	for _, g := range gateways {
		row := gatewayRow{ID: g.ID, Name: v.gatewayName(g), Place: v.lang.Of(g.Place)}
		st, known := statuses[g.ID]
		row.State, row.Seen = v.gatewayState(st, known), st.At
		for _, m := range meters {
			if m.Gateway == g.ID {
				row.Meters++
			}
		}
		for _, m := range st.Meters {
			if m.Fault != "" {
				row.Faults++
			}
		}
		if st.Spool.Batches > 1 {
			row.Waiting = v.lang.N("gateway.waiting", st.Spool.Batches)
		}
		if row.State.Level != "good" || row.Faults > 0 {
			faulty++
		}
		p.Rows = append(p.Rows, row)
	}
	p.Well, p.Faulty = v.lang.N("gateways.well", len(p.Rows)-faulty), v.lang.N("gateways.faulty", faulty)
	alarms, err := v.s.o.Registry.Alarms(ctx, registry.AlarmQuery{Open: true})
	if err != nil {
		return err
	}
	alarms = slices.DeleteFunc(alarms, func(a metering.Alarm) bool {
		_, isSynergy, _ := v.synergy(a.Subject)
		return isSynergy
	})
	if p.Todo, err = v.alarms(alarms); err != nil {
		return err
	}
	if err := v.meterRows(&p, meters, gateways, statuses); err != nil {
		return err
	}
	from, to := v.stripSpan()
	p.From, p.To = v.lang.ShortDate(from), v.lang.ShortDate(to.Add(-time.Second))
	return v.page(http.StatusOK, "gateways", v.t("nav.gateways"), p)
}

// meterRows lists all meters with what they say now and how complete they were.
func (v *visit) meterRows(p *gatewaysPage, meters []registry.Installation, gateways []metering.Gateway, statuses map[string]batch.Status) error {
	infos, err := v.s.o.Series.List(v.Request().Context(), v.scope)
	if err != nil {
		return err
	}
	strips, err := v.strips(meters, gateways)
	if err != nil {
		return err
	}
	p.Days = newTable("", v.head("meter.one"), v.headN("complete.share"), v.headN("complete.days"), v.headN("complete.partial"), v.headN("complete.empty"))
	n := func(x int) cell { return right(v.lang.Number(float64(x), 0)) }
	for i, m := range meters {
		live, err := v.liveMeter(m, statuses[m.Gateway], infos)
		if err != nil {
			return err
		}
		live.Readings = live.Readings[:min(1, len(live.Readings))]
		p.Meters = append(p.Meters, meterRow{live, m.Gateway, strips[i].Place, strips[i]})
		p.Days.add(txt(strips[i].Name), right(strips[i].Mean), n(strips[i].Whole), n(strips[i].Partial), n(strips[i].Bad))
	}
	// What needs a visit comes first.
	slices.SortStableFunc(p.Meters, func(a, b meterRow) int { return trouble(b.State) - trouble(a.State) })
	return nil
}

// trouble ranks a state by how much it needs somebody.
func trouble(s state) int {
	return slices.Index([]string{"good", "none", "suspect", "missing"}, s.Level)
}

func (v *visit) visibleGateways() ([]metering.Gateway, error) {
	m, err := v.members()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(m.gateways), func(g metering.Gateway) bool {
		return !v.may(access.SeeMeters, g.Company)
	}), nil
}

func (v *visit) visibleMeters() ([]registry.Installation, error) {
	known, err := v.members()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(known.meters), func(m registry.Installation) bool {
		return !v.may(access.SeeMeters, m.Company)
	}), nil
}

// gatewayName is its company, with the place where the company has several;
// the place alone for one of the territory itself.
func (v *visit) gatewayName(g metering.Gateway) string {
	m, err := v.members()
	if err != nil {
		return v.lang.Of(g.Place)
	}
	c, ok, _ := find(m.companies, func(c metering.Company) bool { return c.ID == g.Company })
	if !ok {
		return v.lang.Of(g.Place)
	}
	n := 0
	for _, other := range m.gateways {
		if other.Company == g.Company {
			n++
		}
	}
	if n > 1 {
		return c.Name + ", " + v.lang.Of(g.Place)
	}
	return c.Name
}

func (v *visit) statuses() (map[string]batch.Status, error) {
	all, err := v.s.o.Registry.Statuses(v.Request().Context())
	out := make(map[string]batch.Status, len(all))
	for _, s := range all {
		out[s.Gateway] = s
	}
	return out, err
}

// gatewayState judges a gateway by its last word.
func (v *visit) gatewayState(s batch.Status, known bool) state {
	now := v.s.o.Clock()
	switch {
	case !known:
		return state{"none", v.t("gateway.never"), v.t("gateway.never.do")}
	case !s.CertExpiry.IsZero() && !now.Before(s.CertExpiry):
		return state{"missing", v.t("gateway.expired", v.lang.Date(s.CertExpiry)), v.t("gateway.certificate.do")}
	case !s.Online:
		return state{"missing", v.t("gateway.offline", v.lang.Span(now.Sub(s.At))), v.t("gateway.offline.do")}
	case silent(s, now):
		return state{"missing", v.t("gateway.silent", v.lang.Span(now.Sub(s.At))), v.t("gateway.offline.do")}
	case !s.Clock.Synchronised:
		return state{"suspect", v.t("gateway.clock"), v.t("gateway.clock.do")}
	case !s.CertExpiry.IsZero() && s.CertExpiry.Sub(now) < renewWithin:
		return state{"suspect", v.t("gateway.certificate", v.lang.Date(s.CertExpiry)), v.t("gateway.certificate.do")}
	}
	return state{"good", v.t("gateway.online"), ""}
}

// silent says whether a gateway's last word is too old to hold still.
func silent(s batch.Status, now time.Time) bool { return !s.Online || now.Sub(s.At) > staleAfter }

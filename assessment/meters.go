package assessment

import (
	"context"
	"slices"
	"sort"
	"time"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// meters finds faults of meters and counts their readings.
func (r *run) meters(ctx context.Context) error {
	r.faults()
	r.silences()
	err := r.completeness(ctx)
	r.step()
	return err
}

// fault is an event of a series.
type fault struct {
	series metering.SeriesID
	align.Event
}

// faults raises one alarm for each trouble of a meter, although several of its
// series show it.
func (r *run) faults() {
	company := map[string]string{}
	for _, m := range r.programme.meters {
		company[m.ID] = m.Company
	}
	last := map[string][]fault{} // by meter and kind
	for _, f := range r.events() {
		if _, known := company[f.series.Meter()]; !known || !f.Fault {
			continue
		}
		key := f.series.Meter() + " " + f.Kind
		if slices.ContainsFunc(last[key], func(o fault) bool {
			return !f.From.After(o.To.Add(time.Hour)) && !o.From.After(f.To.Add(time.Hour))
		}) {
			continue
		}
		last[key] = append(last[key], f)
		a := metering.Alarm{ID: f.series.Meter() + "." + f.Kind + "." + f.From.UTC().Format("20060102T1504"), Kind: f.Kind,
			Subject: f.series.Meter(), Company: company[f.series.Meter()], Since: f.From.UTC(), Text: f.Text}
		if !f.Open {
			a.Until = f.To.UTC()
		}
		r.alarm(a)
	}
}

// events are those of all series, registers first, in order of series and time;
// with those that several series of a heat meter tell together.
func (r *run) events() []fault {
	ids := make([]metering.SeriesID, 0, len(r.data))
	for id := range r.data {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool {
		a, b := ids[i].Quantity().Kind(), ids[j].Quantity().Kind()
		if a != b {
			return a == metering.Counter
		}
		return ids[i] < ids[j]
	})
	main := map[metering.SeriesID]bool{}
	for _, m := range r.programme.meters {
		if id, ok := r.mainSeries(m); ok {
			main[id] = true
		}
	}
	var out []fault
	for _, id := range ids {
		for _, e := range r.data[id].hour.Events {
			out = append(out, fault{id, e})
		}
		tell := tellSwapped(id)
		if tell == nil || !main[id] {
			continue
		}
		flow, hot, cold := r.data[tell[0]], r.data[tell[1]], r.data[tell[2]]
		if flow == nil || hot == nil || cold == nil {
			continue
		}
		for _, e := range align.FindSwapped(r.hours, flow.hour, hot.hour, cold.hour) {
			out = append(out, fault{id, e})
		}
	}
	return out
}

// silences raises alarms of meters that give nothing now. Where all meters of a
// gateway are silent, the gateway is.
func (r *run) silences() {
	byGateway := map[string][]registry.Installation{}
	all := map[string]int{}
	silent := map[string]align.Event{}
	for _, m := range r.programme.meters {
		id, ok := r.mainSeries(m)
		if !ok || r.data[id] == nil {
			continue
		}
		all[m.Gateway]++
		if e := r.data[id].silent; e != nil {
			silent[m.ID] = *e
			byGateway[m.Gateway] = append(byGateway[m.Gateway], m)
		}
	}
	for _, m := range r.programme.meters {
		e, ok := silent[m.ID]
		if !ok {
			continue
		}
		group := byGateway[m.Gateway]
		if len(group) == all[m.Gateway] && len(group) > 1 {
			if group[0].ID == m.ID {
				r.silentGateway(m, group, silent)
			}
			continue
		}
		r.alarm(metering.Alarm{ID: m.ID + "." + e.Kind + "." + e.From.UTC().Format("20060102T1504"), Kind: e.Kind, Subject: m.ID,
			Company: m.Company, Since: e.From.UTC(), Text: e.Text})
	}
}

func (r *run) silentGateway(m registry.Installation, group []registry.Installation, silent map[string]align.Event) {
	since := silent[m.ID].From
	for _, o := range group {
		if f := silent[o.ID].From; f.After(since) {
			since = f // until then at least one of its meters gave readings
		}
	}
	r.alarm(metering.Alarm{ID: m.Gateway + ".silent." + since.UTC().Format("20060102T1504"), Kind: align.Silent, Subject: m.Gateway, Company: m.Company,
		Since: since.UTC(), Text: metering.Text{
			FR: "Aucun relevé d'aucun compteur de cette passerelle : vérifier l'alimentation et le réseau. Les relevés attendent sur place.",
			EN: "No reading of any meter of this gateway: check power and network. Readings wait on site."}})
}

// completeness counts the readings of each meter's main series by day and stores
// the counts that changed.
func (r *run) completeness(ctx context.Context) error {
	stored, err := r.Registry.Completeness(ctx, registry.CompletenessQuery{})
	if err != nil {
		return err
	}
	type key struct {
		meter string
		day   int64
	}
	was := make(map[key]registry.MeterDay, len(stored))
	for _, d := range stored {
		was[key{d.Meter, d.Day.UnixMilli()}] = d
	}
	var changed []registry.MeterDay
	for _, m := range r.programme.meters {
		id, ok := r.mainSeries(m)
		if !ok || r.data[id] == nil {
			continue
		}
		for _, d := range r.days(m, r.data[id].days) {
			d.Increase = r.data[id].grown[d.Day.UnixMilli()]
			if w, ok := was[key{d.Meter, d.Day.UnixMilli()}]; !ok || !w.Equal(d) {
				changed = append(changed, d)
			}
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return r.Registry.PutCompleteness(ctx, changed)
}

// days are a meter's counts from its first reading to now. A day with too few
// readings to tell their distance takes that of the day before.
func (r *run) days(m registry.Installation, counted []align.Day) []registry.MeterDay {
	if len(counted) == 0 {
		return nil
	}
	interval := m.Interval
	if interval <= 0 {
		interval = time.Minute
	}
	var out []registry.MeterDay
	usual := time.Duration(0)
	k := 0
	for day := counted[0].From; !day.After(r.Now); day = calendar.NextDay(day) {
		d := align.Day{From: day}
		if k < len(counted) && counted[k].From.Equal(day) {
			d = counted[k]
			k++
		}
		if d.Good+d.Suspect+d.Missing < 3 {
			d.Cadence = usual
		}
		usual = d.Cadence
		expected := d.Expected(interval, r.Now)
		if len(out) == 0 {
			expected = min(expected, d.Good+d.Suspect+d.Missing) // the day on which it was installed
		}
		out = append(out, registry.MeterDay{Meter: m.ID, Day: day, Expected: expected, Good: d.Good, Suspect: d.Suspect, Missing: d.Missing})
	}
	return out
}

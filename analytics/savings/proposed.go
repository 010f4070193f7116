package savings

import (
	"math"
	"time"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/nonroutine"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Proposed is a non-routine event that the data show and that no accepted
// adjustment explains. It changes nothing: a person accepts it into the plan as an
// adjustment, or leaves it.
type Proposed struct {
	Energy    indicators.Flow
	From      time.Time // first day of the new level
	KWhPerDay float64   // positive: the site uses more than before
	Half90    float64   // of KWhPerDay
	Share     float64   // of the mean daily use
	Text      metering.Text
}

// knownEvent says whether an adjustment of the plan, accepted or not, begins or
// ends within ten days: a person knows of that event already.
func (e *Evaluation) knownEvent(m *Model, at time.Time) bool {
	for i := range e.Plan.Adjustments {
		a := &e.Plan.Adjustments[i]
		if a.Energy != m.Energy {
			continue
		}
		for _, t := range []time.Time{a.From.Time(), a.To.Time()} {
			if !t.IsZero() && at.Sub(t).Abs() <= 10*24*time.Hour {
				return true
			}
		}
	}
	return false
}

// Alarm is a proposed event as an alarm for the animator.
func (p *Proposed) Alarm(synergy string) metering.Alarm {
	return metering.Alarm{ID: synergy + ".event." + string(p.Energy) + "." + p.From.UTC().Format("20060102"),
		Kind: EventAlarm, Subject: synergy, Since: p.From.UTC(), Text: p.Text}
}

// Events are the proposed events of all models.
func (e *Evaluation) Events() []Proposed {
	var out []Proposed
	for k := range e.Fits {
		out = append(out, e.ProposedEvents(k)...)
	}
	return out
}

// EventAlarm is the kind of an alarm that proposes a non-routine event.
const EventAlarm = "event"

// ProposedEvents looks for changes of level in the days of the k-th model of the
// plan, accepted adjustments taken into account. Those that an adjustment of the
// plan names already, accepted or not, are left out.
func (e *Evaluation) ProposedEvents(k int) []Proposed {
	f := e.Fits[k]
	m, days := f.model, f.site
	line := func(from, to int) []nonroutine.Day {
		var out []nonroutine.Day
		for d := from; d < to; d++ {
			at := e.grid.days[d].In(calendar.Paris)
			x := nonroutine.Day{Saved: math.NaN(), Baseline: math.NaN(), Weekday: int(at.Weekday()), Special: calendar.Holiday(at) != ""}
			if day := &days[d]; day.known && day.driven && day.covered >= minDayCover {
				base := f.y[d] + e.accepted(m, e.grid.days[d])
				x.Baseline, x.Saved = base, base-day.y
			}
			out = append(out, x)
		}
		return out
	}
	before := line(e.grid.index(e.Plan.Baseline.From.Time()), e.grid.index(e.Plan.Baseline.To.Time()))
	var out []Proposed
	for _, ev := range nonroutine.Detect(line(e.first, e.last), nonroutine.Options{Before: before}).Events {
		from := e.grid.days[e.first+ev.Index]
		if e.knownEvent(m, from) {
			continue
		}
		p := Proposed{Energy: m.Energy, From: from, KWhPerDay: ev.Size, Half90: z90 * ev.SE, Share: ev.Share}
		more, plus := "de plus", "more"
		if ev.Size < 0 {
			more, plus = "de moins", "less"
		}
		size := math.Abs(ev.Size)
		p.Text = metering.Text{
			FR: "Événement non périodique proposé : depuis le " + frDate(p.From) + ", le site consomme " + frNumber(size, 0) + " kWh par jour " + more + " (" + frNumber(100*math.Abs(p.Share), 0) + " %), sans cause connue. À accepter ou à refuser ; rien n'est ajusté.",
			EN: "Non-routine event proposed: since " + enDate(p.From) + " the site has used " + enNumber(size, 0) + " kWh a day " + plus + " (" + enNumber(100*math.Abs(p.Share), 0) + " %) for no known cause. To be accepted or refused; nothing is adjusted."}
		out = append(out, p)
	}
	return out
}

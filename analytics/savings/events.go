package savings

import (
	"github.com/thermie/thermie/metering"
)

// eventNotes turns the events of counted series into notes of the periods that
// they touch.
func (e *Evaluation) eventNotes() {
	for i := range e.Plan.Meters {
		m := &e.Plan.Meters[i]
		s := e.data.Series[m.Series]
		if s == nil || m.Role == RoleDisplaced || m.Role == RoleDriver {
			continue
		}
		for _, ev := range s.Events {
			e.notes = append(e.notes, note{from: ev.From, to: ev.To, text: ev.Text})
		}
	}
}

// Faults are the events of the plan's series that a person should look at, as
// alarms. The id is that of meter, kind and first day, so that the same trouble
// keeps it.
func (e *Evaluation) Faults() []metering.Alarm {
	var out []metering.Alarm
	for i := range e.Plan.Meters {
		id := e.Plan.Meters[i].Series
		s := e.data.Series[id]
		if s == nil {
			continue
		}
		for _, ev := range s.Events {
			if !ev.Fault {
				continue
			}
			a := metering.Alarm{ID: id.Meter() + "." + ev.Kind + "." + ev.From.UTC().Format("20060102T1504"),
				Kind: ev.Kind, Subject: id.Meter(), Since: ev.From.UTC(), Text: ev.Text}
			if !ev.Open && !ev.To.After(s.Last) {
				a.Until = ev.To.UTC()
			}
			out = append(out, a)
		}
	}
	return out
}

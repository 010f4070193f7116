package savings

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

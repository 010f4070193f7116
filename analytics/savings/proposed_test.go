package savings

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// A step of a mill's gas is proposed within a week and changes no figure; accepted
// in the plan, it is proposed no more.
func TestProposedEvents(t *testing.T) {
	d, _ := newMill(5, 0.1).data()
	gas := d.Series[metering.SeriesID("papeterie-gaz/gas_volume")]
	step := date("2025-05-20")
	for i := range gas.Amount {
		if at := d.From.Add(time.Duration(i) * time.Hour); !at.Before(step) {
			gas.Amount[i] += 4000 / 11.2 / 24
		}
	}
	p := millPlan(t, "day")
	e, err := Evaluate(p, testFactors(t), d, date("2026-01-01"))
	require.NoError(t, err)
	before := e.Result(metering.PeriodToDate, date("2025-01-01"), date("2026-01-01"))
	events := e.ProposedEvents(0)
	require.Len(t, events, 1)
	require.InDelta(t, 0, events[0].From.Sub(step).Hours()/24, 7)
	require.InDelta(t, 4000, events[0].KWhPerDay, 900)
	require.Contains(t, events[0].Text.FR, "kWh par jour de plus")
	require.Equal(t, events, e.Events())
	require.Equal(t, p.Models[0].Energy, events[0].Energy)
	alarm := events[0].Alarm(p.Synergy)
	require.Equal(t, EventAlarm, alarm.Kind)
	require.Equal(t, events[0].From.UTC(), alarm.Since)
	require.Equal(t, before, e.Result(metering.PeriodToDate, date("2025-01-01"), date("2026-01-01")))

	p = millPlan(t, "day")
	a := Adjustment{ID: "line", Energy: "gas", KWhPerDay: 4000, AcceptedBy: "a.m.", Reason: metering.Text{FR: "x", EN: "x"}}
	require.NoError(t, a.From.UnmarshalText([]byte("2025-05-20")))
	p.Adjustments = []Adjustment{a}
	e, err = Evaluate(p, testFactors(t), d, date("2026-01-01"))
	require.NoError(t, err)
	require.Empty(t, e.ProposedEvents(0))

	// Named in the plan and not accepted, it is known and not counted.
	a.AcceptedBy = ""
	p.Adjustments = []Adjustment{a}
	e, err = Evaluate(p, testFactors(t), d, date("2026-01-01"))
	require.NoError(t, err)
	require.Empty(t, e.ProposedEvents(0))
	require.Equal(t, before.Figures, e.Result(metering.PeriodToDate, date("2025-01-01"), date("2026-01-01")).Figures)

	// Refused, it is neither counted nor proposed, and said with who refused it.
	a.RefusedBy, a.RefusedAt = "a.m.", date("2025-06-01")
	p.Adjustments = []Adjustment{a}
	e, err = Evaluate(p, testFactors(t), d, date("2026-01-01"))
	require.NoError(t, err)
	require.Empty(t, e.ProposedEvents(0))
	after := e.Result(metering.PeriodToDate, date("2025-01-01"), date("2026-01-01"))
	require.Equal(t, before.Figures, after.Figures)
	require.True(t, slices.ContainsFunc(after.Notes, func(n metering.Text) bool { return strings.Contains(n.FR, "refusé par a.m.") }))

	// Nothing is proposed where nothing happened.
	d, _ = newMill(6, 0.1).data()
	e, err = Evaluate(millPlan(t, "day"), testFactors(t), d, calendar.Day(date("2026-01-01")))
	require.NoError(t, err)
	require.Empty(t, e.ProposedEvents(0))
}

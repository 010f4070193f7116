package port

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// hourly is the port as perfect meters would see it: savings' own grid, without
// registers and troubles.
func hourly(p *Port, until time.Time, names []metering.SeriesID) *savings.Data {
	hours := int(until.Sub(p.start) / time.Hour)
	d := &savings.Data{From: p.start, Hours: hours, Series: map[metering.SeriesID]*savings.Series{}}
	for _, id := range names {
		m := p.installed[id.Meter()]
		s := &savings.Series{Last: until}
		for h := range hours {
			at := int64(h) * 3600_000
			x := 0.0
			if quanta[m.Meter.at] == centiC {
				x = float64(p.record.rate(m.Meter.at, at+1800_000)) / 100
			} else {
				x = float64(p.record.integral(m.Meter.at, at+3600_000)-p.record.integral(m.Meter.at, at)) / perUnit(quanta[m.Meter.at])
			}
			s.Amount, s.Covered = append(s.Amount, x), append(s.Covered, 1)
		}
		d.Series[id] = s
	}
	return d
}

func evaluate(t *testing.T, p *Port, synergy string, version int) *savings.Evaluation {
	t.Helper()
	r, err := p.Programme(p.Epoch())
	require.NoError(t, err)
	set, err := indicators.ParseSet([]byte(r.Factors[0].Body))
	require.NoError(t, err)
	for _, x := range r.Plans {
		plan, err := savings.ParsePlan([]byte(x.Body))
		require.NoError(t, err)
		if x.Synergy != synergy || x.Version != version {
			continue
		}
		var names []metering.SeriesID
		for _, m := range plan.Meters {
			names = append(names, m.Series)
		}
		for _, m := range plan.Models {
			for _, d := range m.Drivers {
				if d.Series != "" {
					names = append(names, d.Series)
				}
			}
		}
		if plan.Drift != nil {
			for _, d := range plan.Drift.Drivers {
				if d.Series != "" {
					names = append(names, d.Series)
				}
			}
		}
		until := calendar.Day(p.Epoch())
		e, err := savings.Evaluate(plan, set, hourly(p, until, names), until)
		require.NoError(t, err)
		return e
	}
	t.Fatalf("no plan of %s v%d", synergy, version)
	return nil
}

// TestPaperMillByOptionC: the plan of synergy 12 finds the saving that the
// physics made, with the adjustment for the new line and not without it.
func TestPaperMillByOptionC(t *testing.T) {
	p := demo(t)
	from := p.start.Add(time.Duration(p.events.hoodStart) * stepSeconds * time.Second)
	until := calendar.Day(p.Epoch())
	truth := float64(p.record.integral(millHoodPotential, p.millis(until))-p.record.integral(millHoodPotential, p.millis(from))) / 3.6e9
	saved := func(version int) metering.Figure {
		f, ok := evaluate(t, p, "s12-papeterie-hotte", version).Result(metering.PeriodToDate, from, until).Figure(metering.EnergyAvoidedMWh)
		require.True(t, ok)
		return f
	}
	plain, adjusted := saved(1), saved(2)
	t.Logf("truth %.1f MWh; without adjustment %.1f ± %.1f; with it %.1f ± %.1f", truth, plain.Amount, plain.Half90, adjusted.Amount, adjusted.Half90)
	require.InDelta(t, truth, adjusted.Amount, adjusted.Half90)
	require.Less(t, plain.Amount, 0.6*truth)
}

// TestFoulingIsSeen: the plan of synergy 2 raises a drift alarm after the
// exchanger began to foul.
func TestFoulingIsSeen(t *testing.T) {
	p := demo(t)
	e := evaluate(t, p, "s02-malterie-laiterie", 1)
	alarm, ok, err := e.DriftAlarm()
	require.NoError(t, err)
	require.True(t, ok, "no drift seen")
	began := p.start.Add(time.Duration(p.events.foulingStart) * stepSeconds * time.Second)
	t.Logf("%s: %s", alarm.Since, alarm.Text.EN)
	require.True(t, alarm.Since.After(began.AddDate(0, 0, -14)) && alarm.Since.Before(began.AddDate(0, 0, 60)), "since %s, fouling from %s", alarm.Since, began)
}

// TestEvaluatedYear: what the plans give for the metered synergies is what the
// physics says.
func TestEvaluatedYear(t *testing.T) {
	p := demo(t)
	until := calendar.Day(p.Epoch())
	want := totals(t, p)
	for n, synergy := range map[int]string{1: "s01-fonderie-reseau", 2: "s02-malterie-laiterie", 3: "s03-datacentre-logistique", 4: "s04-compresseurs-lavage",
		6: "s06-biodechets-methaniseur", 9: "s09-rincage-beton", 10: "s10-condensats-papeterie"} {
		r := evaluate(t, p, synergy, 1).Result(metering.PeriodYear, until.AddDate(-1, 0, 0), until)
		for _, x := range []struct {
			i metering.Indicator
			w float64
		}{{metering.CO2eAvoidedTonnes, want[n].tonnes}, {metering.MoneySavedEUR, want[n].eur}, {metering.WaterSavedM3, want[n].water}} {
			f, ok := r.Figure(x.i)
			if x.w < 0.5 || x.i == metering.WaterSavedM3 && !ok {
				continue
			}
			require.True(t, ok, "%s: no %s", synergy, x.i)
			t.Logf("%s %s: %.1f ± %.1f (physics %.1f)", synergy, x.i, f.Amount, f.Half90, x.w)
			require.InEpsilon(t, x.w, f.Amount, 0.04, "%s %s", synergy, x.i)
		}
	}
}

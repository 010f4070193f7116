package assessment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series/embedded"
	"github.com/thermie/thermie/simulator/port"
)

// now is the moment of the story at which the port is assessed: the summer's
// declarations are in.
var now = time.Date(2026, 10, 14, 8, 0, 0, 0, time.UTC)

// world is the fictional port, put through a real store and registry.
type world struct {
	port     *port.Port
	registry *registry.Registry
	store    *embedded.Store
}

// newWorld makes the port with readings every step, without the series that
// nothing here reads.
func newWorld(t testing.TB, step time.Duration) *world {
	t.Helper()
	ctx := context.Background()
	p, err := port.New(port.Options{Seed: 1, Epoch: now})
	require.NoError(t, err)
	w := &world{port: p}
	w.registry, err = registry.Open(ctx, t.TempDir()+"/registry.db", registry.WithClock(func() time.Time { return now }))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.registry.Close()) })
	programme, err := p.Programme(now)
	require.NoError(t, err)
	require.NoError(t, w.registry.Import(ctx, programme))
	w.store, err = embedded.Open(ctx, t.TempDir(), embedded.Options{TailPoints: 5_000_000})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.store.Close()) })
	leaf := uint64(0)
	for _, g := range p.Gateways() {
		var batch []metering.Reading
		for part := range p.History(g, p.Start(), now, step) {
			for _, r := range part.Readings {
				switch r.Series.Quantity() {
				case metering.Volume, metering.PulseCount, metering.MassFlow:
				case metering.CoolingEnergy:
					// A live gateway reads the register of heat, too, that such a meter has.
					batch = append(batch, r, metering.Reading{Series: metering.Series(r.Series.Meter(), metering.HeatEnergy), At: r.At, Unit: r.Unit})
				default:
					batch = append(batch, r)
				}
			}
		}
		leaf++
		require.NoError(t, w.store.Apply(ctx, leaf, batch))
	}
	return w
}

func (w *world) inputs() Inputs { return Inputs{Registry: w.registry, Series: w.store, Now: now} }

// counting is a registry that says how much is written, and can be made to give
// a plan that cannot be read.
type counting struct {
	*registry.Registry
	results, days int
	broken        string
}

func (c *counting) PutResults(ctx context.Context, r []metering.Result) error {
	c.results += len(r)
	return c.Registry.PutResults(ctx, r)
}

func (c *counting) PutCompleteness(ctx context.Context, d []registry.MeterDay) error {
	c.days += len(d)
	return c.Registry.PutCompleteness(ctx, d)
}

func (c *counting) Plans(ctx context.Context, synergy string) ([]registry.Plan, error) {
	all, err := c.Registry.Plans(ctx, synergy)
	if synergy == c.broken {
		for i := range all {
			all[i].Body = strings.Replace(all[i].Body, "role: heat,", "role: steam,", 1)
		}
	}
	return all, err
}

// TestPort: from the readings of the port's meters to its yearly totals, its
// alarms, its opportunities and its completeness.
func TestPort(t *testing.T) {
	const step = 4 * time.Hour
	w := newWorld(t, step)
	ctx := context.Background()
	kept := map[string]*savings.Evaluation{}
	in := w.inputs()
	first := &counting{Registry: w.registry}
	in.Registry = first
	in.Evaluated = func(e *savings.Evaluation) { kept[e.Plan.Synergy] = e }
	last := 0
	in.Progress = func(done, total int) { require.LessOrEqual(t, done, total); last = total - done }
	require.NoError(t, Run(ctx, in))
	require.Zero(t, last)
	require.Len(t, kept, 12)

	// The paper mill's condensates ran in its baseline already: they take no part in what
	// the site has saved since, on each quarter and to date.
	shared, err := w.registry.Attributions(ctx, "")
	require.NoError(t, err)
	require.Len(t, shared, 4)
	for _, a := range shared {
		require.Equal(t, "s12-papeterie-hotte", a.Site)
		require.Equal(t, "papeterie", a.Company)
		require.Len(t, a.Left, 1)
		require.Equal(t, "s10-condensats-papeterie", a.Left[0].Synergy)
		require.InDelta(t, max(a.Whole, 0), a.Unattributed, 1e-9)
		require.Positive(t, a.WholeHalf90)
	}

	t.Run("totals", func(t *testing.T) {
		year, err := w.registry.Results(ctx, registry.Query{Kind: metering.PeriodYear})
		require.NoError(t, err)
		require.Len(t, year, 12)
		total := map[metering.Indicator]float64{}
		for _, r := range year {
			for _, f := range r.Figures {
				total[f.Indicator] += f.Amount
			}
		}
		t.Logf("%.0f t CO2e, %.0f EUR, %.1f m3", total[metering.CO2eAvoidedTonnes], total[metering.MoneySavedEUR], total[metering.WaterSavedM3])
		require.InEpsilon(t, 3500, total[metering.CO2eAvoidedTonnes], 0.08)
		require.InEpsilon(t, 220_000, total[metering.MoneySavedEUR], 0.08)
		require.InEpsilon(t, 195, total[metering.WaterSavedM3], 0.06)

		// Days add up to quarters, quarters to the whole, to the last millionth.
		for _, s := range []string{"s01-fonderie-reseau", "s12-papeterie-hotte"} {
			sums := map[metering.PeriodKind]int64{}
			all, err := w.registry.Results(ctx, registry.Query{Synergy: s})
			require.NoError(t, err)
			for _, r := range all {
				f, ok := r.Figure(metering.CO2eAvoidedTonnes)
				require.True(t, ok)
				sums[r.Kind] += int64(f.Amount*1e6 + 0.5)
			}
			require.InDelta(t, sums[metering.PeriodToDate], sums[metering.PeriodQuarter], 6, s)
			require.InDelta(t, sums[metering.PeriodToDate], sums[metering.PeriodDay], 600, s)
		}
	})

	t.Run("alarms", func(t *testing.T) { w.checkAlarms(t, step) })

	t.Run("exchanged meter", func(t *testing.T) {
		m, err := w.registry.Installation(ctx, "galvano-eau")
		require.NoError(t, err)
		require.Len(t, m.Exchanges, 1)
		x := m.Exchanges[0]
		id := metering.Series(m.ID, x.Quantity)
		r := &run{Inputs: in, until: calendar.Day(now), data: map[metering.SeriesID]*reading{}}
		require.NoError(t, r.load(ctx))
		require.NoError(t, r.read(ctx))
		var points []metering.Point
		for p, err := range w.store.Points(ctx, system(), id, w.port.Start(), r.until.Add(time.Hour)) {
			require.NoError(t, err)
			points = append(points, p)
		}
		require.NotEmpty(t, points)
		want := x.OldFinal.Float64() - points[0].Number.Float64() + points[len(points)-1].Number.Float64() - x.NewStart.Float64()
		got := 0.0
		for _, a := range r.data[id].hour.Amount {
			got += a
		}
		require.InDelta(t, want, got, 0.5)
		require.Greater(t, want, 1000.0)
	})

	t.Run("opportunities", func(t *testing.T) {
		all, err := w.registry.Opportunities(ctx)
		require.NoError(t, err)
		uses := map[string]bool{}
		best := 1e12
		for _, o := range all {
			require.NotEmpty(t, o.Why.EN)
			if len(o.Uses) > 0 {
				x := o.Uses[0].CO2eTonnes
				if o.Uses[0].Pays {
					x += 1e6 // before those that do not
				}
				require.LessOrEqual(t, x, best)
				best = x
			}
			for _, u := range o.Uses {
				uses[o.ID+">"+u.Company] = true
			}
		}
		require.True(t, uses["chimie-refroidissement>laiterie"])
		require.True(t, uses["papeterie-effluent>laiterie"])
		require.False(t, uses["fonderie-fumees>reseau"], "runs already")
		require.False(t, uses["malterie-buees>laiterie"], "runs already")
	})

	t.Run("undeclared heat", func(t *testing.T) { w.checkProposals(t) })

	t.Run("joint plan", func(t *testing.T) { w.checkPlan(t) })

	t.Run("completeness", func(t *testing.T) {
		days, err := w.registry.Completeness(ctx, registry.CompletenessQuery{Meter: "beton-elec"})
		require.NoError(t, err)
		good := 0
		for _, d := range days[:len(days)-3] {
			require.GreaterOrEqual(t, d.Good, d.Expected-1, "%s", d.Day)
			good += d.Good
		}
		require.Greater(t, good, 5*len(days))
		d := days[len(days)-1]
		require.Zero(t, d.Good)
		require.Positive(t, d.Missing)
		require.Positive(t, d.Expected)
	})

	t.Run("no readings yet", func(t *testing.T) {
		r, err := registry.Open(ctx, t.TempDir()+"/registry.db")
		require.NoError(t, err)
		defer r.Close()
		s, err := embedded.Open(ctx, t.TempDir(), embedded.Options{})
		require.NoError(t, err)
		defer s.Close()
		in := Inputs{Registry: r, Series: s, Now: now}
		require.NoError(t, Run(ctx, in)) // not even a programme
		early := w.port.Start().Add(time.Hour)
		programme, err := w.port.Programme(early)
		require.NoError(t, err)
		require.NoError(t, r.Import(ctx, programme))
		in.Now = early
		require.NoError(t, Run(ctx, in)) // not even a day
		in.Now = early.AddDate(0, 0, 3)
		require.NoError(t, Run(ctx, in))
		results, err := r.Results(ctx, registry.Query{Synergy: "s01-fonderie-reseau", Kind: metering.PeriodToDate})
		require.NoError(t, err)
		require.Len(t, results, 1)
		f, ok := results[0].Figure(metering.HeatDeliveredMWh)
		require.True(t, ok)
		require.Zero(t, f.Coverage)
		require.NotEmpty(t, results[0].Notes)
	})

	t.Run("again, and one synergy fails", func(t *testing.T) {
		require.Positive(t, first.results)
		require.Positive(t, first.days)
		before, err := w.registry.Alarms(ctx, registry.AlarmQuery{})
		require.NoError(t, err)
		in := w.inputs()
		again := &counting{Registry: w.registry, broken: "s01-fonderie-reseau"}
		in.Registry = again
		kept := 0
		in.Evaluated = func(*savings.Evaluation) { kept++ }
		require.NoError(t, Run(ctx, in))
		require.Equal(t, 11, kept)
		require.Zero(t, again.results, "nothing changed")
		require.Zero(t, again.days, "nothing changed")
		after, err := w.registry.Alarms(ctx, registry.AlarmQuery{})
		require.NoError(t, err)
		require.Len(t, after, len(before)+1)
		open, err := w.registry.Alarms(ctx, registry.AlarmQuery{Open: true, Subject: "s01-fonderie-reseau"})
		require.NoError(t, err)
		require.Len(t, open, 1)
		require.Equal(t, notAssessed, open[0].Kind)
		require.Contains(t, open[0].Text.EN, "steam")
		require.Subset(t, after, before)
	})

	t.Run("for a closed quarter", func(t *testing.T) {
		heat := func() (all []metering.Opportunity, plan metering.HeatPlan) {
			all, err := w.registry.Opportunities(ctx)
			require.NoError(t, err)
			plan, err = w.registry.HeatPlan(ctx)
			require.NoError(t, err)
			return all, plan
		}
		found, plan := heat()
		require.NotEmpty(t, found)
		in := w.inputs()
		in.Now, in.WithoutHeat = now.AddDate(0, -4, 0), true
		kept := 0
		in.Evaluated = func(*savings.Evaluation) { kept++ }
		require.NoError(t, Run(ctx, in))
		require.Positive(t, kept)
		after, plan2 := heat()
		require.Equal(t, found, after, "heat is that of the year that ends now")
		require.Equal(t, plan, plan2)
	})

	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		in := w.inputs()
		in.Progress = func(done, _ int) {
			if done == 10 {
				cancel()
			}
		}
		require.ErrorIs(t, Run(ctx, in), context.Canceled)
	})
}

// checkAlarms: every trouble of the port that a reading shows is found where it
// happened, and nothing else is.
func (w *world) checkAlarms(t *testing.T, step time.Duration) {
	t.Helper()
	all, err := w.registry.Alarms(context.Background(), registry.AlarmQuery{})
	require.NoError(t, err)
	found := map[string]metering.Alarm{}
	var names []string
	for _, a := range all {
		require.NotEmpty(t, a.Text.FR)
		require.NotEmpty(t, a.Text.EN)
		name := a.Kind + " " + a.Subject
		require.NotContains(t, found, name, "twice: %s", a.Text.EN)
		found[name] = a
		names = append(names, name)
	}
	expected := map[port.TroubleKind]string{port.SwappedSensors: "sensors_swapped", port.WrongScale: "scale", port.FrozenReading: "frozen",
		port.PulseReset: "reset", port.ExchangeUnrecorded: "reset", port.BrokenSensor: "silent", port.SilentMeter: "silent", port.Fouling: "drift"}
	var want []string
	for _, x := range w.port.Troubles() {
		kind, ok := expected[x.Kind]
		if !ok {
			continue
		}
		name := kind + " " + x.Subject
		want = append(want, name)
		a, ok := found[name]
		require.True(t, ok, "no alarm %s among %v", name, names)
		if kind == "drift" {
			require.True(t, a.Since.After(x.From.AddDate(0, 0, -14)) && a.Since.Before(x.From.AddDate(0, 0, 60)), "drift since %s", a.Since)
			require.True(t, a.Until.IsZero())
			require.Positive(t, a.CostEURPerYear)
			require.Contains(t, a.Text.FR, "écart de température")
			require.Contains(t, a.Text.EN, "temperature difference")
			continue
		}
		require.WithinDuration(t, x.From, a.Since, 2*step, name)
		require.NotEmpty(t, a.Company)
		if kind == "silent" {
			require.True(t, a.Until.IsZero(), name)
			continue
		}
		require.WithinDuration(t, x.Until, a.Until, 2*step, name)
	}
	// The module that lost its power counts more than one meter.
	want = append(want, "reset laiterie-eau")
	slices.Sort(want)
	slices.Sort(names)
	require.Equal(t, want, names)
}

// failing is a registry that cannot be read.
type failing struct{ Registry }

var errDisk = errors.New("disk on fire")

func (failing) Companies(context.Context) ([]metering.Company, error) { return nil, errDisk }

func TestRegistryFails(t *testing.T) {
	err := Run(context.Background(), Inputs{Registry: failing{}, Now: now})
	require.ErrorIs(t, err, errDisk)
	require.ErrorContains(t, err, "programme")
}

// BenchmarkRun assesses the whole history of the port at ten-minute steps.
func BenchmarkRun(b *testing.B) {
	w := newWorld(b, 10*time.Minute)
	list, err := w.store.List(context.Background(), system())
	require.NoError(b, err)
	points := 0
	for _, i := range list {
		points += i.Count
	}
	b.ResetTimer()
	for b.Loop() {
		require.NoError(b, Run(context.Background(), w.inputs()))
	}
	b.ReportMetric(float64(points)/float64(len(list)), "points/series")
	b.ReportMetric(float64(len(list)), "series")
}

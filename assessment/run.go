package assessment

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
)

// Source is the name under which the registry keeps the alarms of this package.
const Source = "assessment"

// Registry is what is asked of the registry, and what is told to it.
type Registry interface {
	Companies(ctx context.Context) ([]metering.Company, error)
	Installations(ctx context.Context) ([]registry.Installation, error)
	Synergies(ctx context.Context) ([]metering.Synergy, error)
	Plans(ctx context.Context, synergy string) ([]registry.Plan, error)
	FactorSets(ctx context.Context) ([]registry.FactorSet, error)
	Declarations(ctx context.Context, synergy string, from, to time.Time) ([]registry.Declaration, error)
	Cards(ctx context.Context) ([]registry.Card, error)
	Results(ctx context.Context, q registry.Query) ([]metering.Result, error)
	Alarms(ctx context.Context, q registry.AlarmQuery) ([]metering.Alarm, error)
	Completeness(ctx context.Context, q registry.CompletenessQuery) ([]registry.MeterDay, error)
	Facts(ctx context.Context) (access.Facts, error)

	PutResults(ctx context.Context, results []metering.Result) error
	PutOpportunities(ctx context.Context, all []metering.Opportunity) error
	PutHeatNeeds(ctx context.Context, all []metering.HeatNeed) error
	PutEvents(ctx context.Context, synergy string, events []registry.Event) error
	PutAttributions(ctx context.Context, all []metering.Attribution) error
	PutAlarms(ctx context.Context, source string, alarms []metering.Alarm) error
	PutCompleteness(ctx context.Context, days []registry.MeterDay) error
	PutHeatProposals(ctx context.Context, found []metering.HeatProposal) error
	PutHeatPlan(ctx context.Context, p metering.HeatPlan) error
}

// Inputs are what a run works on.
type Inputs struct {
	Registry Registry
	Series   series.Store
	Now      time.Time // results are of the whole civil days before it
	Log      *slog.Logger
	// WithoutHeat leaves waste heat and its plan as they are: a quarter is closed on
	// figures of savings, and heat is looked for in the year that ends now.
	WithoutHeat bool
	// Progress, when given, is told how many of the steps are done.
	Progress func(done, total int)
	// Evaluated, when given, is handed the evaluation of each synergy under the plan
	// in force, for pictures that are kept elsewhere.
	Evaluated func(*savings.Evaluation)
}

// run is one assessment.
type run struct {
	Inputs
	programme *programme
	until     time.Time // end of the last whole day
	hours     align.Grid
	fine      align.Grid // ten minutes or coarser, the last year
	infos     map[metering.SeriesID]series.Info
	data      map[metering.SeriesID]*reading
	alarms    []metering.Alarm
	evaluated map[string]*savings.Evaluation // by synergy, under the plan in force
	done      int
	total     int
}

// Run assesses everything and returns when it is stored. It fails when store or
// registry do, or ctx ends; then nothing is half-written that a later run would
// not put right.
func Run(ctx context.Context, in Inputs) error {
	if in.Log == nil {
		in.Log = slog.New(slog.DiscardHandler)
	}
	r := &run{Inputs: in, until: calendar.Day(in.Now), data: map[metering.SeriesID]*reading{}, evaluated: map[string]*savings.Evaluation{}}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{{"programme", r.load}, {"readings", r.read}, {"synergies", r.synergies}, {"attribution", r.attribution}, {"meters", r.meters}, {"heat", r.heat}, {"alarms", r.putAlarms}} {
		if r.WithoutHeat && step.what == "heat" {
			continue
		}
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("assessment: %s: %w", step.what, err)
		}
		in.Log.Debug("assessed", "step", step.what, "took", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// step tells the caller that one more thing is done.
func (r *run) step() {
	r.done++
	if r.Progress != nil {
		r.Progress(r.done, r.total)
	}
}

// alarm notes something for a person.
func (r *run) alarm(a metering.Alarm) { r.alarms = append(r.alarms, a) }

// failed notes that something could not be computed.
func (r *run) failed(kind, subject, company string, err error, fr, en string) {
	r.Log.Error("not assessed", "kind", kind, "subject", subject, "error", err)
	r.alarm(metering.Alarm{ID: subject + "." + kind, Kind: kind, Subject: subject, Company: company, Since: r.until.UTC(),
		Text: metering.Text{FR: fr + " : " + err.Error(), EN: en + ": " + err.Error()}})
}

// eventMoves is how far the date of a proposed event may move as days come in
// until it counts as another.
const eventMoves = 10 * 24 * time.Hour

// putAlarms stores the alarms. One that was raised before keeps its beginning
// and its id, although what is computed moves a little with each day's readings.
func (r *run) putAlarms(ctx context.Context) error {
	open, err := r.Registry.Alarms(ctx, registry.AlarmQuery{Open: true})
	if err != nil {
		return err
	}
	for i := range r.alarms {
		a := &r.alarms[i]
		for _, o := range open {
			same := o.Kind == a.Kind && o.Subject == a.Subject
			switch {
			case same && o.ID == a.ID && (a.Kind == notAssessed || a.Kind == cardFailed):
				a.Since = o.Since
			case same && a.Kind == "drift" && a.Until.IsZero():
				a.ID = o.ID
			case same && a.Kind == savings.EventAlarm && a.Since.Sub(o.Since).Abs() <= eventMoves:
				a.ID, a.Since = o.ID, o.Since
			}
		}
	}
	return r.Registry.PutAlarms(ctx, Source, r.alarms)
}

// system is the scope of the assessment.
func system() access.Scope { return access.System(Source) }

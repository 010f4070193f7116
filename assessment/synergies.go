package assessment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// notAssessed is the kind of the alarm of a synergy that cannot be computed.
const notAssessed = "not_assessed"

// synergies computes every synergy that has an approved plan.
func (r *run) synergies(ctx context.Context) error {
	for _, s := range r.programme.synergies {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := r.programme.broken[s.ID]
		if err == nil && len(r.programme.plans[s.ID]) > 0 {
			var results []metering.Result
			if results, err = r.synergy(ctx, s.ID); err == nil {
				if err := r.putResults(ctx, s.ID, results); err != nil {
					return err
				}
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errRegistry):
			return err
		case err != nil && !errors.Is(err, savings.ErrTooEarly):
			r.failed(notAssessed, s.ID, "", err, "La synergie n'a pas pu être évaluée", "The synergy could not be evaluated")
		}
		r.step()
	}
	return nil
}

// errRegistry marks failures that stop the whole run.
var errRegistry = errors.New("registry")

// version names an evaluation: which plan, which factors.
type version struct {
	plan *savings.Plan
	set  *indicators.Set
}

// synergy computes the results of one synergy. A period's figures follow the
// plan in force at its end and the factors in force at its beginning; the last
// twelve months and the sum to date follow those in force now.
func (r *run) synergy(ctx context.Context, id string) ([]metering.Result, error) {
	now := r.until.Add(-time.Millisecond)
	current := version{r.programme.planAt(id, now), r.programme.setAt(now)}
	if current.set == nil {
		return nil, errors.New("the programme has no factor set")
	}
	evaluations := map[version]*savings.Evaluation{}
	evaluate := func(v version) (*savings.Evaluation, error) {
		if e := evaluations[v]; e != nil {
			return e, nil
		}
		e, err := r.evaluate(ctx, v)
		if err == nil {
			evaluations[v] = e
		}
		return e, err
	}
	e, err := evaluate(current)
	if err != nil {
		return nil, err
	}
	from, to := e.Days()
	results := e.Results(from, to)
	for i, x := range results {
		if x.Kind == metering.PeriodYear || x.Kind == metering.PeriodToDate {
			continue
		}
		v := version{r.programme.planAt(id, x.To.Add(-time.Millisecond)), r.programme.setAt(x.From)}
		if v == current {
			continue
		}
		old, err := evaluate(v)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", v.plan.Version, err)
		}
		results[i] = old.Result(x.Kind, x.From, x.To)
	}
	if a, ok, err := e.DriftAlarm(); err != nil {
		r.Log.Warn("drift not watched", "synergy", id, "error", err) // too little reference yet
	} else if ok {
		r.alarm(a)
	}
	proposed := e.Events()
	events := make([]registry.Event, len(proposed))
	for i := range proposed {
		p := &proposed[i]
		r.alarm(p.Alarm(id))
		events[i] = registry.Event{Synergy: id, Energy: string(p.Energy), From: p.From, KWhPerDay: p.KWhPerDay, Half90: p.Half90, Share: p.Share}
	}
	if err := r.Registry.PutEvents(ctx, id, events); err != nil {
		return nil, fmt.Errorf("%w: %w", errRegistry, err)
	}
	r.evaluated[id] = e
	if r.Evaluated != nil {
		r.Evaluated(e)
	}
	return results, nil
}

func (r *run) evaluate(ctx context.Context, v version) (*savings.Evaluation, error) {
	d, err := savings.Assemble(v.plan, r.programme.meter, time.Time{}, r.until,
		func(id metering.SeriesID, _ []savings.Window, g align.Grid) (*savings.Series, error) {
			x := r.data[id]
			if x == nil {
				return nil, nil
			}
			return x.hour.Slice(r.hours, g), nil
		})
	if err != nil {
		return nil, err
	}
	all, err := r.Registry.Declarations(ctx, v.plan.Synergy, d.From, r.until)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRegistry, err)
	}
	d.Declarations = declared(all)
	return savings.Evaluate(v.plan, v.set, d, r.until)
}

// putResults stores the results that differ from those stored.
func (r *run) putResults(ctx context.Context, synergy string, results []metering.Result) error {
	stored, err := r.Registry.Results(ctx, registry.Query{Synergy: synergy})
	if err != nil {
		return err
	}
	type key struct {
		kind metering.PeriodKind
		from int64
	}
	was := make(map[key]string, len(stored))
	for _, x := range stored {
		text, err := canonical(x)
		if err != nil {
			return err
		}
		was[key{x.Kind, x.From.UnixMilli()}] = text
	}
	var changed []metering.Result
	for _, x := range results {
		text, err := canonical(x)
		if err != nil {
			return fmt.Errorf("results of %s: %w", synergy, err)
		}
		if was[key{x.Kind, x.From.UnixMilli()}] != text {
			changed = append(changed, x)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return r.Registry.PutResults(ctx, changed)
}

// canonical is the same for results that say the same.
func canonical(x metering.Result) (string, error) {
	x.From, x.To = x.From.UTC(), x.To.UTC()
	if len(x.Notes) == 0 {
		x.Notes = nil
	}
	b, err := json.Marshal(x)
	return string(b), err
}

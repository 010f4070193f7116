package demo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/port"
)

// historyStep is how far apart the readings of the history are. Live gateways
// read every 10 to 60 seconds.
const historyStep = 30 * time.Minute

// longestOutage bounds how late a part of the history may be delivered.
const longestOutage = 60 * 24 * time.Hour

// putAtOnce is how many batches of the history are sealed with one fsync.
const putAtOnce = 64

// teller tells the history of one gateway: it seals what the gateway would have
// read into its outbox, as far as it was delivered by then.
type teller struct {
	site *site
	next func() (port.Part, bool)
	stop func()
	held *port.Part // taken from next, not yet delivered
}

// newTeller begins with the first part that was not delivered before told.
func newTeller(p *port.Port, s *site, told time.Time, to time.Time) *teller {
	from := p.Start()
	if !told.IsZero() {
		from = calendar.Day(told.Add(-longestOutage))
	}
	t := &teller{site: s}
	t.next, t.stop = iter.Pull(p.History(s.id, from, to, historyStep))
	for !told.IsZero() {
		part, ok := t.next()
		if !ok {
			break
		}
		if part.DeliveredAt > told.UnixMilli() {
			t.held = &part
			break
		}
	}
	return t
}

// tell seals what was delivered until an instant and says how much that is.
func (t *teller) tell(ctx context.Context, until time.Time, told func(readings int)) error {
	var parts []outbox.Part
	put := func() error {
		if len(parts) == 0 {
			return nil
		}
		if err := t.site.outbox.PutMany(parts); err != nil {
			return fmt.Errorf("history of %s: %w", t.site.id, err)
		}
		n := 0
		for _, p := range parts {
			n += len(p.Readings)
		}
		told(n)
		parts = parts[:0]
		return nil
	}
	for ctx.Err() == nil {
		if t.held == nil {
			part, ok := t.next()
			if !ok {
				break
			}
			t.held = &part
		}
		if t.held.DeliveredAt > until.UnixMilli() {
			break
		}
		parts = append(parts, outbox.Part{Clock: t.held.Clock, ClosedAt: t.held.ClosedAt, Readings: t.held.Readings, Origin: t.held.Origin})
		t.held = nil
		if len(parts) == putAtOnce {
			if err := put(); err != nil {
				return err
			}
		}
	}
	return errors.Join(put(), ctx.Err())
}

// history tells all stages that are not told yet.
func (d *demo) history(ctx context.Context) error {
	all := stages(d.port)
	if d.state.Stages >= len(all) {
		return nil
	}
	var told time.Time
	if d.state.Stages > 0 {
		told = all[d.state.Stages-1].until
	}
	d.progress.expect(d.expected(told, d.port.Epoch()))
	tellers := make([]*teller, len(d.sites))
	for i, s := range d.sites {
		tellers[i] = newTeller(d.port, s, told, d.port.Epoch())
		defer tellers[i].stop()
	}
	for d.state.Stages < len(all) {
		st := all[d.state.Stages]
		if err := d.stage(ctx, tellers, st); err != nil {
			return err
		}
		d.state.Stages, d.state.Until = d.state.Stages+1, st.until
		if err := d.state.save(); err != nil {
			return err
		}
	}
	return nil
}

// expected is how many readings the history between two instants has, nearly.
func (d *demo) expected(from, to time.Time) float64 {
	if from.IsZero() {
		from = d.port.Start()
	}
	series := 0
	for _, s := range d.sites {
		series += len(d.port.Series(s.id))
	}
	return float64(series) * float64(to.Sub(from)/historyStep)
}

func (d *demo) stage(ctx context.Context, tellers []*teller, st stage) error {
	d.progress.say(metering.Text{
		FR: "Historique simulé jusqu'au " + st.until.In(calendar.Paris).Format("02/01/2006"),
		EN: "Simulated history up to " + st.until.In(calendar.Paris).Format("2 January 2006")})
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for _, t := range tellers {
		group.Go(func() error {
			return t.tell(gctx, st.until, func(readings int) { d.progress.add(float64(readings)) })
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	if st.seal == nil {
		return d.server.Assess(ctx, st.until)
	}
	d.progress.say(metering.Text{
		FR: fmt.Sprintf("Clôture du trimestre %s", st.seal),
		EN: fmt.Sprintf("Closing quarter %s", st.seal)})
	if err := d.server.AssessFigures(ctx, st.until); err != nil {
		return err
	}
	_, err := d.server.Seal(ctx, *st.seal, "animatrice@port-fictif.example", st.reason.FR, st.until)
	return err
}

// settle waits until everything in the outboxes is in the ledger and applied to
// the store.
func (d *demo) settle(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := 0
		for _, s := range d.sites {
			waiting += s.outbox.Status().Batches
		}
		if waiting == 0 {
			position, err := d.server.Store().Position(ctx)
			if err != nil {
				return err
			}
			if position == d.server.Ledger().Size() {
				return nil
			}
		}
		select {
		case <-tick.C:
		case err := <-d.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// catchUp reads what the meters counted while the demo was stopped.
func (d *demo) catchUp(ctx context.Context, now time.Time) error {
	from := d.state.Until.Truncate(historyStep).Add(historyStep)
	if !from.Before(now) {
		return nil
	}
	d.progress.say(metering.Text{FR: "Rattrapage depuis le dernier arrêt", EN: "Catching up since the last stop"})
	d.progress.expect(d.expected(from, now))
	for _, s := range d.sites {
		for part := range d.port.History(s.id, from, now, historyStep) {
			if err := s.outbox.PutMany([]outbox.Part{{Clock: part.Clock, ClosedAt: part.ClosedAt, Readings: part.Readings, Origin: part.Origin}}); err != nil {
				return fmt.Errorf("catching up %s: %w", s.id, err)
			}
			d.progress.add(float64(len(part.Readings)))
		}
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	d.state.Until = now
	if err := d.state.save(); err != nil {
		return err
	}
	return d.server.Assess(ctx, now)
}

package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/mqtt"
)

// commit settles a group and hands its batches on to the publishers, those of one
// gateway together.
func (p *pipeline) commit(ctx context.Context, group []*item) error {
	settle := p.settle
	if p.owner != nil {
		settle = p.handOver
	}
	var gateways []string
	receipts := make(map[string][]*item)
	err := settle(ctx, group, func(it *item, receipt bool) {
		p.acks <- it
		if !receipt {
			it.finish(ctx.Err() == nil)
			return
		}
		if len(receipts[it.gateway]) == 0 {
			gateways = append(gateways, it.gateway)
		}
		receipts[it.gateway] = append(receipts[it.gateway], it)
	})
	for _, g := range gateways {
		for some := range slices.Chunk(receipts[g], batch.MaxReceipts) {
			p.receipts <- some
		}
	}
	return err
}

// settle places a group's batches in their chains, appends those that fit and
// puts the others in quarantine. It calls done with each, in order, and whether
// its gateway gets a receipt. Groups of several processes are settled one by one.
func (p *pipeline) settle(ctx context.Context, group []*item, done func(it *item, receipt bool)) error {
	p.settling.Lock()
	defer p.settling.Unlock()
	c := p.o.Chains
	if err := c.catchUp(ctx, p.o.Ledger.Size()); err != nil {
		return err
	}
	fresh, gaps, err := p.place(group)
	if err != nil {
		return err
	}
	if err := p.append(ctx, fresh); err != nil {
		return err
	}
	for _, it := range fresh {
		if err := c.advance(ctx, it); err != nil {
			return err
		}
	}
	for _, it := range group {
		receipt := true
		if it.refuse == nil {
			p.accepted(it, gaps[it])
		} else {
			receipt = p.refused(ctx, it)
		}
		done(it, receipt)
	}
	return nil
}

// place decides on each batch of a group, as if those before it were in the
// ledger already.
func (p *pipeline) place(group []*item) (fresh []*item, gaps map[*item]*Gap, err error) {
	ahead := make(map[string]Chain) // chains as they will be after the group
	gaps = make(map[*item]*Gap)
	for _, it := range group {
		if it.refuse != nil {
			continue
		}
		chain, ok := ahead[it.gateway]
		if !ok {
			chain = p.o.Chains.Of(it.gateway)
		}
		old, cerr := chain.place(&it.head, it.hash)
		if cerr != nil {
			it.refuse = &refusal{"chain", cerr.Error()}
			continue
		}
		if old {
			index, found, err := p.o.Ledger.Find(it.payload)
			if err != nil {
				return nil, nil, err
			}
			if found {
				it.receipt.Index = index
				continue
			}
			if !within(fresh, it) {
				it.refuse = &refusal{"chain", fmt.Sprintf("number %d is not missing: another batch had it, or it was given up", it.head.Number)}
				continue
			}
		}
		if g := chain.take(&it.head, it.hash, 0); g != nil {
			gaps[it] = g
		}
		ahead[it.gateway] = chain
		fresh = append(fresh, it)
	}
	return fresh, gaps, nil
}

// within says whether the same bytes are in the group before.
func within(fresh []*item, it *item) bool {
	for _, f := range fresh {
		if f.hash == it.hash {
			return true
		}
	}
	return false
}

// append makes batches durable. While the ledger cannot write, it waits and
// tries again, and nothing is acknowledged.
func (p *pipeline) append(ctx context.Context, fresh []*item) error {
	leaves := make([][]byte, len(fresh))
	for i, it := range fresh {
		leaves[i] = it.payload
	}
	var wait mqtt.Backoff
	for {
		done, err := p.write(ctx, leaves)
		if err == nil {
			for i, it := range fresh {
				it.receipt.Index = done[i].Index
			}
			p.alarms.off("ledger", "ledger")
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.alarms.on("ledger", "ledger", textLedger(err))
		p.o.Log.Error("ingest: nothing is acknowledged until the ledger can write", "error", err)
		if fatal(err) {
			return err
		}
		if !sleep(ctx, wait.Next()) {
			return ctx.Err()
		}
	}
}

func (p *pipeline) accepted(it *item, gap *Gap) {
	it.receipt = batch.Receipt{Gateway: it.gateway, Number: it.head.Number, Batch: it.hash, Index: it.receipt.Index}
	p.gap(it, gap)
	if it.ahead > clockAlarm {
		p.alarms.on("clock", it.gateway, textClock(it.gateway, it.ahead))
	} else {
		p.alarms.off("clock", it.gateway)
	}
	if it.held != "" {
		if err := p.o.Quarantine.Remove(it.held); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.o.Log.Error("ingest: accepted, but still in quarantine", "error", err)
		}
	}
}

// overtaken is for how long a batch may be missing before that is a gap, where
// several processes share the batches: there the next ones often come first.
const overtaken = time.Minute

// gapWatch is the oldest gap of a gateway.
type gapWatch struct {
	from  uint64
	since time.Time
}

// gap raises the alarm about missing batches and ends it.
func (p *pipeline) gap(it *item, opened *Gap) {
	gaps := p.o.Chains.Of(it.gateway).Gaps
	if len(gaps) == 0 {
		delete(p.gaps, it.gateway)
		p.alarms.off("gap", it.gateway)
		return
	}
	if p.o.Shared && gaps[0].Declared == "" {
		now, watch := p.o.Now(), p.gaps[it.gateway]
		if watch.from != gaps[0].From {
			p.gaps[it.gateway] = gapWatch{gaps[0].From, now}
			return
		}
		if now.Sub(watch.since) < overtaken {
			return
		}
		opened = &gaps[0]
	}
	if opened == nil {
		return
	}
	p.o.Log.Warn("ingest: gap", "gateway", it.gateway, "from", opened.From, "to", opened.To, "declared", opened.Declared)
	p.alarms.on("gap", it.gateway, textGap(it.gateway, opened))
}

// refused puts a batch in quarantine. It returns false when the batch gets no
// receipt: there was no room for it, so the gateway shall keep it.
func (p *pipeline) refused(ctx context.Context, it *item) bool {
	it.receipt = batch.Receipt{Gateway: it.gateway, Number: it.head.Number, Batch: it.hash, Rejected: cut(it.refuse.reason, 500)}
	p.o.Log.Warn("ingest: batch refused", "gateway", it.gateway, "number", it.head.Number, "kind", it.refuse.kind, "reason", it.refuse.reason)
	var wait mqtt.Backoff
	for {
		err := p.hold(it)
		p.alarms.on(it.refuse.kind, it.gateway, textRefused(it.gateway, it.refuse.reason, err == nil))
		if err == nil {
			return true
		}
		p.o.Log.Error("ingest: batch not kept in quarantine", "gateway", it.gateway, "error", err)
		if errors.Is(err, ErrQuarantineFull) {
			return false
		}
		if !sleep(ctx, wait.Next()) {
			return false
		}
	}
}

func (p *pipeline) hold(it *item) error {
	if it.held != "" {
		err := p.o.Quarantine.again(it.held, it.refuse.kind, cut(it.refuse.reason, 1000))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was tried twice, or somebody removed it
		}
		return err
	}
	_, err := p.o.Quarantine.Put(Held{
		Topic: it.topic, At: p.o.Now().UTC(), Kind: it.refuse.kind, Reason: cut(it.refuse.reason, 1000),
		Gateway: it.gateway, Number: it.head.Number,
	}, it.payload)
	return err
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// mended ends the alarms about refused batches of gateways of which nothing is
// in quarantine any more: they were replayed or removed.
func (p *pipeline) mended() {
	for _, a := range p.alarms.lasting() {
		if !slices.Contains(refusals, a.Kind) {
			continue
		}
		if names, _, err := p.o.Quarantine.names(a.Subject); err == nil && len(names) == 0 {
			p.alarms.off(a.Kind, a.Subject)
		}
	}
}

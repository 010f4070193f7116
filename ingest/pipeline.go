package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/mqtt"
)

// groupItems bounds what is appended to the ledger at once.
const groupItems = 256

// A worker verifies up to roundItems at once, and waits up to gather for them: what
// is verified together asks once for each key, shares one fsync of the ledger, and
// its receipts one signature and one message.
const (
	roundItems = 64
	gather     = 2 * time.Millisecond
)

// publishers is how many receipts are published at the same time: each waits
// for the broker, some 60 ms when the connection is full of batches.
const publishers = 128

// pipeline is the way of a batch through ingest. Items enter in the order of
// arrival; workers verify them side by side; one goroutine takes them in order
// again, places them in their chains and appends them in groups; publishers
// send the receipts and acknowledge.
type pipeline struct {
	o        Options
	alarms   *alarms
	workers  int
	verifier *batch.Verifier
	write    func(ctx context.Context, leaves [][]byte) ([]ledger.Appended, error) // the ledger's AppendAll, but in tests
	done     atomic.Uint64                                                         // batches that the broker may forget
	owner    *rpc.Client                                                           // of the ledger, when that is another process

	settling sync.Mutex // held while a group is settled; guards gaps
	gaps     map[string]gapWatch

	// Of the session that runs.
	work, queue chan *item
	receipts    chan []*item  // of one gateway, to be sent under one signature
	acks        chan *item    // in the order of arrival
	slots       chan struct{} // one for each item under way
	publish     func(ctx context.Context, topic string, retained bool, payload []byte) error
}

// item is one batch on its way.
type item struct {
	topic, gateway string
	payload        []byte
	ack            func()
	held           string // quarantine id of a replay, else ""

	checked chan struct{} // closed when verification is done
	verified

	receipt batch.Receipt
	sent    chan struct{} // closed when there is nothing more to wait for
	settled bool          // read after sent: the broker may forget the batch
}

// finish says that the receipt is sent, or that there is none to be sent, or
// that it could not be.
func (it *item) finish(settled bool) {
	it.settled = settled
	close(it.sent)
}

func newPipeline(o Options, workers int) *pipeline {
	p := &pipeline{o: o, alarms: newAlarms(o.Alarm, o.Now, o.Lasting), workers: max(workers, 1), verifier: batch.NewVerifier(), gaps: make(map[string]gapWatch)}
	if o.Ledger != nil {
		p.write = o.Ledger.AppendAll
	}
	return p
}

// start runs the goroutines of one session until ctx ends. The channel that it
// returns is closed when all have ended.
func (p *pipeline) start(ctx context.Context, fail func(error), publish func(context.Context, string, bool, []byte) error) <-chan struct{} {
	p.publish = publish
	p.work, p.queue = make(chan *item, p.o.Window), make(chan *item, p.o.Window)
	p.receipts, p.acks = make(chan []*item, p.o.Window), make(chan *item, p.o.Window)
	p.slots = make(chan struct{}, p.o.Window)
	var wg sync.WaitGroup
	for range p.workers {
		wg.Go(func() { p.verifyLoop(ctx) })
	}
	for range publishers {
		wg.Go(func() { p.receiptLoop(ctx) })
	}
	wg.Go(func() {
		if err := p.appendLoop(ctx); err != nil {
			fail(err)
		}
	})
	wg.Go(func() { p.ackLoop(ctx) })
	if p.owner == nil {
		wg.Go(func() { p.tickLoop(ctx) })
	}
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	return ended
}

// receive takes one message; it waits while the window is full.
func (p *pipeline) receive(ctx context.Context, m mqtt.Message) {
	territory, gateway, leaf, err := batch.ParseTopic(m.Topic)
	if err != nil || territory != p.o.Territory {
		p.o.Log.Warn("ingest: message on another topic", "topic", m.Topic)
		m.Ack()
		return
	}
	switch leaf {
	case batch.TopicStatus:
		retained(p, gateway, m, "status", batch.ParseStatus, func(s batch.Status) string { return s.Gateway }, p.o.OnStatus)
	case batch.TopicReport:
		retained(p, gateway, m, "configuration report", batch.ParseConfigReport, func(r batch.ConfigReport) string { return r.Gateway }, p.o.OnReport)
	case batch.TopicBatch:
		p.enter(ctx, &item{topic: m.Topic, gateway: gateway, payload: m.Payload, ack: m.Ack})
	default:
		m.Ack()
	}
}

// enter waits for a slot; with one, no channel of the pipeline is ever full.
func (p *pipeline) enter(ctx context.Context, it *item) {
	select {
	case p.slots <- struct{}{}:
		it.checked, it.sent = make(chan struct{}), make(chan struct{})
		p.queue <- it
		p.work <- it
	case <-ctx.Done():
	}
}

// retained hands on what a gateway says of itself, if it is of this gateway; an
// empty message only clears the last one.
func retained[T any](p *pipeline, gateway string, m mqtt.Message, what string, parse func([]byte) (T, error), of func(T) string, take func(T)) {
	defer m.Ack()
	if len(m.Payload) == 0 {
		return
	}
	x, err := parse(m.Payload)
	if err == nil && of(x) != gateway {
		err = fmt.Errorf("%s of %q", what, of(x))
	}
	if err != nil {
		p.o.Log.Warn("ingest: bad "+what, "gateway", gateway, "error", err)
		return
	}
	if take != nil {
		take(x)
	}
}

// verifyLoop takes this worker's share of what waits and verifies it. The key of a
// gateway is asked for once a round, after all that it is for has arrived: an
// enrolment counts for whatever comes after it.
func (p *pipeline) verifyLoop(ctx context.Context) {
	var round []*item
	for {
		select {
		case it := <-p.work:
			round = append(round[:0], it)
		case <-ctx.Done():
			return
		}
		round = p.more(ctx, round)
		keys := onceEach(p.o.Keys)
		for i, it := range round {
			it.verified = verify(p.verifier, it.payload, it.gateway, keys, p.o.Now())
			close(it.checked)
			round[i] = nil
		}
	}
}

// more fills a round with items that wait to be verified or come soon.
func (p *pipeline) more(ctx context.Context, round []*item) []*item {
	soon := time.NewTimer(gather)
	defer soon.Stop()
	for len(round) < roundItems {
		select {
		case it := <-p.work:
			round = append(round, it)
		case <-soon.C:
			return round
		case <-ctx.Done():
			return round
		}
	}
	return round
}

// appendLoop takes items in the order of arrival. It returns an error when the
// ledger has failed for good.
func (p *pipeline) appendLoop(ctx context.Context) error {
	var group []*item
	for {
		group = group[:0]
		select {
		case it := <-p.queue:
			group = append(group, it)
		case <-ctx.Done():
			return nil
		}
		if !p.decided(ctx, group[0]) { // meanwhile, others come
			return nil
		}
	more:
		for len(group) < groupItems {
			select {
			case it := <-p.queue:
				group = append(group, it)
			default:
				break more
			}
		}
		for _, it := range group[1:] {
			if !p.decided(ctx, it) {
				return nil
			}
		}
		if err := p.commit(ctx, group); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// decided waits for an item's verification, and asks for keys again while they
// cannot be looked up. It returns false when ctx ends first.
func (p *pipeline) decided(ctx context.Context, it *item) bool {
	select {
	case <-it.checked:
	case <-ctx.Done():
		return false
	}
	var wait mqtt.Backoff
	for it.later != nil {
		p.o.Log.Warn("ingest: keys cannot be looked up, waiting", "gateway", it.gateway, "error", it.later)
		if !sleep(ctx, wait.Next()) {
			return false
		}
		it.verified = verify(p.verifier, it.payload, it.gateway, p.o.Keys, p.o.Now())
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// receiptLoop publishes receipts; only when the broker has one may its batch be
// acknowledged, so that neither can be lost alone.
func (p *pipeline) receiptLoop(ctx context.Context) {
	for {
		select {
		case some := <-p.receipts:
			err := p.send(ctx, some)
			if err != nil {
				p.o.Log.Debug("ingest: receipt not sent, the batch will come again", "gateway", some[0].gateway, "number", some[0].receipt.Number, "error", err)
			}
			for _, it := range some {
				it.finish(err == nil)
			}
		case <-ctx.Done():
			return
		}
	}
}

// ackLoop acknowledges to the broker in the order of arrival, as MQTT 3.1.1
// section 4.6 asks, and gives the slots back.
func (p *pipeline) ackLoop(ctx context.Context) {
	for {
		select {
		case it := <-p.acks:
			select {
			case <-it.sent:
			case <-ctx.Done():
				return
			}
			if it.settled {
				p.done.Add(1)
				if it.ack != nil {
					it.ack()
				}
			}
			<-p.slots
		case <-ctx.Done():
			return
		}
	}
}

func (p *pipeline) send(ctx context.Context, some []*item) error {
	receipts := make([]batch.Receipt, len(some))
	for i, it := range some {
		receipts[i] = it.receipt
	}
	sealed, err := batch.SealReceipts(receipts, p.o.Key)
	if err != nil {
		return err
	}
	return p.publish(ctx, batch.Topic(p.o.Territory, some[0].gateway, batch.TopicReceipt), false, sealed)
}

// tickLoop brings replays in and saves the chains now and then.
func (p *pipeline) tickLoop(ctx context.Context) {
	for {
		p.replays(ctx)
		p.fromInbox(ctx)
		p.mended()
		if err := p.o.Chains.Save(); err != nil {
			p.o.Log.Error("ingest: chains not saved", "error", err)
		}
		select {
		case <-p.o.tick:
		case <-ctx.Done():
			return
		}
	}
}

// replays enters batches of the quarantine that are marked for it. One that is
// still under way from the last tick is only found to be there already.
func (p *pipeline) replays(ctx context.Context) {
	ids, err := p.o.Quarantine.waiting(p.o.Window)
	if err != nil {
		p.o.Log.Error("ingest: replays", "error", err)
		return
	}
	for _, id := range ids {
		h, payload, err := p.o.Quarantine.Show(id)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				p.o.Log.Error("ingest: replay", "error", err)
			}
			continue
		}
		p.enter(ctx, &item{topic: h.Topic, gateway: h.Gateway, payload: payload, held: id})
	}
}

package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/thermie/thermie/batch"
)

// Several processes of one machine share a territory: each has its own
// connection to the broker, verifies what it is given and sends the receipts.
// The ledger has one owner, the process that holds its lock. The others hand
// what they verified over to it, on a socket that only the same user may open,
// and acknowledge to the broker when the owner says that it is durable. When
// the owner dies its lock is free, and whoever takes it is the next owner: what
// was not answered was not acknowledged, and comes again.

// ErrOwnerGone says that the process which owned the ledger does not answer:
// it is time to try to become the owner.
var ErrOwnerGone = errors.New("the owner of the ledger is gone")

// maxSockPath is how long the name of a socket may be (sun_path in unix(7)).
const maxSockPath = 107

// HandedOver is a batch that another process has verified.
type HandedOver struct {
	Gateway, Topic string
	Payload        []byte
	Kind, Reason   string // why it is refused; "" when it is not
	Ahead          time.Duration
}

// Settled is what became of it.
type Settled struct {
	Receipt   batch.Receipt
	NoReceipt bool // there was no room in quarantine: the gateway keeps it
}

// ledgerOwner is the service of the owner; its one method is for net/rpc.
type ledgerOwner struct {
	p   *pipeline
	ctx context.Context
}

// Settle settles a group of batches.
func (s *ledgerOwner) Settle(group []HandedOver, out *[]Settled) error {
	if len(group) > groupItems {
		return fmt.Errorf("group of %d batches, at most %d", len(group), groupItems)
	}
	items := make([]*item, len(group))
	at := make(map[*item]int, len(group))
	for i, h := range group {
		it := &item{topic: h.Topic, gateway: h.Gateway, payload: h.Payload}
		it.hash, it.ahead = batch.HashOf(h.Payload), h.Ahead
		head, err := batch.Head(h.Payload)
		switch {
		case err == nil:
			it.head = *head
		case h.Kind == "":
			return fmt.Errorf("batch of %s: %w", h.Gateway, err)
		}
		if h.Kind != "" {
			it.refuse = &refusal{h.Kind, h.Reason}
		}
		items[i], at[it] = it, i
	}
	*out = make([]Settled, len(group))
	return s.p.settle(s.ctx, items, func(it *item, receipt bool) {
		(*out)[at[it]] = Settled{it.receipt, !receipt}
	})
}

// serve listens for the other processes until ctx ends. close waits for their
// calls to end.
func (p *pipeline) serve(ctx context.Context) (close func(), err error) {
	if len(p.o.Socket) > maxSockPath {
		return nil, fmt.Errorf("socket %s: a name longer than %d bytes", p.o.Socket, maxSockPath)
	}
	if err := os.Remove(p.o.Socket); err != nil && !errors.Is(err, os.ErrNotExist) { // of an owner that died
		return nil, err
	}
	listener, err := net.Listen("unix", p.o.Socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(p.o.Socket, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	server := rpc.NewServer()
	if err := server.RegisterName("Ledger", &ledgerOwner{p, ctx}); err != nil {
		stop()
		return nil, errors.Join(err, listener.Close())
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				ended := context.AfterFunc(ctx, func() { conn.Close() })
				defer ended()
				server.ServeConn(conn)
			})
		}
	})
	return func() {
		stop()
		listener.Close()
		wg.Wait()
		// Calls still under way hold it.
		p.settling.Lock()
		defer p.settling.Unlock()
	}, nil
}

// Work receives and verifies batches as [Run] does and hands them over to the
// process that owns the ledger and listens on Socket; of o, the ledger and what
// belongs to it are not used. It returns nil when ctx ends, and an error that
// wraps ErrOwnerGone when the owner does not answer.
func Work(ctx context.Context, o Options) error {
	o.Ledger, o.Chains, o.Quarantine, o.Alarm, o.OnStatus = nil, nil, nil, nil, nil
	if !o.Shared || o.Socket == "" {
		return errors.New("ingest: work: wants a shared subscription and the socket of the ledger's owner")
	}
	if err := o.complete(); err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", o.Socket)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("ingest: %w: %w", ErrOwnerGone, err)
	}
	p := newPipeline(o, runtime.GOMAXPROCS(0))
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p.owner = rpc.NewClient(&watchedConn{Conn: conn, lost: func() { stop(ErrOwnerGone) }})
	defer p.owner.Close()
	err = p.sessions(work)
	if ctx.Err() == nil && work.Err() != nil {
		return fmt.Errorf("ingest: %w", context.Cause(work))
	}
	return err
}

// watchedConn tells when nothing more can be read from it: an owner that died is
// noticed although there is nothing to hand over.
type watchedConn struct {
	net.Conn
	lost func()
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.lost()
	}
	return n, err
}

// handOver is settle by the owner of the ledger.
func (p *pipeline) handOver(ctx context.Context, group []*item, done func(it *item, receipt bool)) error {
	args := make([]HandedOver, len(group))
	for i, it := range group {
		args[i] = HandedOver{Gateway: it.gateway, Topic: it.topic, Payload: it.payload, Ahead: it.ahead}
		if it.refuse != nil {
			args[i].Kind, args[i].Reason = it.refuse.kind, it.refuse.reason
		}
	}
	var out []Settled
	call := p.owner.Go("Ledger.Settle", args, &out, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if call.Error != nil {
		return fmt.Errorf("%w: %w", ErrOwnerGone, call.Error)
	}
	if len(out) != len(group) {
		return fmt.Errorf("%w: %d answers for %d batches", ErrOwnerGone, len(out), len(group))
	}
	for i, it := range group {
		it.receipt = out[i].Receipt
		done(it, !out[i].NoReceipt)
	}
	return nil
}

package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

const batchSuffix = ".batch"

// Inbox is a folder of signed batches that did not come over the broker: those
// of importers. The ingest that runs on it treats each as any other batch, in
// the order of its numbers, and removes it when it is in the ledger or in
// quarantine:
//
//	<gateway>/<number, 20 digits>.batch
type Inbox struct{ dir string }

// OpenInbox uses dir, which need not exist yet.
func OpenInbox(dir string) *Inbox { return &Inbox{dir: dir} }

// Put leaves a batch, durably, whole or not at all.
func (b *Inbox) Put(gateway string, number uint64, sealed []byte) error {
	if err := metering.CheckID(gateway); err != nil {
		return fmt.Errorf("inbox: %w", err)
	}
	if err := writeWhole(filepath.Join(b.dir, gateway, fmt.Sprintf("%020d%s", number, batchSuffix)), sealed); err != nil {
		return fmt.Errorf("inbox: %w", err)
	}
	return nil
}

// Last returns the batch of a gateway with the highest number that waits; 0
// when none does.
func (b *Inbox) Last(gateway string) (number uint64, sealed []byte, err error) {
	all, err := b.numbers(gateway)
	if err != nil || len(all) == 0 {
		return 0, nil, err
	}
	number = all[len(all)-1]
	sealed, err = b.read(gateway, number)
	if errors.Is(err, fs.ErrNotExist) { // taken meanwhile
		return 0, nil, nil
	}
	return number, sealed, err
}

// Waiting is how many batches of a gateway wait.
func (b *Inbox) Waiting(gateway string) (int, error) {
	all, err := b.numbers(gateway)
	return len(all), err
}

func (b *Inbox) numbers(gateway string) (all []uint64, err error) {
	if err := metering.CheckID(gateway); err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	files, err := os.ReadDir(filepath.Join(b.dir, gateway))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), batchSuffix); ok {
			if n, err := strconv.ParseUint(name, 10, 64); err == nil {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	return all, err
}

func (b *Inbox) path(gateway string, number uint64) string {
	return filepath.Join(b.dir, gateway, fmt.Sprintf("%020d%s", number, batchSuffix))
}

// read returns a file as far as a batch may be long, and a byte more.
func (b *Inbox) read(gateway string, number uint64) ([]byte, error) {
	f, err := os.Open(b.path(gateway, number))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, batch.MaxBytes+1)
	n := 0
	for n < len(buf) {
		k, err := f.Read(buf[n:])
		if n += k; err != nil {
			break
		}
	}
	return buf[:n], nil
}

// gateways are those that left something.
func (b *Inbox) gateways() (all []string, err error) {
	dirs, err := os.ReadDir(b.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, d := range dirs {
		if d.IsDir() && metering.CheckID(d.Name()) == nil {
			all = append(all, d.Name())
		}
	}
	return all, err
}

// fromInbox brings in what waits, up to a window of each gateway at a time. A
// batch is under way until its file is gone.
func (p *pipeline) fromInbox(ctx context.Context) {
	if p.o.Inbox == nil {
		return
	}
	gateways, err := p.o.Inbox.gateways()
	if err != nil {
		p.o.Log.Error("ingest: inbox", "error", err)
	}
	for _, g := range gateways {
		numbers, err := p.o.Inbox.numbers(g)
		if err != nil {
			p.o.Log.Error("ingest: inbox", "error", err)
			continue
		}
		for _, n := range numbers {
			payload, err := p.o.Inbox.read(g, n)
			if err != nil {
				if !errors.Is(err, fs.ErrNotExist) {
					p.o.Log.Error("ingest: inbox", "error", err)
				}
				continue
			}
			file := p.o.Inbox.path(g, n)
			p.enter(ctx, &item{topic: batch.Topic(p.o.Territory, g, batch.TopicBatch), gateway: g, payload: payload, ack: func() {
				if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
					p.o.Log.Error("ingest: taken, but still in the inbox", "error", err)
				}
			}})
			if ctx.Err() != nil {
				return
			}
		}
	}
}

package proof

import (
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
)

// maxReadings bounds the readings kept in memory, 24 bytes each.
const maxReadings = 100_000_000

// Evidence is what batches.bin holds, verified.
type Evidence struct {
	LedgerSize uint64 // leaves under the checkpoint
	Batches    int
	Readings   int // used ones
	Gateways   int
	Gaps       []Gap
	Origins    map[batch.Origin]int // batches by origin
	SHA256     string               // of the whole file

	signatures, chain, inclusion error

	series    map[metering.SeriesID]*column
	qualities []metering.Quality
}

// Err is what is wrong with the batches.
func (e *Evidence) Err() error { return errors.Join(e.signatures, e.inclusion, e.chain) }

// span is a stretch of time [from, to) in Unix milliseconds.
type span struct{ from, to int64 }

// column is a used series' readings in the order of the ledger, packed.
type column struct {
	windows []span
	unit    metering.Unit
	points  []packed
	sorted  bool
	other   int // readings in another unit, left out as in every store
}

type packed struct {
	at, coef int64
	exp      int8
	quality  uint8 // index in Evidence.qualities
}

// ReadBatches reads batches.bin: it verifies the ledger's checkpoint and root,
// each batch's signature with its gateway's keys, and each gateway's chain, and
// keeps the readings that the papers' plans use. The error is for a file that
// cannot be read at all; what is wrong with its content is in [Evidence.Err].
func ReadBatches(r io.Reader, keys Keys, p *Papers) (*Evidence, error) {
	e := &Evidence{Origins: map[batch.Origin]int{}, series: map[metering.SeriesID]*column{}, qualities: []metering.Quality{{}}}
	for _, n := range p.needs() {
		e.series[n.series] = &column{windows: n.windows}
	}
	gateways := p.Programme.keys()
	t := &tee{r: io.LimitReader(r, maxBatches), sum: sha256.New()}
	x, err := ledger.OpenExcerpt(t, keys.Origin, keys.Ledger)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", batchesFile, err)
	}
	e.LedgerSize = x.Size
	chains := map[string][]link{}
	const round = 256
	leaves := make([]ledger.Entry, 0, round)
	flush := func() error {
		for i, o := range openAll(leaves, gateways) {
			if o.err != nil {
				e.signatures = errors.Join(e.signatures, fmt.Errorf("ledger leaf %d: %w", leaves[i].Index, o.err))
				return errStop
			}
			e.Batches++
			e.Origins[o.batch.Origin]++
			b := o.batch
			chains[b.Gateway] = append(chains[b.Gateway], linkOf(b, batch.HashOf(leaves[i].Data)))
			if err := e.take(b.Readings); err != nil {
				return err
			}
		}
		leaves = leaves[:0]
		return nil
	}
	for leaf, err := range x.Leaves() {
		if err != nil {
			e.inclusion = err
			break
		}
		if leaves = append(leaves, leaf); len(leaves) == round {
			if err := flush(); err != nil {
				return e.stopped(err)
			}
		}
	}
	if err := flush(); err != nil {
		return e.stopped(err)
	}
	if _, err := io.Copy(io.Discard, t); err != nil {
		return nil, fmt.Errorf("%s: %w", batchesFile, err)
	}
	e.SHA256 = hex.EncodeToString(t.sum.Sum(nil))
	e.Gateways = len(chains)
	windows := p.windows()
	for gateway := range windows {
		chains[gateway] = append(chains[gateway], nil...) // one without any batch is told too
	}
	for _, gateway := range slices.Sorted(maps.Keys(chains)) {
		gaps, err := chain(gateway, chains[gateway], windows[gateway])
		e.Gaps, e.chain = append(e.Gaps, gaps...), errors.Join(e.chain, err)
	}
	return e, nil
}

// errStop ends the reading of a file whose fault is recorded.
var errStop = errors.New("stop")

func (e *Evidence) stopped(err error) (*Evidence, error) {
	if errors.Is(err, errStop) {
		return e, nil
	}
	return nil, fmt.Errorf("%s: %w", batchesFile, err)
}

// tee computes the hash of what is read.
type tee struct {
	r   io.Reader
	sum hash.Hash
}

func (t *tee) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	t.sum.Write(b[:n])
	return n, err
}

type opened struct {
	batch *batch.Batch
	err   error
}

// openAll opens batches side by side.
func openAll(leaves []ledger.Entry, gateways map[string][][]byte) []opened {
	out := make([]opened, len(leaves))
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(leaves))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(leaves); i += workers {
				out[i].batch, out[i].err = openBatch(leaves[i].Data, gateways)
			}
		})
	}
	wg.Wait()
	return out
}

// openBatch opens a batch with the key of its gateway, or one that it had before.
func openBatch(sealed []byte, gateways map[string][][]byte) (b *batch.Batch, err error) {
	for i := 0; ; i++ {
		more := false
		b, err = batch.Open(sealed, func(gateway string) (ed25519.PublicKey, error) {
			keys := gateways[gateway]
			if len(keys) == 0 {
				return nil, fmt.Errorf("gateway %s: no key: %w", gateway, errNotGiven)
			}
			more = i+1 < len(keys)
			return keys[i], nil
		})
		if !more || !errors.Is(err, batch.ErrSignature) {
			return b, err
		}
	}
}

// take keeps the readings that are used.
func (e *Evidence) take(readings []metering.Reading) error {
	for i := range readings {
		r := &readings[i]
		c := e.series[r.Series]
		if c == nil || !slices.ContainsFunc(c.windows, func(w span) bool { return w.from <= r.At && r.At < w.to }) {
			continue
		}
		switch {
		case len(c.points) == 0:
			c.unit = r.Unit
		case c.unit != r.Unit:
			c.other++
			continue
		}
		if e.Readings++; e.Readings > maxReadings {
			return fmt.Errorf("more than %d readings", maxReadings)
		}
		q, n := r.Quality, r.Number.Normal()
		if q.Level == metering.Good {
			q.Reason = ""
		}
		if q.Level == metering.Missing {
			n = metering.Decimal{}
		}
		k := slices.Index(e.qualities, q)
		if k < 0 {
			if k = len(e.qualities); k > 255 {
				return errors.New("more than 255 kinds of quality")
			}
			e.qualities = append(e.qualities, q)
		}
		c.points = append(c.points, packed{r.At, n.Coef, n.Exp, uint8(k)})
	}
	return nil
}

// points yields a series' readings with instants in [from, to) in order of time;
// of two for one instant the later in the ledger.
func (e *Evidence) points(id metering.SeriesID, from, to time.Time) (metering.Unit, iter.Seq2[metering.Point, error]) {
	c := e.series[id]
	if c == nil {
		return "", func(func(metering.Point, error) bool) {}
	}
	if !c.sorted {
		slices.SortStableFunc(c.points, func(a, b packed) int { return cmp.Compare(a.at, b.at) })
		c.sorted = true
	}
	first := sort.Search(len(c.points), func(i int) bool { return c.points[i].at >= from.UnixMilli() })
	return c.unit, func(yield func(metering.Point, error) bool) {
		for i, p := range c.points[first:] {
			if i += first; p.at >= to.UnixMilli() {
				return
			}
			if i+1 < len(c.points) && c.points[i+1].at == p.at {
				continue
			}
			if !yield(metering.Point{At: p.at, Number: metering.Decimal{Coef: p.coef, Exp: p.exp}, Quality: e.qualities[p.quality]}, nil) {
				return
			}
		}
	}
}

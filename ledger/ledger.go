package ledger

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Errors of this package, wrapped with the leaf or file they are about.
var (
	ErrDamaged = errors.New("ledger damaged")
	ErrLocked  = errors.New("ledger is open in another process")
	ErrClosed  = errors.New("ledger closed")
	// ErrFailed says that the disk failed in a way that only opening the
	// ledger again can settle. Nothing that was acknowledged is lost.
	ErrFailed = errors.New("ledger failed, open it again")
)

// Options of a ledger.
type Options struct {
	Origin string             // names the log in checkpoints and proofs, like "thermie.example.org/port"
	Signer ed25519.PrivateKey // signs checkpoints
	Log    *slog.Logger       // nil: silent
	// CheckpointBytes is how much the write-ahead file may hold before tiles
	// and a checkpoint are written; it bounds memory. 0 means 16 MiB.
	CheckpointBytes int
	Witnesses       []Witness // who are asked to co-sign, see Cosign; none by default
}

// Entry is one leaf.
type Entry struct {
	Index uint64
	Data  []byte
}

// Appended tells where a leaf is.
type Appended struct {
	Index     uint64
	Duplicate bool // it was there before
}

// Ledger is an open log. Its methods may be called concurrently.
type Ledger struct {
	dir    string
	signer *signer
	log    *slog.Logger
	limit  int
	lock   *os.File

	witnesses []Witness

	requests chan *request
	stop     chan struct{} // closed by Close
	stopped  chan struct{} // closed when the writer has ended
	closing  sync.Once
	closeErr error

	mu      sync.RWMutex
	changed chan struct{} // closed and replaced when size grows
	size    uint64
	tail    []leaf // leaves from tailAt on: those that full bundles do not hold yet
	tailAt  uint64 // a multiple of 256
	signed  *signed
	index   *index

	w writer // of the writer goroutine alone
}

// leaf is one of the newest leaves, kept in memory.
type leaf struct {
	hash tlog.Hash
	data []byte
}

// signed is the state of the last checkpoint; never changed, only replaced.
type signed struct {
	head
	note []byte
	edge *edge
}

// request asks the writer for something; result is read after done is closed.
type request struct {
	leaves     [][]byte
	hashes     []tlog.Hash
	checkpoint bool
	done       chan struct{}
	result     []Appended
	err        error
}

// Open opens the ledger in dir, or begins one. It replays what a crash left in
// the write-ahead file and refuses a ledger whose files contradict the signed
// checkpoint.
func Open(dir string, o Options) (*Ledger, error) {
	l, err := open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", dir, err)
	}
	go l.write()
	return l, nil
}

func open(dir string, o Options) (l *Ledger, err error) {
	s, err := newSigner(o.Origin, o.Signer)
	if err != nil {
		return nil, err
	}
	for _, w := range o.Witnesses {
		if err := w.check(); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	held, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			held.Close()
		}
	}()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CheckpointBytes <= 0 {
		o.CheckpointBytes = 16 << 20
	}
	l = &Ledger{
		dir: dir, signer: s, log: o.Log, limit: o.CheckpointBytes, lock: held,
		requests: make(chan *request), stop: make(chan struct{}), stopped: make(chan struct{}),
		changed: make(chan struct{}), witnesses: o.Witnesses,
	}
	if err := l.load(); err != nil {
		return nil, err
	}
	return l, nil
}

// load reads the signed state, then replays the write-ahead file.
func (l *Ledger) load() error {
	msg, err := os.ReadFile(filepath.Join(l.dir, checkpointFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l.signed = &signed{edge: &edge{}}
	if msg != nil {
		if l.signed, err = loadSigned(l.dir, msg, l.signer); err != nil {
			return err
		}
	}
	if err := l.loadTail(); err != nil {
		return err
	}
	if err := l.replay(msg != nil); err != nil {
		return err
	}
	l.index, err = openIndex(l.dir, l.signed.size)
	if err != nil {
		return err
	}
	for i, leaf := range l.tail {
		l.index.add(leaf.hash, l.tailAt+uint64(i))
	}
	return nil
}

// loadSigned verifies a checkpoint and reads the right edge of its tree.
func loadSigned(dir string, msg []byte, s *signer) (*signed, error) { return loadSignedBy(dir, msg, s) }

func loadSignedBy(dir string, msg []byte, v note.Verifier) (*signed, error) {
	h, err := openCheckpoint(msg, v)
	if err != nil {
		return nil, err
	}
	e := &edge{n: h.size}
	for level := 0; h.size>>(tileHeight*level) > 0; level++ {
		e.levels = append(e.levels, make([]tlog.Hash, 0, tileWidth))
		if w := partialWidth(h.size, level); w > 0 {
			hashes, err := readHashes(dir, level, h.size>>(tileHeight*(level+1)), w)
			if err != nil {
				return nil, err
			}
			e.levels[level] = append(e.levels[level], hashes...)
		}
	}
	if e.root() != h.root {
		return nil, fmt.Errorf("tiles do not add up to the checkpoint of %d leaves: %w", h.size, ErrDamaged)
	}
	return &signed{head: h, note: msg, edge: e}, nil
}

// loadTail reads the partial bundle.
func (l *Ledger) loadTail() error {
	l.size = l.signed.size
	l.tailAt = l.size / tileWidth * tileWidth
	width := int(l.size - l.tailAt)
	if width == 0 {
		return nil
	}
	leaves, err := readBundle(l.dir, l.size/tileWidth, width, l.signed.edge.levels[0])
	if err != nil {
		return err
	}
	for i, data := range leaves {
		l.tail = append(l.tail, leaf{l.signed.edge.levels[0][i], data})
	}
	return nil
}

// readBundle reads the first width leaves of a bundle and compares them with
// the hashes of their tile.
func readBundle(dir string, number uint64, width int, hashes []tlog.Hash) ([][]byte, error) {
	name := tilePath(entriesLevel, number, width)
	b, err := readTile(dir, entriesLevel, number, width)
	if err != nil {
		return nil, err
	}
	leaves, err := splitBundle(b, width)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i, data := range leaves {
		if tlog.RecordHash(data) != hashes[i] {
			return nil, fmt.Errorf("%s: leaf %d is not what was appended: %w", name, number*tileWidth+uint64(i), ErrDamaged)
		}
	}
	return leaves, nil
}

// Append adds a leaf of 1 to 65,535 bytes and returns its index when it is on
// the disk. A leaf that is there already keeps its index. After an error the
// leaf may or may not be in the log; appending it again settles it.
func (l *Ledger) Append(ctx context.Context, data []byte) (index uint64, duplicate bool, err error) {
	r, err := l.AppendAll(ctx, [][]byte{data})
	if err != nil {
		return 0, false, err
	}
	return r[0].Index, r[0].Duplicate, nil
}

// AppendAll adds leaves in their order, with one fsync.
func (l *Ledger) AppendAll(ctx context.Context, leaves [][]byte) ([]Appended, error) {
	r := &request{leaves: leaves, hashes: make([]tlog.Hash, len(leaves)), done: make(chan struct{})}
	for i, data := range leaves {
		if len(data) == 0 || len(data) > MaxLeaf {
			return nil, fmt.Errorf("append to ledger: leaf of %d bytes, want 1 to %d", len(data), MaxLeaf)
		}
		r.hashes[i] = tlog.RecordHash(data)
	}
	if len(leaves) == 0 {
		return nil, nil
	}
	if err := l.ask(ctx, r); err != nil {
		return nil, fmt.Errorf("append to ledger: %w", err)
	}
	return r.result, nil
}

// Checkpoint returns a signed checkpoint over all durable leaves.
func (l *Ledger) Checkpoint(ctx context.Context) ([]byte, error) {
	l.mu.RLock()
	s, size := l.signed, l.size
	l.mu.RUnlock()
	if s.note != nil && s.size == size {
		return s.note, nil
	}
	if err := l.ask(ctx, &request{checkpoint: true, done: make(chan struct{})}); err != nil {
		return nil, fmt.Errorf("ledger checkpoint: %w", err)
	}
	return l.state().note, nil
}

func (l *Ledger) ask(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.stop:
		return ErrClosed
	}
	// The writer has it: its outcome comes soon, and the leaves must stay as
	// they are until then.
	<-r.done
	return r.err
}

func (l *Ledger) state() *signed {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.signed
}

// Size is the number of durable leaves.
func (l *Ledger) Size() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.size
}

// Wait returns when Size is at least size.
func (l *Ledger) Wait(ctx context.Context, size uint64) error {
	for {
		l.mu.RLock()
		have, changed := l.size, l.changed
		l.mu.RUnlock()
		if have >= size {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.stop:
			return ErrClosed
		}
	}
}

// Find returns the index of a leaf.
func (l *Ledger) Find(data []byte) (index uint64, found bool, err error) {
	return l.index.find(tlog.RecordHash(data))
}

// Entries yields the leaves [from, to), or up to Size when to is beyond it, each
// compared with its hash. The data may be kept and must not be changed.
func (l *Ledger) Entries(ctx context.Context, from, to uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for to = min(to, l.Size()); from < to; {
			leaves, err := l.chunk(from, to)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Entry{Index: from}, fmt.Errorf("read ledger: %w", err))
				return
			}
			for _, data := range leaves {
				if !yield(Entry{from, data}, nil) {
					return
				}
				from++
			}
		}
	}
}

// chunk returns leaves from index from on: what memory holds, else the rest of
// a bundle.
func (l *Ledger) chunk(from, to uint64) ([][]byte, error) {
	l.mu.RLock()
	tail, at := l.tail, l.tailAt
	l.mu.RUnlock()
	if from >= at {
		tail = tail[from-at : min(to-at, uint64(len(tail)))]
		leaves := make([][]byte, len(tail))
		for i := range tail {
			leaves[i] = tail[i].data
		}
		return leaves, nil
	}
	n := from / tileWidth
	hashes, err := readHashes(l.dir, 0, n, tileWidth)
	if err != nil {
		return nil, err
	}
	leaves, err := readBundle(l.dir, n, tileWidth, hashes)
	if err != nil {
		return nil, err
	}
	return leaves[from%tileWidth : min(to-n*tileWidth, tileWidth)], nil
}

// Close signs a last checkpoint and lets go of the folder. Appends under way
// are finished or refused.
func (l *Ledger) Close() error {
	l.closing.Do(func() {
		close(l.stop)
		<-l.stopped
		l.closeErr = errors.Join(l.w.close(), l.index.close(), l.lock.Close())
	})
	return l.closeErr
}

var _ io.Closer = (*Ledger)(nil)

package outbox

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

// Errors of an outbox, wrapped with its folder.
var (
	ErrFull     = errors.New("outbox full")
	ErrClosed   = errors.New("outbox closed")
	ErrMismatch = errors.New("receipt does not match the batch")
)

// DefaultMaxBytes keeps 90 days of a site with 20 meters, with room.
const DefaultMaxBytes = 1 << 30

// segmentBytes is the size at which a new segment is begun.
const segmentBytes = 4 << 20

// Options of an outbox.
type Options struct {
	Gateway string
	Key     ed25519.PrivateKey
	Config  batch.Hash // hash of the configuration in force
	Origin  batch.Origin
	// MaxBytes bounds the segments on disk; DefaultMaxBytes when zero. When they
	// are full, Put refuses with ErrFull, unless DropOldest.
	MaxBytes int64
	// DropOldest gives up the oldest batches that are not delivered in favour of
	// new ones. The next batch declares the loss.
	DropOldest bool
	// Lost is the reason to declare when the folder holds no outbox although the
	// gateway had one ("disk replaced"). Numbers then go on from the present
	// Unix time in seconds, so that none is used twice.
	Lost string
	Log  *slog.Logger
	Now  func() time.Time // time.Now when nil; only used with Lost

	disk disk // for tests
}

// Part is the content of one batch for PutMany.
type Part struct {
	Clock    batch.Clock
	ClosedAt int64 // Unix milliseconds
	Readings []metering.Reading
	Origin   batch.Origin // "": that of the outbox
}

// Sealed is a batch as it is sent.
type Sealed struct {
	Number uint64
	Bytes  []byte
}

// Outbox may be used from several goroutines.
type Outbox struct {
	dir          string
	o            Options
	log          *slog.Logger
	segmentBytes int64
	disk         disk

	putting sync.Mutex // held by the one that puts; taken before mu

	mu       sync.Mutex
	lock     *os.File
	head     *os.File
	headTurn uint64
	segments []*segment // oldest first; the last takes new batches
	bytes    int64      // of all segments
	number   uint64     // last number used
	hash     batch.Hash // of that batch; zero when a break is to be declared
	losses   []string   // what the next batch declares of the chain
	told     string     // what batches still here have declared
	marked   uint64     // every number up to here is delivered or was given up
	ahead    map[uint64]bool

	droppedFrom, droppedTo uint64 // given up and not declared yet; 0 for none

	unsent      int
	unsentBytes int64
	wake        chan struct{}
}

// disk is how bytes become durable; tests put a full or failing one in.
type disk struct {
	write func(f *os.File, p []byte, at int64) (int, error)
	sync  func(f *os.File) error
}

// Open creates an outbox in dir or continues the one there. The folder belongs
// to one process at a time.
func Open(dir string, o Options) (*Outbox, error) {
	if err := metering.CheckID(o.Gateway); err != nil {
		return nil, fmt.Errorf("outbox %s: gateway: %w", dir, err)
	}
	if len(o.Key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("outbox %s: private key of %d bytes", dir, len(o.Key))
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	if o.disk.write == nil {
		o.disk.write = func(f *os.File, p []byte, at int64) (int, error) { return f.WriteAt(p, at) }
	}
	if o.disk.sync == nil {
		o.disk.sync = func(f *os.File) error { return f.Sync() }
	}
	b := &Outbox{
		dir: dir, o: o, log: o.Log, ahead: map[uint64]bool{}, wake: make(chan struct{}, 1),
		// Several segments, so that dropping the oldest gives up a part only.
		segmentBytes: min(segmentBytes, max(o.MaxBytes/8, 1)),
		disk:         o.disk,
	}
	if err := b.open(); err != nil {
		b.release()
		return nil, fmt.Errorf("outbox %s: %w", dir, err)
	}
	return b, nil
}

func (b *Outbox) open() (err error) {
	if b.lock, err = os.OpenFile(filepath.Join(b.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := unix.Flock(int(b.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.New("in use by another process")
	}
	if b.head, err = os.OpenFile(filepath.Join(b.dir, "head"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	known, turn, err := readHead(b.head)
	if err != nil {
		return err
	}
	b.headTurn = turn
	if err := b.load(known.number); err != nil {
		return err
	}
	b.reconcile(known)
	b.count()
	return nil
}

// Put seals readings as one batch, or as several when they do not fit in one,
// and returns when they are safe on disk. After an error nothing was kept and
// the numbers go on without a gap. closedAt is in Unix milliseconds.
func (b *Outbox) Put(clock batch.Clock, closedAt int64, readings []metering.Reading) error {
	return b.PutMany([]Part{{Clock: clock, ClosedAt: closedAt, Readings: readings}})
}

// PutMany is Put for many batches with one fsync for each segment that they
// fill. After an error the first parts may have been kept: Status tells.
func (b *Outbox) PutMany(parts []Part) error {
	b.putting.Lock()
	defer b.putting.Unlock()
	if b.lock == nil {
		return fmt.Errorf("outbox %s: %w", b.dir, ErrClosed)
	}
	w := b.newWriter()
	for i := range parts {
		err := w.add(parts[i])
		if err == nil && int64(len(w.buf)) >= b.segmentBytes {
			err = w.flush()
		}
		if err != nil {
			return fmt.Errorf("outbox %s: %w", b.dir, err)
		}
	}
	if err := w.flush(); err != nil {
		return fmt.Errorf("outbox %s: %w", b.dir, err)
	}
	return nil
}

// usable is called with mu held.
func (b *Outbox) usable() error {
	if b.lock == nil {
		return fmt.Errorf("outbox %s: %w", b.dir, ErrClosed)
	}
	return nil
}

// Wake delivers a value when batches were put since it was last read from.
func (b *Outbox) Wake() <-chan struct{} { return b.wake }

// Unsent returns up to limit batches that are not delivered, with numbers above
// after, oldest first.
func (b *Outbox) Unsent(after uint64, limit int) ([]Sealed, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(); err != nil {
		return nil, err
	}
	var out []Sealed
	after = max(after, b.marked)
	for _, s := range b.segments {
		if s.last() <= after {
			continue
		}
		for i := int(max(s.first, after+1) - s.first); i < len(s.records); i++ {
			n := s.number(i)
			if b.ahead[n] {
				continue
			}
			if len(out) == limit {
				return out, nil
			}
			sealed, err := s.read(i)
			if errors.Is(err, errDamaged) { // it must not hold up the others
				b.declare(textDamaged(n, n))
				b.settle(s, i)
				continue
			}
			if err != nil {
				return out, fmt.Errorf("outbox %s: batch %d: %w", b.dir, n, err)
			}
			out = append(out, Sealed{Number: n, Bytes: sealed})
		}
	}
	return out, nil
}

// Delivered forgets the batch that a verified receipt names, whether ingest
// accepted it or keeps it in quarantine. A receipt that names other bytes than
// those kept returns ErrMismatch; one for a batch forgotten before does nothing.
func (b *Outbox) Delivered(r batch.Receipt) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(); err != nil {
		return err
	}
	if r.Gateway != b.o.Gateway {
		return fmt.Errorf("outbox %s: receipt for gateway %q: %w", b.dir, r.Gateway, ErrMismatch)
	}
	if r.Number <= b.marked || b.ahead[r.Number] {
		return nil
	}
	s, i := b.find(r.Number)
	if s == nil {
		return fmt.Errorf("outbox %s: receipt for batch %d, which is not here: %w", b.dir, r.Number, ErrMismatch)
	}
	sealed, err := s.read(i)
	if err != nil && !errors.Is(err, errDamaged) {
		return fmt.Errorf("outbox %s: batch %d: %w", b.dir, r.Number, err)
	}
	if err == nil && batch.HashOf(sealed) != r.Batch {
		return fmt.Errorf("outbox %s: receipt for batch %d with hash %s: %w", b.dir, r.Number, r.Batch, ErrMismatch)
	}
	b.settle(s, i)
	return b.advance()
}

// settle notes that a record needs no delivery any more.
func (b *Outbox) settle(s *segment, i int) {
	b.ahead[s.number(i)] = true
	b.unsent--
	b.unsentBytes -= int64(s.records[i].length)
}

// advance moves the mark and deletes what is behind it.
func (b *Outbox) advance() error {
	if !b.pass() {
		return nil
	}
	if err := b.writeHead(); err != nil {
		return fmt.Errorf("outbox %s: %w", b.dir, err)
	}
	if err := b.trim(); err != nil {
		return fmt.Errorf("outbox %s: %w", b.dir, err)
	}
	return nil
}

// pass moves the mark over what is delivered and says whether it moved.
func (b *Outbox) pass() bool {
	from := b.marked
	for b.marked < b.number {
		next := b.marked + 1
		if b.ahead[next] {
			delete(b.ahead, next)
			b.marked = next
			continue
		}
		// Numbers lost between two segments are behind us too.
		if s, _ := b.find(next); s != nil {
			break
		}
		if next = b.after(b.marked); next == 0 {
			break
		}
		b.marked = next - 1
	}
	return b.marked != from
}

// trim deletes the segments that are delivered; the newest stays.
func (b *Outbox) trim() error {
	for len(b.segments) > 1 && b.segments[0].last() <= b.marked {
		if err := b.removeOldest(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Outbox) removeOldest() error {
	s := b.segments[0]
	b.bytes -= s.size
	b.segments = slices.Delete(b.segments, 0, 1)
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

// find returns where a number lies, or nil.
func (b *Outbox) find(number uint64) (*segment, int) {
	i := sort.Search(len(b.segments), func(i int) bool { return b.segments[i].last() >= number })
	if i == len(b.segments) || b.segments[i].first > number {
		return nil, 0
	}
	return b.segments[i], int(number - b.segments[i].first)
}

// after returns the first number above n that the segments hold, 0 for none.
func (b *Outbox) after(n uint64) uint64 {
	for _, s := range b.segments {
		if s.last() > n {
			return max(s.first, n+1)
		}
	}
	return 0
}

// Status tells how much waits to be delivered.
func (b *Outbox) Status() batch.SpoolStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	return batch.SpoolStatus{Batches: b.unsent, Bytes: b.unsentBytes, LastNumber: b.number}
}

// LastNumber is the number of the newest batch.
func (b *Outbox) LastNumber() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.number
}

// Reached says whether any batch was ever delivered, as far as this outbox knows.
func (b *Outbox) Reached() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.marked > 0 || len(b.ahead) > 0
}

// Close makes the head durable and gives the folder free.
func (b *Outbox) Close() error {
	b.putting.Lock()
	defer b.putting.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lock == nil {
		return nil
	}
	err := b.writeHead()
	if err == nil {
		err = b.disk.sync(b.head)
	}
	b.release()
	if err != nil {
		return fmt.Errorf("outbox %s: close: %w", b.dir, err)
	}
	return nil
}

func (b *Outbox) release() {
	for _, s := range b.segments {
		s.file.Close()
	}
	b.segments = nil
	if b.head != nil {
		b.head.Close()
	}
	if b.lock != nil {
		b.lock.Close() // and with it the lock
		b.lock = nil
	}
}

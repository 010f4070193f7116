package outbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/thermie/thermie/batch"
)

// writer seals parts into a buffer; its state becomes the outbox's when the
// buffer is safe on disk.
type writer struct {
	box      *Outbox
	number   uint64
	hash     batch.Hash
	why      string
	declares bool   // its first batch tells why
	losses   int    // of the outbox's losses, how many why tells
	parts    []Part // in the buffer
	buf      []byte
	records  []record // offsets within buf
}

func (b *Outbox) newWriter() *writer {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &writer{box: b, number: b.number, hash: b.hash, why: b.pending(), losses: len(b.losses)}
}

// add seals one part, split in halves as long as it is too large.
func (w *writer) add(p Part) error {
	if err := w.seal(p); err != nil {
		return err
	}
	w.parts = append(w.parts, p)
	return nil
}

func (w *writer) seal(p Part) error {
	if len(p.Readings) > batch.MaxReadings {
		return w.halves(p)
	}
	origin := p.Origin
	if origin == "" {
		origin = w.box.o.Origin
	}
	b := &batch.Batch{
		Gateway: w.box.o.Gateway, Number: w.number + 1, Previous: w.hash, Break: w.why,
		Config: w.box.o.Config, Clock: p.Clock, Origin: origin, ClosedAt: p.ClosedAt, Readings: p.Readings,
	}
	sealed, err := batch.Seal(b, w.box.o.Key)
	if errors.Is(err, batch.ErrTooLarge) && len(p.Readings) > 1 {
		return w.halves(p)
	}
	if err != nil {
		return err
	}
	w.records = append(w.records, record{int64(len(w.buf)), int32(len(sealed))})
	w.declares = w.declares || w.why != ""
	w.number++
	w.hash, w.why = batch.HashOf(sealed), ""
	w.buf = appendRecord(w.buf, w.number, sealed)
	return nil
}

func (w *writer) halves(p Part) error {
	first, second := p, p
	half := len(p.Readings) / 2
	first.Readings, second.Readings = p.Readings[:half], p.Readings[half:]
	if err := w.seal(first); err != nil {
		return err
	}
	return w.seal(second)
}

// reseal seals the buffer's parts again, because older batches were dropped
// and the first of these must say so.
func (w *writer) reseal() error {
	parts := w.parts
	*w = *w.box.newWriter()
	for _, p := range parts {
		if err := w.add(p); err != nil {
			return err
		}
	}
	return nil
}

// flush writes the buffer to the newest segment and makes it durable. When
// there is no room, it drops the oldest batches if that was chosen, and
// refuses with ErrFull if not.
func (w *writer) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	for {
		err := w.box.room(int64(len(w.buf)))
		if err == nil {
			err = w.write()
		}
		if err == nil || !errors.Is(err, ErrFull) || !w.box.o.DropOldest {
			return err
		}
		dropped, derr := w.box.dropOldest()
		if derr != nil {
			return derr
		}
		if !dropped {
			return err
		}
		if err := w.reseal(); err != nil {
			return err
		}
	}
}

// room refuses n more bytes above the limit.
func (b *Outbox) room(n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes+n > b.o.MaxBytes {
		return fmt.Errorf("%w: %d batches wait, %d bytes of at most %d", ErrFull, b.unsent, b.bytes, b.o.MaxBytes)
	}
	return nil
}

// dropOldest gives up the oldest segment. That it did is safe on disk before
// the segment goes; the next batch declares it. The newest segment stays.
func (b *Outbox) dropOldest() (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.segments) < 2 {
		return false, nil
	}
	s := b.segments[0]
	for i := range s.records {
		n := s.number(i)
		if n <= b.marked || b.ahead[n] {
			delete(b.ahead, n)
			continue
		}
		b.unsent--
		b.unsentBytes -= int64(s.records[i].length)
		if b.droppedFrom == 0 {
			b.droppedFrom = n
		}
		b.droppedTo = n
	}
	b.marked = max(b.marked, s.last())
	b.pass()
	b.log.Error("batches lost", "dir", b.dir, "reason", textDropped(b.droppedFrom, b.droppedTo))
	if err := b.writeHead(); err != nil {
		return false, err
	}
	if err := b.disk.sync(b.head); err != nil {
		return false, err
	}
	return true, b.removeOldest()
}

// write appends the buffer to the segment whose turn it is.
func (w *writer) write() error {
	b := w.box
	s, fresh, err := b.segmentFor(w.number-uint64(len(w.records))+1, w.declares)
	if err != nil {
		return full(err)
	}
	if err := b.append(s, w.buf, fresh); err != nil {
		return full(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range w.records {
		s.records = append(s.records, record{s.size + r.offset, r.length})
		b.unsentBytes += int64(r.length)
	}
	if fresh {
		b.segments = append(b.segments, s)
	}
	s.size += int64(len(w.buf))
	b.bytes += int64(len(w.buf))
	b.unsent += len(w.records)
	b.number, b.hash = w.number, w.hash
	b.losses, w.losses = slices.Delete(b.losses, 0, w.losses), 0
	b.droppedFrom, b.droppedTo = 0, 0
	w.buf, w.records, w.parts, w.declares = w.buf[:0], w.records[:0], w.parts[:0], false
	if err := b.writeHead(); err != nil {
		b.log.Warn("head not written", "dir", b.dir, "err", err)
	}
	if err := b.trim(); err != nil {
		b.log.Warn("delivered segment not removed", "dir", b.dir, "err", err)
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// full marks the errors of a disk without room.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// segmentFor returns the segment that takes the batches from number first on:
// a fresh one when the newest is large, or when batch first declares a loss.
func (b *Outbox) segmentFor(first uint64, declares bool) (s *segment, fresh bool, err error) {
	if s := b.newest(); s != nil {
		if !s.torn && s.size < b.segmentBytes && !declares {
			return s, false, nil
		}
	}
	f, err := os.OpenFile(filepath.Join(b.dir, segmentName(first)), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	return &segment{file: f, first: first}, true, nil
}

func (b *Outbox) newest() *segment {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.segments) == 0 {
		return nil
	}
	return b.segments[len(b.segments)-1]
}

// append writes and syncs; after a failure it takes back what it wrote.
func (b *Outbox) append(s *segment, buf []byte, fresh bool) error {
	_, err := b.disk.write(s.file, buf, s.size)
	if err == nil {
		err = b.disk.sync(s.file)
	}
	if err == nil && fresh {
		err = b.syncDir()
	}
	switch {
	case err == nil:
	case fresh:
		s.file.Close()
		os.Remove(s.file.Name())
	default:
		if cut := s.file.Truncate(s.size); cut != nil {
			s.torn = true
			b.log.Warn("failed write not cut", "dir", b.dir, "segment", segmentName(s.first), "err", cut)
		}
	}
	return err
}

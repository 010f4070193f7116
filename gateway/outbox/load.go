package outbox

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/thermie/thermie/batch"
)

// load reads the segments of the folder; numbers up to safe were once safe on
// disk.
func (b *Outbox) load(safe uint64) error {
	firsts, err := b.list()
	if err != nil {
		return err
	}
	for _, first := range firsts {
		if err := b.loadSegment(first, safe); err != nil {
			return fmt.Errorf("%s: %w", segmentName(first), err)
		}
	}
	if len(b.segments) == 0 {
		return nil
	}
	for i, s := range b.segments[:len(b.segments)-1] {
		// A write that failed, and was not cut, was done again in the next segment.
		if next := b.segments[i+1].first; s.last() >= next {
			s.records = s.records[:next-s.first]
		}
	}
	newest := b.segments[len(b.segments)-1]
	if err := b.cut(newest); err != nil {
		return fmt.Errorf("%s: %w", segmentName(newest.first), err)
	}
	return b.readChain(newest)
}

// list returns the first numbers of the segments, ascending.
func (b *Outbox) list() (firsts []uint64, err error) {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(name, 10, 64)
		if err != nil || first == 0 || segmentName(first) != e.Name() {
			return nil, fmt.Errorf("file %s does not belong here", e.Name())
		}
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	return firsts, nil
}

// loadSegment reads one segment; one without a whole record is removed.
func (b *Outbox) loadSegment(first, safe uint64) error {
	f, err := os.OpenFile(filepath.Join(b.dir, segmentName(first)), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(f)
	if err != nil {
		f.Close()
		return err
	}
	records, rest := scan(content, first, safe)
	if len(records) == 0 {
		f.Close()
		b.log.Warn("segment without a whole record removed", "dir", b.dir, "segment", segmentName(first), "bytes", rest)
		return os.Remove(f.Name())
	}
	b.segments = append(b.segments, &segment{file: f, first: first, records: records, size: int64(len(content))})
	return nil
}

// cut removes what follows the last whole record of the newest segment.
func (b *Outbox) cut(s *segment) error {
	end := s.end()
	if end == s.size {
		return nil
	}
	b.log.Warn("torn tail cut", "dir", b.dir, "segment", segmentName(s.first), "bytes", s.size-end)
	if err := s.file.Truncate(end); err != nil {
		return err
	}
	s.size = end
	return b.disk.sync(s.file)
}

// readChain takes number and hash from the newest batch, and what was declared
// before: a batch that declares a loss always begins a segment, so that it need
// not be told again.
func (b *Outbox) readChain(newest *segment) error {
	sealed, err := newest.read(len(newest.records) - 1)
	if err != nil {
		return fmt.Errorf("batch %d: %w", newest.last(), err)
	}
	h, err := batch.Head(sealed)
	if err != nil {
		return fmt.Errorf("batch %d: %w", newest.last(), err)
	}
	if h.Gateway != b.o.Gateway {
		return fmt.Errorf("batches of gateway %q, not %q", h.Gateway, b.o.Gateway)
	}
	b.number, b.hash = newest.last(), batch.HashOf(sealed)
	var told strings.Builder
	for _, s := range b.segments {
		sealed, err := s.read(0)
		if err != nil {
			continue // then it is told twice
		}
		if h, err := batch.Head(sealed); err == nil {
			told.WriteString(h.Break + "\n")
		}
	}
	b.told = told.String()
	return nil
}

// missing declares the numbers above the mark that the segments should hold
// and do not.
func (b *Outbox) missing() {
	for i, s := range b.segments {
		if i+1 < len(b.segments) {
			if from, to := s.last()+1, b.segments[i+1].first-1; from <= to && to > b.marked {
				b.declare(textDamaged(from, to))
			}
		}
		for from := 0; from < len(s.records); from++ {
			to := from
			for to < len(s.records) && s.records[to].length == 0 {
				to++
			}
			if to > from && s.number(to-1) > b.marked {
				b.declare(textDamaged(s.number(from), s.number(to-1)))
			}
			from = to
		}
	}
}

// reconcile compares what the segments hold with what the head knows.
func (b *Outbox) reconcile(known headState) {
	switch {
	case b.number == 0 && known.number == 0 && b.o.Lost != "":
		b.number = uint64(b.o.Now().Unix())
		b.losses = []string{b.o.Lost}
		b.log.Warn("outbox lost: the chain starts anew", "dir", b.dir, "reason", b.o.Lost, "number", b.number+1)
	case known.number > b.number:
		b.declare(textDamaged(b.number+1, known.number))
		b.number, b.hash = known.number, batch.Hash{}
	}
	if known.droppedTo != 0 && !strings.Contains(b.told, textDropped(known.droppedFrom, known.droppedTo)) {
		b.droppedFrom, b.droppedTo = known.droppedFrom, known.droppedTo
	}
	b.marked = min(known.marked, b.number)
	switch {
	case len(b.segments) == 0:
		b.marked = b.number
	case b.segments[0].first > b.marked+1:
		b.marked = b.segments[0].first - 1
	}
	b.missing()
}

func textDamaged(from, to uint64) string {
	return fmt.Sprintf("spool damaged: batches %d to %d lost", from, to)
}

func textDropped(from, to uint64) string {
	return fmt.Sprintf("spool full: batches %d to %d dropped", from, to)
}

// maxWhy bounds the reason that a batch declares (batch.Check).
const maxWhy = 200

// declare adds to what the next batch says of the chain, unless it was said.
func (b *Outbox) declare(why string) {
	if strings.Contains(b.told, why) {
		return
	}
	b.log.Error("batches lost", "dir", b.dir, "reason", why)
	b.losses = append(b.losses, why)
}

// pending is what the next batch must declare.
func (b *Outbox) pending() string {
	losses := b.losses
	if b.droppedTo != 0 {
		losses = append(slices.Clip(losses), textDropped(b.droppedFrom, b.droppedTo))
	}
	return cutTo(strings.Join(losses, "; "), maxWhy)
}

func cutTo(s string, n int) string {
	if len(s) > n {
		return s[:n-3] + "..."
	}
	return s
}

// count sums up what waits.
func (b *Outbox) count() {
	for _, s := range b.segments {
		b.bytes += s.size
		for i, r := range s.records {
			switch n := s.number(i); {
			case n <= b.marked:
			case r.length == 0:
				b.ahead[n] = true
			default:
				b.unsent++
				b.unsentBytes += int64(r.length)
			}
		}
	}
	b.pass()
}

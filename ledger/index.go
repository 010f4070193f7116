package ledger

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// The index finds a leaf by its hash, so that what comes twice is kept once. The
// newest leaves are in a map; each 65,536 older ones become a run, and eight
// runs of one size are merged into one of the next:
//
//	run     "thermidx" from(8) to(8) bits(4) crc(4)     leaves [from, to)
//	        (prefix(8) index(8)) ...                    sorted; prefix: the first bytes of the leaf's hash
//	        start(8) ...                                2^bits+1 of them: where records whose prefix
//	                                                    begins with these bits start
//	        crc(4)                                      CRC-32C of all before
//
// A hit is compared with the whole hash in the leaf's tile. All of it can be
// made again from the tiles, and is when it is missing or its header is wrong.
const (
	runMagic    = "thermidx"
	runHeader   = 8 + 8 + 8 + 4 + 4
	runRecord   = 16
	runUnit     = 1 << 16
	runFanIn    = 8
	runPerStart = 64 // records between two starts, about
)

type index struct {
	dir  string // the ledger's folder
	unit uint64 // leaves of the smallest run

	mu      sync.RWMutex
	recent  map[tlog.Hash]uint64
	runs    []*run // ascending, without gaps, from leaf 0
	merging sync.WaitGroup
}

// run is one sorted file.
type run struct {
	file     *os.File
	from, to uint64
	bits     uint
}

type record struct{ prefix, index uint64 }

func prefixOf(h tlog.Hash) uint64 { return binary.BigEndian.Uint64(h[:]) }

// openIndex opens the runs, makes those that are missing, and fills the map
// with the leaves after them, up to size.
func openIndex(dir string, size uint64) (*index, error) { return openIndexUnit(dir, size, runUnit) }

func openIndexUnit(dir string, size, unit uint64) (x *index, err error) {
	x = &index{dir: dir, unit: unit, recent: make(map[tlog.Hash]uint64)}
	defer func() {
		if err != nil {
			x.close()
		}
	}()
	found, err := listRuns(filepath.Join(dir, indexDir))
	if err != nil {
		return nil, err
	}
	var at uint64
	for at+unit <= size {
		r := widest(found, at, size)
		if r == nil {
			if r, err = x.rebuild(at); err != nil {
				return nil, err
			}
		}
		x.runs = append(x.runs, r)
		at = r.to
	}
	for _, r := range found {
		if !slices.Contains(x.runs, r) {
			r.remove()
		}
	}
	err = eachHash(dir, at, size, func(i uint64, h tlog.Hash) { x.recent[h] = i })
	return x, err
}

// eachHash reads leaf hashes from the tiles; from is a multiple of 256.
func eachHash(dir string, from, to uint64, do func(uint64, tlog.Hash)) error {
	for ; from < to; from += tileWidth {
		hashes, err := readHashes(dir, 0, from/tileWidth, int(min(to-from, tileWidth)))
		if err != nil {
			return err
		}
		for i, h := range hashes {
			do(from+uint64(i), h)
		}
	}
	return nil
}

func listRuns(dir string) (found []*run, err error) {
	names, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, n := range names {
		p := filepath.Join(dir, n.Name())
		r, rerr := openRun(p)
		if rerr != nil {
			os.Remove(p) // unfinished or damaged: it is made again
			continue
		}
		found = append(found, r)
	}
	return found, err
}

func widest(found []*run, at, size uint64) (best *run) {
	for _, r := range found {
		if r.from == at && r.to <= size && (best == nil || r.to > best.to) {
			best = r
		}
	}
	return best
}

func (x *index) rebuild(at uint64) (*run, error) {
	records := make([]record, 0, x.unit)
	err := eachHash(x.dir, at, at+x.unit, func(i uint64, h tlog.Hash) {
		records = append(records, record{prefixOf(h), i})
	})
	if err != nil {
		return nil, err
	}
	return writeRun(filepath.Join(x.dir, indexDir), at, at+x.unit, records)
}

// add notes the index of a new leaf.
func (x *index) add(h tlog.Hash, at uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, ok := x.recent[h]; !ok {
		x.recent[h] = at
	}
}

// find returns the index of a leaf by its hash.
func (x *index) find(h tlog.Hash) (at uint64, ok bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if at, ok = x.recent[h]; ok {
		return at, true, nil
	}
	for _, r := range slices.Backward(x.runs) {
		candidates, err := r.lookup(prefixOf(h))
		if err != nil {
			return 0, false, err
		}
		for _, at := range candidates {
			hashes, err := readHashes(x.dir, 0, at/tileWidth, int(at%tileWidth)+1)
			if err != nil {
				return 0, false, err
			}
			if hashes[at%tileWidth] == h {
				return at, true, nil
			}
		}
	}
	return 0, false, nil
}

// flush turns leaves whose tiles are written, those below size, into runs as
// far as whole runs are full.
func (x *index) flush(size uint64) error {
	x.mu.RLock()
	var at uint64
	if len(x.runs) > 0 {
		at = x.runs[len(x.runs)-1].to
	}
	x.mu.RUnlock()
	for ; at+x.unit <= size; at += x.unit {
		r, err := x.rebuild(at)
		if err != nil {
			return err
		}
		x.mu.Lock()
		x.runs = append(x.runs, r)
		for h, i := range x.recent {
			if i < r.to {
				delete(x.recent, h)
			}
		}
		x.mu.Unlock()
		x.merge()
	}
	return nil
}

// merge starts to merge the newest eight runs of one size, beside the appends.
func (x *index) merge() {
	x.merging.Wait() // the one before
	x.mu.RLock()
	first := mergeable(x.runs)
	if first < 0 {
		x.mu.RUnlock()
		return
	}
	old := slices.Clone(x.runs[first : first+runFanIn])
	x.mu.RUnlock()
	x.merging.Go(func() {
		r, err := mergeRuns(filepath.Join(x.dir, indexDir), old)
		if err != nil {
			return // the small ones go on serving; the next flush tries again
		}
		x.mu.Lock()
		i := slices.Index(x.runs, old[0])
		x.runs = slices.Replace(x.runs, i, i+runFanIn, r)
		x.mu.Unlock()
		for _, o := range old {
			o.remove()
		}
	})
}

// mergeable finds eight neighbouring runs of one size, -1 when there are none.
func mergeable(runs []*run) int {
	for i := 0; i+runFanIn <= len(runs); i++ {
		size := runs[i].to - runs[i].from
		if runs[i+runFanIn-1].to-runs[i].from == runFanIn*size && runs[i].from%(runFanIn*size) == 0 &&
			!slices.ContainsFunc(runs[i:i+runFanIn], func(r *run) bool { return r.to-r.from != size }) {
			return i
		}
	}
	return -1
}

func (x *index) close() error {
	x.merging.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for _, r := range x.runs {
		errs = append(errs, r.file.Close())
	}
	x.runs = nil
	return errors.Join(errs...)
}

// runWriter streams sorted records into a run's file.
type runWriter struct {
	f      *os.File
	w      *bufio.Writer
	crc    hash.Hash32
	bits   uint
	starts []uint64
	n      uint64
}

func newRunWriter(tmp string, from, to uint64) (*runWriter, error) {
	if err := os.MkdirAll(filepath.Dir(tmp), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &runWriter{f: f, crc: crc32.New(castagnoli)}
	for n := (to - from) / runPerStart; n > 1; n /= 2 {
		w.bits++
	}
	w.starts = make([]uint64, 0, 1<<w.bits+1)
	w.w = bufio.NewWriterSize(io.MultiWriter(f, w.crc), 256<<10)
	w.w.Write(runHead(from, to, w.bits))
	return w, nil
}

func runHead(from, to uint64, bits uint) []byte {
	b := append([]byte(nil), runMagic...)
	b = binary.BigEndian.AppendUint64(b, from)
	b = binary.BigEndian.AppendUint64(b, to)
	b = binary.BigEndian.AppendUint32(b, uint32(bits))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// bucket is the number of the start below which a prefix stands.
func bucket(prefix uint64, bits uint) uint64 {
	if bits == 0 {
		return 0
	}
	return prefix >> (64 - bits)
}

func (w *runWriter) add(r record) {
	for b := bucket(r.prefix, w.bits); uint64(len(w.starts)) <= b; {
		w.starts = append(w.starts, w.n)
	}
	var b [runRecord]byte
	binary.BigEndian.PutUint64(b[:], r.prefix)
	binary.BigEndian.PutUint64(b[8:], r.index)
	w.w.Write(b[:])
	w.n++
}

// finish completes the file under its name.
func (w *runWriter) finish(name string) (*run, error) {
	for len(w.starts) < cap(w.starts) {
		w.starts = append(w.starts, w.n)
	}
	var b [8]byte
	for _, s := range w.starts {
		binary.BigEndian.PutUint64(b[:], s)
		w.w.Write(b[:])
	}
	err := w.w.Flush() // bufio keeps the first error
	if err == nil {
		_, err = w.f.Write(w.crc.Sum(nil))
	}
	if err == nil {
		err = w.f.Sync()
	}
	if err = errors.Join(err, w.f.Close()); err == nil {
		err = os.Rename(w.f.Name(), name)
	}
	if err == nil {
		err = syncDir(filepath.Dir(name))
	}
	if err != nil {
		return nil, err
	}
	return openRun(name)
}

func runName(dir string, from, to uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%012d-%012d", from, to))
}

func writeRun(dir string, from, to uint64, records []record) (*run, error) {
	if uint64(len(records)) != to-from {
		return nil, fmt.Errorf("index: %d records for leaves %d to %d", len(records), from, to)
	}
	slices.SortFunc(records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.prefix, b.prefix), cmp.Compare(a.index, b.index))
	})
	name := runName(dir, from, to)
	w, err := newRunWriter(name+".tmp", from, to)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		w.add(r)
	}
	return w.finish(name)
}

// mergeRuns streams sorted runs into one.
func mergeRuns(dir string, runs []*run) (*run, error) {
	from, to := runs[0].from, runs[len(runs)-1].to
	name := runName(dir, from, to)
	w, err := newRunWriter(name+".tmp", from, to)
	if err != nil {
		return nil, err
	}
	readers := make([]*bufio.Reader, len(runs))
	heads := make([]record, len(runs))
	left := make([]uint64, len(runs))
	next := func(i int) error {
		var b [runRecord]byte
		if _, err := io.ReadFull(readers[i], b[:]); err != nil {
			return err
		}
		heads[i] = record{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])}
		return nil
	}
	for i, r := range runs {
		left[i] = r.to - r.from
		readers[i] = bufio.NewReaderSize(io.NewSectionReader(r.file, runHeader, int64(left[i])*runRecord), 64<<10)
		if err := next(i); err != nil {
			return nil, errors.Join(err, w.f.Close())
		}
	}
	for w.n < to-from {
		best := -1
		for i := range heads {
			if left[i] > 0 && (best < 0 || heads[i].prefix < heads[best].prefix) {
				best = i
			}
		}
		w.add(heads[best])
		if left[best]--; left[best] > 0 {
			if err := next(best); err != nil {
				return nil, errors.Join(err, w.f.Close())
			}
		}
	}
	return w.finish(name)
}

// openRun opens a run whose header and length are right.
func openRun(name string) (*run, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	r := &run{file: f}
	if err := r.readHead(name); err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

func (r *run) readHead(name string) error {
	var b [runHeader]byte
	if _, err := r.file.ReadAt(b[:], 0); err != nil {
		return err
	}
	r.from, r.to, r.bits = binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:]), uint(binary.BigEndian.Uint32(b[24:]))
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if r.to <= r.from || r.bits > 40 || string(b[:]) != string(runHead(r.from, r.to, r.bits)) ||
		name != runName(filepath.Dir(name), r.from, r.to) || info.Size() != r.length() {
		return fmt.Errorf("%s: not a finished run: %w", name, ErrDamaged)
	}
	return nil
}

func (r *run) length() int64 {
	return runHeader + int64(r.to-r.from)*runRecord + 8*(1<<r.bits+1) + 4
}

// lookup returns the indexes of the leaves whose hash begins with prefix.
func (r *run) lookup(prefix uint64) (found []uint64, err error) {
	var b [16]byte
	records := int64(r.to-r.from) * runRecord
	if _, err := r.file.ReadAt(b[:], runHeader+records+8*int64(bucket(prefix, r.bits))); err != nil {
		return nil, fmt.Errorf("%s: %w", r.file.Name(), err)
	}
	start, end := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	if start > end || end > r.to-r.from {
		return nil, fmt.Errorf("%s: %w", r.file.Name(), ErrDamaged)
	}
	rows := make([]byte, (end-start)*runRecord)
	if _, err := r.file.ReadAt(rows, runHeader+int64(start)*runRecord); err != nil {
		return nil, fmt.Errorf("%s: %w", r.file.Name(), err)
	}
	for ; len(rows) > 0; rows = rows[runRecord:] {
		if p := binary.BigEndian.Uint64(rows); p == prefix {
			if at := binary.BigEndian.Uint64(rows[8:]); at >= r.from && at < r.to {
				found = append(found, at)
			}
		} else if p > prefix {
			break
		}
	}
	return found, nil
}

// verify compares the whole file with its checksum.
func (r *run) verify() error {
	crc := crc32.New(castagnoli)
	n := r.length() - 4
	if _, err := io.Copy(crc, io.NewSectionReader(r.file, 0, n)); err != nil {
		return err
	}
	var b [4]byte
	if _, err := r.file.ReadAt(b[:], n); err != nil {
		return err
	}
	if crc.Sum32() != binary.BigEndian.Uint32(b[:]) {
		return fmt.Errorf("%s: checksum: %w", r.file.Name(), ErrDamaged)
	}
	return nil
}

func (r *run) remove() {
	r.file.Close()
	os.Remove(r.file.Name())
}

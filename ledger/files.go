package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxLeaf bounds a leaf: entry bundles have a 16-bit length.
const MaxLeaf = 1<<16 - 1

const (
	checkpointFile = "checkpoint"
	walFile        = "wal"
	lockFile       = "lock"
	indexDir       = "index"
	entriesLevel   = -1
)

// tilePath is the path of a tile, or of an entry bundle for entriesLevel; width
// 256 is a full one.
func tilePath(level int, number uint64, width int) string {
	l := "entries"
	if level != entriesLevel {
		l = strconv.Itoa(level)
	}
	s := fmt.Sprintf("%03d", number%1000)
	for n := number / 1000; n > 0; n /= 1000 {
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	if width < tileWidth {
		s += ".p/" + strconv.Itoa(width)
	}
	return path.Join("tile", l, s)
}

// readTile reads a tile or bundle of at least the given width: the exact file,
// else the full one, else any wider partial one.
func readTile(dir string, level int, number uint64, width int) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, tilePath(level, number, width)))
	if !errors.Is(err, fs.ErrNotExist) || width == tileWidth {
		return b, err
	}
	full := filepath.Join(dir, tilePath(level, number, tileWidth))
	if b, ferr := os.ReadFile(full); !errors.Is(ferr, fs.ErrNotExist) {
		return b, ferr
	}
	list, lerr := os.ReadDir(full + ".p")
	if lerr != nil {
		return nil, err
	}
	for _, f := range list {
		if w, werr := strconv.Atoi(f.Name()); werr == nil && w > width && w < tileWidth {
			return os.ReadFile(filepath.Join(full+".p", f.Name()))
		}
	}
	return nil, err
}

// readHashes reads the first width hashes of a tile.
func readHashes(dir string, level int, number uint64, width int) ([]tlog.Hash, error) {
	b, err := readTile(dir, level, number, width)
	if err != nil {
		return nil, err
	}
	if len(b) < width*tlog.HashSize || len(b)%tlog.HashSize != 0 || len(b) > tileBytes {
		return nil, fmt.Errorf("%s: %d bytes, want %d: %w", tilePath(level, number, width), len(b), width*tlog.HashSize, ErrDamaged)
	}
	return unpackHashes(b[:width*tlog.HashSize]), nil
}

// appendEntry appends a leaf to a bundle.
func appendEntry(b, leaf []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(leaf)))
	return append(b, leaf...)
}

// splitBundle cuts the first width leaves out of a bundle. On damage it returns
// the leaves before it.
func splitBundle(b []byte, width int) (leaves [][]byte, err error) {
	leaves = make([][]byte, 0, width)
	for len(leaves) < width {
		if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
			return leaves, fmt.Errorf("bundle ends inside leaf %d of %d: %w", len(leaves), width, ErrDamaged)
		}
		n := 2 + int(binary.BigEndian.Uint16(b))
		leaves = append(leaves, b[2:n:n])
		b = b[n:]
	}
	return leaves, nil
}

// file is one to be written whole or not at all.
type file struct {
	path string // below the ledger's folder
	data []byte
}

// writeFiles makes files durable: contents first, then names.
func writeFiles(dir string, files []file) error {
	var wg sync.WaitGroup
	errs := make([]error, len(files))
	slots := make(chan struct{}, 8) // so that one journal commit serves several
	for i, f := range files {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = writeTemp(filepath.Join(dir, f.path), f.data)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	dirs := make(map[string]bool)
	for _, f := range files {
		p := filepath.Join(dir, f.path)
		if err := os.Rename(p+".tmp", p); err != nil {
			return err
		}
		for d := path.Dir(f.path); !dirs[d]; d = path.Dir(d) {
			dirs[d] = true
		}
	}
	for d := range dirs {
		if err := syncDir(filepath.Join(dir, d)); err != nil {
			return err
		}
	}
	return nil
}

func writeTemp(p string, data []byte) error {
	tmp := p + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(p), 0o700); err == nil {
			f, err = os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// removeSuperseded deletes what a wider tile has replaced: every partial file
// beside the one just written, all of them when the full one is there.
func removeSuperseded(dir, written string) {
	parent := filepath.Join(dir, path.Dir(written))
	if !strings.HasSuffix(parent, ".p") {
		os.RemoveAll(filepath.Join(dir, written) + ".p")
		return
	}
	list, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, f := range list {
		if f.Name() != path.Base(written) {
			os.Remove(filepath.Join(parent, f.Name()))
		}
	}
}

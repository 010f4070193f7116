package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

// Bounds of a quarantine. When a gateway has filled its part, its next bad
// batches are neither kept nor receipted: the gateway keeps them.
const (
	maxHeld        = 1000      // batches of one gateway
	maxHeldBytes   = 256 << 20 // of one gateway
	maxHeldPayload = 256 << 10
	maxHeldHeader  = 8 << 10
)

// ErrQuarantineFull says that a gateway's part of the quarantine is full.
var ErrQuarantineFull = errors.New("quarantine full")

// Held tells of one batch in quarantine.
type Held struct {
	ID      string    `json:"-"`                // "<gateway>/<name>"
	Topic   string    `json:"topic"`            // on which it came
	At      time.Time `json:"at"`               // when
	Reason  string    `json:"reason"`           // in words, English
	Kind    string    `json:"kind"`             // of the alarm: "format", "signature", "chain" ...
	Gateway string    `json:"gateway"`          // whose topic it was
	Number  uint64    `json:"number,omitempty"` // as the batch says, not verified
	Hash    string    `json:"hash"`             // SHA-256 of the bytes, hexadecimal
	Size    int       `json:"size"`             // bytes as received
	Replay  bool      `json:"-"`                // it is to be tried again
}

// Quarantine is a folder of batches that could not be accepted:
//
//	<gateway>/<unix ms>-<hash>.held     or .replay, when it is to be tried again
//
// Each file is one line of JSON (Held), then the bytes as received.
type Quarantine struct {
	dir string
	mu  sync.Mutex
}

// OpenQuarantine uses dir, which need not exist yet.
func OpenQuarantine(dir string) *Quarantine { return &Quarantine{dir: dir} }

const (
	heldSuffix   = ".held"
	replaySuffix = ".replay"
)

// Put keeps a batch; the same bytes from the same gateway are kept once.
func (q *Quarantine) Put(h Held, payload []byte) (id string, err error) {
	if err := metering.CheckID(h.Gateway); err != nil {
		return "", fmt.Errorf("quarantine: %w", err)
	}
	h.Hash, h.Size = batch.HashOf(payload).String(), len(payload)
	q.mu.Lock()
	defer q.mu.Unlock()
	names, used, err := q.names(h.Gateway)
	if err != nil {
		return "", fmt.Errorf("quarantine: %w", err)
	}
	for _, n := range names {
		if strings.HasSuffix(strings.TrimSuffix(n, filepath.Ext(n)), "-"+h.Hash) {
			return h.Gateway + "/" + n, nil
		}
	}
	if len(names) >= maxHeld || used+int64(len(payload)) > maxHeldBytes {
		return "", fmt.Errorf("quarantine of %s: %d batches, %d bytes: %w", h.Gateway, len(names), used, ErrQuarantineFull)
	}
	name := fmt.Sprintf("%013d-%s%s", h.At.UnixMilli(), h.Hash, heldSuffix)
	if err := writeWhole(filepath.Join(q.dir, h.Gateway, name), formatHeld(h, payload)); err != nil {
		return "", fmt.Errorf("quarantine: %w", err)
	}
	return h.Gateway + "/" + name, nil
}

// names lists a gateway's files, oldest first.
func (q *Quarantine) names(gateway string) (names []string, used int64, err error) {
	list, err := os.ReadDir(filepath.Join(q.dir, gateway))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	for _, f := range list {
		if s := filepath.Ext(f.Name()); s != heldSuffix && s != replaySuffix {
			continue
		}
		names = append(names, f.Name())
		if info, err := f.Info(); err == nil {
			used += info.Size()
		}
	}
	return names, used, err
}

func formatHeld(h Held, payload []byte) []byte {
	line, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings, numbers and a time
	}
	return append(append(line, '\n'), payload[:min(len(payload), maxHeldPayload)]...)
}

func parseHeld(b []byte) (h Held, payload []byte, err error) {
	line, payload, ok := bytes.Cut(b[:min(len(b), maxHeldHeader+1+maxHeldPayload)], []byte("\n"))
	if !ok || len(line) > maxHeldHeader {
		return h, nil, errors.New("quarantine file: no header line")
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, nil, fmt.Errorf("quarantine file: header: %w", err)
	}
	if h.Size == len(payload) && batch.HashOf(payload).String() != h.Hash {
		return h, nil, errors.New("quarantine file: the bytes are not those received")
	}
	return h, payload, nil
}

// List describes what is held, by gateway, oldest first.
func (q *Quarantine) List() ([]Held, error) {
	gateways, err := os.ReadDir(q.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	var out []Held
	for _, g := range gateways {
		if !g.IsDir() || metering.CheckID(g.Name()) != nil {
			continue
		}
		names, _, err := q.names(g.Name())
		if err != nil {
			return nil, fmt.Errorf("quarantine: %w", err)
		}
		for _, n := range names {
			h, _, err := q.Show(g.Name() + "/" + n)
			if err != nil {
				h = Held{ID: g.Name() + "/" + n, Gateway: g.Name(), Kind: "unreadable", Reason: err.Error()}
			}
			out = append(out, h)
		}
	}
	return out, nil
}

// path is the file of an id, which comes from outside.
func (q *Quarantine) path(id string) (string, error) {
	gateway, name, ok := strings.Cut(id, "/")
	ext := filepath.Ext(name)
	if !ok || metering.CheckID(gateway) != nil || strings.ContainsAny(name, "/\\") || (ext != heldSuffix && ext != replaySuffix) {
		return "", fmt.Errorf("quarantine: %q: want <gateway>/<name>%s", id, heldSuffix)
	}
	return filepath.Join(q.dir, gateway, name), nil
}

// Show returns one batch and the bytes received.
func (q *Quarantine) Show(id string) (Held, []byte, error) {
	p, err := q.path(id)
	if err != nil {
		return Held{}, nil, err
	}
	b, err := os.ReadFile(p)
	if err != nil {
		return Held{}, nil, fmt.Errorf("quarantine: %w", err)
	}
	h, payload, err := parseHeld(b)
	if err != nil {
		return Held{}, nil, fmt.Errorf("%w: %s", err, p)
	}
	h.ID, h.Replay = id, strings.HasSuffix(id, replaySuffix)
	return h, payload, nil
}

// Replay marks a batch to be tried again: the ingest that runs on this folder
// takes it within seconds, or at its next start. When it is accepted its file
// goes; when it fails again it is held again, with the new reason.
func (q *Quarantine) Replay(id string) error {
	h, payload, err := q.Show(id)
	if err != nil {
		return err
	}
	if h.Size != len(payload) {
		return fmt.Errorf("quarantine: %s: only the first %d of %d bytes were kept", id, len(payload), h.Size)
	}
	return q.rename(id, replaySuffix)
}

func (q *Quarantine) rename(id, suffix string) error {
	p, err := q.path(id)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := os.Rename(p, strings.TrimSuffix(p, filepath.Ext(p))+suffix); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return nil
}

// waiting returns the ids marked for replay, by gateway and age, up to limit.
func (q *Quarantine) waiting(limit int) (ids []string, err error) {
	files, err := filepath.Glob(filepath.Join(q.dir, "*", "*"+replaySuffix))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	for _, f := range files[:min(limit, len(files))] {
		ids = append(ids, filepath.Base(filepath.Dir(f))+"/"+filepath.Base(f))
	}
	return ids, nil
}

// again holds a batch whose replay failed, with the new reason.
func (q *Quarantine) again(id string, kind, reason string) error {
	h, payload, err := q.Show(id)
	if err != nil {
		return err
	}
	h.Kind, h.Reason = kind, reason
	p, err := q.path(id)
	if err != nil {
		return err
	}
	if err := writeWhole(p, formatHeld(h, payload)); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return q.rename(id, heldSuffix)
}

// Remove deletes a batch for good.
func (q *Quarantine) Remove(id string) error {
	p, err := q.path(id)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := os.Remove(p); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return nil
}

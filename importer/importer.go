package importer

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/pki"
)

// Outlet takes sealed batches, durably; ingest.Inbox is one.
type Outlet interface {
	Put(gateway string, number uint64, sealed []byte) error
	// Last is the batch with the highest number that was put and not taken yet; 0
	// when there is none.
	Last(gateway string) (number uint64, sealed []byte, err error)
}

// Importer seals readings under a key and in a chain of its own. Its folder
// holds the key, where its chain and registers stand, and which files it has
// read. One process uses it at a time.
type Importer struct {
	id, dir string
	key     ed25519.PrivateKey
	out     Outlet
	state   importerState
}

// importerState is the file state.json.
type importerState struct {
	Number    uint64                         `json:"number"` // of the last batch
	Hash      string                         `json:"hash"`   // of it
	Registers map[metering.SeriesID]Register `json:"registers"`
	Files     map[string]time.Time           `json:"files"` // by SHA-256, when they were read
}

const stateFile = "state.json"

// readingsPerBatch keeps a batch well below batch.MaxBytes as a rule.
const readingsPerBatch = 2000

// Open opens the importer id in dir, or begins it with a new key.
func Open(dir, id string, out Outlet) (*Importer, error) {
	if err := metering.CheckID(id); err != nil {
		return nil, fmt.Errorf("importer: %w", err)
	}
	im := &Importer{id: id, dir: dir, out: out}
	var err error
	if im.key, err = pki.SigningKey(filepath.Join(dir, "key")); err != nil {
		return nil, fmt.Errorf("importer %s: %w", id, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("importer %s: %w", id, err)
	default:
		if err := json.Unmarshal(b, &im.state); err != nil {
			return nil, fmt.Errorf("importer %s: %s: %w", id, stateFile, err)
		}
	}
	if im.state.Registers == nil {
		im.state.Registers = map[metering.SeriesID]Register{}
	}
	if im.state.Files == nil {
		im.state.Files = map[string]time.Time{}
	}
	// A crash may have come between a batch and the state that tells of it.
	number, sealed, err := out.Last(id)
	if err != nil {
		return nil, fmt.Errorf("importer %s: %w", id, err)
	}
	if number > im.state.Number {
		im.state.Number, im.state.Hash = number, batch.HashOf(sealed).String()
	}
	return im, nil
}

// Key is the public key to be enrolled under the importer's name.
func (im *Importer) Key() ed25519.PublicKey { return im.key.Public().(ed25519.PublicKey) }

// Known says when a file with this SHA-256 was imported.
func (im *Importer) Known(sum string) (at time.Time, ok bool) {
	at, ok = im.state.Files[sum]
	return at, ok
}

// Registers are where series of amounts stand; a copy.
func (im *Importer) Registers() map[metering.SeriesID]Register {
	out := make(map[metering.SeriesID]Register, len(im.state.Registers))
	for id, r := range im.state.Registers {
		out[id] = r
	}
	return out
}

// Import seals the readings, which are in the order of time, and remembers the
// file's sum and the registers that the readings lead to. Interrupted, it is
// begun again: readings that went out twice do no harm.
func (im *Importer) Import(list []metering.Reading, registers map[metering.SeriesID]Register, sum string, now time.Time) (batches int, err error) {
	for len(list) > 0 {
		n := min(readingsPerBatch, len(list))
		for {
			err := im.seal(list[:n], now)
			if errors.Is(err, batch.ErrTooLarge) && n > 1 {
				n /= 2
				continue
			}
			if err != nil {
				return batches, fmt.Errorf("importer %s: %w", im.id, err)
			}
			break
		}
		list = list[n:]
		batches++
	}
	im.state.Registers = registers
	im.state.Files[sum] = now.UTC()
	return batches, im.save()
}

func (im *Importer) seal(list []metering.Reading, now time.Time) error {
	b := &batch.Batch{Gateway: im.id, Number: im.state.Number + 1, Clock: batch.Clock{Synchronised: true}, Origin: batch.Imported, ClosedAt: now.UnixMilli(), Readings: list}
	if im.state.Number > 0 {
		var err error
		if b.Previous, err = batch.ParseHash(im.state.Hash); err != nil {
			return err
		}
	}
	sealed, err := batch.Seal(b, im.key)
	if err != nil {
		return err
	}
	if err := im.out.Put(im.id, b.Number, sealed); err != nil {
		return err
	}
	im.state.Number, im.state.Hash = b.Number, batch.HashOf(sealed).String()
	return im.save()
}

// save replaces the state, whole or not at all.
func (im *Importer) save() error {
	b, err := json.MarshalIndent(im.state, "", " ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(im.dir, ".state-*")
	if err != nil {
		return fmt.Errorf("importer %s: %w", im.id, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(im.dir, stateFile))
	}
	if err != nil {
		return fmt.Errorf("importer %s: %w", im.id, err)
	}
	return nil
}

package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/thermie/thermie/metering"
)

// MaxBytes bounds a sealed batch: it must fit, with room, in one entry of a
// tlog-tiles bundle (65,535 bytes).
const MaxBytes = 60_000

// MaxReadings bounds the readings of one batch.
const MaxReadings = 20_000

// maxReason is the longest reason of a quality, in characters, that
// metering.ParseQuality reads.
const maxReason = 40

// maxPayload bounds the SenML pack after decompression.
const maxPayload = 4 << 20

// Errors that Open, Parse and Seal return, wrapped with what was being done.
var (
	ErrFormat    = errors.New("not a well-formed batch")
	ErrSignature = errors.New("signature does not verify")
	ErrTooLarge  = errors.New("batch too large")
)

// Hash is the SHA-256 of a sealed batch's bytes; the chain is made of them.
type Hash [sha256.Size]byte

// HashOf returns the hash of sealed bytes.
func HashOf(sealed []byte) Hash { return sha256.Sum256(sealed) }

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String wrote.
func ParseHash(s string) (h Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("hash %q: want %d hexadecimal digits", s, 2*len(h))
	}
	copy(h[:], b)
	return h, nil
}

// Origin says where a batch's readings come from. It is signed with them, so
// that synthetic data can never pass for measured ones.
type Origin string

// The origins.
const (
	Measured  Origin = "measured"  // read from meters
	Synthetic Origin = "synthetic" // made by the simulator
	Replayed  Origin = "replayed"  // measured elsewhere, replayed through simulated meters
	Imported  Origin = "imported"  // taken from files by a person
)

func (o Origin) valid() bool {
	switch o {
	case Measured, Synthetic, Replayed, Imported:
		return true
	}
	return false
}

// Clock is the condition of the gateway's clock when the batch was closed.
type Clock struct {
	Synchronised bool  // the operating system holds it synchronised
	OffsetMillis int64 // last known offset to true time, 0 when unknown
}

// Batch is the content of one sealed batch.
type Batch struct {
	Gateway  string
	Number   uint64 // 1, 2, 3 ... without gaps
	Previous Hash   // hash of batch Number-1; zero for the first, and after a declared break
	Break    string // why the chain starts anew ("" when it does not)
	Config   Hash   // hash of the configuration in force
	Clock    Clock
	Origin   Origin
	ClosedAt int64 // Unix milliseconds
	Readings []metering.Reading
}

// Check refuses a batch that breaks the rules of the wire.
func (b *Batch) Check() error {
	if err := b.checkHead(); err != nil {
		return err
	}
	if len(b.Readings) > MaxReadings {
		return fmt.Errorf("batch %d: %d readings: %w", b.Number, len(b.Readings), ErrTooLarge)
	}
	for i := range b.Readings {
		if err := b.Readings[i].Check(); err != nil {
			return fmt.Errorf("batch %d, reading %d: %w", b.Number, i, err)
		}
		// What Open would refuse is not sealed either.
		if reason := b.Readings[i].Quality.Reason; len(reason) > maxReason {
			return fmt.Errorf("batch %d, reading %d: reason of %d characters, at most %d", b.Number, i, len(reason), maxReason)
		}
	}
	return nil
}

// checkHead is Check without the readings.
func (b *Batch) checkHead() error {
	if err := metering.CheckID(b.Gateway); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	if b.Number == 0 {
		return errors.New("batch numbers start at 1")
	}
	if b.Number > 1 && b.Previous == (Hash{}) && b.Break == "" {
		return fmt.Errorf("batch %d names no previous batch and declares no break", b.Number)
	}
	if len(b.Break) > 200 {
		return fmt.Errorf("batch %d: reason of the break longer than 200 bytes", b.Number)
	}
	if !b.Origin.valid() {
		return fmt.Errorf("batch %d: unknown origin %q", b.Number, b.Origin)
	}
	return nil
}

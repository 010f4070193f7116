package batch

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/veraison/go-cose"

	"github.com/thermie/thermie/batch/knownkey"
	"github.com/thermie/thermie/metering"
)

const contentType = "application/senml+cbor"

// Labels of our own protected headers (text labels cannot collide with IANA's).
const (
	labelNumber   = "num"
	labelPrevious = "prev"
	labelBreak    = "brk"
	labelConfig   = "cfg"
	labelClock    = "clk" // [synchronised, offset in ms]
	labelOrigin   = "org"
	labelClosed   = "cls" // Unix milliseconds
	labelEncoding = "enc"
)

var (
	compressor   = must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true)))
	decompressor = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPayload)))
	compressing  sync.Mutex // EncodeAll on a one-encoder writer
)

// packRoom holds a pack while it is sealed; packs keeps room for the next one,
// for a gateway seals on and on.
type packRoom struct{ pack, small []byte }

var packs = sync.Pool{New: func() any { return new(packRoom) }}

// Seal checks, encodes and signs a batch. The result is final: it is what the
// spool keeps, the broker carries and the ledger proves.
func Seal(b *Batch, key ed25519.PrivateKey) ([]byte, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("seal batch of %s: %w", b.Gateway, err)
	}
	room := packs.Get().(*packRoom)
	defer packs.Put(room)
	room.pack = AppendPack(room.pack[:0], b.Readings)
	pack := room.pack
	protected := protectedOf(b)
	compressing.Lock()
	room.small = compressor.EncodeAll(pack, room.small[:0])
	compressing.Unlock()
	small := room.small
	if len(small) < len(pack)*9/10 {
		pack = small
		protected[labelEncoding] = "zstd"
	}
	sealed, err := sign(protected, pack, key)
	if err != nil {
		return nil, fmt.Errorf("seal batch %d of %s: %w", b.Number, b.Gateway, err)
	}
	if len(sealed) > MaxBytes {
		return nil, fmt.Errorf("seal batch %d of %s: %d bytes: %w", b.Number, b.Gateway, len(sealed), ErrTooLarge)
	}
	return sealed, nil
}

func protectedOf(b *Batch) cose.ProtectedHeader {
	protected := cose.ProtectedHeader{
		cose.HeaderLabelAlgorithm:   cose.AlgorithmEdDSA,
		cose.HeaderLabelContentType: contentType,
		cose.HeaderLabelKeyID:       []byte(b.Gateway),
		labelNumber:                 b.Number,
		labelPrevious:               b.Previous[:],
		labelConfig:                 b.Config[:],
		labelClock:                  []any{b.Clock.Synchronised, b.Clock.OffsetMillis},
		labelOrigin:                 string(b.Origin),
		labelClosed:                 b.ClosedAt,
	}
	if b.Break != "" {
		protected[labelBreak] = b.Break
	}
	return protected
}

func sign(protected cose.ProtectedHeader, payload []byte, key ed25519.PrivateKey) ([]byte, error) {
	signer, err := cose.NewSigner(cose.AlgorithmEdDSA, key)
	if err != nil {
		return nil, err
	}
	msg := cose.Sign1Message{Headers: cose.Headers{Protected: protected}, Payload: payload}
	if err := msg.Sign(rand.Reader, nil, signer); err != nil {
		return nil, err
	}
	return msg.MarshalCBOR()
}

// Keys finds the public key of a gateway; it returns an error for one that is
// not enrolled.
type Keys func(gateway string) (ed25519.PublicKey, error)

// Open verifies the signature with the key of the gateway that the batch names,
// then decodes and checks it.
func Open(sealed []byte, keys Keys) (*Batch, error) {
	r := takeReader()
	defer readers.Put(r)
	e, b, err := r.verified(sealed, keys, ed25519.Verify)
	if err != nil {
		return nil, err
	}
	b.Readings, _, err = r.decode(e, b, nil, true)
	if err != nil {
		return nil, fmt.Errorf("batch %d of %s: %w", b.Number, b.Gateway, err)
	}
	return b, nil
}

// Verifier verifies batches of the same gateways again and again. It may be used
// from several goroutines.
type Verifier struct{ often *knownkey.Keys }

// NewVerifier returns a verifier that has met no gateway yet.
func NewVerifier() *Verifier { return &Verifier{knownkey.New()} }

// Verify does all that Open does and lets the readings go. It returns the batch
// without them and the newest instant of any, in Unix milliseconds; 0 when there
// are none.
func (v *Verifier) Verify(sealed []byte, keys Keys) (b *Batch, newest int64, err error) {
	r := takeReader()
	defer readers.Put(r)
	e, b, err := r.verified(sealed, keys, v.often.Verify)
	if err != nil {
		return nil, 0, err
	}
	_, all, err := r.decode(e, b, nil, false)
	if err != nil {
		return nil, 0, fmt.Errorf("batch %d of %s: %w", b.Number, b.Gateway, err)
	}
	return b, all.newest, nil
}

// Parse decodes and checks a batch without verifying its signature, for tools
// that print what passes by and for bytes that were verified before.
func Parse(sealed []byte) (*Batch, error) {
	b, readings, err := ParseTo(nil, sealed)
	if err != nil {
		return nil, err
	}
	b.Readings = readings
	return b, nil
}

// ParseTo is Parse for whoever reads many batches: it appends the readings to
// to, and returns the batch without them. With an error, to is returned as it was.
func ParseTo(to []metering.Reading, sealed []byte) (*Batch, []metering.Reading, error) {
	r := takeReader()
	defer readers.Put(r)
	e, b, err := parse(sealed)
	if err != nil {
		return nil, to, err
	}
	out, _, err := r.decode(e, b, to, true)
	if err != nil {
		return nil, to, fmt.Errorf("batch %d of %s: %w", b.Number, b.Gateway, err)
	}
	return b, out, nil
}

// Head decodes the headers only: gateway, number, chain, origin. Nothing is verified.
func Head(sealed []byte) (*Batch, error) {
	_, b, err := parse(sealed)
	return b, err
}

// reader is what reading batches needs and may keep from one to the next.
type reader struct {
	names  names
	plain  []byte // a pack, decompressed
	signed []byte
}

// maxScratch bounds the memory that a reader keeps for a pack.
const maxScratch = 1 << 20

var readers = sync.Pool{New: func() any { return new(reader) }}

func takeReader() *reader { return readers.Get().(*reader) }

// good says whether a signature is, as ed25519.Verify does.
type good func(key ed25519.PublicKey, message, signature []byte) bool

// verified takes a batch apart and verifies its signature.
func (r *reader) verified(sealed []byte, keys Keys, check good) (*envelope, *Batch, error) {
	e, b, err := parse(sealed)
	if err != nil {
		return nil, nil, err
	}
	key, err := keys(b.Gateway)
	if err == nil {
		err = r.verify(e, key, check)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("batch %d of %s: %w", b.Number, b.Gateway, err)
	}
	return e, b, nil
}

func (r *reader) verify(e *envelope, key ed25519.PublicKey, check good) error {
	if e.msg != nil || len(key) != ed25519.PublicKeySize {
		return verify(e.msg, key)
	}
	r.signed = e.toBeSigned(r.signed[:0])
	if !check(key, r.signed, e.signature) {
		return fmt.Errorf("%w: %v", ErrSignature, cose.ErrVerification)
	}
	return nil
}

func verify(msg *cose.Sign1Message, key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("public key of %d bytes: %w", len(key), ErrSignature)
	}
	v, err := cose.NewVerifier(cose.AlgorithmEdDSA, key)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrSignature, err)
	}
	if err := msg.Verify(nil, v); err != nil {
		return fmt.Errorf("%w: %v", ErrSignature, err)
	}
	return nil
}

// decode reads and checks a batch's readings and appends them to the given ones,
// if they are to be kept.
func (r *reader) decode(e *envelope, b *Batch, to []metering.Reading, keep bool) ([]metering.Reading, scanned, error) {
	pack := e.payload
	switch e.encoding {
	case nil:
	case "zstd":
		var err error
		if pack, err = decompressor.DecodeAll(pack, r.plain[:0]); err != nil {
			return to, scanned{}, fmt.Errorf("%w: zstd: %v", ErrFormat, err)
		}
		if cap(pack) <= maxScratch {
			r.plain = pack
		}
	default:
		return to, scanned{}, fmt.Errorf("%w: unknown encoding %v", ErrFormat, e.encoding)
	}
	if out, all, ok := r.names.scanPack(pack, to, keep); ok && all.sound {
		if err := b.checkHead(); err != nil {
			return to, scanned{}, fmt.Errorf("%w: %v", ErrFormat, err)
		}
		return out, all, nil
	}
	return decodeAny(pack, b, to, keep)
}

// decodeAny is decode for whatever pack; it says what is wrong with it.
func decodeAny(pack []byte, b *Batch, to []metering.Reading, keep bool) ([]metering.Reading, scanned, error) {
	readings, err := ReadPack(pack)
	if err != nil {
		return to, scanned{}, err
	}
	whole := *b
	whole.Readings = readings
	if err := whole.Check(); err != nil {
		return to, scanned{}, fmt.Errorf("%w: %v", ErrFormat, err)
	}
	all := scanned{readings: len(readings), sound: true}
	for i := range readings {
		all.newest = max(all.newest, readings[i].At)
	}
	if keep {
		to = append(to, readings...)
	}
	return to, all, nil
}

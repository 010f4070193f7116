package batch

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/veraison/go-cose"
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
	compressor   = must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10)))
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
	room.pack = appendPack(room.pack[:0], b.Readings)
	pack := room.pack
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
	msg, b, err := parse(sealed)
	if err != nil {
		return nil, err
	}
	key, err := keys(b.Gateway)
	if err != nil {
		return nil, fmt.Errorf("batch %d of %s: %w", b.Number, b.Gateway, err)
	}
	if err := verify(msg, key); err != nil {
		return nil, fmt.Errorf("batch %d of %s: %w", b.Number, b.Gateway, err)
	}
	if err := decode(msg, b); err != nil {
		return nil, fmt.Errorf("batch %d of %s: %w", b.Number, b.Gateway, err)
	}
	return b, nil
}

// Parse decodes and checks a batch without verifying its signature, for tools
// that print what passes by and for bytes that were verified before.
func Parse(sealed []byte) (*Batch, error) {
	msg, b, err := parse(sealed)
	if err != nil {
		return nil, err
	}
	if err := decode(msg, b); err != nil {
		return nil, fmt.Errorf("batch %d of %s: %w", b.Number, b.Gateway, err)
	}
	return b, nil
}

// Head decodes the headers only: gateway, number, chain, origin. Nothing is verified.
func Head(sealed []byte) (*Batch, error) {
	_, b, err := parse(sealed)
	return b, err
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

func parse(sealed []byte) (*cose.Sign1Message, *Batch, error) {
	if len(sealed) > MaxBytes {
		return nil, nil, fmt.Errorf("%d bytes: %w", len(sealed), ErrTooLarge)
	}
	var msg cose.Sign1Message
	if err := msg.UnmarshalCBOR(sealed); err != nil {
		return nil, nil, fmt.Errorf("%w: COSE: %v", ErrFormat, err)
	}
	h := msg.Headers.Protected
	if ct, _ := h[cose.HeaderLabelContentType].(string); ct != contentType {
		return nil, nil, fmt.Errorf("%w: content type %q", ErrFormat, ct)
	}
	b := &Batch{}
	kid, _ := h[cose.HeaderLabelKeyID].([]byte)
	b.Gateway = string(kid)
	number, ok := h[labelNumber].(int64)
	if !ok || number < 1 {
		return nil, nil, fmt.Errorf("%w: no batch number", ErrFormat)
	}
	b.Number = uint64(number)
	if !copyHash(&b.Previous, h[labelPrevious]) || !copyHash(&b.Config, h[labelConfig]) {
		return nil, nil, fmt.Errorf("%w: batch %d of %s: hashes", ErrFormat, b.Number, b.Gateway)
	}
	b.Break, _ = h[labelBreak].(string)
	origin, _ := h[labelOrigin].(string)
	b.Origin = Origin(origin)
	b.ClosedAt, _ = h[labelClosed].(int64)
	clock, _ := h[labelClock].([]any)
	if len(clock) != 2 {
		return nil, nil, fmt.Errorf("%w: batch %d of %s: clock", ErrFormat, b.Number, b.Gateway)
	}
	b.Clock.Synchronised, _ = clock[0].(bool)
	b.Clock.OffsetMillis, _ = clock[1].(int64)
	return &msg, b, nil
}

func copyHash(h *Hash, v any) bool {
	b, ok := v.([]byte)
	return ok && copy(h[:], b) == len(h) && len(b) == len(h)
}

func decode(msg *cose.Sign1Message, b *Batch) (err error) {
	pack := msg.Payload
	switch enc := msg.Headers.Protected[labelEncoding]; enc {
	case nil:
	case "zstd":
		if pack, err = decompressor.DecodeAll(pack, nil); err != nil {
			return fmt.Errorf("%w: zstd: %v", ErrFormat, err)
		}
	default:
		return fmt.Errorf("%w: unknown encoding %v", ErrFormat, enc)
	}
	if b.Readings, err = decodePack(pack); err != nil {
		return err
	}
	if err := b.Check(); err != nil {
		return fmt.Errorf("%w: %v", ErrFormat, err)
	}
	return nil
}

package batch

import (
	"crypto/ed25519"
	"fmt"

	"github.com/veraison/go-cose"
)

// envelope is the COSE_Sign1 of a batch: what is signed, and the signature.
// Envelopes as Seal writes them are taken apart directly, as packs are; any other
// is left to go-cose, and msg is what that made of it. FuzzScanEnvelope holds the
// two together.
type envelope struct {
	msg       *cose.Sign1Message
	protected []byte // the header's byte string, with its head; nil when msg is not
	payload   []byte
	signature []byte
	encoding  any // of the payload: nil, "zstd", or something else
}

// parse takes a batch apart up to its readings.
func parse(sealed []byte) (*envelope, *Batch, error) {
	if len(sealed) > MaxBytes {
		return nil, nil, fmt.Errorf("%d bytes: %w", len(sealed), ErrTooLarge)
	}
	if e, b := scanEnvelope(sealed); e != nil {
		return e, b, nil
	}
	return parseAny(sealed)
}

// scanEnvelope reads an envelope of the usual form; nil for any other.
func scanEnvelope(sealed []byte) (*envelope, *Batch) {
	s := &scanner{b: sealed, ok: true}
	if !s.literal("\xd2\x84") { // COSE_Sign1, array of four
		return nil, nil
	}
	rest := s.b
	header := s.bytes()
	protected := rest[:len(rest)-len(s.b)]
	if !s.ok || !s.literal("\xa0") { // nothing unprotected
		return nil, nil
	}
	e := &envelope{protected: protected, payload: s.bytes(), signature: s.bytes()}
	if !s.ok || len(s.b) != 0 || len(e.payload) == 0 || len(e.signature) != ed25519.SignatureSize {
		return nil, nil
	}
	b := &Batch{}
	if !scanHeader(header, e, b) {
		return nil, nil
	}
	return e, b
}

// scanHeader reads a protected header whose labels are in the order of
// deterministic encoding (RFC 8949 section 4.2.1).
func scanHeader(header []byte, e *envelope, b *Batch) bool {
	s := &scanner{b: header, ok: true}
	labels := s.head(5)
	const algorithm, content, key = "\x01\x27", "\x03\x76" + contentType, "\x04" // EdDSA is -8; 0x76 is a text of 22
	if !s.literal(algorithm + content + key) {
		return false
	}
	b.Gateway = string(s.bytes())
	want := uint64(9)
	if s.literal("\x63" + labelBreak) {
		want++
		b.Break = string(s.ascii())
	}
	if !s.literal("\x63" + labelConfig + "\x58\x20") {
		return false
	}
	copy(b.Config[:], s.take(uint64(len(b.Config))))
	if !s.literal("\x63" + labelClock + "\x82") {
		return false
	}
	b.Clock.Synchronised = s.literal("\xf5")
	if !b.Clock.Synchronised && !s.literal("\xf4") {
		return false
	}
	b.Clock.OffsetMillis = s.int()
	if !s.literal("\x63" + labelClosed) {
		return false
	}
	b.ClosedAt = s.int()
	if s.literal("\x63" + labelEncoding + "\x64zstd") {
		want++
		e.encoding = "zstd"
	}
	if !s.literal("\x63" + labelNumber) {
		return false
	}
	number := s.int()
	if number < 1 || !s.literal("\x63"+labelOrigin) {
		return false
	}
	b.Number, b.Origin = uint64(number), Origin(s.ascii())
	if !s.literal("\x64" + labelPrevious + "\x58\x20") {
		return false
	}
	copy(b.Previous[:], s.take(uint64(len(b.Previous))))
	return s.ok && labels == want && len(s.b) == 0
}

// parseAny takes whatever envelope apart, or says what is wrong with it.
func parseAny(sealed []byte) (*envelope, *Batch, error) {
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
	return &envelope{msg: &msg, payload: msg.Payload, signature: msg.Signature, encoding: h[labelEncoding]}, b, nil
}

func copyHash(h *Hash, v any) bool {
	b, ok := v.([]byte)
	return ok && copy(h[:], b) == len(h) && len(b) == len(h)
}

// toBeSigned writes the Sig_structure of RFC 9052 section 4.4 without external
// data: what the signature of a scanned envelope is over.
func (e *envelope) toBeSigned(to []byte) []byte {
	to = append(to, "\x84\x6aSignature1"...)
	to = append(to, e.protected...)
	to = append(to, 0x40)
	to = appendHead(to, 0x40, uint64(len(e.payload)))
	return append(to, e.payload...)
}

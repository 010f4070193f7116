package batch

import (
	"crypto/ed25519"
	"fmt"

	"github.com/veraison/go-cose"
)

const receiptType = "application/vnd.thermie.receipt+cbor"

// Receipt is ingest's signed word that a batch is durable in the ledger. Only
// a receipt lets the gateway forget the batch.
type Receipt struct {
	Gateway string `cbor:"gw"`
	Number  uint64 `cbor:"num"`
	Batch   Hash   `cbor:"hash"`
	Index   uint64 `cbor:"idx"` // leaf index in the ledger
	// Rejected is the reason for which the batch went to quarantine; it is kept
	// there, so the gateway may go on. Empty for an accepted batch.
	Rejected string `cbor:"rej,omitempty"`
}

// SealReceipt signs a receipt with ingest's key.
func SealReceipt(r Receipt, key ed25519.PrivateKey) ([]byte, error) {
	payload, err := encMode.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("receipt for batch %d of %s: %w", r.Number, r.Gateway, err)
	}
	sealed, err := sign(cose.ProtectedHeader{
		cose.HeaderLabelAlgorithm:   cose.AlgorithmEdDSA,
		cose.HeaderLabelContentType: receiptType,
	}, payload, key)
	if err != nil {
		return nil, fmt.Errorf("receipt for batch %d of %s: %w", r.Number, r.Gateway, err)
	}
	return sealed, nil
}

// OpenReceipt verifies and decodes a receipt.
func OpenReceipt(sealed []byte, key ed25519.PublicKey) (Receipt, error) {
	var r Receipt
	if len(sealed) > 4096 {
		return r, fmt.Errorf("receipt of %d bytes: %w", len(sealed), ErrTooLarge)
	}
	var msg cose.Sign1Message
	if err := msg.UnmarshalCBOR(sealed); err != nil {
		return r, fmt.Errorf("%w: receipt: %v", ErrFormat, err)
	}
	if ct, _ := msg.Headers.Protected[cose.HeaderLabelContentType].(string); ct != receiptType {
		return r, fmt.Errorf("%w: receipt of content type %q", ErrFormat, ct)
	}
	if err := verify(&msg, key); err != nil {
		return r, fmt.Errorf("receipt: %w", err)
	}
	if err := decMode.Unmarshal(msg.Payload, &r); err != nil {
		return r, fmt.Errorf("%w: receipt: %v", ErrFormat, err)
	}
	return r, nil
}

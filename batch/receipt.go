package batch

import (
	"crypto/ed25519"
	"fmt"

	"github.com/veraison/go-cose"
)

const (
	receiptType  = "application/vnd.thermie.receipt+cbor"
	receiptsType = "application/vnd.thermie.receipts+cbor" // an array of them
)

// MaxReceipts bounds the receipts under one signature, so that with the longest
// reasons they fit in a message.
const MaxReceipts = 64

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

// SealReceipts signs receipts of one gateway, one to MaxReceipts, with ingest's
// key. A single one has the form that gateways of every version read.
func SealReceipts(all []Receipt, key ed25519.PrivateKey) ([]byte, error) {
	if len(all) == 0 || len(all) > MaxReceipts {
		return nil, fmt.Errorf("%d receipts under one signature, want 1 to %d", len(all), MaxReceipts)
	}
	content, what := receiptsType, any(all)
	if len(all) == 1 {
		content, what = receiptType, all[0]
	}
	payload, err := encMode.Marshal(what)
	if err == nil {
		payload, err = sign(cose.ProtectedHeader{
			cose.HeaderLabelAlgorithm:   cose.AlgorithmEdDSA,
			cose.HeaderLabelContentType: content,
		}, payload, key)
	}
	if err != nil {
		return nil, fmt.Errorf("receipt for batch %d of %s: %w", all[0].Number, all[0].Gateway, err)
	}
	return payload, nil
}

// OpenReceipts verifies and decodes what SealReceipts wrote.
func OpenReceipts(sealed []byte, key ed25519.PublicKey) ([]Receipt, error) {
	if len(sealed) > MaxBytes {
		return nil, fmt.Errorf("receipt of %d bytes: %w", len(sealed), ErrTooLarge)
	}
	var msg cose.Sign1Message
	if err := msg.UnmarshalCBOR(sealed); err != nil {
		return nil, fmt.Errorf("%w: receipt: %v", ErrFormat, err)
	}
	ct, _ := msg.Headers.Protected[cose.HeaderLabelContentType].(string)
	if ct != receiptType && ct != receiptsType {
		return nil, fmt.Errorf("%w: receipt of content type %q", ErrFormat, ct)
	}
	if err := verify(&msg, key); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	all := make([]Receipt, 1)
	into := any(&all[0])
	if ct == receiptsType {
		into = &all
	}
	if err := decMode.Unmarshal(msg.Payload, into); err != nil {
		return nil, fmt.Errorf("%w: receipt: %v", ErrFormat, err)
	}
	if len(all) == 0 || len(all) > MaxReceipts {
		return nil, fmt.Errorf("%w: %d receipts under one signature", ErrFormat, len(all))
	}
	return all, nil
}

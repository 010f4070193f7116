package batch

import (
	"crypto/ed25519"
	"fmt"

	"github.com/veraison/go-cose"
)

const documentType = "application/vnd.thermie.document"

// Document is a ledger leaf that is no batch: a sealed report's manifest, an
// approved plan, a factor set, a declaration, a consent, a gateway's key.
type Document struct {
	Kind     string // "report", "plan", "factors", "declaration", "consent", "key", "configuration"
	Signer   string // who signs: "server", a gateway, a person
	SignedAt int64  // Unix milliseconds
	Body     []byte // its content, as signed; JSON or YAML by kind
}

// SealDocument signs a document.
func SealDocument(d Document, key ed25519.PrivateKey) ([]byte, error) {
	sealed, err := sign(cose.ProtectedHeader{
		cose.HeaderLabelAlgorithm:   cose.AlgorithmEdDSA,
		cose.HeaderLabelContentType: documentType,
		cose.HeaderLabelKeyID:       []byte(d.Signer),
		"kind":                      d.Kind,
		"at":                        d.SignedAt,
	}, d.Body, key)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", d.Kind, err)
	}
	if len(sealed) > MaxBytes {
		return nil, fmt.Errorf("seal %s: %d bytes: %w", d.Kind, len(sealed), ErrTooLarge)
	}
	return sealed, nil
}

// OpenDocument verifies and decodes a document; with a nil key it only decodes.
func OpenDocument(sealed []byte, key ed25519.PublicKey) (Document, error) {
	var d Document
	if len(sealed) > MaxBytes {
		return d, fmt.Errorf("document of %d bytes: %w", len(sealed), ErrTooLarge)
	}
	var msg cose.Sign1Message
	if err := msg.UnmarshalCBOR(sealed); err != nil {
		return d, fmt.Errorf("%w: document: %v", ErrFormat, err)
	}
	h := msg.Headers.Protected
	if ct, _ := h[cose.HeaderLabelContentType].(string); ct != documentType {
		return d, fmt.Errorf("%w: document of content type %q", ErrFormat, ct)
	}
	if key != nil {
		if err := verify(&msg, key); err != nil {
			return d, fmt.Errorf("document: %w", err)
		}
	}
	signer, _ := h[cose.HeaderLabelKeyID].([]byte)
	d.Signer = string(signer)
	d.Kind, _ = h["kind"].(string)
	d.SignedAt, _ = h["at"].(int64)
	d.Body = msg.Payload
	return d, nil
}

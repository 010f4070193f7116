package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxNote bounds a checkpoint with its co-signatures.
const maxNote = 64 << 10

// head is what a checkpoint states.
type head struct {
	size uint64
	root tlog.Hash
}

// checkOrigin refuses an origin that could not name a key (signed-note).
func checkOrigin(origin string) error {
	if origin == "" || len(origin) > 255 || strings.ContainsAny(origin, "+\n") || strings.Join(strings.Fields(origin), "") != origin {
		return fmt.Errorf("ledger origin %q: want up to 255 bytes without spaces and '+', like example.org/port", origin)
	}
	return nil
}

// VerifierKey is the public key in the text form of signed notes, for other
// tools: "<origin>+<hash>+<base64>".
func VerifierKey(origin string, key ed25519.PublicKey) (string, error) {
	if err := checkOrigin(origin); err != nil {
		return "", err
	}
	return note.NewEd25519VerifierKey(origin, key)
}

func verifier(origin string, key ed25519.PublicKey) (note.Verifier, error) {
	text, err := VerifierKey(origin, key)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(text)
}

// signer signs notes with an Ed25519 key in memory.
type signer struct {
	note.Verifier
	key ed25519.PrivateKey
}

func newSigner(origin string, key ed25519.PrivateKey) (*signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("ledger signer: private key of %d bytes", len(key))
	}
	v, err := verifier(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &signer{v, key}, nil
}

func (s *signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

func (h head) text(origin string) string {
	return origin + "\n" + strconv.FormatUint(h.size, 10) + "\n" + base64.StdEncoding.EncodeToString(h.root[:]) + "\n"
}

func (s *signer) sign(h head) ([]byte, error) {
	return note.Sign(&note.Note{Text: h.text(s.Name())}, s)
}

// openCheckpoint verifies a checkpoint. Signatures by others are allowed, and
// every line must be written in the one canonical way.
func openCheckpoint(msg []byte, v note.Verifier) (head, error) {
	if len(msg) > maxNote {
		return head{}, fmt.Errorf("checkpoint of %d bytes: %w", len(msg), ErrDamaged)
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return head{}, fmt.Errorf("checkpoint: %v: %w", err, ErrDamaged)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != v.Name() {
		return head{}, fmt.Errorf("checkpoint of %q, want %q: %w", lines[0], v.Name(), ErrDamaged)
	}
	h := head{}
	if h.size, err = strconv.ParseUint(lines[1], 10, 63); err != nil {
		return head{}, fmt.Errorf("checkpoint: size %q: %w", lines[1], ErrDamaged)
	}
	if h.root, err = tlog.ParseHash(lines[2]); err != nil || !strings.HasPrefix(n.Text, h.text(v.Name())) {
		return head{}, fmt.Errorf("checkpoint: root %q: %w", lines[2], ErrDamaged)
	}
	if !canonicalSignatures(msg, n) {
		return head{}, fmt.Errorf("checkpoint: signature line not as written: %w", ErrDamaged)
	}
	return h, nil
}

// canonicalSignatures refuses other spellings of the same signature: base64 has
// bits that decoding ignores.
func canonicalSignatures(msg []byte, n *note.Note) bool {
	known := make(map[string]bool)
	for _, s := range append(n.Sigs, n.UnverifiedSigs...) {
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil || base64.StdEncoding.EncodeToString(raw) != s.Base64 || len(raw) < 4 || binary.BigEndian.Uint32(raw) != s.Hash {
			return false
		}
		known["— "+s.Name+" "+s.Base64] = true
	}
	lines, ok := bytes.CutPrefix(msg, []byte(n.Text+"\n"))
	if !ok {
		return false
	}
	for line := range strings.Lines(string(lines)) {
		if !known[strings.TrimSuffix(line, "\n")] {
			return false
		}
	}
	return true
}

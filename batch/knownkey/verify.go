// Package knownkey verifies Ed25519 signatures (RFC 8032, section 5.1.7) by keys
// that sign again and again, in a third of the time that crypto/ed25519 takes.
//
// It accepts exactly what crypto/ed25519 accepts. A signature (R, S) by A over M
// is good when the encoding of [S]B - [k]A is R, byte for byte, where k is the
// hash of R, A and M. crypto/ed25519 computes that with some 250 doublings; for
// B, and for an A that is met often, multiples can be kept in a table, and the
// doublings fall away. Nothing else differs: no batch equation, no random
// numbers, no cofactor. What a table does not confirm is decided by
// crypto/ed25519, so that an error here could refuse nothing.
package knownkey

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"sync"

	"filippo.io/edwards25519"
)

const (
	// keyBits is the width of the windows of keys' tables: 43 windows of 32
	// multiples, 165 kB.
	keyBits = 6
	// baseBits is that of the base point's table, which all share: 32 windows of
	// 128 multiples, 491 kB.
	baseBits = 8
	// maxTables bounds the keys that have a table.
	maxTables = 64
	// A table costs about as much as 15 signatures. A key gets one when it was
	// met so often within one period of signatures; a table that was not used for
	// a whole period is let go.
	often, period = 32, 2048
)

var base = sync.OnceValue(func() *table { return newTable(edwards25519.NewGeneratorPoint(), baseBits) })

// Keys verifies signatures and remembers the keys that it meets often. Use New.
// It may be used from several goroutines.
type Keys struct {
	mu     sync.Mutex
	met    map[string]int // in this period; -1: no key, or being prepared
	passed int            // signatures in this period
	tables map[string]*known
}

// known is a key with its table.
type known struct {
	minus *table // of -A
	used  bool   // in this period
}

// New returns Keys that know none yet.
func New() *Keys { return &Keys{met: make(map[string]int), tables: make(map[string]*known)} }

// Verify says whether the signature of the message by the key is good: what
// ed25519.Verify says. The key must have ed25519.PublicKeySize bytes.
func (k *Keys) Verify(key ed25519.PublicKey, message, signature []byte) bool {
	if t := k.table(key); t != nil && t.confirms(key, message, signature) {
		return true
	}
	return ed25519.Verify(key, message, signature)
}

// table returns the table of -A for a key A that has one.
func (k *Keys) table(key ed25519.PublicKey) *table {
	k.mu.Lock()
	if k.passed++; k.passed >= period {
		k.nextPeriod()
	}
	if t := k.tables[string(key)]; t != nil {
		t.used = true
		k.mu.Unlock()
		return t.minus
	}
	n := k.met[string(key)]
	if n < 0 || n+1 < often || len(k.tables) >= maxTables {
		if n >= 0 {
			k.met[string(key)] = n + 1
		}
		k.mu.Unlock()
		return nil
	}
	k.met[string(key)] = -1
	k.mu.Unlock()

	a, err := new(edwards25519.Point).SetBytes(key)
	if err != nil {
		return nil
	}
	t := newTable(a.Negate(a), keyBits)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.tables) < maxTables {
		k.tables[string(key)] = &known{minus: t, used: true}
	}
	return t
}

func (k *Keys) nextPeriod() {
	k.passed = 0
	clear(k.met)
	for key, t := range k.tables {
		if !t.used {
			delete(k.tables, key)
		}
		t.used = false
	}
}

// confirms computes as ed25519.Verify does, from tables.
func (t *table) confirms(key ed25519.PublicKey, message, signature []byte) bool {
	if len(signature) != ed25519.SignatureSize {
		return false
	}
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(signature[32:])
	if err != nil {
		return false
	}
	h := sha512.New()
	h.Write(signature[:32])
	h.Write(key)
	h.Write(message)
	var digest [sha512.Size]byte
	k, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(digest[:0]))
	if err != nil {
		return false
	}
	var r sum
	r.zero()
	r.addMultiple(base(), s.Bytes())
	r.addMultiple(t, k.Bytes())
	p, ok := r.point()
	return ok && bytes.Equal(p.Bytes(), signature[:32])
}

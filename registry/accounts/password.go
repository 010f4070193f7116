package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Cost is what one password check costs.
type Cost struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// DefaultCost is the first choice of the OWASP password storage cheat sheet for
// argon2id: 19 MiB, two passes, one lane.
var DefaultCost = Cost{MemoryKiB: 19 * 1024, Passes: 2, Lanes: 1}

// Bounds of what a stored hash may ask for, so that a damaged file cannot make
// the server spend gigabytes.
const (
	maxMemoryKiB = 1 << 20
	maxPasses    = 64
	saltBytes    = 16
	keyBytes     = 32
)

// MinPassword is the least length of a password, in characters.
const MinPassword = 12

const maxPassword = 1024 // bytes

// checkPassword refuses what can be guessed too easily; length counts, not
// prescribed kinds of characters (NIST SP 800-63B).
func checkPassword(password, email string) error {
	switch {
	case !utf8.ValidString(password):
		return errors.New("password: not valid UTF-8")
	case utf8.RuneCountInString(password) < MinPassword:
		return fmt.Errorf("password: want at least %d characters", MinPassword)
	case len(password) > maxPassword:
		return fmt.Errorf("password: want at most %d bytes", maxPassword)
	case strings.EqualFold(password, email):
		return errors.New("password: it is the e-mail address")
	case strings.Count(password, password[:utf8Len(password)]) == utf8.RuneCountInString(password):
		return errors.New("password: one character repeated")
	}
	return nil
}

func utf8Len(s string) int { _, n := utf8.DecodeRuneInString(s); return n }

// hashed is a stored password.
type hashed struct {
	cost Cost
	salt []byte
	key  []byte
}

var b64 = base64.RawStdEncoding

// String is the PHC string format: "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>".
func (h hashed) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.MemoryKiB, h.cost.Passes, h.cost.Lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

// parseHashed reads what String wrote.
func parseHashed(s string) (h hashed, err error) {
	if len(s) > 512 {
		return h, fmt.Errorf("password hash of %d bytes", len(s))
	}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errors.New("password hash: not argon2id version 19")
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.cost.MemoryKiB, &h.cost.Passes, &h.cost.Lanes); err != nil || n != 3 {
		return h, errors.New("password hash: unreadable parameters")
	}
	if err := h.cost.check(); err != nil {
		return h, err
	}
	salt, err := b64.DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return h, errors.New("password hash: bad salt")
	}
	key, err := b64.DecodeString(parts[5])
	if err != nil || len(key) < 16 || len(key) > 64 {
		return h, errors.New("password hash: bad key")
	}
	h.salt, h.key = salt, key
	return h, nil
}

func (c Cost) check() error {
	if c.MemoryKiB < 8*uint32(c.Lanes) || c.MemoryKiB > maxMemoryKiB || c.Passes < 1 || c.Passes > maxPasses || c.Lanes < 1 || c.Lanes > 16 {
		return fmt.Errorf("argon2id parameters m=%d KiB, t=%d, p=%d are out of bounds", c.MemoryKiB, c.Passes, c.Lanes)
	}
	return nil
}

// hash makes a new hash with a fresh salt.
func (a *Accounts) hash(ctx context.Context, password string) (hashed, error) {
	h := hashed{cost: a.cost, salt: make([]byte, saltBytes)}
	if _, err := rand.Read(h.salt); err != nil {
		return h, err
	}
	key, err := a.derive(ctx, password, h.salt, a.cost, keyBytes)
	h.key = key
	return h, err
}

// matches compares in constant time.
func (a *Accounts) matches(ctx context.Context, password string, h hashed) (bool, error) {
	key, err := a.derive(ctx, password, h.salt, h.cost, uint32(len(h.key)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, h.key) == 1, nil
}

// derive waits for a free place first: each derivation takes its megabytes, and
// a flood of sign-ins must not take all of the machine's.
func (a *Accounts) derive(ctx context.Context, password string, salt []byte, c Cost, size uint32) ([]byte, error) {
	select {
	case a.places <- struct{}{}:
		defer func() { <-a.places }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a.derived.Add(1)
	return argon2.IDKey([]byte(password), salt, c.Passes, c.MemoryKiB, c.Lanes, size), nil
}

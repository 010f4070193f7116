package knownkey

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"filippo.io/edwards25519"
	"github.com/stretchr/testify/require"
)

// keyOf is one of many keys.
func keyOf(n int) ed25519.PrivateKey {
	h := sha512.Sum512(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return ed25519.NewKeyFromSeed(h[:32])
}

func publicOf(n int) ed25519.PublicKey { return keyOf(n).Public().(ed25519.PublicKey) }

// tableOf is the table of a key's negative; nil when the key is no point.
func tableOf(key ed25519.PublicKey) *table {
	a, err := new(edwards25519.Point).SetBytes(key)
	if err != nil {
		return nil
	}
	return newTable(a.Negate(a), keyBits)
}

// Sums from tables are what the library multiplies, whatever the scalar.
func TestTables(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	minusOne := new(edwards25519.Scalar).Negate(scalarOf(1))
	scalars := []*edwards25519.Scalar{scalarOf(0), scalarOf(1), scalarOf(15), scalarOf(16), scalarOf(17), scalarOf(31), scalarOf(32), scalarOf(64), scalarOf(65), minusOne}
	for range 40 {
		var b [64]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		s, err := new(edwards25519.Scalar).SetUniformBytes(b[:])
		require.NoError(t, err)
		scalars = append(scalars, s)
	}
	p := new(edwards25519.Point).ScalarBaseMult(scalars[len(scalars)-1])
	for _, bits := range []int{2, 4, keyBits, 6, baseBits, 8} {
		table := newTable(p, bits)
		for _, s := range scalars {
			var got sum
			got.zero()
			got.addMultiple(table, s.Bytes())
			point, ok := got.point()
			require.True(t, ok)
			require.Equal(t, 1, point.Equal(new(edwards25519.Point).ScalarMult(s, p)), "%d bits, scalar %x", bits, s.Bytes())
		}
	}
}

func scalarOf(n uint64) *edwards25519.Scalar {
	b := make([]byte, 32)
	binary.LittleEndian.PutUint64(b, n)
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(b)
	if err != nil {
		panic(err)
	}
	return s
}

// A good signature is confirmed, and with any bit of it, of the message or of the key
// changed it is not.
func TestConfirms(t *testing.T) {
	for n := range 2 {
		message := []byte(fmt.Sprint("message ", n))
		signature := ed25519.Sign(keyOf(n), message)
		key := publicOf(n)
		table := tableOf(key)
		require.True(t, table.confirms(key, message, signature))
		require.False(t, table.confirms(key, append(message, 0), signature))
		require.False(t, table.confirms(key, message, signature[:63]))
		require.False(t, table.confirms(publicOf(n+1), message, signature))
		for bit := range 512 {
			bad := bytes.Clone(signature)
			bad[bit/8] ^= 1 << (bit % 8)
			require.False(t, table.confirms(key, message, bad), bit)
		}
	}
}

// torsion are the points whose order divides 8.
func torsion() (points []*edwards25519.Point) {
	// [L]P for some P has an order that divides 8; take one of order 8.
	order := new(edwards25519.Scalar).Negate(scalarOf(1)) // L-1
	for i := byte(0); ; i++ {
		p, err := new(edwards25519.Point).SetBytes(append(bytes.Repeat([]byte{i}, 31), 0x10))
		if err != nil {
			continue
		}
		t := new(edwards25519.Point).Add(new(edwards25519.Point).ScalarMult(order, p), p)
		four := new(edwards25519.Point).Add(t, t)
		four.Add(four, four)
		if four.Equal(edwards25519.NewIdentityPoint()) == 1 {
			continue
		}
		sum := edwards25519.NewIdentityPoint()
		for range 8 {
			points = append(points, new(edwards25519.Point).Set(sum))
			sum.Add(sum, t)
		}
		return points
	}
}

// Signatures that only the equation with the cofactor accepts, or that hang on
// points of small order, are judged as crypto/ed25519 judges them.
func TestSmallOrders(t *testing.T) {
	secret, nonce := scalarOf(123456789), scalarOf(987654321)
	points := torsion()
	require.Len(t, points, 8)
	seen := map[bool]int{}
	for j, smallKey := range points {
		// A = [secret]B + torsion, R = [nonce]B + torsion, S = nonce + k*secret.
		a := new(edwards25519.Point).Add(new(edwards25519.Point).ScalarBaseMult(secret), smallKey)
		for _, key := range [][]byte{a.Bytes(), smallKey.Bytes()} {
			table := tableOf(key)
			for i, small := range points {
				for m := range 3 {
					message := []byte(fmt.Sprint("message ", m))
					r := new(edwards25519.Point).Add(new(edwards25519.Point).ScalarBaseMult(nonce), small)
					h := sha512.Sum512(append(append(append([]byte{}, r.Bytes()...), key...), message...))
					k, err := new(edwards25519.Scalar).SetUniformBytes(h[:])
					require.NoError(t, err)
					s := new(edwards25519.Scalar).Set(nonce)
					if bytes.Equal(key, a.Bytes()) {
						s.MultiplyAdd(k, secret, nonce)
					}
					signature := append(append([]byte{}, r.Bytes()...), s.Bytes()...)
					want := ed25519.Verify(key, message, signature)
					seen[want]++
					require.Equal(t, want, table.confirms(key, message, signature), "R torsion %d, A torsion %d", i, j)
				}
			}
		}
	}
	require.NotZero(t, seen[true])
	require.NotZero(t, seen[false])
}

// Encodings that are not the only ones of their point, scalars that are not
// reduced.
func TestOddEncodings(t *testing.T) {
	message := []byte("message")
	signature := ed25519.Sign(keyOf(1), message)
	order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}
	bad := bytes.Clone(signature)
	carry := 0
	for i := range order { // S + L
		carry += int(bad[32+i]) + int(order[i])
		bad[32+i] = byte(carry)
		carry >>= 8
	}
	key := publicOf(1)
	require.False(t, ed25519.Verify(key, message, bad))
	require.False(t, tableOf(key).confirms(key, message, bad))
	high := append([]byte{0xee}, bytes.Repeat([]byte{0xff}, 30)...)
	for _, top := range []byte{0x7f, 0xff} { // y = p+1: another encoding of y = 1
		key := append(bytes.Clone(high), top)
		for _, r := range [][]byte{key, append([]byte{1}, make([]byte, 31)...)} {
			signature := append(bytes.Clone(r), make([]byte, 32)...)
			table := tableOf(key)
			require.Equal(t, ed25519.Verify(key, message, signature), table != nil && table.confirms(key, message, signature))
		}
	}
}

// Keys says what crypto/ed25519 says, before and after a key has its table, and
// prepares no more tables than it may.
func TestKeys(t *testing.T) {
	k := New()
	message := []byte("message")
	check := func(n int) {
		signature := ed25519.Sign(keyOf(n), message)
		require.True(t, k.Verify(publicOf(n), message, signature))
		signature[3] ^= 1
		require.False(t, k.Verify(publicOf(n), message, signature))
	}
	for range often {
		check(1)
	}
	require.Len(t, k.tables, 1)
	check(1)
	for range often {
		require.False(t, k.Verify(append([]byte{2}, make([]byte, 31)...), message, make([]byte, 64)), "no point")
	}
	require.Len(t, k.tables, 1)
	for range 2 * period { // many keys that each come seldom
		k.mu.Lock()
		k.nextPeriod()
		k.mu.Unlock()
		if len(k.tables) == 0 {
			break
		}
	}
	require.Empty(t, k.tables)
	k.tables = make(map[string]*known)
	for i := range maxTables {
		k.tables[fmt.Sprint(i)] = &known{used: true}
	}
	for range often {
		check(2)
	}
	require.Len(t, k.tables, maxTables)
}

func TestKeysFromManyGoroutines(t *testing.T) {
	k := New()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 3 * often {
				message := fmt.Append(nil, w, i)
				n := i % 2
				if !k.Verify(publicOf(n), message, ed25519.Sign(keyOf(n), message)) {
					t.Error("good signature refused")
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, k.tables, 2)
}

// FuzzConfirms holds tables against crypto/ed25519, whatever the bytes.
func FuzzConfirms(f *testing.F) {
	message := []byte("message")
	f.Add([]byte(publicOf(1)), message, ed25519.Sign(keyOf(1), message))
	for _, p := range torsion() {
		f.Add(p.Bytes(), message, append(p.Bytes(), make([]byte, 32)...))
	}
	f.Fuzz(func(t *testing.T, key, message, signature []byte) {
		if len(key) != ed25519.PublicKeySize {
			return
		}
		table := tableOf(key)
		require.Equal(t, ed25519.Verify(key, message, signature), table != nil && table.confirms(key, message, signature))
	})
}

func BenchmarkVerify(b *testing.B) {
	message := bytes.Repeat([]byte{7}, 700)
	signature := ed25519.Sign(keyOf(1), message)
	key := publicOf(1)
	b.Run("crypto/ed25519", func(b *testing.B) {
		for b.Loop() {
			if !ed25519.Verify(key, message, signature) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("table", func(b *testing.B) {
		table := tableOf(key)
		for b.Loop() {
			if !table.confirms(key, message, signature) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("new-table", func(b *testing.B) {
		for b.Loop() {
			tableOf(key)
		}
	})
}

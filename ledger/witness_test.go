package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// fakeWitness is a witness as c2sp.org/tlog-witness has it: it co-signs what
// provably extends what it saw last.
type fakeWitness struct {
	Witness
	key  ed25519.PrivateKey
	log  note.Verifier
	seen head
	lie  bool // it signs something else
	now  time.Time
}

func newWitness(t *testing.T, name string) (*fakeWitness, Witness) {
	t.Helper()
	v, err := verifier(testOrigin, testKey.Public().(ed25519.PublicKey))
	require.NoError(t, err)
	w := &fakeWitness{key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte(name[:1]), 32)), log: v, now: time.Unix(1_780_000_000, 0)}
	s := httptest.NewServer(w)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	w.Witness = Witness{Name: name, Key: w.key.Public().(ed25519.PublicKey), URL: s.URL}
	return w, w.Witness
}

func (f *fakeWitness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	top, msg, ok := strings.Cut(string(b), "\n\n")
	lines := strings.Split(top, "\n")
	var old uint64
	if _, err := fmt.Sscanf(lines[0], "old %d", &old); err != nil || !ok || r.URL.Path != "/add-checkpoint" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	h, err := openCheckpoint([]byte(msg), f.log)
	if err != nil {
		http.Error(w, "who are you", http.StatusForbidden)
		return
	}
	if old != f.seen.size {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", f.seen.size)
		return
	}
	var proof tlog.TreeProof
	for _, l := range lines[1:] {
		x, err := tlog.ParseHash(l)
		if err != nil {
			http.Error(w, "proof", http.StatusBadRequest)
			return
		}
		proof = append(proof, x)
	}
	if old > 0 && tlog.CheckTree(proof, int64(h.size), h.root, int64(old), f.seen.root) != nil {
		http.Error(w, "no such growth", http.StatusUnprocessableEntity)
		return
	}
	f.seen = h
	text := h.text(testOrigin)
	if f.lie {
		text += "x"
	}
	blob := binary.BigEndian.AppendUint32(nil, f.KeyHash())
	blob = binary.BigEndian.AppendUint64(blob, uint64(f.now.Unix()))
	blob = append(blob, ed25519.Sign(f.key, cosignedMessage(uint64(f.now.Unix()), []byte(text)))...)
	fmt.Fprintf(w, "— %s %s\n", f.Name, base64.StdEncoding.EncodeToString(blob))
}

func client(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// Witnesses co-sign as the log grows, and who checks later sees who did, and
// when; a witness that knows more than we remember is asked again from there.
func TestWitnesses(t *testing.T) {
	dir := t.TempDir()
	fa, a := newWitness(t, "amtsgericht.example/w1")
	fb, b := newWitness(t, "banque.example/w")
	o := Options{Origin: testOrigin, Signer: testKey, Witnesses: []Witness{a, b}}
	l, err := Open(dir, o)
	require.NoError(t, err)
	defer l.Close()
	public := testKey.Public().(ed25519.PublicKey)
	list, err := CheckWitnesses(dir, testOrigin, public, o.Witnesses)
	require.NoError(t, err)
	require.Empty(t, list)
	for at, n := range []int{3, 300, 301, 1500} {
		fill(t, l, int(l.Size()), n)
		if at == 2 {
			require.NoError(t, os.Remove(filepath.Join(dir, cosignedFile)), "what they know is forgotten")
		}
		list, err = l.Cosign(ctx, client(t))
		require.NoError(t, err)
		require.Equal(t, []Cosigned{{a.Name, uint64(n), fa.now.UTC()}, {b.Name, uint64(n), fb.now.UTC()}}, list)
		checked, err := CheckWitnesses(dir, testOrigin, public, o.Witnesses)
		require.NoError(t, err)
		require.Equal(t, list, checked)
	}
	fill(t, l, 1500, 1600) // it grew since
	_, err = l.Checkpoint(ctx)
	require.NoError(t, err)
	_, err = CheckWitnesses(dir, testOrigin, public, o.Witnesses)
	require.NoError(t, err)
	_, err = Check(ctx, dir, testOrigin, public, nil)
	require.NoError(t, err)
	same, err := ParseWitness(a.String())
	require.NoError(t, err)
	same.URL = a.URL
	require.Equal(t, a, same)

	// One that lies, or is not there, does not spoil the other's signature.
	fa.lie = true
	list, err = l.Cosign(ctx, client(t))
	require.ErrorContains(t, err, "its co-signature does not verify")
	require.Len(t, list, 1)
	require.Equal(t, b.Name, list[0].Name)
	stranger := a
	stranger.Key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)).Public().(ed25519.PublicKey)
	checked, err := CheckWitnesses(dir, testOrigin, public, []Witness{stranger, b})
	require.NoError(t, err)
	require.Len(t, checked, 1)
}

// A log that was cut, or begun anew with the same key, is found by what
// witnesses had signed; so is every flipped byte of that.
func TestWitnessesFindForks(t *testing.T) {
	dir := t.TempDir()
	f, w := newWitness(t, "amtsgericht.example/w1")
	open := func(dir string) *Ledger {
		l, err := Open(dir, Options{Origin: testOrigin, Signer: testKey, Witnesses: []Witness{w}})
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		return l
	}
	l := open(dir)
	fill(t, l, 0, 700)
	_, err := l.Cosign(ctx, client(t))
	require.NoError(t, err)
	signed, err := os.ReadFile(filepath.Join(dir, cosignedFile))
	require.NoError(t, err)
	public := testKey.Public().(ed25519.PublicKey)

	for name, leaves := range map[string]int{"cut": 650, "begun anew": 900} {
		t.Run(name, func(t *testing.T) {
			other := t.TempDir()
			m := open(other)
			_, _, err := m.Append(ctx, []byte("something else"))
			require.NoError(t, err)
			for i := range leaves {
				_, _, err := m.Append(ctx, leafOf(i))
				require.NoError(t, err)
				if i > 20 { // the rest at once
					break
				}
			}
			rest := make([][]byte, 0, leaves)
			for i := 22; i < leaves; i++ {
				rest = append(rest, leafOf(i))
			}
			_, err = m.AppendAll(ctx, rest)
			require.NoError(t, err)
			_, err = m.Checkpoint(ctx)
			require.NoError(t, err)
			_, err = Check(ctx, other, testOrigin, public, nil)
			require.NoError(t, err, "by itself it is whole")
			require.NoError(t, os.WriteFile(filepath.Join(other, cosignedFile), signed, 0o600))
			_, err = CheckWitnesses(other, testOrigin, public, []Witness{w})
			require.ErrorIs(t, err, ErrDamaged)
			_, err = m.Cosign(ctx, client(t))
			require.Error(t, err, "the witness does not co-sign it")
		})
	}
	require.EqualValues(t, 700, f.seen.size)
	for i := range signed {
		bad := bytes.Clone(signed)
		bad[i] ^= 1
		require.NoError(t, os.WriteFile(filepath.Join(dir, cosignedFile), bad, 0o600))
		list, err := CheckWitnesses(dir, testOrigin, public, []Witness{w})
		require.Truef(t, err != nil || len(list) == 0, "byte %d", i)
	}
}

func TestParseWitnessRefuses(t *testing.T) {
	_, w := newWitness(t, "amtsgericht.example/w1")
	for _, text := range []string{"", "a+b", "a+00000000+AAAA", strings.Replace(w.String(), "+", "+0", 1), "x" + w.String(), strings.Replace(w.String(), "amts", "am ts", 1)} {
		_, err := ParseWitness(text)
		require.Error(t, err, text)
	}
	_, err := Open(t.TempDir(), Options{Origin: testOrigin, Signer: testKey, Witnesses: []Witness{{Name: "a b"}}})
	require.ErrorContains(t, err, "witness")
}

package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// cosignedFile is the last checkpoint that a witness co-signed, with the
// signatures of all that did.
const cosignedFile = "checkpoint.cosigned"

// cosignature is the type of a witness's key in signed notes
// (c2sp.org/tlog-cosignature): Ed25519 over a time and the checkpoint.
const cosignature = 0x04

// Witness is somebody else who checks that the log only ever grows and
// co-signs its checkpoints: whoever runs the log then cannot show different
// logs to different people unnoticed.
type Witness struct {
	Name string
	Key  ed25519.PublicKey
	URL  string // of its add-checkpoint (c2sp.org/tlog-witness), without that word; "" for checking only
}

// ParseWitness reads a witness's key in the text form of signed notes,
// "<name>+<hash>+<base64>".
func ParseWitness(text string) (w Witness, err error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return w, fmt.Errorf("witness key %q: want <name>+<hash>+<base64>", text)
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != cosignature {
		return w, fmt.Errorf("witness key of %s: not an Ed25519 key for co-signatures (type 4)", parts[0])
	}
	w = Witness{Name: parts[0], Key: raw[1:]}
	if w.String() != text {
		return w, fmt.Errorf("witness key of %s: the hash is not %s, or it is written in another way than usual", w.Name, parts[1])
	}
	return w, w.check()
}

// String is what ParseWitness reads.
func (w Witness) String() string {
	return fmt.Sprintf("%s+%08x+%s", w.Name, w.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{cosignature}, w.Key...)))
}

func (w Witness) check() error {
	if err := checkOrigin(w.Name); err != nil || len(w.Key) != ed25519.PublicKeySize {
		return fmt.Errorf("witness %q: want a name without spaces and '+', and an Ed25519 key", w.Name)
	}
	return nil
}

// KeyHash identifies the key in signature lines.
func (w Witness) KeyHash() uint32 {
	h := sha256.Sum256(append([]byte(w.Name+"\n\x04"), w.Key...))
	return binary.BigEndian.Uint32(h[:])
}

// cosigner verifies a witness's signatures; it implements note.Verifier.
type cosigner struct {
	Witness
	at *time.Time // set to when it signed
}

func (c cosigner) Name() string { return c.Witness.Name }

func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(sig)
	if seconds == 0 || seconds > math.MaxInt64/2 || !ed25519.Verify(c.Key, cosignedMessage(seconds, msg), sig[8:]) {
		return false
	}
	*c.at = time.Unix(int64(seconds), 0).UTC()
	return true
}

func cosignedMessage(seconds uint64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(seconds, 10)+"\n"), text...)
}

// Cosigned tells of a witness's last signature.
type Cosigned struct {
	Name string
	Size uint64 // leaves that it vouches for
	At   time.Time
}

// openCosigned verifies a co-signed checkpoint and says which of the witnesses
// signed it.
func openCosigned(msg []byte, log note.Verifier, witnesses []Witness) (h head, list []Cosigned, err error) {
	if h, err = openCheckpoint(msg, log); err != nil {
		return h, nil, err
	}
	for _, w := range witnesses {
		at := time.Time{}
		n, err := note.Open(msg, note.VerifierList(log, cosigner{w, &at}))
		if err != nil {
			return h, nil, fmt.Errorf("co-signature of %s: %v: %w", w.Name, err, ErrDamaged)
		}
		for _, s := range n.Sigs {
			if s.Name == w.Name && s.Hash == w.KeyHash() {
				list = append(list, Cosigned{w.Name, h.size, at})
			}
		}
	}
	return h, list, nil
}

// Cosign signs a checkpoint over all leaves and asks every witness of Options
// to co-sign it; what they answer is verified and kept beside the checkpoint. A
// witness that does not answer is an error, and the others' signatures are kept.
func (l *Ledger) Cosign(ctx context.Context, client *http.Client) (list []Cosigned, err error) {
	msg, err := l.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	h, err := openCheckpoint(msg, l.signer)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, w := range l.witnesses {
		if w.URL == "" {
			continue
		}
		lines, err := l.askWitness(ctx, client, w, h, msg)
		if err != nil {
			errs = append(errs, fmt.Errorf("witness %s: %w", w.Name, err))
			continue
		}
		at := time.Time{}
		with := append(bytes.Clone(msg), lines...)
		n, err := note.Open(with, note.VerifierList(l.signer, cosigner{w, &at}))
		if err != nil || len(n.Sigs) != 2 {
			errs = append(errs, fmt.Errorf("witness %s: its co-signature does not verify", w.Name))
			continue
		}
		msg = with
		list = append(list, Cosigned{w.Name, h.size, at})
	}
	if len(list) > 0 {
		errs = append(errs, writeFiles(l.dir, []file{{cosignedFile, msg}}))
	}
	return list, errors.Join(errs...)
}

// askWitness asks one witness, which may say how many leaves it knows, and then once
// more from there. It returns its signature lines.
func (l *Ledger) askWitness(ctx context.Context, client *http.Client, w Witness, h head, msg []byte) ([]byte, error) {
	known := l.known(w)
	for again := true; ; again = false {
		status, answer, err := l.addCheckpoint(ctx, client, w, known, h, msg)
		if err != nil {
			return nil, err
		}
		switch status {
		case http.StatusOK:
			return wellFormed(answer)
		case http.StatusConflict:
			size, err := strconv.ParseUint(strings.TrimSpace(string(answer)), 10, 63)
			if err != nil || size > h.size || !again {
				return nil, fmt.Errorf("it knows %q leaves, the ledger has %d: one of them was put back", strings.TrimSpace(string(answer[:min(len(answer), 40)])), h.size)
			}
			known = size
		default:
			return nil, fmt.Errorf("HTTP status %d: %q", status, answer[:min(len(answer), 200)])
		}
	}
}

// known is how many leaves a witness is believed to have seen.
func (l *Ledger) known(w Witness) uint64 {
	msg, err := os.ReadFile(filepath.Join(l.dir, cosignedFile))
	if err != nil {
		return 0
	}
	if h, list, err := openCosigned(msg, l.signer, []Witness{w}); err == nil && len(list) > 0 {
		return h.size
	}
	return 0
}

func (l *Ledger) addCheckpoint(ctx context.Context, client *http.Client, w Witness, known uint64, h head, msg []byte) (int, []byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", known)
	if known > 0 && known < h.size {
		proof, err := l.ProveGrowth(known, h.size)
		if err != nil {
			return 0, nil, err
		}
		for _, x := range proof {
			b.WriteString(base64.StdEncoding.EncodeToString(x[:]) + "\n")
		}
	}
	b.WriteString("\n")
	b.Write(msg)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(w.URL, "/")+"/add-checkpoint", &b)
	if err != nil {
		return 0, nil, err
	}
	r, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(r.Body, 16<<10))
	return r.StatusCode, answer, err
}

// wellFormed wants signature lines and nothing else.
func wellFormed(b []byte) ([]byte, error) {
	if len(b) == 0 || len(b) > 8<<10 || b[len(b)-1] != '\n' {
		return nil, errors.New("its answer is no signature")
	}
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "— ") {
			return nil, errors.New("its answer is no signature")
		}
	}
	return b, nil
}

// CheckWitnesses proves that what witnesses co-signed last is the beginning of
// the ledger in dir, which [Check] has proved: a log that was cut, or begun anew
// behind their back, is found. No co-signed checkpoint is no fault; the caller
// sees in the list who signed.
func CheckWitnesses(dir, origin string, key ed25519.PublicKey, witnesses []Witness) (list []Cosigned, err error) {
	fail := func(err error) ([]Cosigned, error) {
		return list, fmt.Errorf("check witnesses of ledger %s: %w", dir, err)
	}
	for _, w := range witnesses {
		if err := w.check(); err != nil {
			return fail(err)
		}
	}
	v, err := verifier(origin, key)
	if err != nil {
		return fail(err)
	}
	msg, err := os.ReadFile(filepath.Join(dir, cosignedFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return fail(err)
	}
	h, list, err := openCosigned(msg, v, witnesses)
	if err != nil {
		return fail(err)
	}
	now, err := os.ReadFile(filepath.Join(dir, checkpointFile))
	if err != nil {
		return fail(err)
	}
	s, err := loadSignedBy(dir, now, v)
	if err != nil {
		return fail(err)
	}
	if h.size > s.size {
		return fail(fmt.Errorf("witnesses co-signed %d leaves, the ledger has %d: it was cut: %w", h.size, s.size, ErrDamaged))
	}
	tree := tlog.Tree{N: int64(s.size), Hash: s.root}
	root, err := tlog.TreeHash(int64(h.size), tlog.TileHashReader(tree, &tileReader{dir, s.edge}))
	if err != nil {
		return fail(fmt.Errorf("root of %d leaves: %v: %w", h.size, err, ErrDamaged))
	}
	if root != h.root {
		return fail(fmt.Errorf("witnesses co-signed another tree of %d leaves: the log was begun anew behind their back: %w", h.size, ErrDamaged))
	}
	return list, nil
}

package gateway

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/thermie/thermie/pki"
)

// SpoolDir is the folder of the outbox in a gateway's data folder.
func SpoolDir(data string) string { return filepath.Join(data, "outbox") }

// LoadKey reads the gateway's private key from a data folder, or makes it on
// first use (file "key", readable by its owner only). It never leaves the
// device: the server is told the public key.
func LoadKey(data string) (ed25519.PrivateKey, error) {
	path := filepath.Join(data, "key")
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	key, err := pki.SigningKey(path)
	if err != nil || !fresh {
		return key, err
	}
	// A key without a spool beside it means from now on that the spool was lost.
	if err := os.MkdirAll(SpoolDir(data), 0o750); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(SpoolDir(data), "head"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return key, f.Close()
}

// lossFile holds, in a data folder, the reason that an operator gave for which a
// gateway begins its chain anew.
const lossFile = "loss"

// DeclareLoss notes that the gateway of a data folder replaces one whose disk is
// lost: its chain then begins with numbers that were never used, and its first
// batch says why. It refuses when the folder has batches.
func DeclareLoss(data, why string) error {
	if len(why) == 0 || len(why) > 200 {
		return fmt.Errorf("reason of the loss: %d characters, want 1 to 200", len(why))
	}
	segments, err := filepath.Glob(filepath.Join(SpoolDir(data), "*.seg"))
	if err != nil {
		return err
	}
	if len(segments) > 0 {
		return fmt.Errorf("%s holds batches: nothing is lost here", SpoolDir(data))
	}
	if err := os.WriteFile(filepath.Join(data, lossFile), []byte(why), 0o600); err != nil {
		return fmt.Errorf("note the loss: %w", err)
	}
	return nil
}

// lost is the loss to declare if the spool turns out to be new: "" on first use.
// It is asked before LoadKey.
func lost(data string) string {
	if b, err := os.ReadFile(filepath.Join(data, lossFile)); err == nil && len(b) > 0 && len(b) <= 200 {
		return string(b)
	}
	_, noKey := os.Stat(filepath.Join(data, "key"))
	_, noSpool := os.Stat(filepath.Join(SpoolDir(data), "head"))
	if noKey == nil && errors.Is(noSpool, fs.ErrNotExist) {
		return "spool lost: the gateway has its key but no batches"
	}
	return ""
}

// PublicKey is a key as it is enrolled: base64 of the 32 bytes.
func PublicKey(key ed25519.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

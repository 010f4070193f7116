package demo

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// state is what a demo folder must remember between two starts, in demo.json.
type state struct {
	Seed   uint64    `json:"seed"`
	Epoch  time.Time `json:"epoch"`            // the instant of the first start
	Replay string    `json:"replay,omitempty"` // SHA-256 of the replayed file
	// Password opens the accounts of the demo's people.
	Password string `json:"password"`
	// Stages is how many stages of the history are told.
	Stages int `json:"stages"`
	// Until is the instant up to which the meters were read, by history or by the
	// gateways.
	Until time.Time `json:"until,omitzero"`

	dir  string
	lock *os.File
}

// errBusy says that another demo runs on the folder.
var errBusy = errors.New("another demo runs on this folder")

// openState reads the folder's state, or makes it for a first start. What cannot
// be changed afterwards, the seed and the replayed file, must be the same again.
func openState(dir string, seed uint64, seedGiven bool, replay string, now time.Time) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("demo folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("demo folder: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s: %w", dir, errBusy)
	}
	s := &state{dir: dir, lock: lock}
	b, err := os.ReadFile(s.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Seed, s.Epoch, s.Replay, s.Password = seed, now.UTC().Truncate(time.Second), replay, password()
		err = s.save()
	case err == nil:
		if err = json.Unmarshal(b, s); err != nil {
			err = fmt.Errorf("%s: %w", s.path(), err)
		} else if seedGiven && seed != s.Seed {
			err = fmt.Errorf("%s holds the port of seed %d: choose another folder with --data for seed %d", dir, s.Seed, seed)
		} else if replay != s.Replay {
			err = fmt.Errorf("%s was made with another --replay file: choose another folder with --data", dir)
		}
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *state) path() string { return filepath.Join(s.dir, "demo.json") }

// save writes the state whole or not at all.
func (s *state) save() error {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("demo state: %w", err)
	}
	tmp := s.path() + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("demo state: %w", err)
	}
	if err := os.Rename(tmp, s.path()); err != nil {
		return fmt.Errorf("demo state: %w", err)
	}
	return nil
}

func (s *state) close() error { return s.lock.Close() }

// password is a random one that can be read out and typed.
func password() string {
	const letters = "abcdefghjkmnpqrstuvwxyz23456789"
	b := make([]byte, 12)
	rand.Read(b) // never fails
	var w strings.Builder
	for i, x := range b {
		if i > 0 && i%4 == 0 {
			w.WriteByte('-')
		}
		w.WriteByte(letters[int(x)%len(letters)])
	}
	return w.String()
}

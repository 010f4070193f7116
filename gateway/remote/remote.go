// Package remote lets the server change a gateway's configuration without being
// able to lose it.
//
// The installer's file stays as it is; a desired configuration (signed, numbered)
// lies beside it in the data folder and stands over it. It is first validated as
// any configuration, then tried: if the broker is not reached with it within the
// time that it names, or the gateway cannot start, or has died three times in
// trying, it is taken away again. What identifies the gateway, where it keeps its
// readings and who may configure it cannot be changed from afar. Whoever changes
// the file on the device wins: the desired configuration is then dropped.
package remote

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway"
)

// Bounds of the time within which the broker must be reached.
const (
	LeastWithin = 10 * time.Second
	MostWithin  = time.Hour
)

// mostTries is how often a gateway may die while a configuration is on trial.
const mostTries = 3

// note is what is remembered in the data folder.
type note struct {
	Number uint64        `json:"number"`
	State  string        `json:"state"`
	Detail string        `json:"detail,omitempty"`
	Base   string        `json:"base"` // hash of the file on the device when it was applied
	Within time.Duration `json:"within,omitempty"`
	Tries  int           `json:"tries,omitempty"`
	// Over is the hash of the text that stands over the file, "" for none; Last that of
	// the one before, to which a trial that fails goes back.
	Over string `json:"over,omitempty"`
	Last string `json:"last,omitempty"`
}

// Source is where a gateway's configuration comes from.
type Source struct {
	path string
	base gateway.Config // the file on the device
	conf gateway.Config // what is to run
	key  ed25519.PublicKey
	log  *slog.Logger
	now  func() time.Time

	mu   sync.Mutex
	note note
}

func (s *Source) file(name string) string { return filepath.Join(s.base.Data, name) }

// Open reads the configuration at path, and the desired one over it if there is one
// that still counts.
func Open(path string, log *slog.Logger, now func() time.Time) (*Source, error) {
	base, err := gateway.LoadConfig(path)
	if err != nil {
		return nil, err
	}
	s := &Source{path: path, base: base, conf: base, log: log, now: now, note: note{State: batch.ConfigLocal}}
	if s.key, err = base.RemoteKey(); err != nil || s.key == nil {
		return s, err
	}
	b, err := os.ReadFile(s.file("remote.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.note)
	}
	if err != nil {
		return nil, fmt.Errorf("remote configuration: %s: %w", s.file("remote.json"), err)
	}
	if s.note.Over == "" {
		return s, nil
	}
	if s.note.Base != base.Hash().String() {
		return s, s.drop(batch.ConfigSuperseded, "the file on the device was changed since")
	}
	if s.note.State == batch.ConfigTrying {
		if s.note.Tries++; s.note.Tries > mostTries {
			return s, s.drop(batch.ConfigRolledBack, fmt.Sprintf("the gateway ended %d times while it was tried", mostTries))
		}
		if err := s.keep(); err != nil {
			return nil, err
		}
	}
	if s.conf, err = s.load(); err != nil { // or a file that it names has gone
		return s, s.drop(batch.ConfigRolledBack, err.Error())
	}
	return s, nil
}

// Peek reads what a gateway with the configuration at path runs, or would run,
// and changes nothing: for tools beside it.
func Peek(path string) (gateway.Config, error) {
	base, err := gateway.LoadConfig(path)
	if err != nil {
		return base, err
	}
	s := &Source{path: path, base: base}
	b, err := os.ReadFile(s.file("remote.json"))
	if base.Remote.Key == "" || err != nil || json.Unmarshal(b, &s.note) != nil || s.note.Over == "" || s.note.Base != base.Hash().String() {
		return base, nil
	}
	conf, err := s.load()
	if err != nil {
		return base, nil // as Open would decide
	}
	return conf, nil
}

// Config is what the gateway is to run.
func (s *Source) Config() gateway.Config { return s.conf }

// Enabled says whether a desired configuration can be taken at all.
func (s *Source) Enabled() bool { return s.key != nil }

func (s *Source) load() (gateway.Config, error) {
	text, err := os.ReadFile(s.file("remote.yaml"))
	if err != nil {
		return gateway.Config{}, err
	}
	if h := batch.HashOf(text).String(); h != s.note.Over {
		return gateway.Config{}, fmt.Errorf("%s is not what was applied", s.file("remote.yaml"))
	}
	return gateway.ParseConfig(s.path, text)
}

// keep writes the note durably.
func (s *Source) keep() error {
	b, err := json.Marshal(s.note)
	if err == nil {
		err = replace(s.file("remote.json"), b)
	}
	if err != nil {
		return fmt.Errorf("remote configuration: %w", err)
	}
	return nil
}

// drop goes back: to what was proved before, if there is something and the file
// on the device is still the same, else to that file.
func (s *Source) drop(state, why string) error {
	s.log.Warn("desired configuration dropped", "number", s.note.Number, "state", state, "reason", why)
	s.conf = s.base
	s.note.State, s.note.Detail, s.note.Tries = state, why, 0
	s.note.Over, s.note.Last = s.note.Last, ""
	if state == batch.ConfigSuperseded {
		s.note.Over = ""
	}
	if s.note.Over != "" {
		err := os.Rename(s.file("remote.last.yaml"), s.file("remote.yaml"))
		if err == nil {
			s.conf, err = s.load()
		}
		if err != nil {
			s.log.Error("the configuration before cannot be had either", "error", err)
			s.conf, s.note.Over = s.base, ""
		}
	}
	return s.keep()
}

// Desired takes a message of the config topic; restart says that the gateway is to
// begin anew with what Open will find. A message that is not worth it changes no
// more than the report.
func (s *Source) Desired(message []byte) (restart bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := batch.OpenDesired(message, s.key)
	if err == nil && d.Gateway != s.base.Gateway {
		err = fmt.Errorf("it is for gateway %s", d.Gateway)
	}
	if err != nil {
		s.log.Error("desired configuration not taken", "error", err)
		return false // whoever cannot sign is not answered
	}
	if d.Number <= s.note.Number {
		return false // retained: it comes with each connection
	}
	before := s.note
	if err := s.apply(d); err != nil {
		s.log.Error("desired configuration refused", "number", d.Number, "error", err)
		// What runs goes on running.
		s.note = before
		s.note.Number, s.note.State, s.note.Detail = d.Number, batch.ConfigRefused, err.Error()
		if err := s.keep(); err != nil {
			s.log.Error("desired configuration", "error", err)
		}
		return false
	}
	s.log.Info("desired configuration is tried", "number", d.Number, "within", s.note.Within)
	return true
}

func (s *Source) apply(d batch.Desired) error {
	within := time.Duration(d.WithinSeconds) * time.Second
	if within < LeastWithin || within > MostWithin {
		return fmt.Errorf("within %v is not between %v and %v", within, LeastWithin, MostWithin)
	}
	conf, err := gateway.ParseConfig(s.path, d.Text)
	if err != nil {
		return err
	}
	if err := s.base.Unlike(conf); err != nil {
		return err
	}
	if err := replace(s.file("remote.yaml.new"), d.Text); err != nil {
		return err
	}
	next := note{Number: d.Number, State: batch.ConfigTrying, Base: s.base.Hash().String(), Within: within, Over: batch.HashOf(d.Text).String()}
	if s.note.Over != "" && s.note.State != batch.ConfigTrying {
		old, err := os.ReadFile(s.file("remote.yaml"))
		if err == nil {
			err = replace(s.file("remote.last.yaml"), old)
		}
		if err != nil {
			return err
		}
		next.Last = s.note.Over
	}
	// The note comes first: a trial whose text is not there yet is rolled back.
	s.note = next
	if err := s.keep(); err != nil {
		return err
	}
	return os.Rename(s.file("remote.yaml.new"), s.file("remote.yaml"))
}

// Trial says whether what runs is on trial, and for how long.
func (s *Source) Trial() (within time.Duration, trying bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note.Within, s.note.State == batch.ConfigTrying
}

// Reached says that the broker was reached with what runs: a trial is over.
func (s *Source) Reached() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.note.State != batch.ConfigTrying {
		return
	}
	s.note.State, s.note.Detail, s.note.Tries = batch.ConfigRunning, "", 0
	if err := s.keep(); err != nil {
		s.log.Error("desired configuration", "error", err)
	}
	s.log.Info("desired configuration is proved", "number", s.note.Number)
}

// RollBack ends a trial that failed.
func (s *Source) RollBack(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.note.State != batch.ConfigTrying {
		return
	}
	if err := s.drop(batch.ConfigRolledBack, why); err != nil {
		s.log.Error("desired configuration", "error", err)
	}
}

// Report is what the report topic is to say.
func (s *Source) Report() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := json.Marshal(batch.ConfigReport{Gateway: s.base.Gateway, At: s.now().UTC(), Number: s.note.Number, State: s.note.State, Detail: s.note.Detail,
		Config: s.conf.Hash().String()})
	if err != nil {
		s.log.Error("configuration report", "error", err)
		return nil
	}
	return b
}

// replace writes a file as a whole and durably.
func replace(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".remote-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.ReadFrom(bytes.NewReader(b))
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/report"
)

// Automatic is who seals when nobody asked: the configuration did.
const Automatic = "thermie"

// tryAgainAfter is how long after a failed sealing it is tried again by itself.
const tryAgainAfter = time.Hour

// Seal closes a quarter as of an instant, or makes a revision when reason is
// not empty. When the results are older than the readings it assesses first.
// It needs the ingest role, which owns the ledger.
func (s *Server) Seal(ctx context.Context, q calendar.Quarter, by, reason string, at time.Time) (registry.Report, error) {
	if s.ledger == nil {
		return registry.Report{}, errors.New("seal: only the ingest role can, it owns the ledger")
	}
	s.sealing.Lock()
	defer s.sealing.Unlock()
	in := report.Inputs{Registry: s.registry, Ledger: s.ledger, Keys: s.PublicKeys(), Signer: s.keys.Server, Data: s.o.Config.Data,
		Quarter: q, By: by, Reason: reason, Version: s.o.Version, Clock: func() time.Time { return at }, Log: s.log}
	r, err := report.Seal(ctx, in)
	if !errors.Is(err, report.ErrStale) {
		return r, err
	}
	if err := s.AssessFigures(ctx, at); err != nil {
		return r, err
	}
	return report.Seal(ctx, in)
}

// SealRequest asks a running server to close a quarter. It is a file in the
// data folder, since the ledger belongs to the server's process.
type SealRequest struct {
	Quarter calendar.Quarter `json:"quarter"`
	By      string           `json:"by"`
	Reason  string           `json:"reason,omitempty"` // of a revision
}

// SealAnswer is what became of a request.
type SealAnswer struct {
	Report registry.Report `json:"report"`
	Error  string          `json:"error,omitempty"`
}

func requestsDir(data string) string { return filepath.Join(data, "requests") }

func (r SealRequest) path(data string) string {
	return filepath.Join(requestsDir(data), "seal-"+r.Quarter.String()+".json")
}

// AskToSeal leaves a request for the server on a data folder and waits for its
// answer until ctx ends. A request that nobody answered is taken back.
func AskToSeal(ctx context.Context, data string, r SealRequest) (SealAnswer, error) {
	if err := os.MkdirAll(requestsDir(data), 0o700); err != nil {
		return SealAnswer{}, fmt.Errorf("request: %w", err)
	}
	path := r.path(data)
	if err := errors.Join(remove(path+".answer"), writeJSON(path, r)); err != nil {
		return SealAnswer{}, fmt.Errorf("request: %w", err)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := os.ReadFile(path + ".answer")
		if err == nil {
			var a SealAnswer
			err = json.Unmarshal(b, &a)
			return a, errors.Join(err, remove(path+".answer"))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return SealAnswer{}, errors.Join(fmt.Errorf("no server with the ingest role answered on %s", data), remove(path))
		}
	}
}

// sealClosedQuarters answers requests, and seals by itself what the
// configuration says, until ctx ends.
func (s *Server) sealClosedQuarters(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var next time.Time // when to look again for a quarter to seal by itself
	for {
		if s.ready() {
			s.answerRequests(ctx)
			if now := s.o.Clock(); s.o.Config.SealAfterDays > 0 && !now.Before(next) {
				s.sealByItself(ctx, now)
				next = now.Add(tryAgainAfter)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) answerRequests(ctx context.Context) {
	paths, err := filepath.Glob(filepath.Join(requestsDir(s.o.Config.Data), "seal-*.json"))
	if err != nil {
		return // the pattern is constant
	}
	for _, path := range paths {
		a := SealAnswer{}
		r, err := readRequest(path)
		if err == nil {
			a.Report, err = s.Seal(ctx, r.Quarter, r.By, r.Reason, s.o.Clock())
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			a.Error = err.Error()
			s.log.Error("sealing failed", "request", path, "error", err)
		}
		if err := errors.Join(remove(path), writeJSON(path+".answer", a)); err != nil {
			s.log.Error("request not answered", "request", path, "error", err)
		}
	}
}

func readRequest(path string) (r SealRequest, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// sealByItself seals the last quarter when its time has come and nobody did.
func (s *Server) sealByItself(ctx context.Context, now time.Time) {
	q := calendar.QuarterOf(now).Add(-1)
	if now.Before(q.End().AddDate(0, 0, s.o.Config.SealAfterDays)) {
		return
	}
	if _, err := s.registry.Report(ctx, q, 0); !errors.Is(err, registry.ErrNotFound) {
		return
	}
	if _, err := s.Seal(ctx, q, Automatic, "", now); err != nil && !errors.Is(err, report.ErrNothing) && ctx.Err() == nil {
		s.log.Error("quarter not sealed, it is tried again later", "quarter", q, "error", err)
	}
}

// writeJSON writes a file whole or not at all.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := strings.TrimSuffix(path, ".json") + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

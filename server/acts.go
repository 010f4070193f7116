package server

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/registry"
)

// What people change (keys, configurations, consents, plans, factors, entries by
// hand, imports, sealings) is in the audit trail. Each line of it becomes a leaf of the
// ledger within seconds, so that nobody can take one back or write another
// afterwards. The leaf holds what was done, when, and the SHA-256 of the line, but
// not who did it to whom: a ledger forgets nothing, and names may have to go.

// actKind is the kind of such documents.
const actKind = "act"

// actsSetting is the number of the last act in the ledger.
const actsSetting = "acts_in_ledger"

// actLeaf is the body of an act's document.
type actLeaf struct {
	Number int64     `json:"number"` // in the audit trail
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	SHA256 string    `json:"sha256"` // of the act as JSON
}

func leafOf(a registry.NumberedAct) (actLeaf, error) {
	a.At = a.At.UTC()
	b, err := json.Marshal(a.Act)
	return actLeaf{a.Number, a.At, a.What, batch.HashOf(b).String()}, err
}

// recordActs brings the audit trail into the ledger, as long as ctx lasts.
func (s *Server) recordActs(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.recordNewActs(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("acts not entered in the ledger, tried again later", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// recordNewActs appends what the ledger does not have. After a crash the last
// ones are appended again, as the same bytes, which the ledger keeps once.
func (s *Server) recordNewActs(ctx context.Context) error {
	var last int64
	if text, err := s.registry.Setting(ctx, actsSetting); err == nil {
		if last, err = strconv.ParseInt(text, 10, 64); err != nil {
			return fmt.Errorf("setting %s: %w", actsSetting, err)
		}
	} else if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	for {
		acts, err := s.registry.ActsAfter(ctx, last, 500)
		if err != nil || len(acts) == 0 {
			return err
		}
		leaves := make([][]byte, len(acts))
		for i, a := range acts {
			if leaves[i], err = s.sealAct(a); err != nil {
				return err
			}
		}
		if _, err := s.ledger.AppendAll(ctx, leaves); err != nil {
			return err
		}
		last = acts[len(acts)-1].Number
		if err := s.registry.SetSetting(ctx, actsSetting, strconv.FormatInt(last, 10)); err != nil {
			return err
		}
	}
}

func (s *Server) sealAct(a registry.NumberedAct) ([]byte, error) {
	leaf, err := leafOf(a)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(leaf)
	if err != nil {
		return nil, err
	}
	return batch.SealDocument(batch.Document{Kind: actKind, Signer: "server", SignedAt: leaf.At.UnixMilli(), Body: body}, s.keys.Server)
}

// Acts tells how an audit trail and the ledger agree.
type Acts struct {
	Proved  int      // lines that are as the ledger has them
	Waiting int      // newer than the ledger's last one
	Faults  []string // lines that were changed, taken out or put in
}

// CheckActs compares the audit trail with the ledger, which no server may have open.
func CheckActs(ctx context.Context, c Config) (a Acts, err error) {
	p, err := readProgramme(c.Programme)
	if err != nil {
		return a, err
	}
	keys, err := loadKeys(c.Data)
	if err != nil {
		return a, err
	}
	l, err := ledger.Open(filepath.Join(c.Data, "ledger"), ledger.Options{Origin: Origin(p.Territory.ID), Signer: keys.Ledger})
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	r, err := registry.Open(ctx, filepath.Join(c.Data, "registry.db"))
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	trail, err := r.ActsAfter(ctx, math.MinInt64, 10_000_000)
	if err != nil {
		return a, err
	}
	lines := make(map[int64]registry.NumberedAct, len(trail))
	for _, x := range trail {
		lines[x.Number] = x
	}
	public := keys.Server.Public().(ed25519.PublicKey)
	var last int64
	for e, err := range l.Entries(ctx, 0, l.Size()) {
		if err != nil {
			return a, err
		}
		if d, derr := batch.OpenDocument(e.Data, nil); derr != nil || d.Kind != actKind {
			continue
		}
		d, err := batch.OpenDocument(e.Data, public)
		var leaf actLeaf
		if err == nil {
			err = json.Unmarshal(d.Body, &leaf)
		}
		if err != nil {
			return a, fmt.Errorf("leaf %d: %w", e.Index, err)
		}
		last = max(last, leaf.Number)
		x, there := lines[leaf.Number]
		delete(lines, leaf.Number)
		switch want, err := leafOf(x); {
		case err != nil:
			return a, err
		case !there:
			a.Faults = append(a.Faults, fmt.Sprintf("line %d (%s, %s) was taken out of the audit trail; leaf %d has it", leaf.Number, leaf.What, leaf.At.Format(time.RFC3339), e.Index))
		case want != leaf:
			a.Faults = append(a.Faults, fmt.Sprintf("line %d (%s, %s) was changed since it entered the ledger as leaf %d", leaf.Number, leaf.What, leaf.At.Format(time.RFC3339), e.Index))
		default:
			a.Proved++
		}
	}
	for _, x := range trail {
		if _, left := lines[x.Number]; !left {
			continue
		}
		if x.Number > last {
			a.Waiting++
			continue
		}
		a.Faults = append(a.Faults, fmt.Sprintf("line %d (%s) was put into the audit trail afterwards: the ledger has later ones and not this", x.Number, x.What))
	}
	return a, nil
}

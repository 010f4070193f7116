package report

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
)

// Registry is what sealing reads of the programme, and where it is recorded.
type Registry interface {
	Members
	Rights
	Papers
	Sealed
}

// Members are the things that the programme is made of.
type Members interface {
	Companies(ctx context.Context) ([]metering.Company, error)
	Gateways(ctx context.Context) ([]metering.Gateway, error)
	Meters(ctx context.Context) ([]metering.Meter, error)
	Synergies(ctx context.Context) ([]metering.Synergy, error)
}

// Rights are whose programme it is, who signs, and who consented to what.
type Rights interface {
	Territory(ctx context.Context) (registry.Territory, error)
	GatewayKeys(ctx context.Context, id string) ([]registry.EnrolledKey, error)
	ConsentedAt(ctx context.Context, company string, to access.Role, what access.Matter, at time.Time) (bool, error)
}

// Papers are what figures rest on.
type Papers interface {
	Results(ctx context.Context, q registry.Query) ([]metering.Result, error)
	PlanByHash(ctx context.Context, hash string) (registry.Plan, error)
	FactorSets(ctx context.Context) ([]registry.FactorSet, error)
	Declarations(ctx context.Context, synergy string, from, to time.Time) ([]registry.Declaration, error)
	Commissionings(ctx context.Context) ([]registry.Commissioning, error)
}

// Sealed is the record of closed quarters.
type Sealed interface {
	Reports(ctx context.Context) ([]registry.Report, error)
	AddReport(ctx context.Context, r registry.Report) error
	Audit(ctx context.Context, a registry.Act) error
}

// Ledger is the log that batches come from and that the seal goes into.
type Ledger interface {
	Log
	Leaves
}

// Log takes the sealed document in.
type Log interface {
	Append(ctx context.Context, data []byte) (index uint64, duplicate bool, err error)
	Prove(ctx context.Context, index uint64) ([]byte, error)
}

// Leaves gives what is in the log, under a signed checkpoint.
type Leaves interface {
	Checkpoint(ctx context.Context) ([]byte, error)
	Entries(ctx context.Context, from, to uint64) iter.Seq2[ledger.Entry, error]
	Excerpt(ctx context.Context, w io.Writer, checkpoint []byte, leaves []uint64) error
}

// Inputs of a sealing.
type Inputs struct {
	Registry Registry
	Ledger   Ledger
	Keys     proof.Keys         // public ones of the programme
	Signer   ed25519.PrivateKey // the server's
	Data     string             // the data folder; reports lie in Data/reports
	Quarter  calendar.Quarter
	By       string // who seals
	Reason   string // of a revision; "" for the first report of the quarter
	Version  string // of the program
	Clock    func() time.Time
	Log      *slog.Logger // nil: silent
}

// Errors, wrapped with the quarter.
var (
	// ErrSealed: the quarter is sealed, and no reason for a revision was given.
	ErrSealed = errors.New("it is sealed; a revision needs a reason")
	// ErrNotOver: the quarter is not over.
	ErrNotOver = errors.New("it is not over")
	// ErrStale: the registry's results are not what the readings in the ledger
	// give now. Run the assessment, then seal.
	ErrStale = errors.New("results are older than the readings: assess anew first")
	// ErrNothing: no synergy has a result in the quarter.
	ErrNothing = errors.New("no results")
)

// Seal closes a quarter, or makes a revision of a closed one when a reason is
// given, and returns its record. After a crash the same call goes on where the
// last one ended. With ErrSealed the last revision's record is returned as well.
// One Seal runs at a time.
func Seal(ctx context.Context, in Inputs) (registry.Report, error) {
	if in.Log == nil {
		in.Log = slog.New(slog.DiscardHandler)
	}
	if in.Clock == nil {
		in.Clock = time.Now
	}
	r, err := seal(ctx, &in)
	if err != nil {
		return r, fmt.Errorf("seal %s: %w", in.Quarter, err)
	}
	return r, nil
}

func seal(ctx context.Context, in *Inputs) (registry.Report, error) {
	all, err := in.Registry.Reports(ctx)
	if err != nil {
		return registry.Report{}, err
	}
	var earlier []registry.Report // of the quarter, the last one first
	for _, r := range all {
		if r.Quarter == in.Quarter {
			earlier = append(earlier, r)
		}
	}
	f := folder{data: in.Data, quarter: in.Quarter, revision: len(earlier) + 1}
	begun, err := f.begun()
	switch {
	case err != nil:
		return registry.Report{}, err
	case begun:
		in.Log.Info("report: going on with a sealing that was interrupted", "quarter", in.Quarter, "revision", f.revision)
	case len(earlier) > 0 && in.Reason == "":
		return earlier[0], ErrSealed
	case in.Clock().Before(in.Quarter.End()):
		return registry.Report{}, ErrNotOver
	case len(earlier) == 0 && in.Reason != "":
		return registry.Report{}, errors.New("the first report of a quarter corrects nothing: give no reason")
	case in.By == "":
		return registry.Report{}, errors.New("by whom?")
	case len(in.Signer) != ed25519.PrivateKeySize || !in.Keys.Server.Equal(in.Signer.Public()):
		return registry.Report{}, errors.New("the signing key is not the programme's")
	default:
		if err := prepare(ctx, in, f, earlier); err != nil {
			return registry.Report{}, errors.Join(err, os.RemoveAll(f.at(working)))
		}
	}
	return finish(ctx, in, f)
}

// finish carries a prepared report through the ledger into the registry.
func finish(ctx context.Context, in *Inputs, f folder) (registry.Report, error) {
	none := registry.Report{}
	files, err := f.files()
	if err != nil {
		return none, err
	}
	named, err := f.named()
	if err != nil {
		return none, err
	}
	if !named {
		index, _, err := in.Ledger.Append(ctx, files.Leaf())
		if err != nil {
			return none, err
		}
		p, err := in.Ledger.Prove(ctx, index)
		if err != nil {
			return none, err
		}
		files.Prove(p)
	}
	v := proof.VerifyReport(files, &in.Keys)
	if !v.OK() {
		for _, s := range v.Steps {
			if !s.OK {
				return none, fmt.Errorf("what was sealed does not verify: %s: %s", s.Name.EN, s.Detail)
			}
		}
	}
	if !named {
		if err := f.name(files, v.Report.SealedAt); err != nil {
			return none, err
		}
	}
	r := registry.Report{Quarter: v.Report.Quarter, Revision: v.Report.Revision, Hash: proof.Hash(files.Leaf()), LedgerIndex: uint64(v.Index),
		Path: f.path(), SealedBy: v.Report.SealedBy, SealedAt: v.Report.SealedAt, Reason: v.Report.Reason.FR}
	err = in.Registry.Audit(ctx, registry.Act{At: in.Clock(), Who: r.SealedBy, What: string(access.SealReport),
		Subject: fmt.Sprintf("%s r%d", r.Quarter, r.Revision), Detail: r.Reason})
	if err != nil {
		return none, err
	}
	if err := in.Registry.AddReport(ctx, r); err != nil {
		return none, err
	}
	in.Log.Info("report: quarter sealed", "quarter", r.Quarter, "revision", r.Revision, "leaf", r.LedgerIndex, "cells", len(v.Report.Cells))
	return r, nil
}

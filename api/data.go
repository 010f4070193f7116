package api

import (
	"context"
	"io/fs"
	"iter"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/registry/accounts"
	"github.com/thermie/thermie/series"
)

// Registry is what the pages read of the programme.
type Registry interface {
	Members
	Rights
	Outcomes
	Papers
	Health
	Contacting
}

// Members are the things that the programme is made of.
type Members interface {
	Companies(ctx context.Context) ([]metering.Company, error)
	Gateways(ctx context.Context) ([]metering.Gateway, error)
	Installations(ctx context.Context) ([]registry.Installation, error)
	Synergies(ctx context.Context) ([]metering.Synergy, error)
}

// Rights are what access must know, and who consented to what.
type Rights interface {
	Facts(ctx context.Context) (access.Facts, error)
	SharedMeters(ctx context.Context, synergy string) ([]string, error)
	Consents(ctx context.Context, company string) ([]registry.Consent, error)
}

// Outcomes are what the assessment found.
type Outcomes interface {
	Results(ctx context.Context, q registry.Query) ([]metering.Result, error)
	Opportunities(ctx context.Context) ([]metering.Opportunity, error)
	Attributions(ctx context.Context, synergy string) ([]metering.Attribution, error)
	Alarms(ctx context.Context, q registry.AlarmQuery) ([]metering.Alarm, error)
	HeatPlan(ctx context.Context) (metering.HeatPlan, error)
	HeatProposals(ctx context.Context) ([]registry.Proposal, error)
	DecideHeatProposal(ctx context.Context, id string, d registry.Decision, who, reason string) error
	Events(ctx context.Context, synergy string) ([]registry.Event, error)
	DecideEvent(ctx context.Context, e registry.Event, next registry.Plan, accepted bool, reason string) error
}

// Contacting is what brings companies together. It is given out only through
// visit.seen.
type Contacting interface {
	Contacts(ctx context.Context, company string) ([]registry.Contact, error)
	Contact(ctx context.Context, id string) (registry.Contact, error)
	ContactByRef(ctx context.Context, ref string) (c registry.Contact, side int, err error)
	ProposeContact(ctx context.Context, p registry.ContactProposal, by string) (registry.Contact, error)
	AgreeContact(ctx context.Context, ref string, parts []access.Part, person registry.ContactPerson, by string) error
	PostponeContact(ctx context.Context, ref, by string) error
	DeclineContact(ctx context.Context, ref, reason, by string) error
	WishCandidate(ctx context.Context, ref string, wish bool, by string) error
	EnterCandidate(ctx context.Context, id string, name metering.Text, by string) (synergy string, err error)
	HeatNeeds(ctx context.Context) ([]metering.HeatNeed, error)
	Flows(ctx context.Context) ([]registry.Flow, error)
}

// Papers are what figures rest on.
type Papers interface {
	Plans(ctx context.Context, synergy string) ([]registry.Plan, error)
	FactorSets(ctx context.Context) ([]registry.FactorSet, error)
	Declarations(ctx context.Context, synergy string, from, to time.Time) ([]registry.Declaration, error)
	Reports(ctx context.Context) ([]registry.Report, error)
}

// Health is how the measuring goes.
type Health interface {
	Statuses(ctx context.Context) ([]batch.Status, error)
	ConfigReport(ctx context.Context, gateway string) (batch.ConfigReport, error)
	Desired(ctx context.Context, gateway string) (registry.Desired, error)
	Commissionings(ctx context.Context) ([]registry.Commissioning, error)
	Completeness(ctx context.Context, q registry.CompletenessQuery) ([]registry.MeterDay, error)
	AuditTrail(ctx context.Context, max int) ([]registry.Act, error)
	Audit(ctx context.Context, a registry.Act) error
	ImportedSpans(ctx context.Context) ([]registry.ImportedSpan, error)
}

// Series is the part of a series store that pages read; each call carries the
// scope of the person who asks.
type Series interface {
	Points(ctx context.Context, scope access.Scope, id metering.SeriesID, from, to time.Time) iter.Seq2[metering.Point, error]
	Latest(ctx context.Context, scope access.Scope, ids []metering.SeriesID) (map[metering.SeriesID]metering.Point, error)
	Windows(ctx context.Context, scope access.Scope, id metering.SeriesID, bounds []time.Time) ([]series.Window, error)
	List(ctx context.Context, scope access.Scope) ([]series.Info, error)
}

// Accounts knows people. Check returns an error that wraps accounts.ErrRefused
// or accounts.ErrTooMany; Get one that wraps accounts.ErrNotFound for somebody
// who is gone.
type Accounts interface {
	Check(ctx context.Context, email, password string) (access.Person, error)
	Get(ctx context.Context, id string) (accounts.Account, error)
	List(ctx context.Context) ([]accounts.Account, error)
}

// Bundles opens the packages of closed quarters: the funder's (report.html,
// report.json, report.csv, manifest and proof) and the verifier's dossier.
type Bundles interface {
	Bundle(ctx context.Context, r registry.Report) (fs.FS, error)
	Dossier(ctx context.Context, r registry.Report) (fs.FS, error)
}

// Progress is the loading of history: a share of 0 to 1 and what is being done.
type Progress interface {
	Progress() (share float64, text metering.Text)
}

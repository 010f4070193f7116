package registry_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

var ctx = context.Background()

// clock is a clock that tests move by hand.
type clock struct{ ms atomic.Int64 }

func newClock(s string) *clock {
	c := new(clock)
	c.set(s)
	return c
}

func (c *clock) now() time.Time { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *clock) set(s string)   { c.ms.Store(at(s).UnixMilli()) }
func (c *clock) add(d time.Duration) {
	c.ms.Add(d.Milliseconds())
}

// at reads an instant, or a date as the beginning of that day in UTC.
func at(s string) time.Time {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	panic("bad time " + s)
}

// open opens a fresh registry whose clock stands at 1 July 2025.
func open(t testing.TB) (*registry.Registry, *clock) {
	t.Helper()
	c := newClock("2025-07-01T12:00:00Z")
	r, err := registry.Open(ctx, filepath.Join(t.TempDir(), "registry.db"), registry.WithClock(c.now))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r, c
}

// filled is open with the sample programme imported.
func filled(t testing.TB) (*registry.Registry, *clock) {
	t.Helper()
	r, c := open(t)
	require.NoError(t, r.Import(ctx, sample(t)))
	return r, c
}

func TestWhatWasImportedIsRead(t *testing.T) {
	p := sample(t)
	r, _ := filled(t)

	territory, err := r.Territory(ctx)
	require.NoError(t, err)
	assert.Equal(t, p.Territory, territory)

	companies, err := r.Companies(ctx)
	require.NoError(t, err)
	assert.Equal(t, p.Companies, companies)
	one, err := r.Company(ctx, "laiterie")
	require.NoError(t, err)
	assert.Equal(t, p.Companies[2], one)

	gateways, err := r.Gateways(ctx)
	require.NoError(t, err)
	require.Len(t, gateways, 3)
	assert.Equal(t, []byte(p.Gateways[0].PublicKey), gateways[0].PublicKey)
	assert.Equal(t, p.Gateways[1].Place, gateways[1].Place)
	assert.Empty(t, gateways[1].PublicKey)
	assert.Empty(t, gateways[2].Company)

	all, err := r.Installations(ctx)
	require.NoError(t, err)
	require.Len(t, all, len(p.Meters))
	for i, want := range p.Meters {
		if want.Interval == 0 {
			want.Interval = time.Minute
		}
		for j := range want.Exchanges {
			want.Exchanges[j].At = want.Exchanges[j].At.UTC()
		}
		assert.Equal(t, want, all[i])
	}
	of, err := r.MetersOfCompany(ctx, "fonderie")
	require.NoError(t, err)
	assert.Len(t, of, 2)
	of, err = r.MetersOfCompany(ctx, "")
	require.NoError(t, err)
	require.Len(t, of, 1)
	assert.Equal(t, "meteo", of[0].ID)
	of, err = r.MetersOfGateway(ctx, "gw-neudorf")
	require.NoError(t, err)
	assert.Len(t, of, 1)

	synergies, err := r.Synergies(ctx)
	require.NoError(t, err)
	require.Len(t, synergies, 2)
	for i, want := range p.Synergies {
		want.Since = want.Since.UTC()
		assert.Equal(t, want.Synergy, synergies[i])
	}
	shared, err := r.SharedMeters(ctx, "s1")
	require.NoError(t, err)
	assert.Equal(t, []string{"fonderie-heat"}, shared)

	flows, err := r.Flows(ctx)
	require.NoError(t, err)
	assert.Equal(t, p.Flows, flows)
	cards, err := r.Cards(ctx)
	require.NoError(t, err)
	assert.Equal(t, p.Cards, cards)
}

func TestFactsFollowConsents(t *testing.T) {
	r, c := filled(t)
	animator := access.Person{Role: access.Animator}
	scope := func() access.Scope {
		f, err := r.Facts(ctx)
		require.NoError(t, err)
		return access.ForSeries(animator, f)
	}
	assert.True(t, scope().Allows("fonderie-heat"))
	assert.True(t, scope().Allows("meteo"))
	assert.False(t, scope().Allows("neudorf-gas"), "never consented")

	require.NoError(t, r.Withdraw(ctx, "fonderie", access.Animator, access.SeriesMatter))
	assert.False(t, scope().Allows("fonderie-heat"), "withdrawn at once")
	assert.ErrorIs(t, r.Withdraw(ctx, "fonderie", access.Animator, access.SeriesMatter), registry.ErrNotFound)

	// The file still says that the consent lasts: it does not come back.
	p := sample(t)
	p.Companies[0].Quay = "Quai 2"
	require.NoError(t, r.Import(ctx, p))
	assert.False(t, scope().Allows("fonderie-heat"))

	c.add(time.Hour)
	require.NoError(t, r.Consent(ctx, registry.Consent{Company: "fonderie", To: access.Animator, What: access.SeriesMatter, From: c.now(), GivenBy: "direction"}))
	assert.True(t, scope().Allows("fonderie-heat"), "given anew")

	was, err := r.ConsentedAt(ctx, "laiterie", access.Animator, access.SeriesMatter, at("2025-03-01"))
	require.NoError(t, err)
	assert.True(t, was)
	was, err = r.ConsentedAt(ctx, "laiterie", access.Animator, access.SeriesMatter, at("2025-04-01"))
	require.NoError(t, err)
	assert.False(t, was)

	partner := access.Person{Role: access.Company, Company: "neudorf"}
	f, err := r.Facts(ctx)
	require.NoError(t, err)
	assert.True(t, access.ForSeries(partner, f).Allows("fonderie-heat"), "the shared flow")
	assert.False(t, access.ForSeries(partner, f).Allows("fonderie-flue"))
	assert.True(t, access.May(partner, f, access.SeeSynergy, "s1"))
	assert.False(t, access.May(partner, f, access.SeeSynergy, "s7"))
}

func TestResults(t *testing.T) {
	r, _ := filled(t)
	q1 := metering.Result{Synergy: "s1", Kind: metering.PeriodQuarter, From: at("2024-12-31T23:00:00Z"), To: at("2025-03-31T22:00:00Z"),
		Figures:  []metering.Figure{{Indicator: metering.EnergyAvoidedMWh, Amount: 1234.5678901234567, Half90: 31, Coverage: 0.987, Class: metering.ClassMeasured}},
		Notes:    []metering.Text{{FR: "trou", EN: "gap"}},
		PlanHash: "ab", FactorSet: "fr-2024 v1"}
	q2 := q1
	q2.From, q2.To, q2.Notes = q1.To, at("2025-06-30T22:00:00Z"), nil
	day := q1
	day.Kind, day.To = metering.PeriodDay, at("2025-01-01T23:00:00Z")
	other := q1
	other.Synergy = "s7"
	require.NoError(t, r.PutResults(ctx, []metering.Result{other, q2, q1, day}))

	got, err := r.Results(ctx, registry.Query{Synergy: "s1", Kind: metering.PeriodQuarter})
	require.NoError(t, err)
	assert.Equal(t, []metering.Result{q1, q2}, got)

	got, err = r.Results(ctx, registry.Query{From: q1.To, To: q2.To})
	require.NoError(t, err)
	assert.Equal(t, []metering.Result{q2}, got, "half-open: what ends where the query begins is out")

	q1.Figures = []metering.Figure{{Indicator: metering.EnergyAvoidedMWh, Amount: 1}}
	require.NoError(t, r.PutResults(ctx, []metering.Result{q1}))
	got, err = r.Results(ctx, registry.Query{Synergy: "s1", Kind: metering.PeriodQuarter})
	require.NoError(t, err)
	assert.Equal(t, []metering.Result{q1, q2}, got, "replaced, not doubled")

	year := q1
	year.Kind, year.From, year.To = metering.PeriodYear, at("2024-04-01T22:00:00Z"), at("2025-04-01T22:00:00Z")
	next := year
	next.From, next.To = at("2024-04-02T22:00:00Z"), at("2025-04-02T22:00:00Z")
	require.NoError(t, r.PutResults(ctx, []metering.Result{year}))
	require.NoError(t, r.PutResults(ctx, []metering.Result{next}))
	require.NoError(t, r.PutResults(ctx, []metering.Result{next}))
	got, err = r.Results(ctx, registry.Query{Synergy: "s1", Kind: metering.PeriodYear})
	require.NoError(t, err)
	assert.Equal(t, []metering.Result{next}, got, "the last twelve months are one result")

	assert.ErrorContains(t, r.PutResults(ctx, []metering.Result{{Synergy: "s9", Kind: "day", From: at("2025-01-01"), To: at("2025-01-02")}}), "s9")
}

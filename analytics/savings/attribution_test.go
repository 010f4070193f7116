package savings

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/metering"
)

func TestAttribute(t *testing.T) {
	// Claims that agree with the whole stand as they are.
	a, err := Attribute(100, 15, []Claim{{"heat", 60, 3}, {"hood", 45, 9}})
	require.NoError(t, err)
	require.False(t, a.Reduced)
	require.Equal(t, 60.0, a.Parts[0].Attributed)
	require.Equal(t, -5.0, a.Interaction)
	require.Zero(t, a.Unattributed)

	// The site saved more than anyone explains.
	a, err = Attribute(200, 15, []Claim{{"heat", 60, 3}, {"hood", 45, 9}})
	require.NoError(t, err)
	require.Equal(t, 95.0, a.Unattributed)
	require.Contains(t, a.Text.EN, "what remains is none of theirs")

	// Claims beyond the whole: the less sure one gives way more.
	a, err = Attribute(80, 6, []Claim{{"heat", 60, 3}, {"hood", 45, 9}})
	require.NoError(t, err)
	require.True(t, a.Reduced)
	require.InDelta(t, 57.5, a.Parts[0].Attributed, 1e-9) // 25 × 9/90
	require.InDelta(t, 22.5, a.Parts[1].Attributed, 1e-9)
	require.Less(t, a.Parts[1].Half90, 9.0)
	require.Contains(t, a.Text.FR, "effet rebond")

	for _, bad := range [][]Claim{nil, {{"heat", 1, 0}}, {{"heat", 1, 1}, {"heat", 2, 1}}} {
		_, err := Attribute(10, 1, bad)
		require.Error(t, err)
	}
	_, err = Attribute(10, 0, []Claim{{"heat", 1, 1}})
	require.Error(t, err)
}

// Whatever is claimed: no part is negative that was not claimed so, the parts of
// reduced claims add up to what the site saved, and nothing is counted twice.
func TestAttributionNeverExceeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, half := rapid.Float64Range(-50, 200).Draw(t, "whole"), rapid.Float64Range(0.1, 50).Draw(t, "half")
		var claims []Claim
		for i := range rapid.IntRange(1, 5).Draw(t, "n") {
			claims = append(claims, Claim{string(rune('a' + i)), rapid.Float64Range(0, 150).Draw(t, "amount"), rapid.Float64Range(0.1, 30).Draw(t, "u")})
		}
		a, err := Attribute(whole, half, claims)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, p := range a.Parts {
			if p.Attributed < 0 {
				t.Fatalf("negative part %v", p)
			}
			sum += p.Attributed
		}
		if a.Reduced && sum > max(whole, 0)+1e-6 {
			t.Fatalf("parts %v of a whole of %v", sum, whole)
		}
		if sum > max(whole, 0)+a.InteractionHalf90+1e-6 {
			t.Fatalf("parts %v beyond the interval of %v", sum, whole)
		}
	})
}

// TestAttributeSite: a synergy that ran in the site's baseline takes no part in what
// the site saved since, nor does one of another energy; one that began with the
// reporting period does.
func TestAttributeSite(t *testing.T) {
	d, _ := newMill(3, 0.15).data()
	hours := make([]float64, d.Hours)
	full := make([]float64, d.Hours)
	for h := range hours {
		hours[h], full[h] = 20, 1
	}
	d.Series["line/heat_energy"] = &Series{Amount: hours, Covered: full, Last: date("2026-01-01")}
	heat := func(synergy, from, energy string) *Evaluation {
		p, err := ParsePlan([]byte(`schema: thermie.plan/1
synergy: ` + synergy + `
version: 1
option: B
title: {fr: Chaleur, en: Heat}
boundary: {fr: Chaleur livrée, en: Heat delivered}
reporting: {from: ` + from + `}
meters:
  - {series: line/heat_energy, role: heat, accuracy: {class: EN 1434 class 2}}
displaced:
  - {energy: ` + energy + `, efficiency_pci: 0.9, efficiency_half90: 0.03, pcs_per_pci: 1.11, source: {fr: essai, en: test}}
values:
  ` + energy + `: {factor: natural-gas}
`))
		require.NoError(t, err)
		e, err := Evaluate(p, testFactors(t), d, date("2026-01-01"))
		require.NoError(t, err)
		return e
	}
	site, err := Evaluate(millPlan(t, "day"), testFactors(t), d, date("2026-01-01"))
	require.NoError(t, err)
	from, to, ok := CommonDays(site, heat("new", "2025-01-01", "gas"))
	require.True(t, ok)
	require.Equal(t, date("2025-01-01"), from)
	share := func(others ...*Evaluation) *metering.Attribution {
		a, err := AttributeSite(site, others, metering.PeriodToDate, from, to)
		require.NoError(t, err)
		return a
	}
	a := share(heat("new", "2025-01-01", "gas"), heat("old", "2024-03-01", "gas"), heat("oil", "2025-01-01", "wood"))
	require.Len(t, a.Parts, 1)
	require.Equal(t, "new", a.Parts[0].Synergy)
	require.InDelta(t, 20*8760./1000*1.11/0.9, a.Parts[0].Claimed, 1e-6)
	require.InDelta(t, a.Whole, a.Parts[0].Attributed+a.Unattributed, 1e-6)
	require.Len(t, a.Left, 2)
	require.Contains(t, a.Left[0].Why.EN, "ran in the site's baseline")
	require.Contains(t, a.Left[1].Why.FR, "wood")

	a = share(heat("old", "2024-03-01", "gas"))
	require.Empty(t, a.Parts)
	require.InDelta(t, a.Whole, a.Unattributed, 1e-9)
	_, err = AttributeSite(site, nil, metering.PeriodToDate, from, to)
	require.ErrorIs(t, err, ErrNoClaim)
}

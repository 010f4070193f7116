package savings

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
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
	require.Contains(t, a.Text.EN, "attributed to none")

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

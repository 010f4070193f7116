package coverage

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A quick study, of few sites: the shares lie within three standard errors of the
// bounds that docs/coverage.md reports for many. The noise whose slow part a year
// cannot show is known to be covered less.
func TestQuickStudy(t *testing.T) {
	const sites = 40
	slack := 3 * 0.05 // of a share near 0.9 of 40 sites
	for i, k := range Noises() {
		if i%2 == 0 { // every other kind: AR(1), seasonal, the slow one, seasonal and long
			continue
		}
		r, err := Run(context.Background(), k, sites, 20260101, nil)
		require.NoError(t, err)
		low := 0.85
		if k.Name == "slow-and-fast" {
			low = 0.78
		}
		require.GreaterOrEqual(t, r.Share(r.Year), low-slack, k.Name)
		for q := range 4 {
			require.GreaterOrEqual(t, r.Share(r.Quarters[q]), low-slack, "%s, quarter %d", k.Name, q+1)
		}
		require.Positive(t, r.YearWidth)
	}
}

func TestSameSeedSameSites(t *testing.T) {
	k := Noises()[4]
	a, err := Run(context.Background(), k, 8, 1, nil)
	require.NoError(t, err)
	b, err := Run(context.Background(), k, 8, 1, nil)
	require.NoError(t, err)
	require.Equal(t, a, b)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Run(ctx, k, 1000, 1, nil)
	require.ErrorIs(t, err, context.Canceled)
}

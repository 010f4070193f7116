package coverage

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A quick study, of few sites: the shares lie within three standard errors of the
// bounds for many, below and above, and that of all kinds and sites together within
// two of 90 %.
func TestQuickStudy(t *testing.T) {
	const sites = 50
	slack := 3 * math.Sqrt(0.9*0.1/sites)
	held, all := 0, 0
	for _, name := range []string{"white", "ar1-strong", "seasonal", "long-memory", "slow-and-fast", "weekly"} {
		k := kind(t, name)
		r, err := Run(context.Background(), Models()[0], k, sites, 20260101, nil)
		require.NoError(t, err)
		require.InDelta(t, 0.90, r.Share(r.Year), 0.03+slack, name)
		for q := range 4 {
			require.InDelta(t, 0.90, r.Share(r.Quarters[q]), 0.05+slack, "%s, quarter %d", name, q+1)
		}
		require.Positive(t, r.YearWidth)
		held += r.Year
		all += sites
		if name == "long-memory" { // the bounds are such that the plain interval does not keep them
			require.Less(t, r.Share(r.Plain[0]), 0.87-slack)
		}
	}
	share := float64(held) / float64(all)
	require.InDelta(t, 0.90, share, 2*math.Sqrt(share*(1-share)/float64(all)))
}

func kind(t *testing.T, name string) Noise {
	i := slices.IndexFunc(Noises(), func(k Noise) bool { return k.Name == name })
	require.NotEqual(t, -1, i, name)
	return Noises()[i]
}

// Every kind has unit variance, mean zero over sites: else the scatter of a site
// would not be what the study says.
func TestNoisesAreStandard(t *testing.T) {
	for _, k := range Noises() {
		sum, square, n := 0.0, 0.0, 0
		for seed := range uint64(60) {
			x := k.make(rand.New(rand.NewPCG(seed, 3)), 365)
			for _, v := range x {
				sum += v
				square += v * v
				n++
			}
		}
		require.InDelta(t, 1, square/float64(n), 0.12, k.Name)
		require.InDelta(t, 0, sum/float64(n), 0.12, k.Name)
	}
}

// The models of hours see slow noise too, that of months included, whose own
// residuals hide it.
func TestHours(t *testing.T) {
	k := kind(t, "slow-and-fast")
	var width [2]float64
	for i, m := range Models()[1:] {
		r, err := Run(context.Background(), m, k, 12, 3, nil)
		require.NoError(t, err)
		width[i] = r.YearWidth
		require.GreaterOrEqual(t, r.Year, 8, m.Name)
	}
	require.InEpsilon(t, width[0], width[1], 0.35)
}

func TestSameSeedSameSites(t *testing.T) {
	k := kind(t, "long-memory")
	a, err := Run(context.Background(), Models()[0], k, 8, 1, nil)
	require.NoError(t, err)
	b, err := Run(context.Background(), Models()[0], k, 8, 1, nil)
	require.NoError(t, err)
	require.Equal(t, a, b)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Run(ctx, Models()[0], k, 1000, 1, nil)
	require.ErrorIs(t, err, context.Canceled)
}

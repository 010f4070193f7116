package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/metering"
)

func power(second int, number string) metering.Reading {
	return metering.Reading{Series: "m/active_power", At: testAt.Add(time.Duration(second) * time.Second).UnixMilli(), Unit: metering.KW, Number: metering.MustDecimal(number)}
}

func absent(second int) metering.Reading {
	r := power(second, "0")
	r.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
	return r
}

func TestAverager(t *testing.T) {
	energy := metering.Reading{Series: "m/active_energy_import", At: testAt.UnixMilli(), Unit: metering.KWh, Number: metering.Int(7)}
	a := newAverager([]metering.SeriesID{"m/active_power"})
	require.Equal(t, []metering.Reading{energy}, a.take([]metering.Reading{power(0, "1.5"), energy}), "counters pass as read")
	require.Empty(t, a.take([]metering.Reading{power(1, "2.5")}))
	require.Empty(t, a.take([]metering.Reading{absent(2)}))
	require.Empty(t, a.take([]metering.Reading{power(3, "-1")}))
	got := a.close()
	require.Len(t, got, 3)
	mean, least, greatest := power(3, "1"), power(3, "-1"), power(3, "2.5")
	least.Series, greatest.Series = "m/active_power.min", "m/active_power.max"
	require.Equal(t, []metering.Reading{mean, least, greatest}, got)
	for _, r := range got {
		require.NoError(t, r.Check())
	}
	require.Empty(t, a.close(), "nothing came since")

	a.take([]metering.Reading{power(10, "1"), absent(11), absent(12)})
	got = a.close()
	require.Equal(t, metering.Quality{Level: metering.Suspect, Reason: metering.Estimated}, got[0].Quality)
	require.Equal(t, power(10, "1").At, got[0].At)

	a.take([]metering.Reading{absent(20), absent(21)})
	require.Equal(t, []metering.Reading{absent(21)}, a.close())
}

// The mean lies between the extremes and is theirs to half a unit of the last of
// two decimals more.
func TestMeanIsTheMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := newAverager([]metering.SeriesID{"m/active_power"})
		sum, n := 0.0, rapid.IntRange(1, 200).Draw(t, "n")
		for i := range n {
			d := metering.Decimal{Coef: rapid.Int64Range(-1e9, 1e9).Draw(t, "coef"), Exp: -3}
			sum += d.Float64()
			r := power(i, "0")
			r.Number = d
			a.take([]metering.Reading{r})
		}
		got := a.close()
		require.InDelta(t, sum/float64(n), got[0].Number.Float64(), 0.5e-5+1e-6)
		require.LessOrEqual(t, got[1].Number.Cmp(got[0].Number), 0)
		require.GreaterOrEqual(t, got[2].Number.Cmp(got[0].Number), 0)
	})
}

func TestBatcherAverages(t *testing.T) {
	x, now := &box{}, testAt
	b := testBatcher(x, &now)
	b.average = newAverager([]metering.SeriesID{"m/active_power"})
	b.add([]metering.Reading{power(0, "1"), power(1, "3")})
	require.Equal(t, "3", b.readings()["m/active_power"].Number.String(), "the page shows what was read last")
	b.close(testAt.Add(10 * time.Second))
	require.Len(t, x.batches[0], 3)
	require.Equal(t, "2", x.batches[0][0].Number.String())
}

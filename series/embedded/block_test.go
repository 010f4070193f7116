package embedded

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/metering"
)

var drawnPoints = rapid.Custom(func(t *rapid.T) []metering.Point {
	n := rapid.IntRange(0, 300).Draw(t, "n")
	steps := rapid.SampledFrom([]int64{1, 1000, 10_000, 600_000}).Draw(t, "step")
	spread := rapid.SampledFrom([]int64{0, 3, 1000, math.MaxInt64}).Draw(t, "spread")
	exps := rapid.SampledFrom([][2]int8{{0, 0}, {-3, -1}, {-128, 127}}).Draw(t, "exponents")
	at := int64(1736899200000)
	out := make([]metering.Point, n)
	for i := range out {
		at += steps + rapid.SampledFrom([]int64{0, 0, 0, 1, 7}).Draw(t, "jitter")
		p := metering.Point{At: at, Number: metering.Decimal{
			Coef: rapid.Int64Range(-spread/2, spread).Draw(t, "coefficient"), Exp: rapid.Int8Range(exps[0], exps[1]).Draw(t, "exponent")}.Normal()}
		switch rapid.IntRange(0, 9).Draw(t, "level") {
		case 0:
			p.Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}
		case 1:
			p.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
			p.Number = metering.Decimal{}
		}
		out[i] = p
	}
	return out
})

func TestBlockRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		points := drawnPoints.Draw(t, "points")
		got, err := decodeBlock(encodeBlock(points), dayMillis)
		require.NoError(t, err)
		require.Len(t, got, len(points))
		for i := range points {
			require.Equal(t, points[i], got[i])
		}
	})
}

func TestBlockOfEqualPoints(t *testing.T) {
	points := make([]metering.Point, 100_000)
	for i := range points {
		points[i] = metering.Point{At: int64(i), Number: metering.Int(7)}
	}
	data := encodeBlock(points)
	require.Less(t, len(data), 100)
	got, err := decodeBlock(data, dayMillis)
	require.NoError(t, err)
	require.Equal(t, points, got)
	_, err = decodeBlock(data, 99_999)
	require.ErrorIs(t, err, errBlock, "more than the caller takes")
}

// TestDamagedBlock flips every bit of a block: it is refused, or a damage to
// the one byte that is not covered by the checksum gives an error too.
func TestDamagedBlock(t *testing.T) {
	points := make([]metering.Point, 144)
	for i := range points {
		points[i] = metering.Point{At: 1736899200000 + int64(i)*600_000, Number: metering.Decimal{Coef: 2000 + int64(i*i%97), Exp: -2}.Normal()}
	}
	data := encodeBlock(points)
	require.EqualValues(t, zstdBlock, data[0])
	for i := range data {
		for bit := range 8 {
			damaged := append([]byte(nil), data...)
			damaged[i] ^= 1 << bit
			got, err := decodeBlock(damaged, dayMillis)
			if err == nil {
				require.Equal(t, points, got, "byte %d bit %d", i, bit)
			}
		}
		_, err := decodeBlock(data[:i], dayMillis)
		require.Error(t, err, "cut at %d", i)
	}
}

// FuzzBlock gives any bytes to the decoder: it must refuse them or return
// points that survive another round.
func FuzzBlock(f *testing.F) {
	point := func(at, coef int64, exp int8, q metering.Quality) metering.Point {
		return metering.Point{At: at, Number: metering.Decimal{Coef: coef, Exp: exp}, Quality: q}
	}
	suspect := metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}
	for _, points := range [][]metering.Point{
		nil, {point(1, 5, -2, metering.Quality{})}, {point(1, 5, -2, suspect), point(2, 7, -1, metering.Quality{}), point(9, 0, 0, metering.Quality{Level: metering.Missing})},
		{point(-4, math.MaxInt64, 100, suspect), point(5, 1, -128, suspect)},
	} {
		data := encodeBlock(points)
		f.Add(data)
		if body, err := unpacker().DecodeAll(data[1:], nil); data[0] == zstdBlock && err == nil {
			f.Add(append([]byte{plainBlock}, body...))
		}
	}
	f.Add([]byte{plainBlock, 200, 1, 0, 1, 200, 1, 0, 0, 0, 0, 0}) // 200 equal points
	f.Fuzz(func(t *testing.T, data []byte) {
		points, err := decodeBlock(data, 100_000)
		if err != nil {
			require.ErrorIs(t, err, errBlock)
			require.Nil(t, points)
			return
		}
		for i := 1; i < len(points); i++ {
			require.Less(t, points[i-1].At, points[i].At)
		}
		again, err := decodeBlock(encodeBlock(points), 100_000)
		require.NoError(t, err)
		require.Len(t, again, len(points))
		for i := range points {
			require.Equal(t, points[i], again[i])
		}
	})
}

// FuzzSegments does the same for the aggregates of segments.
func FuzzSegments(f *testing.F) {
	points := make([]metering.Point, 2000)
	for i := range points {
		points[i] = metering.Point{At: int64(i) * 43_000, Number: metering.Decimal{Coef: int64(i), Exp: -1}.Normal(), Quality: metering.Quality{Level: metering.Level(i % 3)}}
		if i%3 == 2 {
			points[i].Number = metering.Decimal{}
		}
	}
	f.Add(encodeSegments(0, points))
	f.Add(encodeSegments(0, points[1000:1100]))
	f.Fuzz(func(t *testing.T, data []byte) {
		prev := int64(-1)
		err := eachSegment(0, data, func(start int64, exp int8, a *segment) {
			require.Greater(t, start, prev)
			require.Less(t, start, int64(dayMillis))
			prev = start
		})
		if err != nil {
			require.ErrorIs(t, err, errBlock)
		}
	})
}

// FuzzTail does the same for rows of the tail.
func FuzzTail(f *testing.F) {
	row := tailRow{}
	row.add(1, metering.Point{At: 1736899200000, Number: metering.Decimal{Coef: 2137, Exp: -2}})
	row.add(2, metering.Point{At: 5, Quality: metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}})
	f.Add(row.b)
	f.Fuzz(func(t *testing.T, data []byte) {
		again := tailRow{}
		err := eachTailPoint(data, func(id int64, p metering.Point) error {
			again.add(id, p)
			return nil
		})
		if err != nil {
			require.ErrorIs(t, err, errBlock)
			return
		}
		second := tailRow{}
		require.NoError(t, eachTailPoint(again.b, func(id int64, p metering.Point) error { second.add(id, p); return nil }))
		require.Equal(t, again.b, second.b)
	})
}

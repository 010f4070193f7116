package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// model is the plainest store: a map.
type model struct {
	position uint64
	units    map[metering.SeriesID]metering.Unit
	at       map[metering.SeriesID]map[int64]metering.Point
}

func newModel() *model {
	return &model{units: map[metering.SeriesID]metering.Unit{}, at: map[metering.SeriesID]map[int64]metering.Point{}}
}

func (m *model) apply(upTo uint64, readings []metering.Reading) {
	if upTo <= m.position {
		return
	}
	m.position = upTo
	for _, r := range readings {
		if m.at[r.Series] == nil {
			m.at[r.Series] = map[int64]metering.Point{}
			m.units[r.Series] = r.Unit
		}
		m.at[r.Series][r.At] = series.Point(r)
	}
}

func (m *model) delete(meter string) {
	for id := range m.at {
		if id.Meter() == meter {
			delete(m.at, id)
			delete(m.units, id)
		}
	}
}

func (m *model) ids() []metering.SeriesID { return slices.Sorted(maps.Keys(m.at)) }

func (m *model) points(id metering.SeriesID) []metering.Point {
	out := slices.Collect(maps.Values(m.at[id]))
	slices.SortFunc(out, func(a, b metering.Point) int { return cmp.Compare(a.At, b.At) })
	return out
}

func (m *model) list() []series.Info {
	var out []series.Info
	for _, id := range m.ids() {
		points := m.points(id)
		out = append(out, series.Info{ID: id, Unit: m.units[id], First: at(points[0].At), Last: at(points[len(points)-1].At), Count: len(points)})
	}
	return out
}

// windows computes from scratch what Windows promises.
func (m *model) windows(id metering.SeriesID, bounds []time.Time) []series.Window {
	points := m.points(id)
	out := make([]series.Window, len(bounds)-1)
	for i := range out {
		w := series.Window{From: bounds[i], To: bounds[i+1]}
		sum := new(big.Rat)
		for _, p := range points {
			if t := at(p.At); t.Before(w.From) || !t.Before(w.To) {
				continue
			}
			switch p.Quality.Level {
			case metering.Missing:
				w.Missing++
				continue
			case metering.Suspect:
				w.Suspect++
			default:
				w.Good++
			}
			v := p.Number.Float64()
			if w.Numbers() == 1 {
				w.First, w.Min, w.Max = p, v, v
			}
			w.Min, w.Max, w.Last = min(w.Min, v), max(w.Max, v), p
			sum.Add(sum, rational(p.Number))
		}
		if n := w.Numbers(); n > 0 {
			f, _ := sum.Float64()
			w.Mean = f / float64(n)
		}
		out[i] = w
	}
	return out
}

func rational(d metering.Decimal) *big.Rat {
	r, ok := new(big.Rat).SetString(fmt.Sprintf("%de%d", d.Coef, d.Exp))
	if !ok {
		panic("a decimal is a rational")
	}
	return r
}

// testModel does random things to a store and to the model.
func testModel(t *testing.T, place Place) {
	ids := []metering.SeriesID{heat, power, gas, "a/temperature", "b.2/volume_flow"}
	meters := []string{"foundry-heat", "dryer-gas", "a", "nobody"}
	reasons := []metering.Reason{"", metering.Frozen, metering.NoAnswer, `odd "one", \here`}
	rapid.Check(t, func(rt *rapid.T) {
		s := newSubject(t, place)
		defer s.store.Close()
		instants := rapid.OneOf(
			rapid.Int64Range(base-3*day, base+3*day),                                           // anywhere
			rapid.Map(rapid.Int64Range(-20, 20), func(n int64) int64 { return base + n }),      // the same ones again
			rapid.Map(rapid.Int64Range(-72, 72), func(n int64) int64 { return base + n*hour }), // on the hour, midnights too
		)
		numbers := rapid.OneOf(
			rapid.Map(rapid.Int64Range(-1000, 1_000_000), func(n int64) metering.Decimal { return metering.Decimal{Coef: n, Exp: -2} }),
			rapid.Custom(func(t *rapid.T) metering.Decimal {
				return metering.Decimal{Coef: rapid.Int64().Draw(t, "coefficient"), Exp: rapid.Int8Range(-128, 127).Draw(t, "exponent")}
			}),
		)
		someReading := rapid.Custom(func(t *rapid.T) metering.Reading {
			id := rapid.SampledFrom(ids).Draw(t, "series")
			r := metering.Reading{Series: id, At: instants.Draw(t, "instant"), Unit: unitOf(id), Number: numbers.Draw(t, "number")}
			r.Quality.Level = rapid.SampledFrom([]metering.Level{metering.Good, metering.Good, metering.Good, metering.Suspect, metering.Missing}).Draw(t, "level")
			if r.Quality.Level != metering.Good {
				r.Quality.Reason = rapid.SampledFrom(reasons).Draw(t, "reason")
			}
			return r
		})
		rt.Repeat(map[string]func(*rapid.T){
			"apply": func(rt *rapid.T) {
				readings := rapid.SliceOfN(someReading, 0, 60).Draw(rt, "readings")
				upTo := s.model.position + rapid.Uint64Range(0, 3).Draw(rt, "leaves")
				require.NoError(rt, s.store.Apply(ctx, upTo, readings))
				s.model.apply(upTo, readings)
			},
			"apply again": func(rt *rapid.T) {
				upTo := rapid.Uint64Range(0, s.model.position).Draw(rt, "position")
				require.NoError(rt, s.store.Apply(ctx, upTo, []metering.Reading{someReading.Draw(rt, "reading")}))
			},
			"another unit": func(rt *rapid.T) {
				readings := rapid.SliceOfN(someReading, 1, 5).Draw(rt, "readings")
				wrong := metering.Reading{Series: heat, At: base, Number: metering.Int(1), Unit: metering.Joule}
				i := rapid.IntRange(0, len(readings)).Draw(rt, "place")
				err := s.store.Apply(ctx, s.model.position+1, slices.Insert(readings, i, reading(heat, base, "5"), wrong))
				var refused *series.RefusedError
				require.ErrorAs(rt, err, &refused)
				require.Equal(rt, i+1, refused.Index)
			},
			"delete": func(rt *rapid.T) {
				meter := rapid.SampledFrom(meters).Draw(rt, "meter")
				require.NoError(rt, s.store.(series.Deleter).Delete(ctx, []string{meter}))
				s.model.delete(meter)
			},
			"reopen": func(rt *rapid.T) {
				require.NoError(rt, s.store.Close())
				s.store = s.open(t)
			},
			"compare": func(rt *rapid.T) {
				require.NoError(rt, s.compare())
			},
			"windows": func(rt *rapid.T) {
				id := rapid.SampledFrom(ids).Draw(rt, "series")
				bounds := drawBounds(rt)
				got, err := s.store.Windows(ctx, all, id, bounds)
				require.NoError(rt, err)
				require.Equal(rt, s.model.windows(id, bounds), got)
			},
			"some points": func(rt *rapid.T) {
				id := rapid.SampledFrom(ids).Draw(rt, "series")
				from := instants.Draw(rt, "from")
				to := from + rapid.Int64Range(-day, 4*day).Draw(rt, "length")
				got, err := collect(s.store, id, at(from), at(to))
				require.NoError(rt, err)
				want := slices.DeleteFunc(s.model.points(id), func(p metering.Point) bool { return p.At < from || p.At >= to })
				require.NoError(rt, samePoints(got, want))
			},
		})
		require.NoError(rt, s.compare())
	})
}

func drawBounds(rt *rapid.T) []time.Time {
	first := base + rapid.Int64Range(-80, 80).Draw(rt, "first hour")*hour
	step := rapid.SampledFrom([]int64{hour, day, 7 * hour, 10 * minute, 1}).Draw(rt, "step")
	n := rapid.IntRange(1, 60).Draw(rt, "windows")
	bounds := []time.Time{at(first)}
	for i := range n {
		length := step
		if rapid.IntRange(0, 9).Draw(rt, fmt.Sprint("odd ", i)) == 0 {
			length += rapid.Int64Range(0, day).Draw(rt, "more")
		}
		bounds = append(bounds, bounds[len(bounds)-1].Add(time.Duration(length)*time.Millisecond))
	}
	return bounds
}

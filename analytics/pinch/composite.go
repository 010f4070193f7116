package pinch

import "slices"

// Point is a point of a composite curve: heat content and real temperature.
type Point struct{ KW, Celsius float64 }

// Composites returns the hot and the cold composite curve at real temperatures,
// coldest point first. The cold one begins at the cold utility, so that the
// curves stand as they are drawn: apart by the approach at the pinch.
func Composites(streams []Stream, coldUtilityKW float64) (hot, cold []Point) {
	return composite(streams, true, 0), composite(streams, false, coldUtilityKW)
}

func composite(streams []Stream, hot bool, from float64) []Point {
	var at []float64
	for _, s := range streams {
		if s.Hot == hot {
			at = append(at, s.TS, s.TT)
		}
	}
	slices.Sort(at)
	at = slices.Compact(at)
	var out []Point
	h := from
	for i, t := range at {
		if i > 0 {
			for _, s := range streams {
				low, high := min(s.TS, s.TT), max(s.TS, s.TT)
				if s.Hot == hot && low < t && high > at[i-1] {
					h += float64(s.Q / (high - low) * (t - at[i-1]))
				}
			}
		}
		out = append(out, Point{h, t})
		latent := 0.0
		for _, s := range streams {
			if s.Hot == hot && s.TS == t && s.TT == t {
				latent += s.Q
			}
		}
		if latent > 0 {
			h += latent
			out = append(out, Point{h, t})
		}
	}
	return out
}

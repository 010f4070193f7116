package task

import "math"

// finite replaces figures that are not finite by nil, all the way down, and says
// whether there were any: JSON has none, and they tell nothing.
func finite(v any) (any, bool) {
	found := false
	switch x := v.(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, true
		}
	case map[string]any:
		for _, k := range sortedKeys(x) {
			y, bad := finite(x[k])
			x[k], found = y, found || bad
		}
	case []any:
		for i := range x {
			y, bad := finite(x[i])
			x[i], found = y, found || bad
		}
	case []float64:
		for _, y := range x {
			if math.IsNaN(y) || math.IsInf(y, 0) {
				found = true
			}
		}
		if found {
			out := make([]any, len(x))
			for i, y := range x {
				out[i], _ = finite(y)
			}
			return out, true
		}
	}
	return v, found
}

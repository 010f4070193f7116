package baseline

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// readDaily reads time, energy and temperature of days.
func readDaily(t *testing.T, path string) *Frame {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	f := &Frame{Step: Day}
	for _, r := range records[1:] {
		at, err := time.Parse(time.DateOnly, r[0])
		require.NoError(t, err)
		f.Start = append(f.Start, at)
		f.Energy = append(f.Energy, parse(r[1]))
		f.Temperature = append(f.Temperature, parse(r[2]))
	}
	return f
}

func parse(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// invented is a made-up daily meter with heating below h and cooling above c.
func invented(seed uint64, n int, h, c float64) *Frame {
	r := rand.New(rand.NewPCG(seed, 7))
	f := &Frame{Step: Day, Drivers: map[string][]float64{"production_t": nil, "visitors": nil}}
	noise := 0.0
	for i := range n {
		t := 11 - 9*math.Cos(2*math.Pi*float64(i)/365) + 3*r.NormFloat64()
		t = math.Round(t*100) / 100
		noise = 0.4*noise + r.NormFloat64()*8
		made := 50 + 10*r.NormFloat64()
		f.Start = append(f.Start, time.Date(2022, 1, 1+i, 0, 0, 0, 0, time.UTC))
		f.Temperature = append(f.Temperature, t)
		f.Drivers["production_t"] = append(f.Drivers["production_t"], made)
		f.Drivers["visitors"] = append(f.Drivers["visitors"], 100*r.Float64())
		f.Energy = append(f.Energy, 200+9*max(h-t, 0)+14*max(t-c, 0)+2*made+noise)
	}
	return f
}

// roomy says whether enough days lie on both sides of a change point.
func roomy(f *Frame, c float64) bool {
	below := 0
	for _, v := range f.Temperature {
		if v <= c {
			below++
		}
	}
	segment := (&Spec{}).minSegment(f.Len())
	return below >= segment && f.Len()-below >= segment
}

// bruteForce is the least sum of squares over a fine grid of change points,
// by the same rule on signs and segments.
func bruteForce(t *testing.T, f *Frame, spec Spec, step float64) float64 {
	least := math.Inf(1)
	try := func(h, c *float64) {
		s := spec
		s.HeatC, s.CoolC = h, c
		fit, err := Linear(f, s)
		require.NoError(t, err)
		b, _ := fit.Coefficient(Heating)
		d, _ := fit.Coefficient(Cooling)
		if spec.Shape == FourP && b+d < 0 || spec.Shape != FourP && (b < 0 || d < 0) {
			return
		}
		least = min(least, fit.SSE)
	}
	for c := -5.0; c < 28; c += step {
		if !roomy(f, c) {
			continue
		}
		switch spec.Shape {
		case ThreePHeat, FourP:
			try(&c, nil)
		case ThreePCool:
			try(nil, &c)
		case FiveP, SixP:
			for h := -5.0; h <= c; h += step {
				if roomy(f, h) {
					try(&h, &c)
				}
			}
		}
	}
	return least
}

func TestChangePointsNeverLoseToAGrid(t *testing.T) {
	for seed := range uint64(3) {
		f := invented(seed, 120, 14, 14+3*float64(seed))
		for _, spec := range []Spec{
			{Shape: ThreePHeat}, {Shape: ThreePCool}, {Shape: FourP}, {Shape: FiveP},
			{Shape: ThreePHeat, Drivers: []string{"production_t"}, Calendar: []Effect{{Kind: Weekend}}},
			{Shape: FiveP, Drivers: []string{"production_t"}}, {Shape: SixP},
		} {
			fit, err := Linear(f, spec)
			if spec.Shape == ThreePCool && errors.Is(err, errNoChangePoint) {
				require.True(t, math.IsInf(bruteForce(t, f, spec, 0.05), 1), "the grid finds none either")
				continue
			}
			require.NoError(t, err)
			step := 0.1
			if spec.Shape == FiveP || spec.Shape == SixP {
				step = 0.8
			}
			grid := bruteForce(t, f, spec, step)
			require.LessOrEqual(t, fit.SSE, grid*(1+1e-9), "%s of meter %d: %v", spec.Shape, seed, fit.ChangePoints)
			if spec.Shape != FiveP && spec.Shape != SixP {
				require.InEpsilon(t, grid, fit.SSE, 1e-3, "%s of meter %d: the grid comes near", spec.Shape, seed)
			}
		}
	}
}

// TestFiveExact compares the pruned search of two change points with every pair
// of a local grid around it: no step away is better.
func TestFiveExact(t *testing.T) {
	for seed := range uint64(6) {
		f := invented(100+seed, 150, 12, 12+2*float64(seed))
		fit, err := Linear(f, Spec{Shape: FiveP})
		require.NoError(t, err)
		h, _ := fit.Balance(HeatBalance)
		c, _ := fit.Balance(CoolBalance)
		for _, dh := range []float64{-.3, -.01, 0, .01, .3} {
			for _, dc := range []float64{-.3, -.01, 0, .01, .3} {
				h, c := h+dh, c+dc
				if h > c || !roomy(f, h) || !roomy(f, c) {
					continue
				}
				near, err := Linear(f, Spec{Shape: FiveP, HeatC: &h, CoolC: &c})
				require.NoError(t, err)
				require.GreaterOrEqual(t, near.SSE, fit.SSE*(1-1e-10), "meter %d, %g and %g", seed, h, c)
			}
		}
	}
}

// TestPrunedSearchIsWhole compares the pruned search of two change points with
// one that tries every pair, on many kinds of data.
func TestPrunedSearchIsWhole(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := 20 + r.IntN(200)
		f := invented(200+seed, n, 8+8*r.Float64(), 8+14*r.Float64())
		if seed%3 == 0 {
			for i, v := range f.Temperature {
				f.Temperature[i] = math.Round(v) // many equal temperatures
			}
		}
		if seed%4 == 1 { // no response at all
			for i := range f.Energy {
				f.Energy[i] = r.NormFloat64()
			}
		}
		spec := Spec{Shape: FiveP, AnySign: seed%2 == 0, MinSegment: int(seed % 7)}
		if seed%5 == 2 {
			spec.Drivers = []string{"production_t", "visitors"}
		}
		d, err := newDesign(&spec, f)
		require.NoError(t, err)
		rows, y, _ := d.usable()
		var w []float64
		if seed%6 == 4 {
			for range rows {
				w = append(w, 0.5+r.Float64())
			}
		}
		l := d.lane(rows, y, w)
		var whole pair
		low, up := l.gaps(-1), l.gaps(1)
		slices.Reverse(up)
		l.pairs(&whole, low, up, 0, len(low)-1, 0, len(up)-1)
		h, c, ok := l.two()
		require.Equal(t, whole.gain > 0, ok, "meter %d", seed)
		if !ok {
			continue
		}
		columns := func(h, c float64) float64 {
			points := spec.changePoints()
			points[0].C, points[1].C = h, c
			fit, err := d.solve(rows, y, w, "5P", points)
			require.NoError(t, err)
			return fit.SSE
		}
		total := dot(l.y, l.y)
		require.InDelta(t, total-whole.gain, columns(h, c), 1e-7*total, "meter %d: %g, %g", seed, h, c)
	}
}

// TestHeatDaily holds the exact least squares of a published case.
func TestHeatDaily(t *testing.T) {
	f := readDaily(t, "testdata/heat_daily.csv")
	fit, err := Linear(f, Spec{Shape: ThreePHeat})
	require.NoError(t, err)
	require.Equal(t, 353, fit.N)
	require.Equal(t, 3, fit.P)
	require.InEpsilon(t, 36183130.23, fit.SSE, 1e-9)
	require.InEpsilon(t, 987.9848294, fit.Terms[0].Value, 1e-9)
	require.InEpsilon(t, 276.8729039, fit.Terms[1].Value, 1e-9)
	require.InDelta(t, 17.05, fit.ChangePoints[0].C, 1e-9)
	require.InEpsilon(t, 0.1101678368, fit.CVRMSE, 1e-9)
	require.InEpsilon(t, 0.1106389772, fit.CVRMSEAdj, 1e-9)
	require.InDelta(t, 0, fit.NMBE, 1e-12)

	fit, err = CalTRACKDaily(f, CalTRACK{HeatingOnly: true})
	require.NoError(t, err)
	require.InEpsilon(t, 36317212.75, fit.SSE, 1e-9)
	require.InEpsilon(t, 969.7996246, fit.Terms[0].Value, 1e-9)
	require.InEpsilon(t, 274.5322473, fit.Terms[1].Value, 1e-9)
	require.InEpsilon(t, Fahrenheit(63), fit.ChangePoints[0].C, 1e-15)
	require.InEpsilon(t, 0.9662957987, fit.R2Adj, 1e-9)
}

// TestJacobian compares the derivatives with differences.
func TestJacobian(t *testing.T) {
	f := invented(3, 365, 12, 19)
	for _, shape := range append(slices.Clone(Shapes), SixP) {
		fit, err := Linear(f, Spec{Shape: shape, Drivers: []string{"production_t"}})
		require.NoError(t, err)
		rows, err := fit.Jacobian(f)
		require.NoError(t, err)
		y, err := fit.Predict(f)
		require.NoError(t, err)
		for j := range fit.Parameters() {
			moved := *fit
			moved.Terms = append([]Term{}, fit.Terms...)
			moved.ChangePoints = append([]ChangePointValue{}, fit.ChangePoints...)
			const step = 1e-6
			if j < len(fit.Terms) {
				moved.Terms[j].Value += step
			} else {
				moved.ChangePoints[j-len(fit.Terms)].C += step
			}
			z, err := moved.Predict(f)
			require.NoError(t, err)
			wrong := 0
			for i := range y {
				if math.Abs((z[i]-y[i])/step-rows[i][j]) > 1e-4*(1+math.Abs(rows[i][j])) {
					wrong++ // a day that lies on the change point has no derivative
				}
			}
			require.LessOrEqual(t, wrong, 2, "%s, %s", shape, fit.Parameters()[j])
		}
	}
}

func ExampleLinear() {
	f := invented(1, 365, 15, 22)
	fit, err := Linear(f, Spec{Shape: ThreePHeat, Drivers: []string{"production_t"}, Calendar: []Effect{{Kind: Weekend}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fit.Parameters())
	// Output: [intercept heating production_t weekend heat_balance_c]
}

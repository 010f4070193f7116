package metering

import (
	"math"
	"math/big"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDecimalText(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "12.50": "12.5", "1e3": "1000", "1.25e-3": "0.00125", "-7.0": "-7",
		"9223372036854775807": "9223372036854775807", "1e60": "1e60", ".5": "0.5",
	} {
		d, err := ParseDecimal(in)
		require.NoError(t, err, in)
		require.Equal(t, want, d.String(), in)
	}
	for _, bad := range []string{"", "x", "1.2.3", "1e", "9223372036854775808", "1e999", "--1", "1.-5", "NaN"} {
		_, err := ParseDecimal(bad)
		require.Error(t, err, bad)
	}
}

// A float32 register keeps the digits that its meter shows.
func TestDecimalFloats(t *testing.T) {
	d, err := Float32(21.37)
	require.NoError(t, err)
	require.Equal(t, "21.37", d.String())
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e200} {
		_, err := Float(bad)
		require.Error(t, err, bad)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64Range(-1e15, 1e15).Draw(t, "f")
		if math.Abs(f) < 1e-80 {
			f = 0
		}
		d, err := Float(f)
		require.NoError(t, err)
		require.Equal(t, f+0, d.Float64())
	})
}

func TestDecimalArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.Custom(func(t *rapid.T) Decimal {
			return Decimal{rapid.Int64Range(-1e9, 1e9).Draw(t, "c"), int8(rapid.IntRange(-4, 4).Draw(t, "e"))}
		})
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		s, err := a.Add(b)
		require.NoError(t, err)
		back, err := s.Sub(b)
		require.NoError(t, err)
		require.True(t, back.Equal(a))
		require.Equal(t, 0, a.Cmp(back))
		p, err := a.Mul(b)
		require.NoError(t, err)
		require.InEpsilon(t, a.Float64()*b.Float64()+1e-300, p.Float64()+1e-300, 1e-12)
		again, err := ParseDecimal(a.String())
		require.NoError(t, err)
		require.True(t, again.Equal(a))
	})
	_, err := Int(math.MaxInt64).Add(Int(1))
	require.ErrorIs(t, err, ErrRange)
	_, err = Int(1).Sub(Int(math.MinInt64))
	require.ErrorIs(t, err, ErrRange)
	require.Equal(t, -1, MustDecimal("1e30").Cmp(MustDecimal("2e30")))
	require.Equal(t, 1, MustDecimal("1e30").Cmp(MustDecimal("5")))
}

func TestDecimalAtTheEndsOfTheExponent(t *testing.T) {
	least, most := Decimal{7, math.MinInt8}, Decimal{7, math.MaxInt8}
	require.Equal(t, 7e-128, least.Float64())
	require.Equal(t, 7e127, most.Float64())
	require.Equal(t, "7e-128", least.String())
	require.Equal(t, -1, least.Cmp(Decimal{1, -127}))
	require.Equal(t, 1, most.Cmp(least))
	c, err := Decimal{1, -126}.Rescale(math.MinInt8)
	require.NoError(t, err)
	require.Equal(t, int64(100), c)
}

// Cmp takes a short way for most numbers; it must agree with the long one.
func TestCmpAgreesWithRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(what string) Decimal {
			return Decimal{Coef: rapid.Int64().Draw(t, what), Exp: int8(rapid.IntRange(-30, 30).Draw(t, what+" exponent"))}
		}
		a, b := draw("a"), draw("b")
		if rapid.Bool().Draw(t, "near") { // the same number in another step
			b = a.Normal()
		}
		require.Equal(t, a.rat().Cmp(b.rat()), a.Cmp(b))
		require.Equal(t, -a.Cmp(b), b.Cmp(a))
	})
}

// Floats and products take short ways; they must agree with the long ones.
func TestShortWaysAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if rapid.Bool().Draw(t, "single") {
			f = float64(math.Float32frombits(rapid.Uint32().Draw(t, "bits of a float32")))
		}
		for _, size := range []int{32, 64} {
			if size == 32 && f != float64(float32(f)) {
				continue
			}
			got, err := fromFloat(f, size)
			want, wantErr := ParseDecimal(strconv.FormatFloat(f, 'e', -1, size))
			require.Equal(t, wantErr == nil, err == nil, "%v: %v", f, err)
			require.Equal(t, want, got, "%v", f)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		draw := func(what string) Decimal {
			return Decimal{Coef: rapid.Int64().Draw(t, what) >> rapid.IntRange(0, 63).Draw(t, what+" shift"), Exp: rapid.Int8().Draw(t, what+" exponent")}
		}
		a, b := draw("a"), draw("b")
		if p, err := a.Mul(b); err == nil {
			require.Zero(t, new(big.Rat).Mul(a.rat(), b.rat()).Cmp(p.rat()))
			require.Equal(t, p.Normal(), p)
		}
	})
	p, err := Int(math.MinInt64).Mul(Int(1))
	require.NoError(t, err)
	require.Equal(t, int64(math.MinInt64), p.Coef)
	_, err = Int(math.MinInt64).Mul(Int(-1))
	require.ErrorIs(t, err, ErrRange)
}

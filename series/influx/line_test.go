package influx

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/metering"
)

func TestLines(t *testing.T) {
	missing := metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
	for _, c := range []struct {
		point metering.Point
		want  string
	}{
		{metering.Point{At: 5, Number: metering.MustDecimal("21.37")}, "h micro=21370000i,level=0i,number=21.37 5\n"},
		{metering.Point{At: 5, Number: metering.MustDecimal("-0.000001")}, "h micro=-1i,level=0i,number=-0.000001 5\n"},
		{metering.Point{At: 5, Number: metering.MustDecimal("0.1234567")}, "h micro=-9223372036854775808i,exact=\"1234567e-7\",level=0i,number=0.1234567 5\n"},
		{metering.Point{At: 5, Number: metering.MustDecimal("1e13")}, "h micro=-9223372036854775808i,exact=\"1e13\",level=0i,number=1e+13 5\n"},
		{metering.Point{At: 5, Quality: missing}, "h micro=-9223372036854775807i,level=2i,reason=\"no_answer\" 5\n"},
		{metering.Point{At: 5, Number: metering.Int(1), Quality: metering.Quality{Level: metering.Suspect, Reason: `a"\ b`}}, "h micro=1000000i,level=1i,number=1,reason=\"a\\\"\\\\ b\" 5\n"},
		{metering.Point{At: 5, Number: metering.Int(1), Quality: metering.Quality{Level: metering.Suspect}}, "h micro=1000000i,level=1i,number=1,reason=\" \" 5\n"},
	} {
		require.Equal(t, c.want, string(appendPoint(nil, "h", c.point)))
	}
	require.Equal(t, "reading,meter=m,quantity=power_factor,unit=/", lineHead("m/power_factor", "/"))
}

// TestNumbersSurvive takes any number through its fields and back.
func TestNumbersSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := metering.Decimal{
			Coef: rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MinInt64 + 2, math.MaxInt64, 0})).Draw(t, "coefficient"),
			Exp:  rapid.OneOf(rapid.Int8(), rapid.Int8Range(-9, 3)).Draw(t, "exponent")}.Normal()
		m := stored{7, markExact}
		line := string(appendPoint(nil, "h", metering.Point{At: 7, Number: d}))
		text := ""
		if n, ok := micro(d); ok {
			m.n = n
		} else {
			_, text, _ = strings.Cut(line, `exact="`)
			text, _, _ = strings.Cut(text, `"`)
		}
		_, number, _ := strings.Cut(line, "number=")
		number, _, _ = strings.Cut(number, " ")
		f, err := strconv.ParseFloat(number, 64) // as InfluxDB does
		require.NoError(t, err)
		require.Equal(t, d.Float64(), f)
		p, err := assemble(m, 0, text, "ignored")
		require.NoError(t, err)
		require.Equal(t, metering.Point{At: 7, Number: d}, p)
	})
}

func TestTornPointsAreSeen(t *testing.T) {
	for name, c := range map[string]struct {
		m     int64
		level int64
		exact string
	}{
		"missing that is good":           {markMissing, 0, ""},
		"number that is missing":         {5, 2, ""},
		"exact number that is not there": {markExact, 0, ""},
		"mark that is missing":           {markExact, 2, "1e5"},
	} {
		_, err := assemble(stored{1, c.m}, c.level, c.exact, "")
		require.ErrorIs(t, err, errTorn, name)
	}
	_, err := assemble(stored{1, markExact}, 0, "12", "")
	require.ErrorIs(t, err, errFormat)
	_, err = assemble(stored{1, 5}, 3, "", "")
	require.ErrorIs(t, err, errFormat)
}

func TestRows(t *testing.T) {
	read := func(s string) (out []string, err error) {
		err = readRows(strings.NewReader(s), func(r *row) error {
			out = append(out, r.result()+" "+r.text("_value"))
			return r.err
		})
		return out, err
	}
	got, err := read(",result,table,_value\r\n,a,0,1\r\n,a,0,2\r\n\r\n,result,table,_time,_value\r\n,b,0,x,\"3,4\"\r\n")
	require.NoError(t, err)
	require.Equal(t, []string{"a 1", "a 2", "b 3,4"}, got)
	got, err = read("")
	require.NoError(t, err)
	require.Empty(t, got)
	for _, late := range []string{"", ",result,table,_value\r\n,a,0,1\r\n\r\n"} {
		_, err = read(late + "error,reference\r\nout of memory,897\r\n")
		var said *queryError
		require.ErrorAs(t, err, &said)
		require.ErrorContains(t, err, "out of memory")
	}
	for _, bad := range []string{"1,2,3\n", ",result,table,_time\n,a,0,1\n", ",result,table,_value\n,a,0\n", "error,reference\n", ",result,table,_value\n,a,0,\"x\n"} {
		_, err := read(bad)
		require.Truef(t, errors.Is(err, errFormat), "%q: %v", bad, err)
	}
}

// FuzzRows gives any bytes to the reader of answers.
func FuzzRows(f *testing.F) {
	f.Add(",result,table,_time,_value,meter,quantity\r\n,a,0,2025-01-15T12:00:00Z,5,m,heat_power\r\n")
	f.Add("error,reference\r\nout of memory,897\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		_ = readRows(strings.NewReader(s), func(r *row) error {
			_, _, _, _ = r.result(), r.int("_value"), r.millis("_time"), r.series()
			return r.err
		})
	})
}

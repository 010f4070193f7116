package influx

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/thermie/thermie/metering"
)

// What micro holds instead of a number:
const (
	markExact   = math.MinInt64     // see the field exact
	markMissing = math.MinInt64 + 1 // the point is missing
	leastMicro  = math.MinInt64 + 2
)

// noReason stands for an empty reason. InfluxDB 2.7 returns empty strings at
// the instants of other points (seen when they alternate with longer ones), so
// none is written. No reason is a space, see [series.Check].
const noReason = " "

// microExp is the exponent of micro. Meters count in millionths or coarser, so
// nearly every number has this exponent and sums of micro are exact.
const microExp = -6

// micro is the number in millionths; false when it is no whole number of them
// or does not fit.
func micro(d metering.Decimal) (int64, bool) {
	m, err := d.Rescale(microExp)
	return m, err == nil && m >= leastMicro
}

// appendPoint writes a point in line protocol, precision milliseconds. head is
// measurement and tags, see lineHead.
func appendPoint(b []byte, head string, p metering.Point) []byte {
	b = append(b, head...)
	b = append(b, " micro="...)
	if p.Quality.Level == metering.Missing {
		b = strconv.AppendInt(b, markMissing, 10)
		b = appendLevel(append(b, 'i'), p.Quality)
		return appendEnd(b, p)
	}
	m, ok := micro(p.Number)
	if !ok {
		b = strconv.AppendInt(b, markExact, 10)
		b = append(b, `i,exact="`...)
		b = strconv.AppendInt(b, p.Number.Coef, 10)
		b = append(b, 'e')
		b = strconv.AppendInt(b, int64(p.Number.Exp), 10)
		b = appendLevel(append(b, '"'), p.Quality)
		b = append(b, ",number="...)
		return appendEnd(strconv.AppendFloat(b, p.Number.Float64(), 'g', -1, 64), p)
	}
	begin := len(b)
	b = strconv.AppendInt(b, m, 10)
	digits := b[begin:]
	b = appendLevel(append(b, 'i'), p.Quality)
	b = append(b, ",number="...)
	return appendEnd(appendMillionths(b, digits), p)
}

func appendLevel(b []byte, q metering.Quality) []byte {
	if q.Level == metering.Good {
		return append(b, ",level=0i"...)
	}
	b = append(b, ",level="...)
	b = strconv.AppendInt(b, int64(q.Level), 10)
	return append(b, 'i')
}

// appendMillionths writes, from its digits, a whole number of millionths as a
// plain decimal. InfluxDB reads it as the float64 nearest to it, which is
// Decimal.Float64.
func appendMillionths(b, digits []byte) []byte {
	if digits[0] == '-' {
		b, digits = append(b, '-'), digits[1:]
	}
	n := len(digits) + microExp // digits before the point
	if n > 0 {
		b = append(b, digits[:n]...)
		digits = digits[n:]
	} else {
		b = append(b, '0')
	}
	b = append(b, '.')
	for ; n < 0; n++ {
		b = append(b, '0')
	}
	b = append(b, digits...)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	return b
}

// appendEnd writes the reason, if there is one, and the time.
func appendEnd(b []byte, p metering.Point) []byte {
	if p.Quality.Level != metering.Good {
		reason := noReason
		if p.Quality.Reason != "" {
			reason = stringEscaper.Replace(string(p.Quality.Reason))
		}
		b = append(b, `,reason="`...)
		b = append(b, reason...)
		b = append(b, '"')
	}
	b = append(b, ' ')
	b = strconv.AppendInt(b, p.At, 10)
	return append(b, '\n')
}

var (
	stringEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	tagEscaper    = strings.NewReplacer(`,`, `\,`, `=`, `\=`, ` `, `\ `)
)

// lineHead is the measurement and the tags of a series.
func lineHead(id metering.SeriesID, u metering.Unit) string {
	return "reading,meter=" + tagEscaper.Replace(id.Meter()) + ",quantity=" + tagEscaper.Replace(string(id.Quantity())) +
		",unit=" + tagEscaper.Replace(string(u))
}

// fromMicro is the number that micro stands for.
func fromMicro(m int64) metering.Decimal { return metering.Decimal{Coef: m, Exp: microExp}.Normal() }

// parseExact reads the field exact.
func parseExact(s string) (metering.Decimal, error) {
	coef, exp, ok := strings.Cut(s, "e")
	c, err := strconv.ParseInt(coef, 10, 64)
	e, err2 := strconv.ParseInt(exp, 10, 8)
	if !ok || err != nil || err2 != nil {
		return metering.Decimal{}, fmt.Errorf("%w: exact number %q", errFormat, s)
	}
	return metering.Decimal{Coef: c, Exp: int8(e)}.Normal(), nil
}

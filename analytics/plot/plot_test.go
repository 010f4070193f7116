package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever is drawn is well-formed and inside the picture.
func TestWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float64Range(-1e6, 1e6), rapid.Just(0.0), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)))
		c := Chart{Title: rapid.String().Filter(printable).Draw(t, "title"), XLabel: "<kW & more>"}
		for range rapid.IntRange(0, 3).Draw(t, "lines") {
			l := Line{Name: `"a<b"`}
			for range rapid.IntRange(0, 5).Draw(t, "points") {
				l.Points = append(l.Points, [2]float64{number.Draw(t, "x"), number.Draw(t, "y")})
			}
			c.Lines = append(c.Lines, l)
		}
		if rapid.Bool().Draw(t, "bars") {
			c.Bars = []Bar{{"A -> B", 10, 5}, {"x", 3, 0}}
		}
		var b strings.Builder
		require.NoError(t, Write(&b, c, c))
		require.NotContains(t, b.String(), "NaN")
		require.NotContains(t, b.String(), "Inf")
		for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err)
			}
		}
	})
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 32 || r == 0xFFFD || r == 0xFFFE || r == 0xFFFF })
}

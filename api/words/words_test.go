package words

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

var verbs = regexp.MustCompile(`%(\[\d+\])?[a-z]`)

// TestCatalogueIsComplete: both languages, the same verbs, the same plurals, and
// the typography of each.
func TestCatalogueIsComplete(t *testing.T) {
	require.Greater(t, len(Keys()), 300)
	for _, key := range Keys() {
		e := catalogue[key]
		assert.NotEmpty(t, e.FR, key)
		assert.NotEmpty(t, e.EN, key)
		assert.Equal(t, verbs.FindAllString(e.FR, -1), verbs.FindAllString(e.EN, -1), "%s: verbs differ", key)
		assert.Equal(t, strings.Contains(e.FR, "|"), strings.Contains(e.EN, "|"), "%s: plural in one language only", key)
		for _, s := range []string{e.FR, e.EN} {
			assert.NotContains(t, s, "'", key)
			assert.NotContains(t, s, "CO2", key)
			assert.NotContains(t, s, "  ", key)
			assert.NotContains(t, s, "TODO", key)
		}
		assert.Empty(t, frenchMistakes(verbs.ReplaceAllString(e.FR, "x")), key)
		assert.NotRegexp(t, `[\x{00a0}\x{202f} ][:;!?]`, strings.ReplaceAll(e.EN, "| ", ""), "%s: English has no space before these", key)
	}
}

var french1 = regexp.MustCompile(`[^\x{202f}\s"/|]([;!?»]|: |:$)|[ \x{00a0}][;:!?»%€]|«[^\x{202f}]|\d \d{3}|[a-zé]’ |\?\?`)

// frenchMistakes finds what a typographer would mark: a missing or breaking space
// before high punctuation, percent and euro, or inside guillemets.
func frenchMistakes(s string) []string {
	s = strings.ReplaceAll(s, "\u00a0€", "") // set with the wider space on purpose
	return french1.FindAllString(s, -1)
}

func TestFrenchMistakesAreFound(t *testing.T) {
	for s, wrong := range map[string]bool{"Prévu : 3": true, "Prévu: 3": true, "98 %": true, "« ici »": true, "1 000": true, "l’ eau": true, "vraiment?": true,
		"Prévu\u202f: 3": false, "98\u202f%": false, "«\u202fici\u202f»": false, "12:05": false, "https://a.example": false} {
		require.Equal(t, wrong, len(frenchMistakes(s)) > 0, s)
	}
}

func TestSetMayBeAppliedTwice(t *testing.T) {
	for _, key := range Keys() {
		for _, l := range Langs {
			s := catalogue[key].In(string(l))
			require.Equal(t, s, l.Set(s), key)
		}
	}
}

// visible makes the special spaces readable in this file: _ is U+00A0, ~ U+202F.
func visible(s string) string {
	return strings.NewReplacer(nbsp, "_", narrow, "~", minus, "-").Replace(s)
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		v      float64
		d      int
		fr, en string
	}{
		{0, 0, "0", "0"}, {1234.5, 1, "1~234,5", "1,234.5"}, {220000, 0, "220~000", "220,000"}, {-1234567.891, 2, "-1~234~567,89", "-1,234,567.89"},
		{999.6, 0, "1~000", "1,000"}, {-0.004, 2, "0,00", "0.00"}, {12345, -2, "12~300", "12,300"}, {math.NaN(), 1, "–", "–"}, {math.Inf(1), 0, "–", "–"},
	} {
		require.Equal(t, c.fr, visible(FR.Number(c.v, c.d)))
		require.Equal(t, c.en, visible(EN.Number(c.v, c.d)))
	}
	require.Equal(t, "98,2~%", visible(FR.Percent(0.9821, 1)))
	require.Equal(t, "98.2%", EN.Percent(0.9821, 1))
	require.Equal(t, "-12~%", visible(FR.Change(-0.12)))
	require.Equal(t, "+3%", EN.Change(0.03))
	require.Equal(t, "0%", EN.Change(0.001))
	require.Equal(t, "38~400_€", visible(FR.Money(38412)))
	require.Equal(t, "€38,400", EN.Money(38412))
	require.Equal(t, "-€1,230", visible(EN.Money(-1234)))
	require.Equal(t, "412_€", visible(FR.Money(412.3)))
}

func TestPlusMinus(t *testing.T) {
	for _, c := range []struct {
		v, half  float64
		want, pm string
	}{
		{2143.2, 95.3, "2~143", "95"}, {2143.2, 951, "2~140", "950"}, {571.26, 31.4, "571", "31"}, {49.123, 0.456, "49,12", "0,46"},
		{100, 9.96, "100", "10"}, {100, 0.996, "100,0", "1,0"}, {5, 0, "5", ""}, {5, math.Inf(1), "5", ""}, {5, math.NaN(), "5", ""},
		{0.00278, 0.00005, "0,0028", "0,0001"}, {-12.34, 1.5, "-12,3", "1,5"},
	} {
		v, pm := FR.PlusMinus(c.v, c.half)
		require.Equal(t, c.want, visible(v), "%v ± %v", c.v, c.half)
		require.Equal(t, c.pm, visible(pm), "%v ± %v", c.v, c.half)
	}
	f := FR.Figure(metering.Figure{Indicator: metering.CO2eAvoidedTonnes, Amount: 571.26, Half90: 31.4, Coverage: 0.9821, Class: metering.ClassMeasured})
	require.Equal(t, "571_±_31_t CO₂e", visible(f.String()))
	require.Equal(t, "98,2~%", visible(f.Coverage))
	f = EN.Figure(metering.Figure{Indicator: metering.MoneySavedEUR, Amount: 38412, Half90: 2900})
	require.Equal(t, "€38,400_±_2,900", visible(f.String()))
}

// TestIntervalIsNeverLost: what is printed of an interval is never zero, and the
// amount and its interval stop at the same decimal.
func TestIntervalIsNeverLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(-1e9, 1e9).Draw(t, "v")
		half := math.Pow(10, rapid.Float64Range(-9, 8).Draw(t, "log half"))
		amount, pm := EN.PlusMinus(v, half)
		if strings.Trim(pm, "0.,") == "" {
			t.Fatalf("%v ± %v printed as %s ± %s", v, half, amount, pm)
		}
		_, a, _ := strings.Cut(amount, ".")
		_, b, _ := strings.Cut(pm, ".")
		if len(a) != len(b) {
			t.Fatalf("%v ± %v printed as %s ± %s", v, half, amount, pm)
		}
	})
}

func TestDates(t *testing.T) {
	at := time.Date(2026, 11, 24, 13, 5, 0, 0, time.UTC)
	require.Equal(t, "24_novembre_2026", visible(FR.Date(at)))
	require.Equal(t, "24_November_2026", visible(EN.Date(at)))
	require.Equal(t, "24_nov._2026, 14:05", visible(FR.Moment(at)))
	require.Equal(t, "1er_mai_2026", visible(FR.Date(time.Date(2026, 4, 30, 22, 30, 0, 0, time.UTC))), "the civil day is that of Paris")
	require.Equal(t, "août_2026", visible(FR.Month(time.Date(2026, 8, 3, 0, 0, 0, 0, time.UTC))))
	require.Equal(t, "24_Nov", visible(EN.DayMonth(at)))
	require.Equal(t, "T3_2026", visible(FR.Quarter(calendar.Quarter{Year: 2026, Q: 3})))
	require.Equal(t, "Q3_2026", visible(EN.Quarter(calendar.Quarter{Year: 2026, Q: 3})))
	require.Equal(t, Dash, FR.Date(time.Time{}))
	require.Equal(t, "il y a 3 jours", FR.Since(at.Add(-72*time.Hour), at))
	require.Equal(t, "5 min ago", EN.Since(at.Add(-5*time.Minute), at))
	require.Equal(t, "jamais", FR.Since(time.Time{}, at))
}

func TestPlurals(t *testing.T) {
	require.Equal(t, "0 synergie", FR.N("overview.count", 0))
	require.Equal(t, "0 synergies", EN.N("overview.count", 0))
	require.Equal(t, "1 synergy", EN.N("overview.count", 1))
	require.Equal(t, "1~200 synergies", visible(FR.N("overview.count", 1200)))
	require.Equal(t, "[no.such.key]", FR.T("no.such.key"))
	require.Equal(t, "so", FR.Or("no.such.key", "so"))
	require.Equal(t, "12~% de moins", visible(FR.Set("12 % de moins")))
	require.Equal(t, "dès le %s", FR.Set("dès le %s"), "a verb is no percent sign")
	require.Panics(t, func() { gather(general, general) }, "one key, one text")
	require.Equal(t, EN, Parse("en"))
	require.Equal(t, FR, Parse("de"))
}

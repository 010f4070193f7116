package chart

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

func picture() *Picture {
	p := &Picture{Title: metering.Text{FR: "Chaleur <A> & B", EN: "Heat <A> & B"}, Unit: "kWh"}
	for i := range 365 {
		t := 11 - 9*math.Cos(2*math.Pi*float64(i)/365)
		at := time.Date(2023, 1, 1+i, 0, 0, 0, 0, time.UTC)
		f := 900 + 280*math.Max(17-t, 0)
		p.Fit = append(p.Fit, FitPoint{At: at, X: t, Observed: f + 100*math.Sin(float64(i)), Fitted: f})
		if i%7 == 0 {
			p.Course = append(p.Course, Span{From: at.AddDate(1, 0, 0), Actual: 6 * f, Adjusted: 7 * f})
		}
		if i%30 == 29 {
			p.Saved = append(p.Saved, Sum{At: at.AddDate(1, 0, 0), Saved: 100 * float64(i), Half: 1000 + 10*float64(i)})
		}
	}
	return p
}

func TestRender(t *testing.T) {
	for _, language := range []string{"fr", "en"} {
		b := picture().Render(language)
		d := xml.NewDecoder(bytes.NewReader(b))
		texts := ""
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			require.NoError(t, err, "%s", b)
			switch x := tok.(type) {
			case xml.StartElement:
				seen := map[string]bool{}
				for _, a := range x.Attr {
					require.False(t, seen[a.Name.Local], "%s of %s stands twice", a.Name.Local, x.Name.Local)
					seen[a.Name.Local] = true
					require.NotContains(t, a.Value, "NaN")
				}
			case xml.CharData:
				texts += string(x)
			}
		}
		require.Equal(t, b, picture().Render(language))
		if language == "fr" {
			require.Contains(t, texts, "Économies cumulées : 35\u202f900 ± 4\u202f590 kWh (90 %) au 2024-12-26. Le résultat est significatif.")
		} else {
			require.Contains(t, texts, "Heat <A> & B")
			require.Contains(t, texts, "Outdoor temperature")
		}
	}
}

func TestEmptyPicture(t *testing.T) {
	b := (&Picture{}).Render("en")
	require.Contains(t, string(b), "No saving was computed.")
	require.False(t, strings.Contains(string(b), "Inf") || strings.Contains(string(b), "NaN"))
}

func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1234567: "1\u202f234\u202f567", -0.25: "−0,25", 12.34: "12,3", 999: "999"} {
		require.Equal(t, want, french.number(x))
	}
}

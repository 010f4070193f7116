package chart

import (
	"math"
	"strconv"
	"strings"

	"github.com/thermie/thermie/metering"
)

// vocabulary are the labels in one language.
type vocabulary struct {
	language                                         string
	fit, residuals, course, cumulative               string
	temperature, observed, model, adjusted, interval string
	savedWord, total, sure, unsure, noSaving         string
	comma                                            bool
}

var french = vocabulary{language: "fr", comma: true,
	fit: "Ajustement sur la période de référence", residuals: "Résidus de la période de référence", course: "Consommation et référence ajustée", cumulative: "Économies cumulées",
	temperature: "Température extérieure (°C)", observed: "mesuré", model: "modèle", adjusted: "référence ajustée", interval: "intervalle à 90 %", savedWord: "économies",
	total: "Économies cumulées : %s ± %s %s (90 %%) au %s.", sure: "Le résultat est significatif.", unsure: "Le résultat n'est pas significatif : zéro est dans l'intervalle.",
	noSaving: "Aucune économie calculée."}

var english = vocabulary{language: "en",
	fit: "Fit over the baseline", residuals: "Residuals of the baseline", course: "Use beside the adjusted baseline", cumulative: "Cumulative savings",
	temperature: "Outdoor temperature (°C)", observed: "measured", model: "model", adjusted: "adjusted baseline", interval: "90 % interval", savedWord: "savings",
	total: "Cumulative savings: %s ± %s %s (90 %%) on %s.", sure: "The result is significant.", unsure: "The result is not significant: zero lies in the interval.",
	noSaving: "No saving was computed."}

func words(language string) *vocabulary {
	if language == "en" {
		return &english
	}
	return &french
}

func (v *vocabulary) of(t metering.Text) string {
	if v.comma {
		return t.FR
	}
	return t.EN
}

// number writes a number with at most four digits that matter, thousands apart.
func (v *vocabulary) number(x float64) string {
	digits := 0
	if a := math.Abs(x); a > 0 && a < 1000 {
		digits = max(0, min(3, 2-int(math.Floor(math.Log10(a)))))
	}
	s := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	whole, part, has := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "\u202f" + whole[i:]
	}
	if !has {
		return sign + whole
	}
	point := "."
	if v.comma {
		point = ","
	}
	return sign + whole + point + part
}

package proof

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// The printed report says its figures with words of its own and not with those
// of the pages: its bytes are checked for as long as the report lives, while
// pages change.

const (
	narrow = "\u202f" // narrow no-break space
	nbsp   = "\u00a0"
	minus  = "\u2212"
)

func both(fr, en string) metering.Text { return metering.Text{FR: fr, EN: en} }

// named is what an indicator is called and counted in.
type named struct {
	name metering.Text
	unit metering.Text
}

var indicatorNames = map[metering.Indicator]named{
	metering.EnergyAvoidedMWh:   {both("Énergie évitée", "Energy avoided"), both("MWh", "MWh")},
	metering.CO2eAvoidedTonnes:  {both("Émissions évitées", "Emissions avoided"), both("t CO₂e", "t CO₂e")},
	metering.PrimaryEnergyMWh:   {both("Énergie primaire évitée", "Primary energy avoided"), both("MWh EP", "MWh PE")},
	metering.MoneySavedEUR:      {both("Économie nette", "Net saving"), both("€", "EUR")},
	metering.WaterSavedM3:       {both("Eau économisée", "Water saved"), both("m³", "m³")},
	metering.HeatDeliveredMWh:   {both("Chaleur livrée", "Heat delivered"), both("MWh", "MWh")},
	metering.ElectricityUsedMWh: {both("Électricité consommée par les échanges", "Electricity used by the exchanges"), both("MWh", "MWh")},
	metering.MaterialTonnes:     {both("Matière récupérée", "Material recovered"), both("t", "t")},
	metering.BiomethaneMWh:      {both("Biométhane produit", "Biomethane produced"), both("MWh PCS", "MWh GCV")},
	metering.DistanceAvoidedKM:  {both("Trajets évités", "Journeys avoided"), both("km", "km")},
	metering.JobsKept:           {both("Emplois maintenus", "Jobs kept"), both("emplois", "jobs")},
}

var themeNames = map[string]metering.Text{
	"all":         both("Tous les thèmes", "All themes"),
	"heat":        both("Chaleur", "Heat"),
	"water":       both("Eau", "Water"),
	"electricity": both("Électricité", "Electricity"),
	"gas":         both("Gaz", "Gas"),
	"material":    both("Matière", "Material"),
	"service":     both("Services partagés", "Shared services"),
}

// ruleNames say in words why a figure is withheld; the keys are those of
// analytics/disclosure.
var ruleNames = map[string]metering.Text{
	"too_few":       both("moins de trois contributeurs", "fewer than three contributors"),
	"dominance":     both("un contributeur dépasse 85"+narrow+"%", "one contributor exceeds 85%"),
	"p_percent":     both("un partenaire pourrait en déduire la part d’un autre", "a partner could work out another’s part"),
	"complementary": both("il permettrait de retrouver un chiffre retenu", "it would give away a withheld figure"),
	"linked":        both("un chiffre des mêmes synergies est retenu", "a figure of the same synergies is withheld"),
	"revision":      both("l’écart avec une révision antérieure en dirait trop", "its difference from an earlier revision would tell too much"),
}

// or returns the text of a key, or the key itself for one that is newer than
// this program.
func or(names map[string]metering.Text, key, lang string) string {
	if t, ok := names[key]; ok {
		return t.In(lang)
	}
	return key
}

// number writes x with a fixed count of decimals; negative ones round to tens,
// hundreds ...
func number(x float64, decimals int, lang string) string {
	if decimals < 0 {
		p := math.Pow10(-decimals)
		x, decimals = math.Round(x/p)*p, 0
	}
	s := strconv.FormatFloat(math.Abs(x), 'f', decimals, 64)
	whole, frac, _ := strings.Cut(s, ".")
	sep, point := ",", "."
	if lang == "fr" {
		sep, point = narrow, ","
	}
	var b strings.Builder
	if x < 0 && strings.Trim(s, "0.") != "" {
		b.WriteString(minus)
	}
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(sep)
		}
		b.WriteRune(c)
	}
	if frac != "" {
		b.WriteString(point + frac)
	}
	return b.String()
}

// plusMinus rounds an amount and its half width to the second significant digit
// of the half width; without one the amount has three digits and half is "".
func plusMinus(x, half90 float64, lang string) (amount, half string) {
	if !(half90 > 0) {
		decimals := 0
		switch a := math.Abs(x); {
		case x == math.Trunc(x), a >= 100:
		case a >= 10:
			decimals = 1
		default:
			decimals = 2
		}
		return number(x, decimals, lang), ""
	}
	// In scientific notation with two digits the exponent is right after rounding.
	s := strconv.FormatFloat(half90, 'e', 1, 64)
	exp, err := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if err != nil {
		return number(x, 3, lang), number(half90, 3, lang)
	}
	decimals := min(1-exp, 3)
	return number(x, decimals, lang), number(half90, decimals, lang)
}

func percent(share float64, decimals int, lang string) string {
	if lang == "fr" {
		return number(share*100, decimals, lang) + narrow + "%"
	}
	return number(share*100, decimals, lang) + "%"
}

// coverage never rounds up to 100 %: that is said of full coverage only.
func coverage(share float64, lang string) string {
	if share >= 1 {
		return percent(1, 0, lang)
	}
	return percent(math.Floor(share*1000)/1000, 1, lang)
}

var monthsFR = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}

// day writes the civil day in Paris: "1er juillet 2026", "1 July 2026".
func day(t time.Time, lang string) string {
	t = t.In(calendar.Paris)
	d, month := strconv.Itoa(t.Day()), t.Month().String()
	if lang == "fr" {
		month = monthsFR[t.Month()-1]
		if t.Day() == 1 {
			d = "1er"
		}
	}
	return d + nbsp + month + nbsp + strconv.Itoa(t.Year())
}

// quarterName is "T3 2026" or "Q3 2026".
func quarterName(q calendar.Quarter, lang string) string {
	letter := "Q"
	if lang == "fr" {
		letter = "T"
	}
	return letter + strconv.Itoa(q.Q) + nbsp + strconv.Itoa(q.Year)
}

package words

import (
	"regexp"
	"strings"
)

// The spaces that keep a number with its unit and a word with its colon.
const (
	narrow = "\u202f" // narrow no-break space
	nbsp   = "\u00a0" // no-break space
	minus  = "\u2212"
)

var common = strings.NewReplacer("CO2e", "CO₂e", "CO2", "CO₂", " m3", nbsp+"m³", "/m3", "/m³", "'", "’")

var french = strings.NewReplacer(" ;", narrow+";", " :", narrow+":", " !", narrow+"!", " ?", narrow+"?",
	"« ", "«"+narrow, " »", narrow+"»", " €", nbsp+"€", " MWh", nbsp+"MWh", " °C", nbsp+"°C")

var english = strings.NewReplacer(" MWh", nbsp+"MWh", " °C", nbsp+"°C")

// percent is a sign after a space, and not a verb of fmt.
var percent = regexp.MustCompile(` %([^a-z\[]|$)`)

// Set returns text as it is printed: apostrophes, subscripts and the spaces of
// the language. It may be applied twice.
func (l Lang) Set(s string) string {
	s = common.Replace(s)
	if l == FR {
		return percent.ReplaceAllString(french.Replace(s), narrow+"%$1")
	}
	return english.Replace(s)
}

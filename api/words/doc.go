// Package words says things to people: the two catalogues of the pages, French
// first, and numbers, units and dates as each language writes them.
//
// French numbers have a narrow no-break space (U+202F) between thousands and a
// decimal comma, and the same space stands before ; : ! ? and inside « ».
// English ones have a comma and a point. A figure is rounded to its
// uncertainty: the half width of its interval keeps two significant digits and
// the amount stops at the same place (GUM, JCGM 100:2008, 7.2.6).
//
// Texts are looked up by key; a test holds both catalogues complete, and holds
// the templates and handlers to keys that exist.
package words

import "github.com/thermie/thermie/metering"

// Lang is one of the two languages of the pages.
type Lang string

// The languages. French is that of everyone who did not choose.
const (
	FR Lang = "fr"
	EN Lang = "en"
)

// Langs is the closed list, in the order of the language switch.
var Langs = []Lang{FR, EN}

// Parse returns the language named, or FR.
func Parse(s string) Lang {
	if s == string(EN) {
		return EN
	}
	return FR
}

// Of returns a two-language text in this language, with its typography.
func (l Lang) Of(t metering.Text) string { return l.Set(t.In(string(l))) }

package savings

import (
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/calendar"
)

var frMonths = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}

// frDate is "24 novembre 2026", in civil time.
func frDate(t time.Time) string {
	y, m, d := t.In(calendar.Paris).Date()
	day := strconv.Itoa(d)
	if d == 1 {
		day = "1er"
	}
	return day + " " + frMonths[m-1] + " " + strconv.Itoa(y)
}

// enDate is "24 November 2026", in civil time.
func enDate(t time.Time) string { return t.In(calendar.Paris).Format("2 January 2006") }

// frNumber writes a number with a decimal comma and narrow no-break spaces.
func frNumber(x float64, decimals int) string {
	return group(strconv.FormatFloat(x, 'f', decimals, 64), "\u202f", ",")
}

// enNumber writes a number with a decimal point and commas between thousands.
func enNumber(x float64, decimals int) string {
	return group(strconv.FormatFloat(x, 'f', decimals, 64), ",", ".")
}

func group(s, sep, point string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, frac, hasFrac := strings.Cut(s, ".")
	var b strings.Builder
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(sep)
		}
		b.WriteRune(c)
	}
	if hasFrac {
		b.WriteString(point + frac)
	}
	return sign + b.String()
}

func frCount(n int, one, many string) string {
	if n < 2 {
		return strconv.Itoa(n) + " " + one
	}
	return frNumber(float64(n), 0) + " " + many
}

func enCount(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return enNumber(float64(n), 0) + " " + many
}

package words

import (
	"strconv"
	"time"

	"github.com/thermie/thermie/calendar"
)

var monthsFR = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}
var monthsShortFR = [...]string{"janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."}

// Date writes the civil day in Paris: "24 novembre 2026", "1er mai 2026".
func (l Lang) Date(t time.Time) string {
	if t.IsZero() {
		return Dash
	}
	t = t.In(calendar.Paris)
	return l.day(t) + nbsp + l.monthName(t.Month()) + nbsp + strconv.Itoa(t.Year())
}

// ShortDate writes a day for tables: "24 nov. 2026".
func (l Lang) ShortDate(t time.Time) string {
	if t.IsZero() {
		return Dash
	}
	t = t.In(calendar.Paris)
	m := t.Format("Jan")
	if l == FR {
		m = monthsShortFR[t.Month()-1]
	}
	return l.day(t) + nbsp + m + nbsp + strconv.Itoa(t.Year())
}

// DayMonth writes a day of a year that is clear: "24 nov.".
func (l Lang) DayMonth(t time.Time) string {
	t = t.In(calendar.Paris)
	return l.day(t) + nbsp + l.ShortMonth(t.Month())
}

func (l Lang) day(t time.Time) string {
	if l == FR && t.Day() == 1 {
		return "1er"
	}
	return strconv.Itoa(t.Day())
}

func (l Lang) monthName(m time.Month) string {
	if l == FR {
		return monthsFR[m-1]
	}
	return m.String()
}

// Month writes "novembre 2026".
func (l Lang) Month(t time.Time) string {
	t = t.In(calendar.Paris)
	return l.monthName(t.Month()) + nbsp + strconv.Itoa(t.Year())
}

// ShortMonth writes the name of month 1 to 12 in three or four letters.
func (l Lang) ShortMonth(m time.Month) string {
	if l == FR {
		return monthsShortFR[m-1]
	}
	return m.String()[:3]
}

// Clock writes the civil time in Paris: "14:05".
func (l Lang) Clock(t time.Time) string { return t.In(calendar.Paris).Format("15:04") }

// Moment writes a day and its time: "24 nov. 2026, 14:05".
func (l Lang) Moment(t time.Time) string {
	if t.IsZero() {
		return Dash
	}
	return l.ShortDate(t) + ", " + l.Clock(t)
}

// Quarter writes "T3 2026" or "Q3 2026".
func (l Lang) Quarter(q calendar.Quarter) string {
	letter := "T"
	if l == EN {
		letter = "Q"
	}
	return letter + strconv.Itoa(q.Q) + nbsp + strconv.Itoa(q.Year)
}

// Span writes a duration with one unit: "3 jours", "5 min".
func (l Lang) Span(d time.Duration) string {
	switch {
	case d < 0:
		return l.N("span.seconds", 0)
	case d < 2*time.Minute:
		return l.N("span.seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return l.N("span.minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return l.N("span.hours", int(d.Hours()))
	}
	return l.N("span.days", int(d.Hours()/24))
}

// Since writes how long ago t was: "il y a 3 jours".
func (l Lang) Since(t, now time.Time) string {
	if t.IsZero() {
		return l.T("span.never")
	}
	return l.T("span.ago", l.Span(now.Sub(t)))
}

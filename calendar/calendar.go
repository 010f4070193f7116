// Package calendar holds civil time at the port: days, quarters and holidays
// in Europe/Paris.
//
// Storage is in UTC everywhere; people, tariffs and quarters are not. A civil
// day has 23, 24 or 25 hours, so a day or a quarter is always a half-open pair
// of instants [from, to) computed here. The time-zone data are embedded, so
// that a closed quarter has the same bounds on any machine.
package calendar

import (
	"fmt"
	"time"
	_ "time/tzdata" // the same zones everywhere
)

// Paris is the civil time zone of the programme.
var Paris = mustLoad("Europe/Paris")

func mustLoad(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic(err) // cannot happen: tzdata is embedded
	}
	return l
}

// Day returns the first instant of the civil day that holds t.
func Day(t time.Time) time.Time {
	y, m, d := t.In(Paris).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, Paris)
}

// NextDay returns the first instant of the day after the one that holds t.
func NextDay(t time.Time) time.Time {
	y, m, d := t.In(Paris).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, Paris)
}

// Month returns the first instant of the civil month that holds t.
func Month(t time.Time) time.Time {
	y, m, _ := t.In(Paris).Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, Paris)
}

// Quarter is a civil quarter, written "2026-Q3".
type Quarter struct{ Year, Q int }

// QuarterOf returns the quarter that holds t.
func QuarterOf(t time.Time) Quarter {
	y, m, _ := t.In(Paris).Date()
	return Quarter{y, (int(m)-1)/3 + 1}
}

// ParseQuarter reads "2026-Q3".
func ParseQuarter(s string) (Quarter, error) {
	var q Quarter
	if n, err := fmt.Sscanf(s, "%d-Q%d", &q.Year, &q.Q); err != nil || n != 2 ||
		q.Q < 1 || q.Q > 4 || q.Year < 2000 || q.Year > 2199 || s != q.String() {
		return Quarter{}, fmt.Errorf("quarter %q: want the form 2026-Q3", s)
	}
	return q, nil
}

func (q Quarter) String() string { return fmt.Sprintf("%04d-Q%d", q.Year, q.Q) }

// Start is the quarter's first instant; End the first one after it.
func (q Quarter) Start() time.Time {
	return time.Date(q.Year, time.Month(3*q.Q-2), 1, 0, 0, 0, 0, Paris)
}

// End is the first instant after the quarter.
func (q Quarter) End() time.Time { return q.Next().Start() }

// Next is the quarter after q.
func (q Quarter) Next() Quarter { return q.Add(1) }

// Add moves n quarters on, or back when n is negative.
func (q Quarter) Add(n int) Quarter {
	k := q.Year*4 + q.Q - 1 + n
	return Quarter{k / 4, k%4 + 1}
}

// Before says whether q comes before o.
func (q Quarter) Before(o Quarter) bool { return q.Year*4+q.Q < o.Year*4+o.Q }

// MarshalText writes "2026-Q3".
func (q Quarter) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalText reads "2026-Q3".
func (q *Quarter) UnmarshalText(b []byte) (err error) {
	*q, err = ParseQuarter(string(b))
	return err
}

// Easter returns Easter Sunday of a year (Gregorian computus, Butcher 1876).
func Easter(year int) time.Time {
	a := year % 19
	b, c := year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	month, day := (h+l-7*m+114)/31, (h+l-7*m+114)%31+1
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, Paris)
}

// Holiday names the public holiday on the civil day of t, or returns "". The
// list is that of Alsace-Moselle, with Good Friday and 26 December (article
// L3134-13 of the Code du travail).
func Holiday(t time.Time) string {
	y, m, d := t.In(Paris).Date()
	switch (int(m))*100 + d {
	case 101:
		return "Jour de l'An"
	case 501:
		return "Fête du Travail"
	case 508:
		return "Victoire 1945"
	case 714:
		return "Fête nationale"
	case 815:
		return "Assomption"
	case 1101:
		return "Toussaint"
	case 1111:
		return "Armistice 1918"
	case 1225:
		return "Noël"
	case 1226:
		return "Saint-Étienne"
	}
	easter := Easter(y)
	for _, f := range [...]struct {
		days int
		name string
	}{{-2, "Vendredi saint"}, {1, "Lundi de Pâques"}, {39, "Ascension"}, {50, "Lundi de Pentecôte"}} {
		_, em, ed := easter.AddDate(0, 0, f.days).Date()
		if em == m && ed == d {
			return f.name
		}
	}
	return ""
}

// Workday says whether t falls on a Monday to Friday that is no holiday.
func Workday(t time.Time) bool {
	switch t.In(Paris).Weekday() {
	case time.Saturday, time.Sunday:
		return false
	}
	return Holiday(t) == ""
}

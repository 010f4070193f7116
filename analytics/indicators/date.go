package indicators

import (
	"fmt"
	"time"

	"github.com/thermie/thermie/calendar"
)

// Date is a civil day in Europe/Paris, written 2026-07-01. The zero Date means
// "not stated": for an end, that there is none yet.
type Date struct{ t time.Time }

// DateOf returns the civil day that holds t.
func DateOf(t time.Time) Date { return Date{calendar.Day(t)} }

// ParseDate reads 2026-07-01; years 2000 to 2199.
func ParseDate(s string) (Date, error) {
	t, err := time.ParseInLocation("2006-01-02", s, calendar.Paris)
	if err != nil || t.Year() < 2000 || t.Year() > 2199 {
		return Date{}, fmt.Errorf("date %q: want the form 2026-07-01", s)
	}
	return Date{t}, nil
}

// MustDate is [ParseDate] for constants; it panics on a bad one.
func MustDate(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// Time is the day's first instant; the zero time when the date is not stated.
func (d Date) Time() time.Time { return d.t }

// IsZero says that the date is not stated.
func (d Date) IsZero() bool { return d.t.IsZero() }

// String is 2026-07-01, or "" when not stated.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.t.Format("2006-01-02")
}

// MarshalText writes what String says.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a date; empty text is "not stated".
func (d *Date) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	*d, err = ParseDate(string(b))
	return err
}

// Span is a half-open run of civil days [From, To). A zero To has no end, a zero
// From no beginning.
type Span struct {
	From Date `yaml:"from,omitempty" json:"from,omitzero"`
	To   Date `yaml:"to,omitempty" json:"to,omitzero"`
}

// Holds says whether t lies in the span.
func (s Span) Holds(t time.Time) bool {
	return !t.Before(s.From.t) && (s.To.IsZero() || t.Before(s.To.t))
}

// Overlaps says whether the spans share an instant.
func (s Span) Overlaps(o Span) bool {
	return (s.To.IsZero() || o.From.t.Before(s.To.t)) && (o.To.IsZero() || s.From.t.Before(o.To.t))
}

// Check refuses a span that ends before it begins.
func (s Span) Check() error {
	if !s.To.IsZero() && !s.From.t.Before(s.To.t) {
		return fmt.Errorf("from %s is not before to %s", s.From, s.To)
	}
	return nil
}

// Package export writes readings, or aggregates of them, to files that others
// read: CSV (RFC 4180) and Apache Parquet. Every file says in its header what
// its numbers are: unit, time zone, quality, where each series comes from, whose
// rights chose them.
//
// Instants are exact to the millisecond, in UTC and in the civil time of
// Europe/Paris with its offset, so that the hour which a clock shows twice is
// told apart. Numbers of readings are decimals as they were read.
//
// A caller gets what its [access.Scope] allows, and an error for a series that
// it does not.
package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// Step is what a row stands for.
type Step string

// The steps: readings as they are, or aggregates of windows. Days are civil days.
const (
	Readings   Step = "readings"
	TenMinutes Step = "10m"
	Hours      Step = "hour"
	Days       Step = "day"
)

// ParseStep reads a step's name.
func ParseStep(s string) (Step, error) {
	if steps := []Step{Readings, TenMinutes, Hours, Days}; slices.Contains(steps, Step(s)) {
		return Step(s), nil
	}
	return "", fmt.Errorf("step %q: want readings, 10m, hour or day", s)
}

// Store is what is exported from.
type Store interface {
	Points(ctx context.Context, scope access.Scope, id metering.SeriesID, from, to time.Time) iter.Seq2[metering.Point, error]
	Windows(ctx context.Context, scope access.Scope, id metering.SeriesID, bounds []time.Time) ([]series.Window, error)
	List(ctx context.Context, scope access.Scope) ([]series.Info, error)
}

// Series is one series of a file and what its header says of it.
type Series struct {
	ID     metering.SeriesID `json:"id"`
	Unit   metering.Unit     `json:"unit"`
	Kind   string            `json:"kind"` // gauge, counter
	Name   string            `json:"name,omitempty"`
	Source string            `json:"source"` // measured, imported, synthetic, and by what
	// Imported are the stretches whose points came from files, whatever measures today.
	Imported []Imported `json:"imported,omitempty"`
}

// Imported is a stretch of imported points, both ends included.
type Imported struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Source string    `json:"source"`
}

// File is what goes into a file.
type File struct {
	Territory string
	Made      time.Time
	For       string // whose rights chose it
	From, To  time.Time
	Step      Step
	Series    []Series
}

// Choose lists the series that the scope allows and that one of the patterns
// fits, as path.Match has it: "fonderie-*/heat_energy", "*/active_power". No
// pattern fits all. about tells of each.
func Choose(ctx context.Context, s Store, scope access.Scope, patterns []string, about func(metering.SeriesID) About) ([]Series, error) {
	all, err := s.List(ctx, scope)
	if err != nil {
		return nil, err
	}
	var out []Series
	for _, i := range all {
		fits := len(patterns) == 0
		for _, p := range patterns {
			ok, err := path.Match(p, string(i.ID))
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", p, err)
			}
			fits = fits || ok
		}
		if fits {
			a := about(i.ID)
			out = append(out, Series{i.ID, i.Unit, i.ID.Quantity().Kind().String(), a.Name, a.Source, a.Imported})
		}
	}
	return out, nil
}

// Check refuses a file without series or without a span.
func (f *File) Check() error {
	switch {
	case len(f.Series) == 0:
		return errors.New("no series fits that may be seen")
	case !f.From.Before(f.To):
		return fmt.Errorf("from %s is not before %s", f.From.Format(time.RFC3339), f.To.Format(time.RFC3339))
	}
	return nil
}

// windowsAtOnce bounds what is asked of the store in one go.
const windowsAtOnce = 4096

// windows yields the windows of a series that have readings.
func (f *File) windows(ctx context.Context, s Store, scope access.Scope, id metering.SeriesID) iter.Seq2[series.Window, error] {
	return func(yield func(series.Window, error) bool) {
		for from := f.From; from.Before(f.To); {
			bounds := []time.Time{from}
			for at := from; at.Before(f.To) && len(bounds) <= windowsAtOnce; {
				at = f.next(at)
				if at.After(f.To) {
					at = f.To
				}
				bounds = append(bounds, at)
			}
			list, err := s.Windows(ctx, scope, id, bounds)
			if err != nil {
				yield(series.Window{}, err)
				return
			}
			for _, w := range list {
				if w.Numbers()+w.Missing > 0 && !yield(w, nil) {
					return
				}
			}
			from = bounds[len(bounds)-1]
		}
	}
}

// next is the first bound after an instant. Ten minutes and hours are cut alike
// in UTC and in civil time.
func (f *File) next(at time.Time) time.Time {
	switch f.Step {
	case Days:
		return calendar.NextDay(at)
	case Hours:
		return at.Truncate(time.Hour).Add(time.Hour)
	}
	return at.Truncate(10 * time.Minute).Add(10 * time.Minute)
}

package export

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Zone is the civil time zone of every file.
const Zone = "Europe/Paris"

// Style is how a CSV file separates fields and writes numbers.
type Style struct {
	Comma rune // between fields
	Point byte // in numbers
}

// The styles: RFC 4180, and what a French spreadsheet opens by itself.
var (
	International = Style{',', '.'}
	French        = Style{';', ','}
)

const (
	instantLayout = "2006-01-02T15:04:05.000Z"
	localLayout   = "2006-01-02T15:04:05.000-07:00"
)

var (
	readingColumns = []string{"time_utc", "time_local", "meter", "quantity", "number", "unit", "quality", "source"}
	windowColumns  = []string{"from_utc", "from_local", "to_utc", "meter", "quantity", "mean", "min", "max", "first", "last", "unit", "good", "suspect", "missing", "source"}
)

// CSV writes a file: lines that begin with "#" say what it holds, then one line
// of column names, then the rows, by series and time.
func CSV(ctx context.Context, out io.Writer, s Store, scope access.Scope, f File, style Style) error {
	if err := f.Check(); err != nil {
		return err
	}
	b := bufio.NewWriter(out)
	for _, line := range f.header() {
		if _, err := fmt.Fprintf(b, "# %s: %s\n", line[0], oneLine(line[1])); err != nil {
			return err
		}
	}
	w := csv.NewWriter(b)
	w.Comma = style.Comma
	columns := readingColumns
	if f.Step != Readings {
		columns = windowColumns
	}
	if err := w.Write(columns); err != nil {
		return err
	}
	for _, x := range f.Series {
		var err error
		if f.Step == Readings {
			err = f.csvReadings(ctx, w, s, scope, x, style)
		} else {
			err = f.csvWindows(ctx, w, s, scope, x, style)
		}
		if err != nil {
			return err
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return b.Flush()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// header is what every file says of itself, in English.
func (f *File) header() [][2]string {
	lines := [][2]string{
		{"territory", f.Territory},
		{"made", f.Made.UTC().Format(time.RFC3339)},
		{"for", f.For},
		{"from", f.From.In(calendar.Paris).Format(time.RFC3339)},
		{"to", f.To.In(calendar.Paris).Format(time.RFC3339) + " (not included)"},
		{"rows", string(f.Step)},
		{"time zone", "UTC; local time is " + Zone + " with its offset"},
		{"quality", "good; suspect:<reason>; missing:<reason> (a missing reading has no number)"},
	}
	if f.Step != Readings {
		lines = append(lines, [2]string{"aggregates", "of good and suspect readings, each with the same weight; first and last are readings; for the energy of a window take the difference of registers"})
	}
	for _, x := range f.Series {
		lines = append(lines, [2]string{"series", fmt.Sprintf("%s; unit %s; %s; source %s; %s", x.ID, x.Unit, x.Kind, x.Source, x.Name)})
		lines = append(lines, x.lines()...)
	}
	return lines
}

func (f *File) csvReadings(ctx context.Context, w *csv.Writer, s Store, scope access.Scope, x Series, style Style) error {
	for p, err := range s.Points(ctx, scope, x.ID, f.From, f.To) {
		if err != nil {
			return err
		}
		number := ""
		if p.Quality.Level != metering.Missing {
			number = style.decimal(p.Number.String())
		}
		at := time.UnixMilli(p.At)
		if err := w.Write([]string{at.UTC().Format(instantLayout), at.In(calendar.Paris).Format(localLayout), x.ID.Meter(), string(x.ID.Quantity()),
			number, string(x.Unit), p.Quality.String(), x.source(p.At)}); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) csvWindows(ctx context.Context, w *csv.Writer, s Store, scope access.Scope, x Series, style Style) error {
	for v, err := range f.windows(ctx, s, scope, x.ID) {
		if err != nil {
			return err
		}
		row := []string{v.From.UTC().Format(instantLayout), v.From.In(calendar.Paris).Format(localLayout), v.To.UTC().Format(instantLayout), x.ID.Meter(), string(x.ID.Quantity())}
		if v.Numbers() > 0 {
			row = append(row, style.float(v.Mean), style.float(v.Min), style.float(v.Max), style.decimal(v.First.Number.String()), style.decimal(v.Last.Number.String()))
		} else {
			row = append(row, "", "", "", "", "")
		}
		row = append(row, string(x.Unit), strconv.Itoa(v.Good), strconv.Itoa(v.Suspect), strconv.Itoa(v.Missing), x.windowSource(v))
		if err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}

func (s Style) float(v float64) string { return s.decimal(strconv.FormatFloat(v, 'f', -1, 64)) }

func (s Style) decimal(text string) string {
	if s.Point == '.' {
		return text
	}
	return strings.Replace(text, ".", string(s.Point), 1)
}

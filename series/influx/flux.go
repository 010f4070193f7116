package influx

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/metering"
)

// span is a range of instants, Unix milliseconds, half-open.
type span struct{ from, to int64 }

// always is the range in which readings may lie, see [metering.Reading.Check].
var always = span{946684800000, 7258118400000}

// within cuts a span to always; it may come out empty.
func within(from, to int64) span { return span{max(from, always.from), min(to, always.to)} }

func (s span) empty() bool { return s.from >= s.to }

func instant(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// from begins a Flux pipe over a range of the bucket.
func (s *Store) from(r span) string {
	return "from(bucket: " + quote(s.o.Bucket) + ") |> range(start: " + instant(r.from) + ", stop: " + instant(r.to) + ")"
}

// field is the pipe of one field of one series. What follows it in the script
// is carried out by the storage engine as far as it can.
func (s *Store) field(id metering.SeriesID, r span, field, condition string) string {
	f := s.from(r) + ` |> filter(fn: (r) => r._measurement == "reading" and r.meter == ` + quote(id.Meter()) +
		" and r.quantity == " + quote(string(id.Quantity())) + " and r._field == " + quote(field) + ")"
	if condition != "" {
		f += " |> filter(fn: (r) => r._value " + condition + ")"
	}
	return f
}

// quote writes a Flux string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "${", `\${`).Replace(s) + `"`
}

// queryError is what the server says of a query that it could not carry out.
type queryError struct{ message string }

func (e *queryError) Error() string { return "query: " + e.message }

var errFormat = errors.New("answer not understood")

// query runs a Flux script and calls each with its rows, in order. A row is
// valid until each returns.
func (s *Store) query(ctx context.Context, script string, each func(*row) error) error {
	body, err := json.Marshal(map[string]any{"query": script, "type": "flux",
		"dialect": map[string]any{"header": true, "annotations": []string{}, "delimiter": ","}})
	if err != nil {
		return err
	}
	service := s.client.HTTPService()
	var inner error
	failed := service.DoPostRequest(ctx, service.ServerAPIURL()+"query?org="+url.QueryEscape(s.o.Org), bytes.NewReader(body),
		func(r *http.Request) {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "text/csv")
		},
		func(r *http.Response) error {
			defer r.Body.Close()
			inner = readRows(r.Body, each)
			return nil
		})
	if failed != nil {
		return failed
	}
	return inner
}

// readRows reads the tables of an answer: CSV, each kind of table with its
// header. A table of errors ends it.
func readRows(body io.Reader, each func(*row) error) error {
	r := csv.NewReader(body)
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	var current row
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var malformed *csv.ParseError
		if errors.As(err, &malformed) {
			return fmt.Errorf("%w: %w", errFormat, err)
		}
		if err != nil {
			return err
		}
		switch {
		case len(fields) >= 3 && fields[1] == "result" && fields[2] == "table":
			current = row{columns: make(map[string]int, len(fields))}
			for i, name := range fields {
				current.columns[strings.Clone(name)] = i
			}
		case isErrorTable(fields):
			fields, err := r.Read()
			if err != nil {
				return fmt.Errorf("%w: an error without text: %w", errFormat, err)
			}
			return &queryError{strings.Join(fields, " ")}
		case current.columns == nil:
			return fmt.Errorf("%w: rows without header", errFormat)
		default:
			current.fields = fields
			if err := each(&current); err != nil {
				return err
			}
		}
	}
}

func isErrorTable(fields []string) bool {
	for i, f := range fields[:min(2, len(fields))] {
		if f == "error" && i+1 < len(fields) && fields[i+1] == "reference" {
			return true
		}
	}
	return false
}

// row is one row of an answer. The first cell that cannot be read sets err.
type row struct {
	columns map[string]int
	fields  []string
	err     error
}

func (r *row) text(column string) string {
	i, ok := r.columns[column]
	if !ok || i >= len(r.fields) {
		if r.err == nil {
			r.err = fmt.Errorf("%w: no column %s", errFormat, column)
		}
		return ""
	}
	return r.fields[i]
}

func (r *row) result() string { return r.text("result") }

func (r *row) int(column string) int64 {
	n, err := strconv.ParseInt(r.text(column), 10, 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: column %s: %w", errFormat, column, err)
	}
	return n
}

func (r *row) millis(column string) int64 {
	t, err := time.Parse(time.RFC3339Nano, r.text(column))
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%w: column %s: %w", errFormat, column, err)
	}
	return t.UnixMilli()
}

func (r *row) series() metering.SeriesID {
	return metering.Series(strings.Clone(r.text("meter")), metering.Quantity(strings.Clone(r.text("quantity"))))
}

package task

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// table is a CSV file: one time, one name of a meter perhaps, numbers.
type table struct {
	name      string // of the file, without folder and ending
	as        string // what the task calls it; "" for nothing
	time      []time.Time
	end       []time.Time // of invoices; nil when not given
	estimated []bool      // nil when not given
	meter     []string    // nil when not given
	names     []string    // of the columns of numbers
	columns   map[string][]float64
	length    int // of the written times: moment, day, month
	unread    int // cells that are no number
	disorder  int // lines that come before the one above
	naive     bool
	clock     clock
	next      bool // ends are the beginnings of the next line
}

const maxRows = 20_000_000

var (
	timeNames     = []string{"time", "timestamp", "datetime", "date", "month", "start", "period_start", "start_date", "from", "begin", "day", "hour"}
	endNames      = []string{"end", "period_end", "end_date", "to", "until"}
	meterNames    = []string{"meter", "meter_id", "id", "site", "site_id", "building"}
	estimateNames = []string{"estimated", "is_estimated", "estimate", "read_type", "quality", "reading_type", "type", "status"}
)

// readTable reads a CSV; comma, semicolon (then perhaps with decimal commas) or tab.
func readTable(name string, b []byte, loc *time.Location) (*table, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	head, _, _ := bytes.Cut(b, []byte("\n"))
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.ReuseRecord, r.TrimLeadingSpace = -1, true, true
	comma := false
	switch {
	case bytes.Count(head, []byte(";")) > bytes.Count(head, []byte(",")):
		r.Comma, comma = ';', true
	case bytes.Contains(head, []byte("\t")):
		r.Comma = '\t'
	}
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: no header: %w", name, err)
	}
	t := &table{name: stem(name), columns: map[string][]float64{}, length: moment}
	header = slices.Clone(header)
	roles := make([]string, len(header))
	take := func(role string, names []string) {
		for _, n := range names {
			for k, h := range header {
				if roles[k] == "" && strings.EqualFold(strings.TrimSpace(h), n) {
					roles[k] = role
					return
				}
			}
		}
	}
	take("time", timeNames)
	t.guessTime(roles, b, r.Comma, loc)
	if !slices.Contains(roles, "time") {
		return nil, fmt.Errorf("%s: no column of time: one of %s", name, strings.Join(timeNames, ", "))
	}
	take("end", endNames)
	take("meter", meterNames)
	take("estimated", estimateNames)
	for k, h := range header {
		header[k] = strings.TrimSpace(h)
		if roles[k] == "" && header[k] != "" {
			if slices.Contains(t.names, header[k]) {
				return nil, fmt.Errorf("%s: two columns are called %s", name, header[k])
			}
			t.names = append(t.names, header[k])
		}
	}
	for line := 2; ; line++ {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if line > maxRows {
			return nil, fmt.Errorf("%s: more than %d lines", name, maxRows)
		}
		if err := t.row(header, roles, rec, comma, loc); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, line, err)
		}
	}
	if len(t.time) == 0 {
		return nil, fmt.Errorf("%s: no data", name)
	}
	t.sort()
	if t.end == nil && t.length != month && t.meter == nil && t.step() > 20*24*time.Hour {
		// Invoices that are given by their first days: each ends where the next begins.
		t.end, t.next = append(slices.Clone(t.time[1:]), time.Time{}), true
	}
	return t, nil
}

func (t *table) row(header, roles, rec []string, comma bool, loc *time.Location) error {
	cell := func(k int) string {
		if k < len(rec) {
			return strings.TrimSpace(rec[k])
		}
		return ""
	}
	naive := false
	for k := range header {
		switch roles[k] {
		case "time":
			at, length, err := instant(cell(k), loc)
			if err != nil {
				return err
			}
			t.length = length
			if s := cell(k); length == moment && !strings.HasSuffix(s, "Z") && !strings.ContainsAny(s[10:], "+-") {
				naive, t.naive = true, true
			}
			t.time = append(t.time, at)
		case "end":
			at, _, err := instant(cell(k), loc)
			if err != nil {
				at = time.Time{}
			}
			t.end = append(t.end, at)
		case "meter":
			t.meter = append(t.meter, cell(k))
		case "estimated":
			t.estimated = append(t.estimated, slices.Contains([]string{"1", "true", "yes", "e", "est", "estimated", "estimate", "estimée", "estimé", "oui"}, strings.ToLower(cell(k))))
		default:
			if header[k] == "" {
				continue
			}
			s := cell(k)
			if comma {
				s = strings.Replace(s, ",", ".", 1)
			}
			x, ok := number(s)
			if !ok {
				x = math.NaN()
				if low := strings.ToLower(s); s != "" && low != "nan" && low != "na" && low != "null" && low != "none" {
					t.unread++
				}
			}
			t.columns[header[k]] = append(t.columns[header[k]], x)
		}
	}
	if naive {
		last := len(t.time) - 1
		meter := ""
		if t.meter != nil {
			meter = t.meter[last]
		}
		t.time[last] = t.clock.tell(t.time[last], meter)
	}
	return nil
}

// guessTime takes the first column as the time, whatever its name, when no name of a
// time is there and its first cell is one.
func (t *table) guessTime(roles []string, b []byte, comma rune, loc *time.Location) {
	if slices.Contains(roles, "time") || len(roles) == 0 {
		return
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord, r.Comma, r.TrimLeadingSpace = -1, comma, true
	if _, err := r.Read(); err != nil {
		return
	}
	rec, err := r.Read()
	if err != nil || len(rec) == 0 {
		return
	}
	if _, _, err := instant(rec[0], loc); err == nil {
		roles[0] = "time"
	}
}

// greatest is more than any meter counts, in any unit.
const greatest = 1e15

// number reads a cell; one that is no number, or more than any meter counts, is not ok.
func number(s string) (float64, bool) {
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil && math.Abs(x) <= greatest
}

// sort puts the lines in order of time; lines of one time stay in order.
func (t *table) sort() {
	for i := 1; i < len(t.time); i++ {
		if t.time[i].Before(t.time[i-1]) {
			t.disorder++
		}
	}
	if t.disorder == 0 {
		return
	}
	order := make([]int, len(t.time))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return t.time[a].Compare(t.time[b]) })
	*t = *t.pick(order)
}

// pick is the table with these lines.
func (t *table) pick(rows []int) *table {
	u := *t
	u.time = pickOf(t.time, rows)
	u.end = pickOf(t.end, rows)
	u.estimated = pickOf(t.estimated, rows)
	u.meter = pickOf(t.meter, rows)
	u.columns = map[string][]float64{}
	for _, n := range t.names {
		u.columns[n] = pickOf(t.columns[n], rows)
	}
	return &u
}

func pickOf[T any](x []T, rows []int) []T {
	if x == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = x[i]
	}
	return out
}

// between is the table with the lines of a period.
func (t *table) between(p period) *table {
	var rows []int
	for i, at := range t.time {
		if p.holds(at) {
			rows = append(rows, i)
		}
	}
	return t.pick(rows)
}

// label is what says of which meter and period a table is.
func (t *table) label() string {
	if t.as != "" {
		return t.as
	}
	return t.name
}

// without is the table without the lines of a period.
func (t *table) without(p period) *table {
	if !p.given() {
		return t
	}
	var rows []int
	for i, at := range t.time {
		if !p.holds(at) {
			rows = append(rows, i)
		}
	}
	return t.pick(rows)
}

var (
	isTemperature = regexp.MustCompile(`(?i)^(t|temp|tout|t_out|t_ext|oat|temperature|température|air_temp.*|outdoor.*|.*temp.*)(_?(c|f|degc|degf|°c|°f))?$`)
	isFahrenheit  = regexp.MustCompile(`(?i)(_f|degf|°f|fahrenheit|temp_?f)$`)
	isValue       = regexp.MustCompile(`(?i)^(value|energy|consumption|usage|use|load|eload|kwh|mwh|conso.*|.*_(kwh|mwh|m3|gj)|(gas|heat|electricity|elec|energy|value|load|consumption|usage).*)$`)
)

// value is the name of the column of energy; "" when there is none or no telling.
func (t *table) value(drivers []string) string {
	if slices.Contains(t.names, "value") {
		return "value"
	}
	var rest []string
	for _, n := range t.names {
		if slices.Contains(drivers, n) || isTemperature.MatchString(n) {
			continue
		}
		rest = append(rest, n)
	}
	for _, n := range rest {
		if isValue.MatchString(n) {
			return n
		}
	}
	if len(rest) == 1 {
		return rest[0]
	}
	return ""
}

// temperature is the column of outdoor temperature in degC, nil for none.
func (t *table) temperature() []float64 {
	for _, n := range t.names {
		if !isTemperature.MatchString(n) {
			continue
		}
		x := t.columns[n]
		if isFahrenheit.MatchString(n) {
			x = slices.Clone(x)
			for i := range x {
				x[i] = (x[i] - 32) * 5 / 9
			}
		}
		return x
	}
	return nil
}

// step is the usual distance of neighbouring times.
func (t *table) step() time.Duration {
	var d []time.Duration
	for i := 1; i < len(t.time); i++ {
		if x := t.time[i].Sub(t.time[i-1]); x > 0 {
			d = append(d, x)
		}
	}
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

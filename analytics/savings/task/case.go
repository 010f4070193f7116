package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	_ "time/tzdata" // civil time is the same on every machine
)

// Case is a task as it is stated.
type Case struct {
	Name  string
	Title string
	Task  Statement
	// Unknown are keys that this program does not know.
	Unknown []string
}

// Statement is the key "task" of case.json.
type Statement struct {
	Energy     string
	Unit       string
	Location   *time.Location
	Frequency  string
	Baseline   period
	Blackout   period
	Reporting  period
	Model      string
	Confidence float64
	Candidates []string
	Selection  string
	NRA        json.RawMessage
	Rule       string
	Sentinels  []float64
	Files      []source
	Holidays   []string
	Closed     []string
	// Normal are the values of drivers, for each interval, that a normal year has.
	Normal map[string]float64
}

// period is [from, to); zero for not given.
type period struct{ from, to time.Time }

func (p period) given() bool { return !p.from.IsZero() }

// holds says whether t lies in the period.
func (p period) holds(t time.Time) bool { return !t.Before(p.from) && t.Before(p.to) }

var errNoCase = errors.New("there is no case.json")

// read reads case.json.
func readCase(b []byte) (*Case, error) {
	if b == nil {
		return nil, errNoCase
	}
	top := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &top); err != nil {
		return nil, fmt.Errorf("case.json: %w", err)
	}
	c := &Case{}
	body := map[string]json.RawMessage{}
	for _, k := range sortedKeys(top) {
		var err error
		switch k {
		case "case":
			err = json.Unmarshal(top[k], &c.Name)
		case "title":
			err = json.Unmarshal(top[k], &c.Title)
		case "task":
			err = json.Unmarshal(top[k], &body)
		case "conventions", "note", "notes", "description", "why":
		default:
			c.Unknown = append(c.Unknown, k)
		}
		if err != nil {
			return nil, fmt.Errorf("case.json, %s: %w", k, err)
		}
	}
	if len(body) == 0 {
		return nil, errors.New("case.json: no task")
	}
	return c, c.statement(body)
}

// freeChoice are the words by which a task leaves the model open.
var freeChoice = regexp.MustCompile(`(?i)^\s*(auto(matic)?|free|any|best|open|your|choose|chosen)\b`)

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (c *Case) statement(body map[string]json.RawMessage) error {
	t := &c.Task
	t.Confidence, t.Location = 0.90, time.UTC
	zone := ""
	var baseline, blackout, reporting, columns json.RawMessage
	for _, k := range sortedKeys(body) {
		v := body[k]
		var err error
		switch k {
		case "energy":
			t.Energy, err = words(v)
		case "unit":
			t.Unit, err = words(v)
		case "timezone", "tz":
			zone, err = words(v)
		case "frequency":
			t.Frequency, err = words(v)
		case "baseline":
			baseline = v
		case "blackout":
			blackout = v
		case "reporting":
			reporting = v
		case "model":
			if t.Model, err = words(v); freeChoice.MatchString(t.Model) {
				t.Model = ""
			}
		case "confidence":
			err = json.Unmarshal(v, &t.Confidence)
			if t.Confidence > 1 {
				t.Confidence /= 100
			}
		case "candidate_variables":
			err = json.Unmarshal(v, &t.Candidates)
		case "selection":
			t.Selection, err = words(v)
		case "nra":
			t.NRA = v
		case "rule", "rules":
			t.Rule, err = words(v)
		case "sentinel", "sentinels":
			t.Sentinels, err = numbers(v)
		case "files":
			t.Files, err = sources(v)
		case "holidays":
			t.Holidays, err = list(v)
		case "closed", "shutdowns", "closures":
			t.Closed, err = list(v)
		case "normal_conditions", "normal":
			err = json.Unmarshal(v, &t.Normal)
		case "columns":
			columns = v
		case "see", "note", "notes", "why", "question":
		default:
			c.Unknown = append(c.Unknown, "task."+k)
		}
		if err != nil {
			return fmt.Errorf("case.json, task.%s: %w", k, err)
		}
	}
	if columns != nil {
		for i := range t.Files {
			if t.Files[i].columns == nil {
				t.Files[i].columns = map[string]string{}
			}
			t.Files[i].takeColumns(columns)
		}
	}
	if zone != "" {
		l, err := time.LoadLocation(zone)
		if err != nil {
			return fmt.Errorf("case.json, task.timezone: %w", err)
		}
		t.Location = l
	}
	if !(t.Confidence > 0.5 && t.Confidence < 0.999) {
		return fmt.Errorf("case.json, task.confidence: %v: want a share such as 0.90", t.Confidence)
	}
	var err error
	if t.Baseline, err = readPeriod(baseline, t.Location); err != nil {
		return fmt.Errorf("case.json, task.baseline: %w", err)
	}
	if t.Blackout, err = readPeriod(blackout, t.Location); err != nil {
		return fmt.Errorf("case.json, task.blackout: %w", err)
	}
	if t.Reporting, err = readPeriod(reporting, t.Location); err != nil {
		return fmt.Errorf("case.json, task.reporting: %w", err)
	}
	t.Baseline.endAt(t.Blackout)
	t.Baseline.endAt(t.Reporting)
	t.Blackout.endAt(t.Reporting)
	return nil
}

// endAt takes the end of a period as half-open when the next one begins on the day
// that is written as its end.
func (p *period) endAt(next period) {
	if p.given() && next.given() && p.to.AddDate(0, 0, -1).Equal(next.from) {
		p.to = next.from
	}
}

// words is a string, or what else was given as its JSON text.
func words(v json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s, nil
	}
	var many []string
	if json.Unmarshal(v, &many) == nil {
		return strings.Join(many, "; "), nil
	}
	if string(v) == "null" {
		return "", nil
	}
	return string(v), nil
}

func list(v json.RawMessage) ([]string, error) {
	var many []string
	if err := json.Unmarshal(v, &many); err == nil {
		return many, nil
	}
	var pairs [][]string
	if err := json.Unmarshal(v, &pairs); err == nil {
		for _, p := range pairs {
			many = append(many, strings.Join(p, "/"))
		}
		return many, nil
	}
	var one string
	if err := json.Unmarshal(v, &one); err != nil {
		return nil, errors.New("want a list of dates")
	}
	return []string{one}, nil
}

// numbers are a number, a list of them, or a map of them.
func numbers(v json.RawMessage) ([]float64, error) {
	var one float64
	if string(v) == "null" {
		return nil, nil
	}
	if json.Unmarshal(v, &one) == nil {
		return []float64{one}, nil
	}
	var many []float64
	if json.Unmarshal(v, &many) == nil {
		return many, nil
	}
	m := map[string]float64{}
	if json.Unmarshal(v, &m) == nil {
		for _, k := range sortedKeys(m) {
			many = append(many, m[k])
		}
		return many, nil
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		for _, f := range strings.FieldsFunc(s, func(r rune) bool { return !strings.ContainsRune("+-.0123456789eE", r) }) {
			if x, ok := number(f); ok {
				many = append(many, x)
			}
		}
	}
	if many == nil {
		return nil, errors.New("want a number or a list of numbers")
	}
	return many, nil
}

// readPeriod reads two dates, as a list, a map or "a/b". An end that is a date
// belongs to the period (2022-01-01 to 2022-12-31 is a year), unless it is the
// first of a month or the begin's day of a year: those are half-open, as are ends
// with a time of day. Months are always whole.
func readPeriod(v json.RawMessage, loc *time.Location) (period, error) {
	if v == nil || string(v) == "null" {
		return period{}, nil
	}
	var ends []string
	if json.Unmarshal(v, &ends) != nil {
		m := map[string]string{}
		s := ""
		switch {
		case json.Unmarshal(v, &m) == nil:
			for _, k := range []string{"from", "start", "begin"} {
				if m[k] != "" {
					ends = append(ends, m[k])
				}
			}
			for _, k := range []string{"to", "end", "until"} {
				if m[k] != "" {
					ends = append(ends, m[k])
				}
			}
		case json.Unmarshal(v, &s) == nil:
			for _, sep := range []string{"/", "..", " to ", " - "} {
				if a, b, ok := strings.Cut(s, sep); ok {
					ends = []string{strings.TrimSpace(a), strings.TrimSpace(b)}
					break
				}
			}
		}
	}
	if len(ends) == 0 {
		return period{}, nil
	}
	if len(ends) != 2 {
		return period{}, fmt.Errorf("%s: want two dates", v)
	}
	from, _, err := instant(ends[0], loc)
	if err != nil {
		return period{}, err
	}
	to, length, err := instant(ends[1], loc)
	if err != nil {
		return period{}, err
	}
	switch length {
	case month:
		to = to.AddDate(0, 1, 0)
	case day:
		anniversary := to.Day() == from.Day() && to.Month() == from.Month() && to.Year() > from.Year()
		if to.Day() != 1 && !anniversary || to.Equal(from) {
			to = to.AddDate(0, 0, 1)
		}
	}
	if !from.Before(to) {
		return period{}, fmt.Errorf("%s to %s: the end is not after the beginning", ends[0], ends[1])
	}
	return period{from, to}, nil
}

// The lengths that a written time can have.
const (
	moment = iota
	day
	month
)

var layouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04Z07:00", "02/01/2006 15:04"}

// instant reads a time as the files write it; without a zone it is civil time.
func instant(s string, loc *time.Location) (t time.Time, length int, err error) {
	s = strings.TrimSpace(s)
	switch len(s) {
	case 7:
		if t, err = time.ParseInLocation("2006-01", s, loc); err == nil {
			return t, month, nil
		}
	case 10:
		for _, l := range []string{time.DateOnly, "02/01/2006"} {
			if t, err = time.ParseInLocation(l, s, loc); err == nil {
				return t, day, nil
			}
		}
	}
	for _, l := range layouts {
		if t, err = time.ParseInLocation(l, s, loc); err == nil {
			return t.In(loc), moment, nil
		}
	}
	return t, 0, fmt.Errorf("%q is no date or time", s)
}

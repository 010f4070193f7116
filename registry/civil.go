package registry

import (
	"bytes"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/calendar"
)

// civilDates rewrites plain dates ("2025-01-01") as the first instant of that
// day in Europe/Paris. YAML alone would take them as midnight UTC, one or two
// hours into the civil day, and quarters would not begin where people say.
// Lines keep their numbers, so that later errors name the right one.
func civilDates(b []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		return nil, err
	}
	var dates []*yaml.Node
	collectDates(&root, &dates, 0)
	if len(dates) == 0 {
		return b, nil
	}
	// From the right to the left, so that columns stay true.
	slices.SortFunc(dates, func(x, y *yaml.Node) int { return y.Column - x.Column })
	lines := bytes.SplitAfter(b, []byte("\n"))
	for _, n := range dates {
		day, err := time.ParseInLocation(time.DateOnly, n.Value, calendar.Paris)
		if err != nil {
			return nil, fmt.Errorf("line %d: date %q: %w", n.Line, n.Value, err)
		}
		line := lines[n.Line-1]
		at := 0
		for range n.Column - 1 {
			_, size := utf8.DecodeRune(line[at:])
			at += size
		}
		if !bytes.HasPrefix(line[at:], []byte(n.Value)) {
			return nil, fmt.Errorf("line %d: date %q: write it plain, without anchor or tag", n.Line, n.Value)
		}
		lines[n.Line-1] = slices.Concat(line[:at], []byte(day.Format(time.RFC3339)), line[at+len(n.Value):])
	}
	return bytes.Join(lines, nil), nil
}

func collectDates(n *yaml.Node, into *[]*yaml.Node, depth int) {
	if depth > 100 {
		return // the strict decoder refuses such a document on its own
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!timestamp" && len(n.Value) == len(time.DateOnly) && n.Style == 0 {
		*into = append(*into, n)
	}
	for _, c := range n.Content {
		collectDates(c, into, depth+1)
	}
}

// civilDay is the stored form of the civil day that holds t.
func civilDay(t time.Time) string { return t.In(calendar.Paris).Format(time.DateOnly) }

func parseDay(s string) (time.Time, error) {
	return time.ParseInLocation(time.DateOnly, s, calendar.Paris)
}

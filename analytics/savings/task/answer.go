package task

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/thermie/thermie/analytics/quality"
	"github.com/thermie/thermie/analytics/savings/chart"
)

// answer is what is being put together for one task, or for the control of one.
type answer struct {
	c        *Case
	files    map[string][]byte
	out      map[string]any
	warnings []string
	ignored  []string
	calendar calendarDays
	towt     []string // columns of the model of time of week and temperature
	// residuals of the baseline by day, for the correlation of meters.
	residuals []residual
	normal    *table // weather of a normal year
	plot      bool
	picture   *chart.Picture
}

type residual struct {
	day int
	e   float64
}

func sortedDays(m map[int]float64) []int {
	out := make([]int, 0, len(m))
	for d := range m {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}

// Answer works a task: files by name, case.json among them. The answer is a tree
// of maps, lists, numbers and words. A refusal is an answer; an error means that
// the task or a file cannot be read.
func Answer(files map[string][]byte) (map[string]any, error) {
	out, _, err := solve(files, false)
	return out, err
}

// Draw is [Answer] with the picture of the saving; nil when there is none to draw:
// for registers, portfolios and what is refused.
func Draw(files map[string][]byte) (map[string]any, *chart.Picture, error) {
	return solve(files, true)
}

func solve(files map[string][]byte, plot bool) (map[string]any, *chart.Picture, error) {
	c, err := readCase(files["case.json"])
	if err != nil {
		return nil, nil, err
	}
	a := &answer{c: c, files: files, out: map[string]any{"case": c.Name}, plot: plot}
	for _, k := range c.Unknown {
		a.ignore(k)
	}
	if err := a.work(); err != nil {
		return nil, nil, err
	}
	if _, bad := finite(a.out); bad {
		a.warn("figures that are not finite are left out: some values are too great or too small")
	}
	a.finish()
	return a.out, a.picture, nil
}

func (a *answer) finish() {
	if len(a.warnings) > 0 {
		a.out["warnings"] = a.warnings
	}
	if len(a.ignored) > 0 {
		a.out["not_understood"] = a.ignored
	}
}

func (a *answer) work() error {
	named := a.c.Task.Files
	if len(named) == 0 {
		for _, n := range sortedKeys(a.files) {
			if strings.HasSuffix(n, ".csv") {
				named = append(named, source{name: n})
			}
		}
	}
	var tables []*table
	var parameters []byte
	var unread []unreadFile
	for i := range named {
		n := named[i].name
		b, ok := a.files[n]
		if !ok {
			unread = append(unread, unreadFile{n, fmt.Errorf("case.json names the file %s, which is not in the folder", n)})
			continue
		}
		switch {
		case strings.HasSuffix(n, ".json"):
			parameters = b
		case strings.HasSuffix(n, ".csv"):
			t, err := readTable(n, named[i].renamed(b), a.c.Task.Location)
			if err != nil {
				unread = append(unread, unreadFile{n, err})
				continue
			}
			t.as = named[i].as
			if t.unread > 0 {
				a.warn("%s: %d cells are no number and count as missing", n, t.unread)
			}
			tables = append(tables, t)
		default:
			a.ignore("file " + n)
		}
	}
	if len(unread) > 0 && !a.many(tables) {
		return unread[0].err
	}
	if len(tables) == 0 {
		return errors.New("case.json names no CSV file")
	}
	if parameters != nil && hasRegisters(tables[0]) {
		return a.registers(tables[0], parameters)
	}
	if parameters != nil {
		a.ignore("parameters of a task without registers")
	}
	if err := a.sites(tables); err != nil {
		return err
	}
	a.unreadable(unread)
	return nil
}

// unreadFile is a file of the task that is missing or no table.
type unreadFile struct {
	name string
	err  error
}

// many says that a task asks of several files each by itself: the others are
// answered when one cannot be read.
func (a *answer) many(tables []*table) bool {
	reporting := a.c.Task.Reporting.given()
	for _, t := range tables {
		_, role := roleOf(t.label())
		reporting = reporting || role == "reporting"
	}
	return len(tables) > 3 || len(tables) > 1 && !reporting
}

// unreadable refuses files that cannot be read, each by its name.
func (a *answer) unreadable(files []unreadFile) {
	if len(files) == 0 {
		return
	}
	flags, _ := a.out["flags"].(map[string]any)
	if flags == nil {
		flags = map[string]any{}
		a.set("flags", flags)
	}
	for _, f := range files {
		name := stem(f.name)
		flags[name] = []string{Unreadable}
		a.set(name, map[string]any{"sufficient": false, "n_valid_days": 0, "reasons": []string{Unreadable}})
		a.warn("%v: the file is left out", f.err)
	}
	if n, ok := a.out["refused_files"].(int); ok {
		a.set("refused_files", n+len(files))
	}
}

// Unreadable is the reason of what cannot be read as a task or as a table.
const Unreadable = "cannot_be_read"

func hasRegisters(t *table) bool {
	return slices.ContainsFunc(t.names, func(n string) bool {
		return strings.Contains(n, "register") || strings.Contains(n, "index") || strings.Contains(n, "counter")
	})
}

func (a *answer) set(key string, v any) { a.out[key] = v }

// ignore says that a part of the task was not understood.
func (a *answer) ignore(what string) {
	if !slices.Contains(a.ignored, what) {
		a.ignored = append(a.ignored, what)
	}
}

func (a *answer) warn(format string, v ...any) {
	if s := fmt.Sprintf(format, v...); !slices.Contains(a.warnings, s) {
		a.warnings = append(a.warnings, s)
	}
}

// rules are those of the energy, changed by what the task states.
func (a *answer) rules() quality.Rules {
	t := &a.c.Task
	r := quality.Default(t.Energy, t.Location)
	r.Sentinels = t.Sentinels
	for _, s := range r.State(t.Rule) {
		a.ignore("task.rule: " + s)
	}
	return r
}

// electric says whether the energy is electricity; without a word it is taken as
// such by no rule.
func (a *answer) electric() bool { return quality.Electric(a.c.Task.Energy) }

// flags puts findings where programs look for them: flags.REASON.
func (a *answer) flags(f []quality.Flag) (refused bool) {
	if len(f) == 0 {
		return false
	}
	m, _ := a.out["flags"].(map[string]any)
	if m == nil {
		m = map[string]any{}
		a.out["flags"] = m
	}
	for _, x := range f {
		m[x.Reason] = x.Text
		if x.Refused {
			refused = true
			reasons, _ := a.out["reasons"].([]string)
			if !slices.Contains(reasons, x.Reason) {
				a.out["reasons"] = append(reasons, x.Reason)
			}
		} else {
			a.warn("%s: %s", x.Reason, x.Text)
		}
	}
	if refused {
		a.out["refused"] = true
	}
	return refused
}

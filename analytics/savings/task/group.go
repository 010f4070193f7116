package task

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// group is what belongs to one meter.
type group struct {
	key       string
	baseline  *table
	reporting *table
	weather   *table
	drivers   []*table
	value     string // the column of energy in a table of many meters
}

var (
	baseWord    = regexp.MustCompile(`(?i)(baseline|before|pre)`)
	reportWord  = regexp.MustCompile(`(?i)(reporting|report|after|post)`)
	weatherWord = regexp.MustCompile(`(?i)(weather|temperature|meteo|climate|outdoor)`)
	dateWord    = regexp.MustCompile(`(?i)(holiday|calendar|closed|closure|shutdown)`)
	controlWord = regexp.MustCompile(`(?i)(control|temoin|témoin|ctrl|without|no_?event|no_?nre|event_?free)`)
)

// sites finds out which file is what, and answers for each meter.
func (a *answer) sites(tables []*table) error {
	var order []string
	groups := map[string]*group{}
	get := func(key string) *group {
		if groups[key] == nil {
			groups[key] = &group{key: key}
			order = append(order, key)
		}
		return groups[key]
	}
	var weather *table
	var drivers []*table
	for _, t := range tables {
		value := t.value(a.c.Task.Candidates)
		wide := a.wide(t)
		if value != "" || wide != nil {
			if t = t.without(a.c.Task.Blackout); len(t.time) == 0 {
				a.warn("%s: nothing lies outside the blackout", t.name)
				continue
			}
		}
		switch {
		case dateWord.MatchString(t.label()) && value == "":
			a.calendar.addTable(t)
			continue
		case normalWord.MatchString(t.label()) && value == "":
			a.normal = t
			continue
		case weatherWord.MatchString(t.label()) && t.temperature() != nil && (value == "" || weatherOnly(t)):
			weather = weather.and(t)
			continue
		case value == "" && wide == nil && t.temperature() != nil && len(t.names) == 1:
			weather = weather.and(t)
			continue
		case value == "" && wide == nil:
			drivers = append(drivers, t)
			continue
		}
		parts := map[string]*table{"": t}
		names := []string{""}
		if t.meter != nil {
			parts, names = t.byMeter()
		} else if wide != nil {
			parts, names = t.byColumn(wide)
		}
		for _, n := range names {
			key, role := roleOf(t.label())
			if n != "" {
				key = n
			}
			g := get(key)
			if err := a.put(g, role, parts[n]); err != nil {
				return err
			}
		}
	}
	for _, s := range a.c.Task.Holidays {
		a.calendar.add(s, a.c.Task.Location)
	}
	for _, s := range a.c.Task.Closed {
		a.calendar.add(s, a.c.Task.Location)
	}
	for _, k := range order {
		groups[k].weather, groups[k].drivers = weather, drivers
	}
	return a.answerGroups(order, groups)
}

// and is the table with the lines of another of the same columns.
func (t *table) and(u *table) *table {
	if t == nil {
		return u
	}
	v := *t
	v.time = append(slices.Clone(t.time), u.time...)
	v.columns = map[string][]float64{}
	for _, n := range t.names {
		more := u.columns[n]
		if more == nil {
			more = nans(len(u.time))
		}
		v.columns[n] = append(slices.Clone(t.columns[n]), more...)
	}
	v.end, v.estimated, v.meter = nil, nil, nil
	v.sort()
	return &v
}

// weatherOnly says that a table has nothing but temperatures.
func weatherOnly(t *table) bool {
	return !slices.ContainsFunc(t.names, func(n string) bool { return !isTemperature.MatchString(n) })
}

// roleOf reads a file's name: which meter, and which period.
func roleOf(name string) (key, role string) {
	key = name
	switch {
	case reportWord.MatchString(name):
		role, key = "reporting", reportWord.ReplaceAllString(name, "")
	case baseWord.MatchString(name):
		role, key = "baseline", baseWord.ReplaceAllString(name, "")
	}
	key = strings.Trim(key, "_- .")
	if controlWord.MatchString(key) {
		key = "control"
	}
	return key, role
}

func (a *answer) put(g *group, role string, t *table) error {
	s := &a.c.Task
	two := func(had *table, what string) error {
		if had != nil {
			return fmt.Errorf("%s: two files for the %s of one meter", t.name, what)
		}
		return nil
	}
	switch role {
	case "baseline":
		if err := two(g.baseline, "baseline"); err != nil {
			return err
		}
		g.baseline = t
	case "reporting":
		if err := two(g.reporting, "reporting period"); err != nil {
			return err
		}
		g.reporting = t
	default:
		if err := two(g.baseline, "data"); err != nil {
			return err
		}
		g.baseline = t
		base, report := s.periods()
		if report.given() {
			if r := t.between(report); len(r.time) > 0 {
				g.reporting = r
			}
		}
		if base.given() {
			g.baseline = t.between(base)
		} else if report.given() && g.reporting != nil {
			g.baseline = t.between(period{time.Time{}, report.from})
		}
		if len(g.baseline.time) == 0 {
			g.baseline = nil
		}
	}
	return nil
}

// periods are the baseline and the reporting period; one that is not given is, by
// CalTRACK 2.0, the 365 days that lie directly before or after the blackout.
func (s *Statement) periods() (base, report period) {
	base, report = s.Baseline, s.Reporting
	if s.Blackout.given() {
		if !base.given() {
			base = period{s.Blackout.from.AddDate(0, 0, -365), s.Blackout.from}
		}
		if !report.given() {
			report = period{s.Blackout.to, s.Blackout.to.AddDate(0, 0, 365)}
		}
	}
	return base, report
}

// wide are the columns of a table of many meters side by side; nil for none.
func (a *answer) wide(t *table) []string {
	if slices.Contains(t.names, "value") || t.meter != nil || len(a.c.Task.Candidates) > 0 {
		return nil
	}
	var many []string
	for _, n := range t.names {
		if !isTemperature.MatchString(n) && !knownDriver.MatchString(n) {
			many = append(many, n)
		}
	}
	if len(many) < 3 {
		return nil
	}
	return many
}

var knownDriver = regexp.MustCompile(`(?i)^(hdd.*|cdd.*|production.*|.*_t|working_days|days|holiday.*|occupan.*|closed|shutdown|ghi|humidity)$`)

func (t *table) byMeter() (map[string]*table, []string) {
	rows := map[string][]int{}
	var names []string
	for i, m := range t.meter {
		if rows[m] == nil {
			names = append(names, m)
		}
		rows[m] = append(rows[m], i)
	}
	parts := map[string]*table{}
	for _, n := range names {
		parts[n] = t.pick(rows[n])
		parts[n].meter = nil
	}
	return parts, names
}

func (t *table) byColumn(names []string) (map[string]*table, []string) {
	parts := map[string]*table{}
	for _, n := range names {
		u := *t
		u.names, u.columns = []string{"value"}, map[string][]float64{"value": t.columns[n]}
		for _, m := range t.names {
			if isTemperature.MatchString(m) {
				u.names = append(u.names, m)
				u.columns[m] = t.columns[m]
			}
		}
		parts[n] = &u
	}
	return parts, names
}

// answerGroups answers for one meter, for one and its control, for many, or says
// of each file whether it suffices.
func (a *answer) answerGroups(order []string, groups map[string]*group) error {
	var main []*group
	var control *group
	for _, k := range order {
		g := groups[k]
		if k == "control" {
			control = g
			continue
		}
		// A control or an event file may come without its own baseline.
		main = append(main, g)
	}
	if len(main) == 0 {
		if control == nil {
			return fmt.Errorf("no file has a column of energy")
		}
		main, control = []*group{control}, nil
	}
	if len(main) == 2 && (main[0].reporting == nil) != (main[1].reporting == nil) && (main[0].baseline == nil) != (main[1].baseline == nil) {
		main = []*group{merge(main[0], main[1])}
	}
	if len(main) == 2 && follows(main[0], main[1]) {
		main[0].reporting = main[1].baseline
		main = main[:1]
	} else if len(main) == 2 && follows(main[1], main[0]) {
		main[1].reporting = main[0].baseline
		main = main[1:]
	}
	reported := slices.ContainsFunc(main, func(g *group) bool { return g.reporting != nil })
	switch {
	case !reported:
		if control != nil && control.reporting == nil { // a file like the others
			main = append(main, control)
		}
		return a.sufficiency(main)
	case len(main) > 1:
		return a.portfolio(main)
	}
	listed := a.calendar.own()
	if err := a.site(main[0]); err != nil {
		return err
	}
	if control == nil {
		return nil
	}
	if control.reporting == nil && control.baseline != nil && main[0].baseline != nil && main[0].baseline != control.baseline {
		control.reporting, control.baseline = control.baseline, nil
	}
	if control.baseline == nil {
		control.baseline = main[0].baseline
	}
	plain := *a.c
	plain.Task.NRA = nil // adjustments are those of the site
	b := &answer{c: &plain, files: a.files, out: map[string]any{}, calendar: listed.own()}
	if err := b.site(control); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	b.finish()
	a.set("control", b.out)
	return nil
}

// follows says that x is a baseline by its name, and y has the time after it under a
// name that tells no period.
func follows(x, y *group) bool {
	if x.reporting != nil || y.reporting != nil || x.baseline == nil || y.baseline == nil {
		return false
	}
	_, first := roleOf(x.baseline.label())
	_, second := roleOf(y.baseline.label())
	last := x.baseline.time[len(x.baseline.time)-1]
	return first == "baseline" && second == "" && y.baseline.time[0].After(last)
}

func merge(x, y *group) *group {
	if x.baseline == nil {
		x, y = y, x
	}
	x.reporting = y.reporting
	return x
}

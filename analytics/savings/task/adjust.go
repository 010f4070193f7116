package task

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/nonroutine"
)

// adjustment is a non-routine adjustment of the adjusted baseline that a person
// has accepted or refused. Positive raises the baseline.
type adjustment struct {
	span     period
	amount   float64
	per      string // "day", "hour", "month", "interval", "total"
	given    bool
	half90   float64 // relative, of the amount
	accepted bool
	reason   string
	by       string
}

// readAdjustments understands a list of maps, one map, a map of months or days to
// amounts, or words with dates in them.
func (a *answer) readAdjustments(raw json.RawMessage) []adjustment {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	loc := a.c.Task.Location
	var many []json.RawMessage
	if json.Unmarshal(raw, &many) != nil {
		many = []json.RawMessage{raw}
	}
	var out []adjustment
	for i, r := range many {
		m := map[string]any{}
		text := ""
		switch {
		case json.Unmarshal(r, &m) == nil:
			if by := datedAmounts(m, loc); by != nil {
				out = append(out, by...)
				continue
			}
			for _, m := range eachMonth(m) {
				x, err := a.adjustmentOf(m)
				if err != nil {
					a.ignore(fmt.Sprintf("task.nra, entry %d: %v", i+1, err))
					continue
				}
				out = append(out, x)
			}
		case json.Unmarshal(r, &text) == nil:
			x, ok := a.adjustmentOfWords(text)
			if !ok {
				a.ignore("task.nra: " + text)
				continue
			}
			out = append(out, x)
		default:
			a.ignore("task.nra: " + string(r))
		}
	}
	return out
}

// datedAmounts reads {"2025-08": 12.5}; nil when a key is no date.
func datedAmounts(m map[string]any, loc *time.Location) []adjustment {
	var out []adjustment
	for _, k := range sortedKeys(m) {
		from, length, err := instant(k, loc)
		v, ok := m[k].(float64)
		if err != nil || !ok || length == moment {
			return nil
		}
		x := adjustment{amount: v, per: "total", given: true, accepted: true, reason: "given in the task"}
		x.span = period{from, from.AddDate(0, 0, 1)}
		if length == month {
			x.span.to = from.AddDate(0, 1, 0)
		}
		out = append(out, x)
	}
	return out
}

// eachMonth parts an entry of several months or days into one for each.
func eachMonth(m map[string]any) []map[string]any {
	for _, k := range []string{"months", "dates", "days"} {
		list, ok := m[k].([]any)
		if !ok {
			continue
		}
		var out []map[string]any
		for _, date := range list {
			one := map[string]any{"date": date}
			if k == "months" {
				one = map[string]any{"month": date}
			}
			for _, other := range sortedKeys(m) {
				if other != k {
					one[other] = m[other]
				}
			}
			if k != "months" {
				one["to"] = date
			}
			out = append(out, one)
		}
		return out
	}
	return []map[string]any{m}
}

// inUnit is the factor from the unit in the words of an amount to the task's.
func (a *answer) inUnit(words string) float64 {
	words, unit := strings.ToLower(words), strings.ToLower(a.c.Task.Unit)
	switch {
	case strings.Contains(words, "mwh") && unit == "kwh":
		return 1000
	case (strings.Contains(words, "kwh") || strings.HasSuffix(words, "kw")) && unit == "mwh":
		return 0.001
	}
	return 1
}

var amountKey = regexp.MustCompile(`(?i)^(?:(?:[a-z]+_){0,2}(?:kwh|mwh)|value|amount|energy|size|effect|nra|delta|adjustment)?_?(?:kwh|mwh)?_?(?:(?:per_)?(day|hour|month|interval|total))?$`)

func (a *answer) adjustmentOf(m map[string]any) (adjustment, error) {
	x := adjustment{accepted: true, per: "total"}
	from, to := "", ""
	for _, k := range sortedKeys(m) {
		s, _ := m[k].(string)
		switch low := strings.ToLower(k); low {
		case "from", "start", "date", "since", "begin", "month":
			from = s
		case "to", "end", "until":
			to = s
		case "reason", "why", "description", "name", "note", "cause", "id", "type", "method", "evidence":
			x.reason = strings.TrimSpace(x.reason + " " + s)
		case "accepted", "approved":
			if b, ok := m[k].(bool); ok {
				x.accepted = b
			} else {
				x.accepted = s != ""
			}
		case "status", "decision":
			x.accepted = !slices.Contains([]string{"refused", "rejected", "proposed", "no"}, strings.ToLower(s))
		case "accepted_by", "approved_by", "by":
			x.by = s
		case "half90", "unc90", "relative_unc90":
			x.half90, _ = m[k].(float64)
		case "accepted_at", "approved_at":
		default:
			v, number := m[k].(float64)
			v *= a.inUnit(low)
			switch { // other ways to say per what
			case strings.HasSuffix(low, "kw") || strings.HasPrefix(low, "hourly"):
				low = "kwh_per_hour"
			case strings.HasPrefix(low, "daily"):
				low = "kwh_per_day"
			case strings.HasPrefix(low, "monthly"):
				low = "kwh_per_month"
			}
			match := amountKey.FindStringSubmatch(low)
			if !number || match == nil {
				a.ignore("task.nra." + k)
				continue
			}
			x.amount, x.given = v, true
			if match[1] != "" {
				x.per = match[1]
			}
		}
	}
	if from == "" {
		return x, fmt.Errorf("no date")
	}
	var err error
	ends := []string{from, to}
	if to == "" {
		at, length, err := instant(from, a.c.Task.Location)
		if err != nil {
			return x, err
		}
		x.span = period{at, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} // from then on
		if length == month {
			x.span.to = at.AddDate(0, 1, 0)
		}
		return x, nil
	}
	b, _ := json.Marshal(ends)
	x.span, err = readPeriod(b, a.c.Task.Location)
	return x, err
}

var (
	dateInWords   = regexp.MustCompile(`\d{4}-\d{2}(?:-\d{2})?`)
	amountInWords = regexp.MustCompile(`(?i)([+-]?\d+(?:\.\d+)?)\s*(kwh|mwh)(?:\s*(?:/|per|a|par)\s*(day|d|jour|hour|h|month|mois)\b)?`)
)

// adjustmentOfWords finds a span and an amount in words; without an amount the size
// is learned from the data.
func (a *answer) adjustmentOfWords(s string) (adjustment, bool) {
	dates := dateInWords.FindAllString(s, 2)
	if len(dates) == 0 {
		return adjustment{}, false
	}
	low := strings.ToLower(s)
	x := adjustment{accepted: !strings.Contains(low, "refused") && !strings.Contains(low, "rejected"), reason: s}
	x.span.from, _, _ = instant(dates[0], a.c.Task.Location)
	x.span.to = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if len(dates) == 2 {
		to, length, _ := instant(dates[1], a.c.Task.Location)
		if x.span.to = to; length == month {
			x.span.to = x.span.to.AddDate(0, 1, 0)
		} else {
			x.span.to = x.span.to.AddDate(0, 0, 1)
		}
	}
	if m := amountInWords.FindStringSubmatch(dateInWords.ReplaceAllString(s, "")); m != nil {
		v, ok := number(m[1])
		x.amount, x.given = v*a.inUnit(m[2]), ok
		switch p := strings.ToLower(m[3]); {
		case p == "":
			x.per = "total"
		case p[0] == 'h':
			x.per = "hour"
		case p[0] == 'm':
			x.per = "month"
		default:
			x.per = "day"
		}
	}
	return x, x.span.from.Before(x.span.to)
}

// adjust applies what was accepted to the ledger and logs everything.
func (a *answer) adjust(l *ledger, d *dayLine) error {
	list := a.readAdjustments(a.c.Task.NRA)
	if len(list) == 0 {
		return nil
	}
	var log []any
	half := 0.0
	for _, x := range list {
		entry := map[string]any{"from": x.span.from.Format(time.DateOnly), "accepted": x.accepted, "reason": x.reason}
		if x.span.to.Year() < 9000 {
			entry["to"] = x.span.to.AddDate(0, 0, -1).Format(time.DateOnly)
		}
		if x.by != "" {
			entry["accepted_by"] = x.by
		}
		var rows []int
		for i, t := range l.start {
			if x.span.holds(t) && !math.IsNaN(l.observed[i]) && !math.IsNaN(l.predicted[i]) {
				rows = append(rows, i)
			}
		}
		switch {
		case !x.accepted:
			entry["applied"] = 0.0
		case len(rows) == 0:
			entry["applied"] = 0.0
			a.warn("the adjustment from %s touches no known interval", entry["from"])
		default:
			if l.nra == nil {
				l.nra = make([]float64, len(l.start))
			}
			applied, u, how, err := a.apply(l, d, &x, rows)
			if err != nil {
				return err
			}
			entry["applied"], entry["unc90"], entry["size"] = applied, u, how
			half = math.Hypot(half, u)
		}
		log = append(log, entry)
	}
	l.nraHalf = half
	a.set("adjustment_log", log)
	return nil
}

// apply spreads an adjustment over its intervals. One without a size takes the
// change of level that the data show between the span and the rest (IPMVP: an
// indicator variable).
func (a *answer) apply(l *ledger, d *dayLine, x *adjustment, rows []int) (total, half float64, how string, err error) {
	days := map[int]bool{}
	months := map[string]bool{}
	for _, i := range rows {
		days[dayNumber(l.start[i])] = true
		months[l.start[i].Format("2006-01")] = true
	}
	switch {
	case !x.given && d == nil:
		a.warn("an adjustment from %s has no size, and months are too few to learn it from", x.span.from.Format(time.DateOnly))
		return 0, 0, "none", nil
	case !x.given:
		from, to := len(d.start), len(d.start)
		for i, t := range d.start {
			if x.span.holds(t) {
				from = min(from, i)
			} else if from < i {
				to = min(to, i)
			}
		}
		size, se, ok := nonroutine.Estimate(d.days, from, to)
		if !ok {
			a.warn("the adjustment from %s has no size, and the data do not tell it", x.span.from.Format(time.DateOnly))
			return 0, 0, "none", nil
		}
		total, half, how = size*float64(len(days)), 1.645*se*float64(len(days)), "learned from the data by an indicator variable"
	default:
		how = "given per " + x.per
		switch x.per {
		case "day":
			total = x.amount * float64(len(days))
		case "hour":
			total = x.amount * float64(len(days)) * 24
		case "month":
			total = x.amount * float64(len(months))
		case "interval":
			total = x.amount * float64(len(rows))
		default:
			total, how = x.amount, "given in total"
		}
		half = math.Abs(total) * x.half90
	}
	for _, i := range rows {
		l.nra[i] += total / float64(len(rows))
	}
	return total, half, how, nil
}

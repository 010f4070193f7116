package pinch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// maxCase bounds a case file, in bytes.
const maxCase = 16 << 20

// Kind is the kind of problem that a case states.
type Kind string

// The kinds of cases.
const (
	KindTarget      Kind = "pinch-target"
	KindTotalSite   Kind = "total-site"
	KindTimeSlice   Kind = "time-slice"
	KindMultiPeriod Kind = "multi-period"
)

// Case is a pinch problem read from a file. Powers are as in the file: kW, or MW
// where Unit says so.
type Case struct {
	ID, Title string
	Kind      Kind
	Unit      string // "kW" or "MW"
	Streams   []Stream
	Utilities []Utility
	Batches   []Batch
	CycleH    float64
	Periods   [][]Stream
	Names     []string // of the periods
	Weights   []float64
	Zoned     bool // some stream names its zone
	Warnings  []string
}

// numbers is one number, or a list with one a period; null and absent are NaN.
type numbers []float64

func (n *numbers) UnmarshalJSON(b []byte) error {
	var one *float64
	if json.Unmarshal(b, &one) == nil {
		*n = numbers{math.NaN()}
		if one != nil {
			(*n)[0] = *one
		}
		return nil
	}
	var many []*float64
	if err := json.Unmarshal(b, &many); err != nil {
		return fmt.Errorf("want a number or a list of numbers, got %.40s", b)
	}
	*n = nil
	for _, x := range many {
		v := math.NaN()
		if x != nil {
			v = *x
		}
		*n = append(*n, v)
	}
	return nil
}

// at is the number of a period.
func (n numbers) at(i int) float64 {
	switch {
	case len(n) == 0:
		return math.NaN()
	case len(n) == 1:
		return n[0]
	case i < len(n):
		return n[i]
	}
	return math.NaN()
}

type streamInput struct {
	Name json.RawMessage `json:"name"`
	TS   numbers         `json:"ts"`
	TT   numbers         `json:"tt"`
	CP   numbers         `json:"cp"`
	Q    numbers         `json:"q"`
	DTC  numbers         `json:"dtc"`
	Zone string          `json:"zone"`
	Kind string          `json:"kind"`
	T0   numbers         `json:"t0"`
	T1   numbers         `json:"t1"`
}

type inputs struct {
	DTMin     *float64      `json:"dt_min_K"`
	Units     string        `json:"units"`
	Streams   []streamInput `json:"streams"`
	Utilities []struct {
		Name    string   `json:"name"`
		Type    string   `json:"type"`
		TSupply *float64 `json:"t_supply"`
		TTarget *float64 `json:"t_target"`
		DTC     *float64 `json:"dtc"`
	} `json:"utilities"`
	CycleH  *float64        `json:"cycle_h"`
	Periods json.RawMessage `json:"periods"`
	Weights []float64       `json:"weights"`
}

// ParseCase reads a case: a JSON object with "inputs", or the inputs themselves.
// Every error names the stream or key at fault.
func ParseCase(data []byte) (*Case, error) {
	if len(data) > maxCase {
		return nil, fmt.Errorf("case of %d bytes: more than %d", len(data), maxCase)
	}
	var file struct {
		ID     string          `json:"id"`
		Title  string          `json:"title"`
		Kind   string          `json:"kind"`
		Inputs json.RawMessage `json:"inputs"`
	}
	if b := bytes.TrimSpace(data); len(b) > 0 && b[0] == '[' {
		return nil, errors.New("not a case: want an object, got a list")
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("not a case: %w", err)
	}
	if len(file.Inputs) == 0 {
		file.Inputs = data
	}
	var in inputs
	if err := json.Unmarshal(file.Inputs, &in); err != nil {
		return nil, fmt.Errorf("inputs: %w", err)
	}
	c := &Case{ID: file.ID, Title: file.Title, Unit: "kW", Warnings: unknownKeys(file.Inputs)}
	switch strings.ToLower(in.Units) {
	case "", "kw":
	case "mw":
		c.Unit = "MW"
	default:
		return nil, fmt.Errorf("units %q: there are kW and MW", in.Units)
	}
	if len(in.Streams) == 0 {
		if file.Kind != "" {
			return nil, fmt.Errorf("inputs: no streams; kind %q: there are pinch-target, total-site, time-slice and multi-period", file.Kind)
		}
		return nil, errors.New("inputs: no streams")
	}
	if in.DTMin != nil && !(*in.DTMin >= 0) {
		return nil, fmt.Errorf("dt_min_K %v: want 0 or more", *in.DTMin)
	}
	switch k := Kind(file.Kind); {
	case k == KindTarget, k == KindTotalSite, k == KindTimeSlice, k == KindMultiPeriod:
		c.Kind = k
	case isList(in.Periods):
		c.Kind = KindMultiPeriod
	case in.CycleH != nil:
		c.Kind = KindTimeSlice
	case len(in.Utilities) > 0:
		c.Kind = KindTotalSite
	default: // other names are of pinch problems too: latent, threshold ...
		c.Kind = KindTarget
	}
	return c, c.read(&in)
}

// Keys that are read, and "htc" (a film coefficient: of no use to targets).
var (
	streamKeys  = []string{"name", "ts", "tt", "cp", "q", "dtc", "zone", "kind", "t0", "t1", "htc"}
	utilityKeys = []string{"name", "type", "t_supply", "t_target", "dtc", "htc"}
)

// unknownKeys names the keys of streams and utilities that nothing reads: most
// are spelled wrongly.
func unknownKeys(b []byte) (out []string) {
	var lists struct {
		Streams   []map[string]json.RawMessage `json:"streams"`
		Utilities []map[string]json.RawMessage `json:"utilities"`
	}
	if json.Unmarshal(b, &lists) != nil {
		return nil
	}
	note := func(what string, list []map[string]json.RawMessage, known []string) {
		for _, item := range list {
			for _, k := range slices.Sorted(maps.Keys(item)) {
				if !slices.Contains(known, strings.ToLower(k)) && len(out) < 50 {
					out = append(out, fmt.Sprintf("%s %s: key %q is not known and was not read", what, item["name"], k))
				}
			}
		}
	}
	note("stream", lists.Streams, streamKeys)
	note("utility", lists.Utilities, utilityKeys)
	return out
}

func isList(b json.RawMessage) bool { return len(b) > 0 && !bytes.Equal(b, []byte("null")) }

func (c *Case) read(in *inputs) error {
	for i, u := range in.Utilities {
		if u.Name == "" || u.TSupply == nil {
			return fmt.Errorf("utility %d: want a name and t_supply", i+1)
		}
		out := Utility{Name: u.Name, Low: *u.TSupply, High: *u.TSupply}
		if u.TTarget != nil {
			out.Low, out.High = min(*u.TSupply, *u.TTarget), max(*u.TSupply, *u.TTarget)
		}
		switch strings.ToLower(u.Type) {
		case "hot":
			out.Give = true
		case "cold":
			out.Take = true
		case "both":
			out.Give, out.Take = true, true
		default:
			return fmt.Errorf("utility %q: type %q: there are Hot, Cold and Both", u.Name, u.Type)
		}
		switch {
		case u.DTC != nil:
			out.DTC = *u.DTC
		case in.DTMin != nil:
			out.DTC = *in.DTMin / 2
		}
		c.Utilities = append(c.Utilities, out)
	}
	if c.Kind == KindMultiPeriod {
		return c.readPeriods(in)
	}
	for i := range in.Streams {
		x := &in.Streams[i]
		for key, n := range map[string]numbers{"ts": x.TS, "tt": x.TT, "q": x.Q, "cp": x.CP, "dtc": x.DTC, "t0": x.T0, "t1": x.T1} {
			if len(n) > 1 {
				return fmt.Errorf("stream %s: %d numbers in %s, and the case has no periods", x.Name, len(n), key)
			}
		}
		s, err := in.stream(i, 0)
		if err != nil {
			return err
		}
		c.Zoned = c.Zoned || s.Zone != ""
		c.Streams = append(c.Streams, s)
		if c.Kind == KindTimeSlice {
			b := Batch{Stream: s, From: in.Streams[i].T0.at(0), To: in.Streams[i].T1.at(0)}
			if math.IsNaN(b.From) || math.IsNaN(b.To) {
				return fmt.Errorf("stream %q: t0 or t1 (h) is missing", s.Name)
			}
			c.Batches = append(c.Batches, b)
		}
	}
	if c.Kind == KindTimeSlice {
		if in.CycleH == nil {
			return errors.New("inputs: cycle_h is missing")
		}
		c.CycleH = *in.CycleH
	}
	return nil
}

// stream makes stream i as it is in one period.
func (in *inputs) stream(i, period int) (Stream, error) {
	x := &in.Streams[i]
	name := strings.Trim(string(x.Name), `"`)
	if name == "" || name == "null" {
		name = fmt.Sprint(i + 1)
	}
	dtc := x.DTC.at(period)
	if math.IsNaN(dtc) {
		if in.DTMin == nil {
			return Stream{}, fmt.Errorf("stream %q: neither its dtc nor a global dt_min_K is given", name)
		}
		dtc = *in.DTMin / 2
	}
	s, err := NewStream(name, x.TS.at(period), x.TT.at(period), x.CP.at(period), x.Q.at(period), dtc, strings.ToLower(x.Kind))
	s.Zone = x.Zone
	return s, err
}

func (c *Case) readPeriods(in *inputs) error {
	var list []json.RawMessage
	if err := json.Unmarshal(in.Periods, &list); err != nil {
		var n int
		if json.Unmarshal(in.Periods, &n) != nil || n < 1 || n > 10000 {
			return errors.New("periods: want a list of names")
		}
		list = make([]json.RawMessage, n)
	}
	if len(list) == 0 {
		return errors.New("periods: none")
	}
	if c.Weights = in.Weights; len(c.Weights) == 0 {
		for range list {
			c.Weights = append(c.Weights, 1)
		}
	}
	if len(c.Weights) != len(list) {
		return fmt.Errorf("%d periods and %d weights", len(list), len(c.Weights))
	}
	for p, raw := range list {
		var name string
		if json.Unmarshal(raw, &name) == nil && name != "" {
			c.Names = append(c.Names, name)
		}
		var streams []Stream
		for i := range in.Streams {
			x := &in.Streams[i]
			for key, n := range map[string]numbers{"ts": x.TS, "tt": x.TT, "q": x.Q, "cp": x.CP, "dtc": x.DTC} {
				if len(n) > 1 && len(n) != len(list) {
					return fmt.Errorf("stream %s: %d numbers in %s and %d periods", x.Name, len(n), key, len(list))
				}
			}
			if x.Q.at(p) == 0 || math.IsNaN(x.Q.at(p)) && x.CP.at(p) == 0 {
				continue // idle in this period: its temperatures do not matter
			}
			s, err := in.stream(i, p)
			if err != nil {
				return fmt.Errorf("period %d: %w", p+1, err)
			}
			streams = append(streams, s)
		}
		c.Periods = append(c.Periods, streams)
	}
	if len(c.Names) != len(list) {
		c.Names = nil
	}
	return nil
}

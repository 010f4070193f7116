package heat

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Grid is a set of regular series: channel name to one number a step, NaN where
// nothing good was received. Powers are in kW, flows in m3/h, temperatures in
// degC; a number stands for the whole step that begins at its instant.
type Grid struct {
	Start    time.Time
	Step     time.Duration
	Steps    int
	Channels map[string][]float64
}

// At is the beginning of step i.
func (g *Grid) At(i int) time.Time { return g.Start.Add(time.Duration(i) * g.Step) }

// hours is the length of a step.
func (g *Grid) hours() float64 { return g.Step.Hours() }

// Card describes an asset that rejects heat.
type Card struct {
	ID      string
	Site    string   // company
	Type    string   // free text: "furnace flue", "data centre loop"
	Kind    string   // key of an asset type whose rule fills what the card leaves out; "" for none
	Signals []string // channels of the grid that the rule reads
	Rule    string   // see [Rule]; must assign Q, in kW
	// THot and TCold bound the heat: given off from THot down to TCold. A number
	// in degC, a channel, a name that the rule assigns, or a formula.
	THot, TCold string
	// DTContribution is the asset's own part of the temperature approach, in K.
	DTContribution float64
	Evidence       Grade // of the rule, where a type of asset gave it; "" follows from the signals
}

// Grade is the strength of the evidence behind a source.
type Grade string

// Grades of evidence, and what each is worth as a relative half width at 90 %:
// A, a heat meter of EN 1434 class 2 at usual temperature differences; B, a
// balance of two or three meters; C, a factor of the literature on a metered
// carrier; D, inferred.
const (
	GradeA Grade = "A"
	GradeB Grade = "B"
	GradeC Grade = "C"
	GradeD Grade = "D"
)

// HalfWidth is the grade's relative half width at 90 %.
func (g Grade) HalfWidth() float64 {
	switch g {
	case GradeA:
		return 0.05
	case GradeB:
		return 0.08
	case GradeC:
		return 0.15
	}
	return 0.5
}

// grade follows from what the rule reads: flow and both temperatures, or a heat
// meter's own power, are a measurement; several powers a balance; a share of
// one power a factor.
func (c *Card) grade() Grade {
	if c.Evidence != "" {
		return c.Evidence
	}
	letters := map[string]int{}
	for _, s := range c.Signals {
		letters[parseSignal(s).letter()]++
	}
	multiplied := strings.Contains(c.Rule, "0.") || strings.Contains(strings.ToLower(c.Rule), "siegert")
	switch {
	case letters["V"] > 0 && letters["T"] >= 2:
		return GradeA
	case letters["Q"] == 1 && len(c.Signals) == 1 && !multiplied:
		return GradeA
	case letters["V"] > 0 && letters["T"] > 0, letters["Q"] > 0 && letters["P"] > 0 && !multiplied:
		return GradeB
	case letters["P"] > 0:
		return GradeC
	}
	return GradeD
}

// signal is a channel's name taken apart: "C.flue.T_C" is the object "flue" and
// the variable "T"; "mill-effluent/flow_temperature" is "mill-effluent" and "T_hot".
type signal struct{ channel, object, name string }

func (s signal) letter() string { return s.name[:1] }

var units = []string{"_kW", "_kWh", "_m3h", "_m3", "_C", "_MWh", "_pct", "_degC", "_Nm3h", "_kgs", "_kgh", "_ls", "_lh", "_MW", "_W", "_K", "_bar"}

var quantityNames = map[string]string{
	"active_power": "P", "active_energy_import": "P", "heat_power": "Q", "heat_energy": "Q", "cooling_energy": "Q",
	"volume_flow": "V", "volume": "V", "water_volume": "V", "gas_volume": "V_gas", "flow_temperature": "T_hot", "return_temperature": "T_cold",
	"temperature": "T", "outdoor_temperature": "T_ext", "mass_flow": "M",
}

func parseSignal(channel string) signal {
	if meter, quantity, ok := strings.Cut(channel, "/"); ok {
		name := quantityNames[quantity]
		if name == "" {
			name = quantity
		}
		return signal{channel, meter, name}
	}
	parts := strings.Split(channel, ".")
	last := parts[len(parts)-1]
	for _, u := range units {
		last = strings.TrimSuffix(last, u)
	}
	if last == "" {
		last = channel
	}
	object := ""
	if len(parts) > 1 {
		object = strings.Join(parts[:len(parts)-1], ".")
	}
	return signal{channel, object, last}
}

// channelName tells a channel ("C.flue.T_C", "kiln-air/temperature") from a formula.
var channelName = regexp.MustCompile(`^[A-Za-z][\w-]*(?:[./][A-Za-z][\w-]*)+$`)

// resolve finds the channel that a rule's name means among an asset's signals:
// the variable of that name; else one of the same letter whose object holds the
// rest of the name (T_flue is the temperature of the flue); else the only one
// of that letter left.
func resolve(name string, signals []signal, taken map[string]bool) (string, bool) {
	letter, rest, _ := strings.Cut(name, "_")
	pick := func(fits func(signal) bool) (string, bool) {
		var found []string
		for _, s := range signals {
			if fits(s) {
				found = append(found, s.channel)
			}
		}
		if len(found) == 1 {
			return found[0], true
		}
		return "", false
	}
	if ch, ok := pick(func(s signal) bool { return s.channel == name }); ok {
		return ch, true
	}
	if ch, ok := pick(func(s signal) bool { return s.name == name && !taken[s.channel] }); ok {
		return ch, true
	}
	if rest != "" {
		if ch, ok := pick(func(s signal) bool {
			return s.letter() == letter && !taken[s.channel] && strings.Contains(strings.ToLower(s.object), strings.ToLower(rest))
		}); ok {
			return ch, true
		}
	}
	return pick(func(s signal) bool { return s.letter() == letter && !taken[s.channel] })
}

// program is a card bound to a grid: ready to run step by step.
type program struct {
	card    *Card
	inputs  [][]float64
	places  []*float64
	rule    *Rule
	results []*float64
	q       *float64
	hot     node
	cold    node
	flags   []string
}

// compile binds a card to the channels of a grid.
func (c *Card) compile(g *Grid) (*program, error) {
	fail := func(err error) (*program, error) { return nil, fmt.Errorf("heat asset %s: %w", c.ID, err) }
	rule, err := ParseRule(c.Rule)
	if err != nil {
		return fail(err)
	}
	p := &program{card: c, rule: rule}
	var signals []signal
	for _, s := range c.Signals {
		signals = append(signals, parseSignal(strings.TrimSpace(s)))
	}
	e, taken := env{}, map[string]bool{}
	read := func(name, channel string) error {
		series, ok := g.Channels[channel]
		if !ok {
			return fmt.Errorf("channel %s (%s) is not among the data", channel, name)
		}
		place := new(float64)
		e[name], p.inputs, p.places = place, append(p.inputs, series), append(p.places, place)
		taken[channel] = true
		return nil
	}
	inputs := rule.inputs()
	// Longer names say more: T_hot before T.
	slices.SortStableFunc(inputs, func(a, b string) int { return len(b) - len(a) })
	for _, name := range inputs {
		channel, ok := resolve(name, signals, taken)
		if !ok {
			return fail(fmt.Errorf("rule %q: %q is none of its signals %v", c.Rule, name, c.Signals))
		}
		if err := read(name, channel); err != nil {
			return fail(err)
		}
	}
	for i, b := range rule.bodies {
		if err := bind(b, e); err != nil {
			return fail(err)
		}
		place := new(float64)
		e[rule.names[i]] = place
		p.results = append(p.results, place)
	}
	if p.q = e["Q"]; p.q == nil {
		return fail(fmt.Errorf("rule %q assigns no Q", c.Rule))
	}
	temperature := func(what, text string) (node, error) {
		if text == "" {
			p.flags = append(p.flags, "no "+what+" is given: the heat has no temperature band")
			return number(math.NaN()), nil
		}
		if _, ok := g.Channels[text]; ok {
			if err := read("channel "+text, text); err != nil {
				return nil, err
			}
			return &variable{text, e["channel "+text]}, nil
		}
		if channelName.MatchString(text) {
			p.flags = append(p.flags, fmt.Sprintf("%s: channel %s is not among the data: the heat has no temperature band", what, text))
			return number(math.NaN()), nil
		}
		n, err := parseFormula(text)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", what, text, err)
		}
		var missing error
		walk(n, func(v *variable) {
			if _, ok := e[v.name]; ok {
				return
			}
			channel, ok := resolve(v.name, signals, nil)
			if !ok {
				missing = fmt.Errorf("%s %q: nothing is named %q", what, text, v.name)
			} else if err := read(v.name, channel); err != nil {
				missing = err
			}
		})
		if missing != nil {
			return nil, missing
		}
		return n, bind(n, e)
	}
	if p.hot, err = temperature("hot temperature", c.THot); err != nil {
		return fail(err)
	}
	if p.cold, err = temperature("cold temperature", c.TCold); err != nil {
		return fail(err)
	}
	return p, nil
}

// Check says whether the card can be computed on a grid.
func (c *Card) Check(g *Grid) error {
	_, err := c.compile(g)
	return err
}

// run computes heat in kW and its two temperatures in degC at step i; NaN where
// an input is missing. Where nothing flows, no temperature is needed.
func (p *program) run(i int) (q, hot, cold float64) {
	for k, in := range p.inputs {
		*p.places[k] = in[i]
	}
	for k, b := range p.rule.bodies {
		*p.results[k] = b.eval()
	}
	q, hot, cold = *p.q, p.hot.eval(), p.cold.eval()
	if math.IsInf(q, 0) {
		q = math.NaN()
	}
	return q, hot, cold
}

// Celsius writes a constant temperature as a card has it.
func Celsius(t float64) string { return strconv.FormatFloat(t, 'g', -1, 64) }

// ChannelParts takes a channel's name apart: "C.flue.T_C" is the object "C.flue"
// and the variable "T", "kiln-air/temperature" is "kiln-air" and "T".
func ChannelParts(channel string) (object, variable string) {
	s := parseSignal(channel)
	return s.object, s.name
}

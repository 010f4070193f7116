package heat

import (
	"fmt"
	"math"
	"regexp"
	"strings"
)

// Rule turns an asset's readings into kilowatts: a list of assignments, each a
// formula over signals, constants and earlier names, for example
//
//	Q=0.72*P
//	T_after=T-Q_rec/(V*1.16111); Q=V*1.16111*(T_after-22)
//	Siegert, natural gas A2=0.66 B=0.009, O2=8% vol dry; Q=P_gas*(A2/(21-O2)+B)/100*(T_flue-130) if T_flue>130 else 0
//
// Words around the assignments, and words in brackets behind them, are comments.
// Operators are + - * / (also · × −), the comparisons < <= > >= == (also ≤ ≥), "and",
// "or"; "72 % of P" is a share; "x if condition else y" chooses; the functions are
// min, max, clip, abs. A constant may stand behind the formula that uses it.
type Rule struct {
	text   string
	names  []string // assigned, in order
	bodies []node
}

// maxRule bounds a rule's text, in bytes.
const maxRule = 2000

var assignment = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_]*)\s*=`)

// plainSigns are the signs of print, as the formulas have them.
var plainSigns = strings.NewReplacer("·", "*", "×", "*", "÷", "/", "−", "-", "–", "-", "≤", "<=", "≥", ">=")

// ParseRule reads a rule. It must assign something.
func ParseRule(text string) (*Rule, error) {
	if len(text) > maxRule {
		return nil, fmt.Errorf("rule of %d characters: more than %d", len(text), maxRule)
	}
	r := &Rule{text: text}
	for _, part := range strings.Split(plainSigns.Replace(text), ";") {
		var marks [][]int
		for _, m := range assignment.FindAllStringSubmatchIndex(part, -1) {
			// "==" , "<=" and ">=" are comparisons.
			if m[1] < len(part) && part[m[1]] == '=' {
				continue
			}
			marks = append(marks, m)
		}
		for i, m := range marks {
			end := len(part)
			if i+1 < len(marks) {
				end = marks[i+1][0]
			}
			body, err := parseFormula(part[m[1]:end])
			if err != nil {
				return nil, fmt.Errorf("rule %q: %s: %w", text, part[m[2]:m[3]], err)
			}
			r.names = append(r.names, part[m[2]:m[3]])
			r.bodies = append(r.bodies, body)
		}
	}
	if len(r.names) == 0 {
		return nil, fmt.Errorf("rule %q: assigns nothing; want for example Q=0.72*P", text)
	}
	r.order()
	return r, nil
}

// order puts every assignment behind those that it uses, where each name is
// assigned once and no circle stands in the way.
func (r *Rule) order() {
	at := map[string]int{}
	for i, n := range r.names {
		if _, twice := at[n]; twice {
			return
		}
		at[n] = i
	}
	placed := make([]bool, len(r.names))
	var names []string
	var bodies []node
	for len(names) < len(r.names) {
		next := -1
		for i, b := range r.bodies {
			ready := !placed[i]
			walk(b, func(v *variable) {
				if j, ok := at[v.name]; ok && !placed[j] {
					ready = false
				}
			})
			if ready {
				next = i
				break
			}
		}
		if next < 0 {
			return
		}
		placed[next] = true
		names, bodies = append(names, r.names[next]), append(bodies, r.bodies[next])
	}
	r.names, r.bodies = names, bodies
}

// inputs lists the names that the rule reads and does not assign before, in
// order of their first use.
func (r *Rule) inputs() []string {
	var out []string
	known := map[string]bool{}
	for i, b := range r.bodies {
		walk(b, func(n *variable) {
			if !known[n.name] {
				known[n.name] = true
				out = append(out, n.name)
			}
		})
		known[r.names[i]] = true
	}
	return out
}

// env holds names and their present numbers.
type env map[string]*float64

// node is a part of a formula.
type node interface{ eval() float64 }

type (
	number   float64
	variable struct {
		name string
		at   *float64
	}
	binary struct {
		op   byte // + - * / < > l(<=) g(>=) = & |
		a, b node
	}
	choice struct{ yes, cond, no node }
	call   struct {
		fn   string
		args []node
	}
)

func (n number) eval() float64    { return float64(n) }
func (n *variable) eval() float64 { return *n.at }

func (n *binary) eval() float64 {
	a, b := n.a.eval(), n.b.eval()
	switch n.op {
	case '+':
		return a + b
	case '-':
		return a - b
	case '*':
		return float64(a * b)
	case '/':
		return a / b
	}
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.NaN() // an unknown side leaves the comparison unknown
	}
	var is bool
	switch n.op {
	case '<':
		is = a < b
	case '>':
		is = a > b
	case 'l':
		is = a <= b
	case 'g':
		is = a >= b
	case '=':
		is = a == b
	case '&':
		is = a != 0 && b != 0
	case '|':
		is = a != 0 || b != 0
	}
	if is {
		return 1
	}
	return 0
}

func (n *choice) eval() float64 {
	c := n.cond.eval()
	switch {
	case math.IsNaN(c):
		return c
	case c != 0:
		return n.yes.eval()
	}
	return n.no.eval()
}

func (n *call) eval() float64 {
	x := n.args[0].eval()
	switch n.fn {
	case "abs":
		return math.Abs(x)
	case "min":
		return math.Min(x, n.args[1].eval())
	case "max":
		return math.Max(x, n.args[1].eval())
	}
	return math.Min(math.Max(x, n.args[1].eval()), n.args[2].eval()) // clip
}

var arity = map[string]int{"abs": 1, "min": 2, "max": 2, "clip": 3}

func walk(n node, visit func(*variable)) {
	switch n := n.(type) {
	case *variable:
		visit(n)
	case *binary:
		walk(n.a, visit)
		walk(n.b, visit)
	case *choice:
		walk(n.cond, visit)
		walk(n.yes, visit)
		walk(n.no, visit)
	case *call:
		for _, a := range n.args {
			walk(a, visit)
		}
	}
}

// bind gives every variable of a formula its place.
func bind(n node, e env) error {
	var err error
	walk(n, func(v *variable) {
		if p, ok := e[v.name]; ok {
			v.at = p
		} else if err == nil {
			err = fmt.Errorf("nothing is named %q", v.name)
		}
	})
	return err
}

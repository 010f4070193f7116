package heat

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// parser reads a formula by recursive descent.
type parser struct {
	rest  string
	depth int
}

// percentOf makes a number a share of what follows: "72 % of P".
var percentOf = regexp.MustCompile(`^\s*%\s*of\b\s*`)

var token = regexp.MustCompile(`^\s*([0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+|[A-Za-z_][A-Za-z0-9_.]*|<=|>=|==|[-+*/()<>,%])`)

func (p *parser) peek() string {
	m := token.FindStringSubmatch(p.rest)
	if m == nil {
		return ""
	}
	return m[1]
}

func (p *parser) next() string {
	loc := token.FindStringSubmatchIndex(p.rest)
	if loc == nil {
		return ""
	}
	t := p.rest[loc[2]:loc[3]]
	p.rest = p.rest[loc[1]:]
	return t
}

// remark is a comment in brackets at the end of a formula: two words or more.
var remark = regexp.MustCompile(`\s\([A-Za-z]+(?:[ ,]+[A-Za-z]+)+\)\s*$`)

// parseFormula reads one formula; what follows it may only be words.
func parseFormula(text string) (node, error) {
	p := &parser{rest: remark.ReplaceAllString(plainSigns.Replace(text), "")}
	n, err := p.choice()
	if err != nil {
		return nil, err
	}
	for t := p.peek(); t != ""; t = p.peek() {
		if !isName(t) && t != "%" && t != "," {
			return nil, fmt.Errorf("%q is not a formula from %q on", strings.TrimSpace(text), strings.TrimSpace(p.rest))
		}
		p.next()
	}
	if strings.TrimSpace(p.rest) != "" {
		return nil, fmt.Errorf("%q is not a formula from %q on", strings.TrimSpace(text), strings.TrimSpace(p.rest))
	}
	return n, nil
}

func isName(t string) bool {
	return t != "" && (t[0] == '_' || t[0] >= 'A' && t[0] <= 'Z' || t[0] >= 'a' && t[0] <= 'z')
}

func (p *parser) choice() (node, error) {
	if p.depth++; p.depth > 50 {
		return nil, errors.New("nested too deeply")
	}
	defer func() { p.depth-- }()
	yes, err := p.either()
	if err != nil || p.peek() != "if" {
		return yes, err
	}
	p.next()
	cond, err := p.either()
	if err != nil {
		return nil, err
	}
	if p.next() != "else" {
		return nil, errors.New("an if without else")
	}
	no, err := p.choice()
	if err != nil {
		return nil, err
	}
	return &choice{yes, cond, no}, nil
}

func (p *parser) either() (node, error) { return p.words("or", '|', p.both) }

func (p *parser) both() (node, error) { return p.words("and", '&', p.comparison) }

func (p *parser) words(word string, op byte, operand func() (node, error)) (node, error) {
	a, err := operand()
	if err != nil {
		return nil, err
	}
	for p.peek() == word {
		p.next()
		b, err := operand()
		if err != nil {
			return nil, err
		}
		a = &binary{op, a, b}
	}
	return a, nil
}

func (p *parser) comparison() (node, error) {
	a, err := p.sum()
	if err != nil {
		return nil, err
	}
	op, ok := map[string]byte{"<": '<', ">": '>', "<=": 'l', ">=": 'g', "==": '='}[p.peek()]
	if !ok {
		return a, nil
	}
	p.next()
	b, err := p.sum()
	if err != nil {
		return nil, err
	}
	return &binary{op, a, b}, nil
}

func (p *parser) sum() (node, error) { return p.chain("+-", p.product) }

func (p *parser) product() (node, error) { return p.chain("*/", p.factor) }

func (p *parser) chain(ops string, operand func() (node, error)) (node, error) {
	a, err := operand()
	if err != nil {
		return nil, err
	}
	for t := p.peek(); t != "" && strings.Contains(ops, t); t = p.peek() {
		p.next()
		b, err := operand()
		if err != nil {
			return nil, err
		}
		a = &binary{t[0], a, b}
	}
	return a, nil
}

func (p *parser) factor() (node, error) {
	switch t := p.next(); {
	case t == "-":
		n, err := p.factor()
		if err != nil {
			return nil, err
		}
		return &binary{'-', number(0), n}, nil
	case t == "(":
		n, err := p.choice()
		if err != nil {
			return nil, err
		}
		if p.next() != ")" {
			return nil, errors.New("a bracket is not closed")
		}
		return n, nil
	case isName(t) && p.peek() == "(":
		return p.call(t)
	case isName(t):
		return &variable{name: t}, nil
	case t != "" && (t[0] >= '0' && t[0] <= '9' || t[0] == '.'):
		f, err := strconv.ParseFloat(t, 64)
		if err != nil {
			return nil, fmt.Errorf("number %q: %w", t, err)
		}
		if m := percentOf.FindString(p.rest); m != "" {
			p.rest = p.rest[len(m):]
			n, err := p.factor()
			return &binary{'*', number(f / 100), n}, err
		}
		return number(f), nil
	case t == "":
		return nil, errors.New("a formula ends too early")
	default:
		return nil, fmt.Errorf("unexpected %q", t)
	}
}

func (p *parser) call(fn string) (node, error) {
	want, ok := arity[fn]
	if !ok {
		return nil, fmt.Errorf("no function %q: there are abs, min, max, clip", fn)
	}
	p.next()
	c := &call{fn: fn}
	for {
		if p.depth++; p.depth > 50 {
			return nil, errors.New("nested too deeply")
		}
		a, err := p.choice()
		p.depth--
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, a)
		switch t := p.next(); t {
		case ",":
			continue
		case ")":
			if len(c.args) != want {
				return nil, fmt.Errorf("%s wants %d arguments, got %d", fn, want, len(c.args))
			}
			return c, nil
		default:
			return nil, fmt.Errorf("%s: want ) or , and not %q", fn, t)
		}
	}
}

package profile

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/thermie/thermie/metering"
)

// A builder turns a file into a profile and stops at the first mistake.
type builder struct {
	f    *file
	p    *Profile
	base int
}

func build(f *file) (*Profile, error) {
	b := &builder{f: f, p: &Profile{ID: f.ID, Maker: f.Maker, Models: f.Models, Kind: f.Kind,
		Accuracy: f.Accuracy, Trust: f.Trust, Notes: f.Notes}, base: f.AddressBase}
	for _, step := range []func() error{b.head, b.sources, b.serial, b.timing, b.quantities, b.limits, b.probes, b.vectors} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.p, nil
}

func (b *builder) head() error {
	f := b.f
	if err := metering.CheckID(f.ID); err != nil {
		return faultf("id", "%w", err)
	}
	if !printable(f.Maker, 80) {
		return faultf("maker", "want a name of up to 80 characters")
	}
	if len(f.Models) == 0 || len(f.Models) > 100 {
		return faultf("models", "want 1 to 100 models")
	}
	for i, m := range f.Models {
		if !printable(m, 80) || slices.Index(f.Models, m) != i {
			return faultf(fmt.Sprint("models.", i), "want different names of up to 80 characters")
		}
	}
	if !slices.Contains(Kinds, f.Kind) {
		return faultf("kind", "%q is none of %s", f.Kind, strings.Join(Kinds, ", "))
	}
	trusts := []string{TrustRepository, TrustDocument, TrustSecondSource, TrustDevice}
	if !slices.Contains(trusts, f.Trust) {
		return faultf("trust", "%q is none of %s", f.Trust, strings.Join(trusts, ", "))
	}
	if f.AddressBase != 0 && f.AddressBase != 1 {
		return faultf("address_base", "want 0 (as on the bus) or 1 (register numbers)")
	}
	if _, err := table("", f.Defaults.Table); err != nil {
		return faultf("defaults.table", "%w", err)
	}
	b.p.Behaviour = Behaviour{f.Behaviour.NoExceptions, f.Behaviour.StaleFirst, f.Behaviour.Volatile}
	return nil
}

func (b *builder) sources() error {
	if len(b.f.Sources) == 0 {
		return faultf("sources", "a map without a source is not shipped")
	}
	documents := 0
	for i, s := range b.f.Sources {
		path := fmt.Sprint("sources.", i)
		if !slices.Contains([]string{"document", "page", "extract", "repository"}, s.Kind) {
			return faultf(path, "kind %q is none of document, page, extract, repository", s.Kind)
		}
		if s.Title == "" || s.Version == "" || s.At == "" || s.Read == "" {
			return faultf(path, "want title, version, at and read (what was really read)")
		}
		if s.Kind == "document" || s.Kind == "page" {
			documents++
		}
		b.p.Sources = append(b.p.Sources, Source(s))
	}
	switch {
	case b.f.Trust == TrustDocument && documents == 0:
		return faultf("trust", "no document or page among the sources")
	case b.f.Trust == TrustSecondSource && len(b.f.Sources) < 2:
		return faultf("trust", "a second source is not named")
	}
	return nil
}

func (b *builder) serial() error {
	s := b.f.Serial
	if s == (fileSerial{}) {
		return nil // Modbus TCP only, or not stated
	}
	if s.Baud < 300 || s.Baud > 1000000 {
		return faultf("serial", "baud %d is not between 300 and 1000000", s.Baud)
	}
	if !slices.Contains([]string{"none", "even", "odd"}, s.Parity) {
		return faultf("serial", "parity %q is none of none, even, odd", s.Parity)
	}
	if s.StopBits != 1 && s.StopBits != 2 {
		return faultf("serial", "want 1 or 2 stop_bits")
	}
	if s.Unit < 0 || s.Unit > 247 {
		return faultf("serial", "unit %d is not between 0 and 247", s.Unit)
	}
	b.p.Serial = Serial(s)
	return nil
}

func (b *builder) timing() (err error) {
	t := &b.p.Timing
	if t.Turnaround, err = duration("timing.turnaround", b.f.Timing.Turnaround); err != nil {
		return err
	}
	if t.MinPoll, err = duration("timing.min_poll", b.f.Timing.MinPoll); err != nil {
		return err
	}
	t.Refresh, err = duration("timing.refresh", b.f.Timing.Refresh)
	return err
}

// register resolves defaults, base and order.
func (b *builder) register(r fileRegister) (Register, error) {
	g := Register{Type: Type(r.Type), Length: r.Words}
	var err error
	if g.Table, err = table(r.Table, b.f.Defaults.Table); err != nil {
		return g, err
	}
	if r.Register == nil {
		return g, errors.New("want a register")
	}
	if g.Type == ASCII {
		if r.Words < 1 || r.Words > 64 {
			return g, errors.New("ascii wants words: 1 to 64")
		}
	} else if g.Type.words() == 0 {
		return g, fmt.Errorf("type %q is not known", r.Type)
	} else if r.Words != 0 {
		return g, errors.New("words is for ascii only")
	}
	if g.Address, err = b.address(*r.Register, g.Words()); err != nil {
		return g, err
	}
	order := r.Order
	if order == "" {
		order = b.f.Defaults.Order
	}
	if g.Order, err = orderOf(order, g.Type, r.Order != ""); err != nil {
		return g, err
	}
	if r.Bits != nil {
		if len(r.Bits) != 2 || r.Bits[0] < 0 || r.Bits[1] < r.Bits[0] || r.Bits[1] >= 16*g.Words() || r.Bits[1]-r.Bits[0] > 31 {
			return g, errors.New("bits: want [first, last] inside the register, at most 32")
		}
		if g.Type != U16 && g.Type != U32 && g.Type != U48 && g.Type != U64 {
			return g, errors.New("bits are cut from unsigned integers only")
		}
		g.Bits = &Bits{First: r.Bits[0], Count: r.Bits[1] - r.Bits[0] + 1}
	}
	return g, nil
}

func (b *builder) address(n, words int) (uint16, error) {
	n -= b.base
	if n < 0 || n+words-1 > math.MaxUint16 {
		return 0, fmt.Errorf("register %d is not on the bus (address_base is %d)", n+b.base, b.base)
	}
	return uint16(n), nil
}

func table(s, otherwise string) (Table, error) {
	if s == "" {
		s = otherwise
	}
	switch s {
	case "", "holding":
		return Holding, nil
	case "input":
		return Input, nil
	}
	return 0, fmt.Errorf("table %q is neither holding nor input", s)
}

// orderOf spells an order out for a type's width. The four short names mean the
// same swap in every width.
func orderOf(s string, t Type, own bool) (Order, error) {
	if t == ASCII {
		if s == "BA" || !own && (s == "BADC" || s == "DCBA") {
			return "BA", nil
		}
		if s == "" || s == "AB" || !own {
			return "", nil
		}
		return "", fmt.Errorf("order %q: an ascii text is AB or BA", s)
	}
	n := 2 * t.words()
	letters := "ABCDEFGH"[:n]
	swapBytes := func(s string) string {
		r := []byte(s)
		for i := 0; i+1 < len(r); i += 2 {
			r[i], r[i+1] = r[i+1], r[i]
		}
		return string(r)
	}
	reversed := []byte(letters)
	slices.Reverse(reversed)
	switch s {
	case "", "ABCD":
		return "", nil
	case "CDAB":
		return Order(swapBytes(string(reversed))), nil
	case "BADC":
		return Order(swapBytes(letters)), nil
	case "DCBA":
		return Order(reversed), nil
	}
	sorted := []byte(s)
	slices.Sort(sorted)
	if string(sorted) != letters {
		return "", fmt.Errorf("order %q does not fit %s", s, t)
	}
	if s == letters {
		return "", nil
	}
	return Order(s), nil
}

// ParseOrder reads an order as profiles write it, for a register of type t:
// ABCD, CDAB, BADC or DCBA (the same swap in every width), or spelled out.
func ParseOrder(s string, t Type) (Order, error) {
	if t != ASCII && t.words() == 0 {
		return "", fmt.Errorf("type %q is not known", t)
	}
	return orderOf(s, t, true)
}

// mostInFlight bounds the questions at once that a profile may allow.
const mostInFlight = 8

func (b *builder) limits() error {
	f := b.f.Limits
	l := Limits{MaxRegisters: f.MaxRegisters, MaxGap: -1, NoBatch: f.NoBatch, InFlight: 1}
	if l.MaxRegisters == 0 {
		l.MaxRegisters = 125
	}
	if l.MaxRegisters < 1 || l.MaxRegisters > 125 {
		return faultf("limits.max_registers", "%d is not between 1 and 125", l.MaxRegisters)
	}
	if f.MaxGap != nil {
		if l.MaxGap = *f.MaxGap; l.MaxGap < 0 || l.MaxGap > 125 {
			return faultf("limits.max_gap", "%d is not between 0 and 125", l.MaxGap)
		}
	}
	if f.InFlight != nil {
		if l.InFlight = *f.InFlight; l.InFlight < 1 || l.InFlight > mostInFlight {
			return faultf("limits.in_flight", "%d is not between 1 and %d", l.InFlight, mostInFlight)
		}
	}
	for i, h := range f.Holes {
		path := fmt.Sprint("limits.holes.", i)
		t, err := table(h.Table, b.f.Defaults.Table)
		if err != nil {
			return faultf(path, "%w", err)
		}
		if h.From == nil || h.To == nil || *h.To < *h.From {
			return faultf(path, "want from and to, to not before from")
		}
		words := *h.To - *h.From + 1
		a, err := b.address(*h.From, words)
		if err != nil {
			return faultf(path, "%w", err)
		}
		l.Holes = append(l.Holes, Span{t, a, words})
	}
	for i, c := range f.Borders {
		path := fmt.Sprint("limits.borders.", i)
		t, err := table(c.Table, b.f.Defaults.Table)
		if err != nil {
			return faultf(path, "%w", err)
		}
		if c.Register == nil {
			return faultf(path, "want a register")
		}
		a, err := b.address(*c.Register, 1)
		if err != nil {
			return faultf(path, "%w", err)
		}
		l.Borders = append(l.Borders, Cell{t, a})
	}
	b.p.Limits = l
	functions := map[int]bool{}
	for i := range b.p.Fields {
		for j, s := range b.p.Fields[i].Spans() {
			functions[int(s.Table.Function())] = true
			if err := b.p.Readable(s); err != nil {
				return faultf("limits", "%s, register %d of its %d: %w", b.p.Fields[i].Quantity, s.Address, j, err)
			}
		}
	}
	for _, n := range []int{3, 4} {
		if functions[n] {
			b.p.Limits.Functions = append(b.p.Limits.Functions, n)
		}
	}
	return nil
}

func (b *builder) probes() error {
	for i, f := range b.f.Fingerprint {
		path := fmt.Sprint("fingerprint.", i)
		g, err := b.register(f.fileRegister)
		if err != nil {
			return faultf(path, "%w", err)
		}
		p := Probe{Register: g, Equals: f.Equals, Prefix: f.Prefix, Min: decimalOf(f.Min), Max: decimalOf(f.Max)}
		if (g.Type == ASCII) != (p.Prefix != "") || g.Type != ASCII && (len(p.Equals) > 0) == p.Plausible() {
			return faultf(path, "want equals, or min and max, or for ascii prefix")
		}
		if len(p.Prefix) > 2*g.Length {
			return faultf(path, "prefix is longer than the register")
		}
		b.p.Fingerprint = append(b.p.Fingerprint, p)
	}
	for i, f := range b.f.Identity {
		path := fmt.Sprint("identity.", i)
		g, err := b.register(f.fileRegister)
		if err != nil {
			return faultf(path, "%w", err)
		}
		if !slices.Contains([]string{"serial", "model", "firmware", "maker"}, f.What) {
			return faultf(path, "what %q is none of serial, model, firmware, maker", f.What)
		}
		b.p.Identity = append(b.p.Identity, Identity{What: f.What, Register: g})
	}
	return nil
}

func decimalOf(n *number) *metering.Decimal {
	if n == nil {
		return nil
	}
	return &n.Decimal
}

func printable(s string, most int) bool {
	if s == "" || len(s) > most || strings.TrimSpace(s) != s {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

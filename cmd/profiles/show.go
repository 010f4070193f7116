package profiles

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
)

// Show is "profiles show ID".
func Show(program string) *cobra.Command {
	c := &cobra.Command{
		Use:   "show PROFILE",
		Short: "Show one profile: its registers, limits and sources",
		Long: `Shows one profile as a table of registers. Addresses are as on the bus (0-based), also
where the maker counts from 1.`,
		Example: "  " + program + " profiles show siemens-wzu-485e-mod\n  " + program + " profiles show my-meter --profiles ./profiles",
		Args:    cobra.ExactArgs(1),
	}
	folder := folderFlag(c)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		library, err := Library(*folder)
		if err != nil {
			return err
		}
		p, err := library.Get(args[0])
		if err != nil {
			return frame.Usage(fmt.Errorf("%w (see: %s profiles list)", err, program))
		}
		if *asJSON {
			return writeJSON(c.OutOrStdout(), sheet(p))
		}
		return print(c.OutOrStdout(), p)
	}
	return c
}

// row is a register of a profile, in words.
type row struct {
	What     string `json:"what"`
	Channel  int    `json:"channel,omitempty"`
	Table    string `json:"table"`
	Address  int    `json:"address"` // as on the bus
	Words    int    `json:"words"`
	Type     string `json:"type"`
	Order    string `json:"order,omitempty"`
	Scale    string `json:"scale,omitempty"`
	Unit     string `json:"unit,omitempty"`
	Remark   string `json:"remark,omitempty"`
	register profile.Register
}

func rowOf(what string, g profile.Register) row {
	return row{What: what, Table: g.Table.String(), Address: int(g.Address), Words: g.Words(), Type: string(g.Type), Order: string(g.Order), register: g}
}

func fieldRow(f *profile.Field) row {
	r := rowOf(string(f.Quantity), f.Register)
	r.Channel, r.Unit = f.Channel, f.RawUnit
	if !f.Scale.Equal(metering.Int(1)) {
		r.Scale = f.Scale.String()
	}
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if f.Bits != nil {
		add("bits %d to %d", f.Bits.First, f.Bits.First+f.Bits.Count-1)
	}
	if c := f.UnitCode; c != nil {
		r.Unit = "by " + at(c.Register)
		var codes []string
		for _, code := range slices.Sorted(maps.Keys(c.Units)) {
			codes = append(codes, fmt.Sprintf("%d %s", code, c.Units[code]))
		}
		add("unit: %s", strings.Join(codes, ", "))
	}
	if f.Exponent != nil {
		add("times ten to the power in %s", at(f.Exponent.Register))
	}
	for _, c := range f.Factors {
		if c.Factors == nil {
			add("times %s", at(c.Register))
			continue
		}
		var codes []string
		for _, code := range slices.Sorted(maps.Keys(c.Factors)) {
			codes = append(codes, fmt.Sprintf("%d is %s", code, c.Factors[code]))
		}
		add("times the factor in %s (%s)", at(c.Register), strings.Join(codes, ", "))
	}
	for _, t := range f.Terms {
		add("plus %s times %s", t.Scale, at(t.Register))
	}
	if f.Offset.Coef != 0 {
		add("plus %s", f.Offset)
	}
	if g := f.Range; g != nil {
		add("%d to %d means %s to %s", g.Low, g.High, g.From, g.To)
	}
	for _, s := range f.Sentinels {
		if s.Value != nil {
			add("%s is %s", s.Value, s.Means)
		} else {
			add("%#x is %s", s.Raw, s.Means)
		}
	}
	if f.Min != nil || f.Max != nil {
		low, high := "", ""
		if f.Min != nil {
			low = f.Min.String()
		}
		if f.Max != nil {
			high = f.Max.String()
		}
		add("plausible %s..%s", low, high)
	}
	if f.Absolute {
		add("magnitude only")
	}
	r.Remark = strings.Join(notes, "; ")
	return r
}

func at(g profile.Register) string {
	s := fmt.Sprintf("%s %d (%s)", g.Table, g.Address, g.Type)
	if g.Bits != nil {
		s = fmt.Sprintf("%s %d (%s, bits %d to %d)", g.Table, g.Address, g.Type, g.Bits.First, g.Bits.First+g.Bits.Count-1)
	}
	return s
}

// details is a profile as `show --json` prints it.
type details struct {
	line
	Accuracy    []string         `json:"accuracy,omitempty"`
	Serial      *profile.Serial  `json:"serial,omitempty"`
	Sources     []profile.Source `json:"sources"`
	Registers   []row            `json:"registers"`
	Fingerprint []row            `json:"fingerprint,omitempty"`
	Identity    []row            `json:"identity,omitempty"`
	Notes       []string         `json:"notes,omitempty"`
}

func sheet(p *profile.Profile) details {
	d := details{line: line{p.ID, p.Kind, p.Maker, p.Models, p.Trust, len(p.Fields), p.Channels(), p.Recognisable()},
		Accuracy: p.Accuracy, Sources: p.Sources, Notes: p.Notes}
	if p.Serial.Baud > 0 {
		d.Serial = &p.Serial
	}
	for i := range p.Fields {
		d.Registers = append(d.Registers, fieldRow(&p.Fields[i]))
	}
	slices.SortStableFunc(d.Registers, func(a, b row) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), cmp.Compare(a.Address, b.Address))
	})
	for _, f := range p.Fingerprint {
		r := rowOf("fingerprint", f.Register)
		switch {
		case f.Prefix != "":
			r.Remark = fmt.Sprintf("begins with %q", f.Prefix)
		case f.Plausible():
			low, high := "", ""
			if f.Min != nil {
				low = f.Min.String()
			}
			if f.Max != nil {
				high = f.Max.String()
			}
			r.Remark = "between " + low + " and " + high
		default:
			var any []string
			for _, e := range f.Equals {
				any = append(any, fmt.Sprintf("%#x", e))
			}
			r.Remark = strings.Join(any, " or ")
		}
		d.Fingerprint = append(d.Fingerprint, r)
	}
	for _, id := range p.Identity {
		d.Identity = append(d.Identity, rowOf(id.What, id.Register))
	}
	return d
}

func print(out io.Writer, p *profile.Profile) error {
	d := sheet(p)
	say := func(name, format string, args ...any) {
		if s := fmt.Sprintf(format, args...); s != "" {
			fmt.Fprintf(out, "%-10s %s\n", name, s)
		}
	}
	say("profile", "%s", p.ID)
	say("maker", "%s", p.Maker)
	say("models", "%s", strings.Join(p.Models, ", "))
	say("kind", "%s", p.Kind)
	say("accuracy", "%s", strings.Join(p.Accuracy, "; "))
	say("trust", "%s", p.Trust)
	if s := d.Serial; s != nil {
		say("serial", "%d baud, parity %s, %d stop bits, address %d", s.Baud, s.Parity, s.StopBits, s.Unit)
	}
	say("limits", "%s", limits(p))
	say("timing", "%s", timing(p))
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "QUANTITY\tINPUT\tTABLE\tADDRESS\tHEX\tTYPE\tORDER\tSCALE\tUNIT\tREMARK")
	for _, rows := range [][]row{d.Registers, d.Identity, d.Fingerprint} {
		for _, r := range rows {
			input := ""
			if r.Channel > 0 {
				input = fmt.Sprint(r.Channel)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t0x%04X\t%s\t%s\t%s\t%s\t%s\n", r.What, input, r.Table, r.Address, r.Address, r.Type, r.Order, r.Scale, r.Unit, r.Remark)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, s := range p.Sources {
		fmt.Fprintf(out, "source     %s (%s, %s)\n           %s\n           read: %s\n", s.Title, s.Kind, s.Version, s.At, s.Read)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(out, "note       %s\n", n)
	}
	return nil
}

func limits(p *profile.Profile) string {
	l := p.Limits
	parts := []string{fmt.Sprintf("%d registers a request", l.MaxRegisters)}
	switch {
	case l.NoBatch:
		parts = append(parts, "each quantity in a request of its own")
	case l.MaxGap >= 0:
		parts = append(parts, fmt.Sprintf("gaps of up to %d registers are bridged", l.MaxGap))
	}
	for _, h := range l.Holes {
		parts = append(parts, fmt.Sprintf("never read %s %d to %d", h.Table, h.Address, int(h.Address)+h.Words-1))
	}
	for _, b := range l.Borders {
		parts = append(parts, fmt.Sprintf("never across %s %d", b.Table, b.Address))
	}
	return strings.Join(parts, "; ")
}

func timing(p *profile.Profile) string {
	var parts []string
	for _, x := range []struct {
		d    time.Duration
		what string
	}{{p.Timing.Turnaround, "answers within"}, {p.Timing.MinPoll, "no more often than every"}, {p.Timing.Refresh, "registers change every"}} {
		if x.d > 0 {
			parts = append(parts, fmt.Sprint(x.what, " ", x.d))
		}
	}
	b := p.Behaviour
	for _, x := range []struct {
		on   bool
		what string
	}{{b.NoExceptions, "no exception replies"}, {b.StaleFirst, "each answer is that of the request before"}, {b.VolatileAt, "counters are lost without power"}} {
		if x.on {
			parts = append(parts, x.what)
		}
	}
	return strings.Join(parts, "; ")
}

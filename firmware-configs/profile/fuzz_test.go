package profile

import (
	"testing"

	"github.com/stretchr/testify/require"

	firmwareconfigs "github.com/thermie/thermie/firmware-configs"
	"github.com/thermie/thermie/metering"
)

// The words of a device are whatever arrives: no content may panic, a number
// that decodes encodes again (where registers can hold it) and then decodes to
// itself, and no missing reading has a number.
func FuzzDecode(f *testing.F) {
	l, err := Builtin()
	require.NoError(f, err)
	all := l.All()
	for i := range all {
		f.Add(uint16(i), []byte{0, 1, 2, 3, 0x7f, 0xff, 0x80, 0})
	}
	f.Add(uint16(0), []byte{0xff})
	f.Fuzz(func(t *testing.T, which uint16, content []byte) {
		if len(content) == 0 {
			return
		}
		p := all[int(which)%len(all)]
		image, next := Image{}, 0
		fill := func(s Span) {
			for i := range s.Words {
				at := Cell{s.Table, s.Address + uint16(i)}
				if _, ok := image[at]; !ok {
					image[at] = uint16(content[next%len(content)])<<8 | uint16(content[(next+1)%len(content)])
					next += 2
				}
			}
		}
		for i := range p.Fields {
			for _, s := range p.Fields[i].Spans() {
				fill(s)
			}
		}
		for i := range p.Fields {
			field := &p.Fields[i]
			n, u, q := field.Decode(image)
			if q.Level == metering.Missing {
				if n != (metering.Decimal{}) || u != "" {
					t.Fatalf("%s %s: missing, yet %s %s", p.ID, field.Quantity, n, u)
				}
				continue
			}
			w := Image{}
			for c := range field.companions {
				if !field.isTerm(c) {
					for j := range c.Words() {
						at := Cell{c.Table, c.Address + uint16(j)}
						w[at] = image[at]
					}
				}
			}
			if field.Encode(n, w) != nil {
				continue // outside what the register holds: terms, ranges
			}
			first, _, q1 := field.Decode(w)
			if q1.Level == metering.Missing {
				continue // a number that the device uses for something else
			}
			if err := field.Encode(first, w); err != nil {
				t.Fatalf("%s %s: %s decodes, and does not encode: %v", p.ID, field.Quantity, first, err)
			}
			if second, _, _ := field.Decode(w); !second.Equal(first) {
				t.Fatalf("%s %s: %s becomes %s", p.ID, field.Quantity, first, second)
			}
			field.Modulus(image)
		}
		for _, probe := range p.Fingerprint {
			fill(probe.Span())
			probe.Match(image)
		}
		for _, id := range p.Identity {
			fill(id.Span())
			id.Get(image)
		}
	})
}

// A profile is a file of somebody: reading one never panics, and what is read
// can be tested and has its probes and spans within the bus.
func FuzzParse(f *testing.F) {
	for _, id := range []string{"siemens-wzu-485e-mod", "kral-bem-500", "sunspec-meter", "wiren-board-mcm8"} {
		text, err := firmwareconfigs.Files.ReadFile("meters/" + id + ".yaml")
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte("id: x\nmaker: y\n"))
	f.Add([]byte("quantities: [{register: 08}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("fuzz.yaml", text)
		if err != nil {
			return
		}
		Test(p)
		for i := range p.Fields {
			for _, s := range p.Fields[i].Spans() {
				if int(s.Address)+s.Words > 1<<16 || s.Words < 1 {
					t.Fatalf("span %+v is not on the bus", s)
				}
			}
		}
		for _, probe := range p.Fingerprint {
			probe.Bits()
			if err := probe.Put(Image{}); err != nil {
				t.Fatalf("probe %+v: %v", probe, err)
			}
		}
	})
}

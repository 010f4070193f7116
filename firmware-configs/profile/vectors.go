package profile

import (
	"fmt"

	"github.com/thermie/thermie/metering"
)

// Failure is a test vector that a profile does not hold.
type Failure struct {
	Profile  string
	Vector   int // 0-based; -1: none at all
	Quantity metering.Quantity
	Channel  int
	What     string
	// Path is where in the file, as "vectors.0.gives.1".
	Path string
}

func (f Failure) String() string {
	if f.Vector < 0 {
		return fmt.Sprintf("profile %s, %s (channel %d): %s", f.Profile, f.Quantity, f.Channel, f.What)
	}
	return fmt.Sprintf("profile %s, vector %d, %s (channel %d): %s", f.Profile, f.Vector+1, f.Quantity, f.Channel, f.What)
}

// Test runs the test vectors: registers must decode to what the vector says,
// and, unless it is one-way, encoding that again must give the same registers.
// A profile some of whose fields no vector covers fails too.
func Test(p *Profile) []Failure {
	var out []Failure
	covered := map[*Field]bool{}
	for i := range p.Vectors {
		v := &p.Vectors[i]
		for k, e := range v.Gives {
			f, _ := p.Field(e.Quantity, e.Channel)
			covered[f] = true
			if what := v.test(f, e); what != "" {
				out = append(out, Failure{p.ID, i, e.Quantity, e.Channel, what, fmt.Sprintf("vectors.%d.gives.%d", i, k)})
			}
		}
	}
	for i := range p.Fields {
		// Inputs of a module differ by their address only: the first stands for all.
		if f := &p.Fields[i]; !covered[f] && f.Channel <= 1 {
			out = append(out, Failure{p.ID, -1, f.Quantity, f.Channel, "no vector covers it", "vectors"})
		}
	}
	return out
}

func (v *Vector) test(f *Field, e Expected) string {
	n, u, q := f.Decode(v.Image)
	if q != e.Quality {
		return fmt.Sprintf("quality is %s, want %s", q, e.Quality)
	}
	if q.Level == metering.Missing {
		return ""
	}
	if u != e.Unit || !n.Equal(e.Number) {
		return fmt.Sprintf("gives %s %s, want %s %s", n, u, e.Number, e.Unit)
	}
	if v.OneWay {
		return ""
	}
	// Only the companions are given: the field's own registers must come back.
	w := Image{}
	for c := range f.companions {
		if f.isTerm(c) {
			continue
		}
		for j := range c.Words() {
			at := Cell{c.Table, c.Address + uint16(j)}
			w[at] = v.Image[at]
		}
	}
	if err := f.Encode(e.Number, w); err != nil {
		return fmt.Sprintf("does not encode: %v", err)
	}
	for _, s := range f.Spans() {
		for j := range s.Words {
			a := s.Address + uint16(j)
			got, _ := w.Word(s.Table, a)
			want, _ := v.Image.Word(s.Table, a)
			if f.Bits == nil && got != want {
				return fmt.Sprintf("encodes %s register %d as %#04x, want %#04x", s.Table, a, got, want)
			}
		}
	}
	return ""
}

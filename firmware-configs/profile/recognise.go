package profile

import (
	"cmp"
	"context"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// Candidate is a profile whose whole fingerprint a device shows.
type Candidate struct {
	Profile *Profile
	// Bits says how much the fingerprint tells: one bit halves the number of
	// devices that would show it by chance. See [Probe.Bits].
	Bits int
	// Certain says that an identity of the family was read (a name, a product
	// code), not only numbers that a meter of the family could show.
	Certain bool
}

// certainBits is what identities must tell before a candidate is certain: a
// product code of one byte.
const certainBits = 8

// Bits is what a match tells, in bits. Contents that registers of any device
// hold (0, all ones) tell one bit, numbers below 256 no more than eight, a
// range that a measurement must lie in four.
func (p Probe) Bits() int {
	switch {
	case p.Type == ASCII:
		return 8 * len(p.Prefix)
	case p.Plausible():
		return 4
	}
	width := 16 * p.Words()
	if p.Register.Bits != nil {
		width = p.Register.Bits.Count
	}
	ones := uint64(math.MaxUint64) >> (64 - width)
	least := 64
	for _, e := range p.Equals {
		switch {
		case e == 0 || e == ones:
			least = 1
		case e < 256:
			least = min(least, width, 8)
		default:
			least = min(least, width)
		}
	}
	return max(1, least-bits.Len(uint(len(p.Equals)-1)))
}

// Recognisable says whether a scan can name the family for certain.
func (p *Profile) Recognisable() bool { return candidate(p).Certain }

// probeOrder is the fingerprint, the most telling probe first.
func (p *Profile) probeOrder() []Probe {
	probes := slices.Clone(p.Fingerprint)
	slices.SortStableFunc(probes, func(a, b Probe) int { return cmp.Compare(b.Bits(), a.Bits()) })
	return probes
}

// ProbeSpans lists the registers of the fingerprint, the most telling first.
func (p *Profile) ProbeSpans() []Span {
	var spans []Span
	for _, probe := range p.probeOrder() {
		spans = append(spans, probe.Span())
	}
	return spans
}

// Recognise asks one device for the fingerprints of the library's profiles and
// returns those that it could be: the certain ones, best first, or, when there
// are none, those that are only plausible. It asks for no register twice, and
// for the plausible ones only when no identity fits. read asks the device; an
// error of it (refused, no answer) means that the registers are not those of
// the profile. Only ctx ends it early, with its error and what was found.
func (l *Library) Recognise(ctx context.Context, read func(context.Context, Span) ([]uint16, error)) ([]Candidate, error) {
	asked := map[Span]bool{}
	image := Image{}
	ask := func(s Span) bool {
		ok, known := asked[s]
		if known {
			return ok
		}
		words, err := read(ctx, s)
		ok = err == nil && len(words) == s.Words
		if ok {
			image.Put(s.Table, s.Address, words...)
		}
		// An interrupted question says nothing of the device.
		if ctx.Err() == nil {
			asked[s] = ok
		}
		return ok
	}
	var found []Candidate
	for _, certain := range []bool{true, false} {
		for _, p := range l.all {
			c := candidate(p)
			if c.Certain != certain || len(p.Fingerprint) == 0 {
				continue
			}
			if err := ctx.Err(); err != nil {
				return found, err
			}
			fits := true
			for _, probe := range p.probeOrder() {
				if fits = ask(probe.Span()); fits {
					fits, _ = probe.Match(image)
				}
				if !fits {
					break
				}
			}
			if fits {
				found = append(found, c)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	slices.SortStableFunc(found, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Bits, a.Bits), strings.Compare(a.Profile.ID, b.Profile.ID))
	})
	return found, ctx.Err()
}

// candidate is what a profile will be when its fingerprint fits.
func candidate(p *Profile) Candidate {
	c := Candidate{Profile: p}
	identity := 0
	for _, probe := range p.Fingerprint {
		c.Bits += probe.Bits()
		if !probe.Plausible() {
			identity += probe.Bits()
		}
	}
	c.Certain = identity >= certainBits
	return c
}

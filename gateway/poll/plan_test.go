package poll

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// drawProfile makes a device with up to n fields, apart or overlapping, and
// limits that leave each of its numbers readable.
func drawProfile(t *rapid.T, n int) *profile.Profile {
	p := &profile.Profile{ID: "drawn", Limits: profile.Limits{
		MaxRegisters: rapid.IntRange(4, 125).Draw(t, "max"),
		MaxGap:       rapid.IntRange(-1, 12).Draw(t, "gap"),
		NoBatch:      rapid.IntRange(0, 9).Draw(t, "batch") == 0,
	}}
	p.NoExceptions = rapid.Bool().Draw(t, "mute")
	types := []profile.Type{profile.U16, profile.U32, profile.U48, profile.F64}
	for i := range rapid.IntRange(1, n).Draw(t, "fields") {
		g := profile.Register{
			Table:   profile.Table(rapid.IntRange(0, 1).Draw(t, "table")),
			Address: uint16(rapid.IntRange(0, 300).Draw(t, "address")),
			Type:    rapid.SampledFrom(types).Draw(t, "type"),
		}
		f := profile.Field{Quantity: metering.Quantities[i].Quantity, Register: g}
		if rapid.IntRange(0, 3).Draw(t, "companion") == 0 {
			f.Exponent = &profile.Companion{Register: profile.Register{Table: g.Table, Address: uint16(rapid.IntRange(0, 300).Draw(t, "exponent")), Type: profile.I16}}
		}
		p.Fields = append(p.Fields, f)
	}
	for range rapid.IntRange(0, 4).Draw(t, "holes") {
		h := profile.Span{Table: profile.Table(rapid.IntRange(0, 1).Draw(t, "table")), Address: uint16(rapid.IntRange(0, 300).Draw(t, "hole")), Words: rapid.IntRange(1, 5).Draw(t, "words")}
		p.Limits.Holes = append(p.Limits.Holes, h)
		if !readable(p) {
			p.Limits.Holes = p.Limits.Holes[:len(p.Limits.Holes)-1]
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "borders") {
		b := profile.Cell{Table: profile.Table(rapid.IntRange(0, 1).Draw(t, "table")), Address: uint16(rapid.IntRange(0, 300).Draw(t, "border"))}
		p.Limits.Borders = append(p.Limits.Borders, b)
		if !readable(p) {
			p.Limits.Borders = p.Limits.Borders[:len(p.Limits.Borders)-1]
		}
	}
	return p
}

func readable(p *profile.Profile) bool {
	for i := range p.Fields {
		for _, s := range p.Fields[i].Spans() {
			if p.Readable(s) != nil {
				return false
			}
		}
	}
	return true
}

func all(p *profile.Profile) (out []*profile.Field) {
	for i := range p.Fields {
		out = append(out, &p.Fields[i])
	}
	return out
}

func drawCost(t *rapid.T) Cost {
	return Cost{Request: time.Duration(rapid.IntRange(1, 60000).Draw(t, "request")) * time.Microsecond,
		Register: time.Duration(rapid.IntRange(1, 3000).Draw(t, "register")) * time.Microsecond}
}

// requirePlan holds what every plan must: all is covered, no number is cut, no
// limit broken.
func requirePlan(t require.TestingT, p *profile.Profile, fields []*profile.Field, plan []Request, l Learned) {
	for _, f := range fields {
		for _, s := range f.Spans() {
			covered := slices.ContainsFunc(plan, func(r Request) bool {
				return r.Table == s.Table && r.Address <= s.Address && int(r.Address)+r.Words >= int(s.Address)+s.Words
			})
			require.True(t, covered, "%s: %v", f.Quantity, s)
		}
	}
	known := knownCells(p)
	for _, r := range plan {
		require.NoError(t, p.Readable(r.Span))
		require.NotEmpty(t, r.parts)
		if p.Limits.NoBatch {
			require.Len(t, r.parts, 1)
		}
		gap := 0
		for i := range r.Words {
			at := profile.Cell{Table: r.Table, Address: r.Address + uint16(i)}
			gap++
			if known[at] {
				gap = 0
			}
			require.False(t, l.Holes[at] && !known[at])
			if p.Limits.MaxGap >= 0 || p.NoExceptions {
				require.LessOrEqual(t, gap, max(0, p.Limits.MaxGap))
			}
			require.False(t, i > 0 && len(r.parts) > 1 && l.Borders[at])
		}
	}
}

func naive(p *profile.Profile, fields []*profile.Field) (plan []Request) {
	for _, s := range runs(fields) {
		plan = append(plan, cover([]profile.Span{s}))
	}
	return plan
}

func TestPlanHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c := drawProfile(t, 25), drawCost(t)
		fields := all(p)[:rapid.IntRange(1, len(p.Fields)).Draw(t, "due")]
		var l Learned
		plan := Plan(p, fields, c, l)
		requirePlan(t, p, fields, plan, l)
		require.LessOrEqual(t, c.Of(plan), c.Of(naive(p, fields)))
		require.Equal(t, plan, Plan(p, fields, c, l))

		// Refusals teach until nothing is left to cut.
		for range 200 {
			i := slices.IndexFunc(plan, func(r Request) bool { return len(r.parts) > 1 })
			if i < 0 {
				break
			}
			before := c.Of(plan)
			if l.learn(p, plan[i]) == "" {
				require.Equal(t, plan[i].parts[0].Address, plan[i].parts[len(plan[i].parts)-1].Address)
				break
			}
			plan = Plan(p, fields, c, l)
			requirePlan(t, p, fields, plan, l)
			require.GreaterOrEqual(t, c.Of(plan), before)
		}
		require.LessOrEqual(t, c.Of(plan), c.Of(naive(p, fields)))
	})
}

// TestPlanIsBest compares with every way to cut a few numbers that lie apart.
func TestPlanIsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &profile.Profile{Limits: profile.Limits{MaxRegisters: rapid.IntRange(4, 60).Draw(t, "max"), MaxGap: rapid.IntRange(-1, 10).Draw(t, "gap")}}
		at := 0
		for i := range rapid.IntRange(1, 9).Draw(t, "fields") {
			at += rapid.IntRange(0, 20).Draw(t, "gap")
			g := profile.Register{Address: uint16(at), Type: rapid.SampledFrom([]profile.Type{profile.U16, profile.F32, profile.F64}).Draw(t, "type")}
			p.Fields = append(p.Fields, profile.Field{Quantity: metering.Quantities[i].Quantity, Register: g})
			at += g.Words()
		}
		c := drawCost(t)
		parts := runs(all(p))
		known := knownCells(p)
		best := time.Duration(1 << 62)
		for cuts := range 1 << (len(parts) - 1) {
			var sum time.Duration
			from, fine := 0, true
			for i := range parts {
				if i+1 < len(parts) && cuts&(1<<i) == 0 {
					continue
				}
				r := cover(parts[from : i+1])
				fine = fine && (from == i || allowed(p, r.Span, known, Learned{}))
				sum += c.of(r.Words)
				from = i + 1
			}
			if fine {
				best = min(best, sum)
			}
		}
		require.Equal(t, best, c.Of(Plan(p, all(p), c, Learned{})))
	})
}

func builtin(t testing.TB, id string) *profile.Profile {
	l, err := profile.Builtin()
	require.NoError(t, err)
	p, err := l.Get(id)
	require.NoError(t, err)
	return p
}

// TestPlanOfRealMeters prints what the plan takes on real lines; it never takes
// more than one request for each run of neighbours, which is how most gateways do it.
func TestPlanOfRealMeters(t *testing.T) {
	for _, w := range []struct {
		id         string
		baud       int
		parity     string
		turnaround time.Duration
		requests   int
	}{
		{"schneider-iem3000", 19200, "even", 10 * time.Millisecond, 5},
		{"schneider-iem3000", 9600, "none", 50 * time.Millisecond, 2},
		{"eastron-sdm630", 9600, "none", 20 * time.Millisecond, 3},
		{"siemens-wzu-485e-mod", 2400, "even", 20 * time.Millisecond, 2},
	} {
		p := builtin(t, w.id)
		c := CostOf(modbus.Endpoint{Type: modbus.RTU, Baud: w.baud, Parity: w.parity}, w.turnaround)
		plan := Plan(p, all(p), c, Learned{})
		requirePlan(t, p, all(p), plan, Learned{})
		neighbours := *p
		neighbours.Limits.MaxGap = 0
		joined := Plan(&neighbours, all(p), c, Learned{})
		words := 0
		for _, r := range plan {
			words += r.Words
		}
		t.Logf("%s at %d baud: %d requests, %d registers, %v; neighbours only: %d requests, %v; one by one: %d requests, %v",
			w.id, w.baud, len(plan), words, c.Of(plan).Round(time.Millisecond), len(joined), c.Of(joined).Round(time.Millisecond),
			len(naive(p, all(p))), c.Of(naive(p, all(p))).Round(time.Millisecond))
		require.LessOrEqual(t, c.Of(plan), c.Of(joined))
		require.Len(t, plan, w.requests, w.id)
	}
}

func TestCostOf(t *testing.T) {
	e := modbus.Endpoint{Type: modbus.RTU, Baud: 9600, Parity: "none"}
	char := 10 * time.Second / 9600
	c := CostOf(e, 10*time.Millisecond)
	// 8 characters, 3.5 of silence, 10 ms, 5 + 2*10 characters, 3.5 of silence.
	require.InDelta(t, float64(40*char+10*time.Millisecond), float64(c.of(10)), 100)
	require.Equal(t, usualRoundTrip, CostOf(modbus.Endpoint{Type: modbus.TCP}, 0).Request)
}

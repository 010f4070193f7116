package align

import (
	"math"
	"time"

	"github.com/thermie/thermie/metering"
)

const (
	// aLotFaster: an increase is no longer believed when it is so many times what
	// the register does when it runs fast (the 99th percentile of its own rates).
	aLotFaster = 8
	// learnFrom: increases that the rate is learned from; with fewer, leaps are
	// counted as they come.
	learnFrom = 20
	// recordWithin: how wrong the time of a recorded exchange may be.
	recordWithin = 48 * time.Hour
	// forgetAfter: how long a fault may last whose end brings the register back.
	forgetAfter = 60 * 24 * time.Hour
	// backwardFor: how long a register may stand a little lower before that counts
	// as a reset.
	backwardFor = 24 * time.Hour
	// breaksTogether: breaks that are one trouble.
	breaksTogether = 7 * 24 * time.Hour
)

// unwrapper turns a register's readings into a count that only grows.
type unwrapper struct {
	t          *Track
	unit       int64   // one unit of the register's own resolution, in 10^exp
	rate       float64 // fastest believable, in 10^exp a millisecond; 0: not learned
	capacity   int64   // stated, 0 for none
	candidates []int64
	exchanges  []exchange

	at   int64 // of the last believed reading
	raw  int64 // its register, after scale
	sum  int64 // its unwrapped count
	mul  int64 // scale in force: a reading is times mul, over div
	div  int64
	back *anchor // state before the last break of continuity
}

type exchange struct {
	at       int64
	old, new int64
	done     bool
}

// anchor is the last reading before a break, to which the register may return.
type anchor struct {
	at, raw, sum int64
	knots        int
	event        int // index of the break's event
}

func (t *Track) unwrap(ps []metering.Point) {
	u := &unwrapper{t: t, mul: 1, div: 1}
	coefs := u.scale(ps)
	u.learn(ps, coefs)
	t.at, t.sum, t.open = make([]int64, 0, len(ps)), make([]int64, 0, len(ps)), make([]bool, 0, len(ps))
	for i := range ps {
		if i == 0 {
			u.at, u.raw, u.sum = ps[0].At, coefs[0], coefs[0]
			u.knot(false)
			continue
		}
		u.next(ps[i].At, coefs[i])
	}
	u.finish()
}

// believable says whether an increase can have happened in the time.
func (u *unwrapper) believable(d, ms int64) bool {
	ms = max(ms, u.t.Cadence.Milliseconds())
	return d >= 0 && (u.rate == 0 || float64(d) <= float64(u.rate*float64(ms))+float64(2*u.unit))
}

// surely is believable where there is something to judge by.
func (u *unwrapper) surely(d, ms int64) bool { return u.rate > 0 && u.believable(d, ms) }

func (u *unwrapper) knot(open bool) {
	t := u.t
	t.at, t.sum, t.open = append(t.at, u.at), append(t.sum, u.sum), append(t.open, open)
}

// advance moves to a reading that is d further on.
func (u *unwrapper) advance(at, raw, d int64, open bool) {
	open = open || at-u.at > u.t.maxGap
	u.at, u.raw, u.sum = at, raw, u.sum+d
	u.knot(open)
}

func (u *unwrapper) event(kind string, from, to int64, fault bool, text metering.Text) int {
	u.t.Events = append(u.t.Events, Event{From: instant(from), To: instant(to), Kind: kind, Fault: fault, Text: text})
	return len(u.t.Events) - 1
}

func (u *unwrapper) scaled(reading int64) int64 {
	if u.mul == 1 && u.div == 1 {
		return reading
	}
	if u.mul > 1 {
		if reading > math.MaxInt64/u.mul {
			return math.MaxInt64 / 4
		}
		return reading * u.mul
	}
	return (reading + u.div/2) / u.div
}

// next takes one reading.
func (u *unwrapper) next(at, reading int64) {
	u.recorded(at, reading)
	raw := u.scaled(reading)
	d := raw - u.raw
	if u.back != nil && at-u.back.at > forgetAfter.Milliseconds() && u.mul == 1 && u.div == 1 {
		u.back = nil
	}
	if u.believable(d, at-u.at) {
		scaled := u.mul != 1 || u.div != 1
		u.advance(at, raw, d, scaled)
		if scaled {
			u.t.Events[u.back.event].To = instant(at)
		}
		return
	}
	switch {
	case u.returns(at, reading):
	case u.exchanged(at, raw):
	case d > 0:
		if !u.rescaled(at, reading) {
			u.leap(at, raw)
		}
	default:
		if !u.backward(at, raw) && !u.rolled(at, raw) && !u.rescaled(at, reading) {
			u.reset(at, raw)
		}
	}
}

// recorded applies exchanges whose time lies between the last reading and this
// one and whose numbers fit both.
func (u *unwrapper) recorded(at, reading int64) {
	for i := range u.exchanges {
		x := &u.exchanges[i]
		if x.done || x.at <= u.at || x.at > at {
			continue
		}
		if u.believable(x.old-u.raw, x.at-u.at) && u.believable(reading-x.new, at-x.at) {
			x.done = true
			u.exchangeEvent(x.at, x.at)
			u.advance(x.at, x.old, x.old-u.raw, false)
			u.raw = x.new
			u.mul, u.div, u.back = 1, 1, nil // a new meter
		}
	}
}

func (u *unwrapper) exchangeEvent(from, to int64) {
	u.event(Exchanged, from, to, false, say("Compteur remplacé %s, index de dépose et de pose relevés.",
		"Meter exchanged %s, last and first registers recorded.", on(instant(from))))
}

// exchanged explains a break by a record whose time is somewhat wrong.
func (u *unwrapper) exchanged(at, raw int64) bool {
	for i := range u.exchanges {
		x := &u.exchanges[i]
		near := recordWithin.Milliseconds()
		if x.done || at < x.at-near || u.at > x.at+near {
			continue
		}
		d := (x.old - u.raw) + (raw - x.new)
		if x.old >= u.raw && raw >= x.new && u.believable(d, at-u.at+near) {
			x.done = true
			u.exchangeEvent(u.at, at)
			u.advance(at, raw, d, false)
			u.back = nil
			return true
		}
	}
	return false
}

// returns recognises that the register is back where it was before the last
// break: what lay between was a fault of the readings, not of the register.
func (u *unwrapper) returns(at, reading int64) bool {
	b := u.back
	if b == nil || !u.surely(reading-b.raw, at-b.at) {
		return false
	}
	t := u.t
	e := &t.Events[b.event]
	e.To = instant(at)
	if e.Kind != Scale {
		e.Kind, e.Fault = Outlier, false
		e.Text = say("Index faux %s, écarté.", "Wrong register %s, passed over.", span(e.From, e.To))
	} else {
		e.Text = scaleText(u.mul, u.div, span(e.From, e.To))
	}
	if len(t.at)-b.knots > 0 {
		t.PassedOver += len(t.at) - b.knots
	}
	t.Events = t.Events[:b.event+1]
	t.at, t.sum, t.open = t.at[:b.knots], t.sum[:b.knots], t.open[:b.knots]
	u.at, u.raw, u.sum = b.at, b.raw, b.sum
	u.mul, u.div, u.back = 1, 1, nil
	u.advance(at, reading, reading-b.raw, true)
	return true
}

// rescaled recognises a reading that is a power of ten off.
func (u *unwrapper) rescaled(at, reading int64) bool {
	if u.rate == 0 || u.raw < 100*u.unit || u.mul != 1 || u.div != 1 {
		return false
	}
	for k := 1; k <= 3; k++ {
		p := powers[k]
		for _, s := range [2][2]int64{{1, p}, {p, 1}} {
			mul, div := s[0], s[1]
			if mul > 1 && reading > math.MaxInt64/mul {
				continue
			}
			raw := reading * mul
			if div > 1 {
				raw = (reading + div/2) / div
			}
			if !u.surely(raw-u.raw, at-u.at) {
				continue
			}
			u.breaks(u.event(Scale, u.at, at, true, metering.Text{}))
			u.mul, u.div = mul, div
			u.advance(at, raw, raw-u.raw, true)
			return true
		}
	}
	return false
}

func scaleText(mul, div int64, w metering.Text) metering.Text {
	if div > 1 {
		f := itoa(div)
		return say("Index "+f+" fois trop grand %s : ramené à l'échelle, estimé.", "Register "+f+" times too large %s: brought to scale, estimated.", w)
	}
	f := itoa(mul)
	return say("Index "+f+" fois trop petit %s : ramené à l'échelle, estimé.", "Register "+f+" times too small %s: brought to scale, estimated.", w)
}

// breaks remembers the state before a break; before the first of several that
// follow one another closely.
func (u *unwrapper) breaks(event int) {
	if u.back == nil || u.at-u.back.at > breaksTogether.Milliseconds() || u.t.Events[event].Kind == Scale {
		u.back = &anchor{at: u.at, raw: u.raw, sum: u.sum, knots: len(u.t.at), event: event}
	}
}

// leap is an increase beyond belief: it is not counted.
func (u *unwrapper) leap(at, raw int64) {
	u.breaks(u.event(Jump, u.at, at, true, say("Saut d'index invraisemblable %s : non compté.",
		"Implausible leap of the register %s: not counted.", on(instant(at)))))
	u.advance(at, raw, 0, true)
}

// backward passes over a register that stands a little lower for a moment: a
// late frame, or the rounding of a float.
func (u *unwrapper) backward(at, raw int64) bool {
	fell := u.raw - raw
	if raw < u.raw/2 || at-u.at > backwardFor.Milliseconds() || !u.surely(fell, time.Hour.Milliseconds()) {
		return false
	}
	u.t.PassedOver++
	return true
}

// rolled recognises a register that passed its capacity.
func (u *unwrapper) rolled(at, raw int64) bool {
	try := func(c int64, sure bool) bool {
		if c <= 0 || u.raw >= c || raw >= c {
			return false
		}
		d := c - u.raw + raw
		if sure && !u.believable(d, at-u.at) || !sure && !u.surely(d, at-u.at) {
			return false
		}
		if sure && u.rate == 0 && d > c/2 {
			return false
		}
		u.event(Rollover, u.at, at, false, say("L'index a atteint sa capacité et repart de zéro %s.",
			"The register reached its capacity and began again %s.", on(instant(at))))
		u.advance(at, raw, d, false)
		return true
	}
	if u.capacity > 0 {
		return try(u.capacity, true)
	}
	for _, c := range u.candidates {
		if try(c, false) {
			return true
		}
	}
	return false
}

// reset is a register that fell and nobody knows why: what it shows counts if it
// began at zero, what it did since the last reading is lost.
func (u *unwrapper) reset(at, raw int64) {
	d := int64(0)
	if raw >= 0 && u.surely(raw, at-u.at) {
		d = raw
	}
	u.breaks(u.event(Reset, u.at, at, true, say("L'index est retombé %s sans relevé de remplacement : la consommation depuis le dernier relevé est perdue.",
		"The register fell %s with no record of an exchange: what it counted since the reading before is lost.", on(instant(at)))))
	u.advance(at, raw, d, true)
}

// finish closes what is open: a scale that lasts, records that fit nothing.
func (u *unwrapper) finish() {
	if u.mul != 1 || u.div != 1 {
		e := &u.t.Events[u.back.event]
		e.Open = true
		e.Text = scaleText(u.mul, u.div, metering.Text{FR: "depuis le " + frMoment(e.From), EN: "since " + enMoment(e.From)})
	}
	for _, x := range u.exchanges {
		if x.done || x.at <= u.t.at[0] || x.at > u.at-recordWithin.Milliseconds() {
			continue
		}
		u.event(ExchangeUnfit, x.at, x.at, true, say("Le remplacement enregistré %s ne correspond à aucun relevé.",
			"The exchange recorded %s fits no reading.", on(instant(x.at))))
	}
}

package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/judge"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/metering"
)

const (
	// leastPatience is the least time that a device under examination may think.
	leastPatience = 200 * time.Millisecond
	// most candidates are read whole.
	mostCandidates = 6
	// deaf is how many questions in a row a device may leave unanswered.
	deaf = 8
)

// examiner asks a device for what tells families apart, each thing once.
type examiner struct {
	line   *modbus.Line
	unit   byte
	image  profile.Image
	asked  map[profile.Span]bool
	silent int // in a row
}

// name finds the profiles that fit a device, the best first.
func name(ctx context.Context, o Options, d *Device) ([]Candidate, error) {
	e := o.Endpoint
	e.Timeout = min(max(6*d.Latency, leastPatience), o.Patience)
	e.Quiet = e.Timeout
	line, err := modbus.New(e)
	if err != nil {
		return nil, err
	}
	x := &examiner{line: line, unit: d.Unit, image: profile.Image{}, asked: map[profile.Span]bool{}}
	sure, likely, err := x.compare(ctx, o.Library.All())
	if err == nil && len(sure) == 0 && len(likely) > mostCandidates {
		likely = likely[:mostCandidates]
	}
	var out []Candidate
	for _, p := range append(sure, likely...) {
		if err != nil {
			break
		}
		c := Candidate{Profile: p, Sure: slices.Contains(sure, p), Identity: map[string]string{}}
		for _, i := range p.Identity {
			if err = x.fetch(ctx, i.Span()); err != nil {
				break
			}
			if text, ok := i.Get(x.image); ok && text != "" {
				c.Identity[i.What] = text
			}
		}
		out = append(out, c)
	}
	line.Close() // a serial port has one user
	for i := range out {
		if err == nil {
			err = out[i].read(ctx, e, d.Unit)
		}
	}
	slices.SortStableFunc(out, func(a, b Candidate) int {
		if a.Sure != b.Sure {
			return map[bool]int{true: -1, false: 1}[a.Sure]
		}
		return cmp.Or(cmp.Compare(b.share(), a.share()), cmp.Compare(b.Believed, a.Believed), cmp.Compare(a.Profile.ID, b.Profile.ID))
	})
	return out, err
}

// share of a candidate's readings is plausible.
func (c Candidate) share() float64 {
	if len(c.Readings) == 0 {
		return 0
	}
	return float64(c.Believed) / float64(len(c.Readings))
}

// compare lists the profiles whose fingerprint matches: those that identity
// registers name and, if there are none, those that may be.
func (x *examiner) compare(ctx context.Context, all []*profile.Profile) (sure, likely []*profile.Profile, err error) {
	for _, strong := range []bool{true, false} {
		for _, p := range all {
			if len(p.Fingerprint) == 0 || strong != (evidence(p.Fingerprint) >= enough) {
				continue
			}
			ok, err := x.matches(ctx, p)
			switch {
			case err != nil:
				return nil, nil, err
			case ok && strong:
				sure = append(sure, p)
			case ok:
				likely = append(likely, p)
			}
		}
		if len(sure) > 0 {
			break
		}
	}
	return sure, likely, nil
}

// enough bits of evidence name a device.
const enough = 12

// evidence is how many bits of registers a fingerprint fixes. Small numbers
// stand in the registers of every device, so they prove little.
func evidence(probes []profile.Probe) (sum int) {
	for _, q := range probes {
		switch {
		case q.Type == profile.ASCII:
			sum += 8 * len(q.Prefix)
		case q.Plausible():
		case slices.ContainsFunc(q.Equals, func(e uint64) bool { return e <= 10 }):
			sum += 2
		case q.Bits != nil:
			sum += q.Bits.Count - bits.Len(uint(len(q.Equals)-1))
		default:
			sum += 16*q.Words() - bits.Len(uint(len(q.Equals)-1))
		}
	}
	return sum
}

func (x *examiner) matches(ctx context.Context, p *profile.Profile) (bool, error) {
	for _, q := range p.Fingerprint {
		if err := x.fetch(ctx, q.Span()); err != nil {
			return false, err
		}
		if match, ok := q.Match(x.image); !match || !ok {
			return false, nil
		}
	}
	return true, nil
}

// fetch reads a run of registers if that was not tried yet. What the device
// refuses or leaves unanswered is not in the image; only a bus that fails is an
// error.
func (x *examiner) fetch(ctx context.Context, s profile.Span) error {
	if x.asked[s] || x.silent >= deaf {
		return nil
	}
	x.asked[s] = true
	words, err := x.line.Read(ctx, x.unit, s.Table, s.Address, s.Words)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, modbus.ErrUnreachable):
		return fmt.Errorf("unit %d: %w", x.unit, err)
	case errors.Is(err, modbus.ErrTimeout):
		x.silent++
	case err == nil:
		x.silent = 0
		x.image.Put(s.Table, s.Address, words...)
	default:
		x.silent = 0
	}
	return nil
}

// read reads all that a candidate's profile has and judges it.
func (c *Candidate) read(ctx context.Context, e modbus.Endpoint, unit byte) error {
	channel := min(c.Profile.Channels(), 1)
	w, err := poll.New(poll.Bus{ID: "scan", Endpoint: e, Meters: []poll.Meter{{ID: "scan", Unit: unit, Profile: c.Profile,
		Channel: channel, Interval: max(time.Minute, c.Profile.Timing.MinPoll)}}}, poll.Options{})
	if err != nil {
		return fmt.Errorf("unit %d as %s: %w", unit, c.Profile.ID, err)
	}
	for _, check := range w.ReadOnce(ctx) {
		c.Readings = check.Readings
	}
	for _, v := range judge.Readings(c.Readings) {
		if v.OK && v.Reading.Quality.Level == metering.Good {
			c.Believed++
		}
	}
	return ctx.Err()
}

package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	mostCandidates = 16
	// deaf is how many questions in a row a device may leave unanswered.
	deaf = 8
)

// examiner asks a device for what tells families apart.
type examiner struct {
	line   *modbus.Line
	unit   byte
	silent int  // in a row
	twice  bool // something was answered twice
	failed error
}

var errDeaf = errors.New("the device leaves too much unanswered")

// name finds the profiles that fit a device, the best first.
func name(ctx context.Context, o Options, d *Device) ([]Candidate, error) {
	e := o.Endpoint
	e.Timeout = min(max(6*d.Latency, leastPatience), o.Patience)
	e.Quiet = e.Timeout
	line, err := modbus.New(e)
	if err != nil {
		return nil, err
	}
	x := &examiner{line: line, unit: d.Unit}
	fits, err := o.Library.Recognise(ctx, x.fetch)
	var out []Candidate
	for _, f := range fits[:min(len(fits), mostCandidates)] {
		out = append(out, Candidate{Profile: f.Profile, Sure: f.Certain, Identity: Identify(ctx, f.Profile, x.fetch)})
	}
	err = cmp.Or(err, x.failed)
	line.Close() // a serial port has one user
	for i := range out {
		if err == nil {
			var twice bool
			twice, err = out[i].read(ctx, e, d.Unit)
			x.twice = x.twice || twice
		}
	}
	// Two of one model say the same of what was asked first.
	d.Duplicate = d.Duplicate || x.twice
	slices.SortStableFunc(out, func(a, b Candidate) int {
		if a.Sure != b.Sure {
			return map[bool]int{true: -1, false: 1}[a.Sure]
		}
		return cmp.Or(cmp.Compare(b.share(), a.share()), cmp.Compare(b.Believed, a.Believed), cmp.Compare(a.Profile.ID, b.Profile.ID))
	})
	return out, err
}

// Identify reads what a device says of itself: serial, model, firmware, maker. What
// it does not say is left out: not every model has every identity.
func Identify(ctx context.Context, p *profile.Profile, read func(context.Context, profile.Span) ([]uint16, error)) map[string]string {
	found := map[string]string{}
	for _, i := range p.Identity {
		words, err := read(ctx, i.Span())
		if err != nil {
			continue
		}
		image := profile.Image{}
		image.Put(i.Table, i.Address, words...)
		if text, ok := i.Get(image); ok && text != "" {
			found[i.What] = text
		}
	}
	return found
}

// share of a candidate's readings is plausible.
func (c Candidate) share() float64 {
	if len(c.Readings) == 0 {
		return 0
	}
	return float64(c.Believed) / float64(len(c.Readings))
}

// fetch reads a run of registers. A bus that fails ends all further questions.
func (x *examiner) fetch(ctx context.Context, s profile.Span) ([]uint16, error) {
	switch {
	case x.failed != nil:
		return nil, x.failed
	case x.silent >= deaf:
		return nil, errDeaf
	}
	words, err := x.line.Read(ctx, x.unit, s.Table, s.Address, s.Words)
	if x.worthAgain(err) {
		words, err = x.line.Read(ctx, x.unit, s.Table, s.Address, s.Words)
	}
	switch {
	case errors.Is(err, modbus.ErrUnreachable):
		x.failed = fmt.Errorf("unit %d: %w", x.unit, err)
	case errors.Is(err, modbus.ErrTimeout):
		x.silent++
	case errors.Is(err, modbus.ErrTwoAnswers):
		x.twice = true
	default:
		x.silent = 0
	}
	return words, err
}

// worthAgain says that an answer may have been lost by accident: one that is
// missing decides which profile fits. Who stays silent often is not asked twice.
func (x *examiner) worthAgain(err error) bool {
	return errors.Is(err, modbus.ErrTimeout) && x.silent == 0 || errors.Is(err, modbus.ErrBadFrame) && !errors.Is(err, modbus.ErrTwoAnswers)
}

// read reads all that a candidate's profile has and judges it; twice says that
// something was answered twice.
func (c *Candidate) read(ctx context.Context, e modbus.Endpoint, unit byte) (twice bool, err error) {
	channel := min(c.Profile.Channels(), 1)
	w, err := poll.New(poll.Bus{ID: "scan", Endpoint: e, Meters: []poll.Meter{{ID: "scan", Unit: unit, Profile: c.Profile,
		Channel: channel, Interval: max(time.Minute, c.Profile.Timing.MinPoll)}}}, poll.Options{})
	if err != nil {
		return false, fmt.Errorf("unit %d as %s: %w", unit, c.Profile.ID, err)
	}
	for _, check := range w.ReadOnce(ctx) {
		c.Readings = check.Readings
		twice = twice || errors.Is(check.Err, modbus.ErrTwoAnswers)
	}
	for _, v := range judge.Readings(c.Readings) {
		if v.OK && v.Reading.Quality.Level == metering.Good {
			c.Believed++
		}
	}
	return twice, ctx.Err()
}

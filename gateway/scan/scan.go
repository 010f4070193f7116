package scan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/metering"
)

// Defaults of Options.
const (
	DefaultWait     = 150 * time.Millisecond
	DefaultPatience = time.Second
)

// Options of a scan.
type Options struct {
	Endpoint modbus.Endpoint // its time-out is not used
	Units    []byte          // nil: 1 to 247
	// Wait is how long each unit id is waited for in the first round, Patience
	// how long a device that showed itself. Over TCP, Wait is Patience by default:
	// converters say after their own time-out that nobody is there.
	Wait, Patience time.Duration
	// Thorough asks ids that stayed silent once more with Patience, and for a
	// register of each profile of devices that make no exceptions.
	Thorough bool
	Library  *profile.Library // nil: devices are not named
	// Progress is told after each question how much of the work is done.
	Progress func(done, total int)
}

// Device is what was found at a unit id.
type Device struct {
	Unit    byte
	Latency time.Duration // of its first answer
	// Duplicate says that two devices probably have this id: what comes from it alone
	// is damaged each time, or it answers twice and not the same.
	Duplicate bool
	// EveryUnit says that a device over TCP answers whatever unit id it is asked at;
	// it is listed once.
	EveryUnit  bool
	Candidates []Candidate // the best first
}

// Candidate is a profile that fits what a device answers.
type Candidate struct {
	Profile  *profile.Profile
	Sure     bool // by an identity register
	Readings []metering.Reading
	// Believed of the readings are plausible.
	Believed int
	Identity map[string]string // serial, model, firmware, as the device says
}

// Units is 1 to 247, the ids that devices may have on a serial line (V1.02, 2.2).
func Units() []byte {
	units := make([]byte, 0, 247)
	for u := 1; u <= 247; u++ {
		units = append(units, byte(u))
	}
	return units
}

// presence is the question that shows whether a device is there: most refuse or
// answer it, whatever they measure.
var presence = profile.Span{Table: profile.Holding, Address: 0, Words: 1}

type scanner struct {
	o           Options
	line        *modbus.Line
	late        map[byte]bool
	found       map[byte]*Device
	noisy       map[byte]bool
	twice       map[byte]bool // two answers, or one more than was asked for
	asked       []asked       // in the first round
	suspects    []byte        // ids of which a late answer may have come damaged, the likeliest first
	done, total int
}

// asked is when an id was asked.
type asked struct {
	unit byte
	at   time.Time
}

// mostSuspects bounds the ids that are asked again on suspicion: with them a scan
// of 247 ids still ends within a minute.
const mostSuspects = 12

// Line asks every unit id of a bus with the endpoint's settings. It returns the
// devices in the order of their ids. An error says that the bus itself could not
// be used; devices that were found before come with it.
func Line(ctx context.Context, o Options) ([]Device, error) {
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Wait <= 0 && o.Endpoint.Type == modbus.TCP {
		o.Wait = o.Patience
	} else if o.Wait <= 0 {
		o.Wait = DefaultWait
	}
	if o.Units == nil {
		o.Units = Units()
	}
	o.Endpoint.Timeout, o.Endpoint.Quiet = o.Patience, o.Patience
	line, err := modbus.New(o.Endpoint)
	if err != nil {
		return nil, err
	}
	s := &scanner{o: o, line: line, late: map[byte]bool{}, found: map[byte]*Device{}, noisy: map[byte]bool{}, twice: map[byte]bool{}, total: len(o.Units)}
	defer line.Close()
	line.OnLate(s.overheard)
	err = errors.Join(s.first(ctx), s.second(ctx))
	line.Close()
	s.everyUnit()
	devices := make([]Device, 0, len(s.found))
	for _, u := range o.Units {
		if d := s.found[u]; d != nil {
			if o.Library != nil && err == nil && !d.Duplicate {
				d.Candidates, err = name(ctx, o, d)
			}
			devices = append(devices, *d)
		}
	}
	return devices, err
}

// manyUnits is how many unit ids no converter has devices at without a gap.
const manyUnits = 16

// everyUnit leaves one of a TCP device's ids when it answers at all of them.
func (s *scanner) everyUnit() {
	if s.o.Endpoint.Type != modbus.TCP || len(s.o.Units) < manyUnits || len(s.found) < len(s.o.Units) {
		return
	}
	d := s.found[s.o.Units[0]]
	d.EveryUnit = true
	s.found = map[byte]*Device{d.Unit: d}
}

// overheard notes what came without a question.
func (s *scanner) overheard(unit byte) {
	switch {
	case unit == 0:
		s.suspect()
	case s.found[unit] != nil:
		s.twice[unit] = true // it has answered before
	default:
		s.late[unit] = true
		// The question under way may not have been heard.
		if n := len(s.asked); n > 0 && s.asked[n-1].unit != unit {
			s.suspects = append(s.suspects, s.asked[n-1].unit)
		}
	}
}

// suspect notes whose late answer something may be that is no frame: that of the
// ids asked latest, as far back as a device may think.
func (s *scanner) suspect() {
	for i := len(s.asked) - 1; i >= 0 && time.Since(s.asked[i].at) < s.o.Patience; i-- {
		if u := s.asked[i].unit; s.found[u] == nil && !slices.Contains(s.suspects, u) {
			s.suspects = append(s.suspects, u)
		}
	}
}

// ask puts a question to a unit and notes what it shows.
func (s *scanner) ask(ctx context.Context, unit byte, q profile.Span) error {
	begin := time.Now()
	_, err := s.line.Read(ctx, unit, q.Table, q.Address, q.Words)
	latency := time.Since(begin)
	if s.done++; s.o.Progress != nil {
		s.o.Progress(min(s.done, s.total), s.total)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, modbus.ErrUnreachable) {
		return err
	}
	refusal, refused := errors.AsType[*modbus.Exception](err)
	switch {
	case err == nil, refused && !refusal.Silent():
		s.found[unit] = &Device{Unit: unit, Latency: latency}
	case errors.Is(err, modbus.ErrWrongUnit): // the late answer of another
	case errors.Is(err, modbus.ErrTwoAnswers):
		s.found[unit] = &Device{Unit: unit, Latency: latency, Duplicate: true}
	case errors.Is(err, modbus.ErrBadFrame):
		s.noisy[unit] = true
	}
	return nil
}

// first asks every unit id once.
func (s *scanner) first(ctx context.Context) error {
	for _, u := range s.o.Units {
		s.line.SetTimeout(u, s.o.Wait)
		s.asked = append(s.asked, asked{u, time.Now()})
		if err := s.ask(ctx, u, presence); err != nil {
			return err
		}
		if s.noisy[u] {
			s.suspect()
		}
		s.line.SetTimeout(u, 0)
	}
	if n := len(s.asked); n > 0 && s.o.Endpoint.Serial() {
		s.line.Listen(ctx, s.asked[n-1].unit, s.o.Patience) // to late answers of the last ones
	}
	return ctx.Err()
}

// second asks again, with patience, where something showed itself.
func (s *scanner) second(ctx context.Context) error {
	var again, perhaps []byte
	for _, u := range s.o.Units {
		switch {
		case s.found[u] != nil && !s.twice[u]:
		case s.late[u] || s.noisy[u] || s.twice[u] || s.o.Thorough:
			again = append(again, u)
		}
	}
	for _, u := range s.suspects {
		if s.found[u] == nil && !slices.Contains(again, u) && !slices.Contains(perhaps, u) && len(perhaps) < mostSuspects {
			perhaps = append(perhaps, u)
		}
	}
	again = append(again, perhaps...)
	s.total += len(again)
	for _, u := range again {
		wasNoisy := s.noisy[u]
		delete(s.noisy, u)
		if err := s.ask(ctx, u, presence); err != nil {
			return err
		}
		if wasNoisy && s.noisy[u] {
			if err := s.doubled(ctx, u); err != nil {
				return err
			}
		}
		if s.found[u] == nil && s.o.Thorough {
			if err := s.shy(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}

// doubled asks once more where damaged answers came twice: three times is no
// accident of the line.
func (s *scanner) doubled(ctx context.Context, u byte) error {
	delete(s.noisy, u)
	s.total++
	if err := s.ask(ctx, u, presence); err != nil {
		return err
	}
	if s.noisy[u] && s.found[u] == nil {
		s.found[u] = &Device{Unit: u, Duplicate: true}
	}
	return nil
}

// shy asks a silent id for what devices that make no exceptions have.
func (s *scanner) shy(ctx context.Context, u byte) error {
	if s.o.Library == nil {
		return nil
	}
	var asked []profile.Span
	for _, p := range s.o.Library.All() {
		if !p.NoExceptions || s.found[u] != nil {
			continue
		}
		q := p.Fields[0].Span()
		if len(p.Fingerprint) > 0 {
			q = p.Fingerprint[0].Span()
		}
		if slices.Contains(asked, q) {
			continue
		}
		asked = append(asked, q)
		s.total++
		if err := s.ask(ctx, u, q); err != nil {
			return fmt.Errorf("unit %d: %w", u, err)
		}
	}
	return nil
}

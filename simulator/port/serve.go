package port

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/simulator/slave"
)

// line is the serial line of a company: what baud, and how long its devices
// think before they answer.
type line struct {
	baud       int
	parity     string
	stopBits   int
	turnaround time.Duration
}

// lines are the companies with a serial line.
var lines = map[string]line{
	"transports": {9600, "even", 1, 20 * time.Millisecond},
	"chaufferie": {19200, "even", 1, 12 * time.Millisecond},
}

// Bus is one way to a company's meters, as its gateway must be configured.
type Bus struct {
	Company  string
	ID       string // unique within the company's gateway
	Type     string // tcp, rtu, rtu-over-tcp
	Address  string // host:port, for tcp and rtu-over-tcp
	Device   string // for rtu
	Baud     int
	Parity   string
	StopBits int
	Meters   []Meter
}

// ServeOptions say where and when the port's meters answer.
type ServeOptions struct {
	Host string // of the listeners; "": 127.0.0.1
	// FirstPort numbers the listeners from here on, in the order of Buses, so that
	// a second start has the same addresses; 0 takes free ports.
	FirstPort int
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger
	// NoPTY serves serial lines over TCP although there are pseudo-terminals.
	NoPTY bool
}

// Servers are the port's meters, answering.
type Servers struct {
	Buses  []Bus
	closes []func() error
}

// Close stops them all and waits.
func (s *Servers) Close() error {
	var errs []error
	for _, c := range slices.Backward(s.closes) {
		errs = append(errs, c())
	}
	s.closes = nil
	return errors.Join(errs...)
}

// Serve starts a server for every bus of the port: a Modbus TCP gateway with
// several unit ids for each company, a server of its own for meters with an
// address of their own, and a pseudo-terminal for each serial line. Where the
// system has no pseudo-terminals it says so in the log and serves the line with
// serial framing over TCP, at the same pace.
func (p *Port) Serve(o ServeOptions) (s *Servers, err error) {
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s = &Servers{}
	defer func() {
		if err != nil {
			s.Close()
			s = nil
		}
	}()
	for _, company := range p.sites {
		b := Bus{Company: company, ID: "tcp-1", Type: "tcp", Meters: p.on(company, Shared)}
		if len(b.Meters) > 0 {
			if err := s.tcp(p, b, o); err != nil {
				return s, err
			}
		}
		for i, m := range p.on(company, Own) {
			b := Bus{Company: company, ID: fmt.Sprintf("tcp-%d", i+2), Type: "tcp", Meters: []Meter{m}}
			if err := s.tcp(p, b, o); err != nil {
				return s, err
			}
		}
		if meters := p.on(company, Serial); len(meters) > 0 {
			if err := s.serial(p, company, meters, o); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// on lists the meters of a company on one kind of wire.
func (p *Port) on(company string, w Wire) (out []Meter) {
	for _, m := range p.fleet {
		if m.Company == company && m.Wire == w {
			out = append(out, m)
		}
	}
	return out
}

// address is where the next bus listens. Every bus has its number, whether it
// listens or is a serial line.
func (s *Servers) address(o ServeOptions) string {
	if o.FirstPort == 0 {
		return net.JoinHostPort(o.Host, "0")
	}
	return net.JoinHostPort(o.Host, strconv.Itoa(o.FirstPort+len(s.Buses)))
}

func (s *Servers) tcp(p *Port, b Bus, o ServeOptions) error {
	server, err := slave.ListenTCP(s.address(o), p.handler(b, o.Now, slave.TargetSilent))
	if err != nil {
		return fmt.Errorf("meters of %s: %w", b.Company, err)
	}
	b.Address = server.Addr()
	s.Buses = append(s.Buses, b)
	s.closes = append(s.closes, server.Close)
	return nil
}

func (s *Servers) serial(p *Port, company string, meters []Meter, o ServeOptions) error {
	l := lines[company]
	b := Bus{Company: company, ID: "rtu-1", Type: "rtu", Baud: l.baud, Parity: l.parity, StopBits: l.stopBits, Meters: meters}
	options := slave.LineOptions{Baud: l.baud, Parity: l.parity, StopBits: l.stopBits, Turnaround: l.turnaround,
		Handler: p.handler(b, o.Now, slave.Silence)}
	line, err := (*slave.Line)(nil), error(slave.ErrNoPTY)
	if !o.NoPTY {
		line, err = slave.OpenLine(options)
	}
	if errors.Is(err, slave.ErrNoPTY) {
		o.Log.Warn("no pseudo-terminal: the serial line is served with serial framing over TCP, at the same pace", "company", company, "baud", l.baud, "reason", err)
		b.Type = "rtu-over-tcp"
		line, err = slave.OpenLineTCP(s.address(o), options)
	}
	if err != nil {
		return fmt.Errorf("meters of %s: %w", company, err)
	}
	b.Address, b.Device = line.Address, line.Device
	s.Buses = append(s.Buses, b)
	s.closes = append(s.closes, line.Close)
	return nil
}

// handler answers for the devices of a bus. dead is how the bus shows that a
// device does not answer.
func (p *Port) handler(b Bus, now func() time.Time, dead slave.Exception) slave.Handler {
	devices := map[byte]*device{}
	alone := len(b.Meters) == 1 && b.Meters[0].Wire == Own
	for _, m := range b.Meters {
		devices[m.Unit] = p.installed[m.ID].device
	}
	return func(r slave.Request) ([]uint16, slave.Exception) {
		d := devices[r.Unit]
		if alone {
			d = devices[b.Meters[0].Unit] // a meter with its own address minds no unit id
		}
		if d == nil {
			return nil, dead
		}
		words, e := p.answer(d, r, now(), dead)
		if e != 0 && e != dead && d.profile.NoExceptions {
			e = slave.Silence
		}
		return words, e
	}
}

// answer reads registers of a device as they are at an instant.
func (p *Port) answer(d *device, r slave.Request, at time.Time, dead slave.Exception) ([]uint16, slave.Exception) {
	millis := p.millis(at)
	if d.silent(millis) {
		return nil, dead
	}
	prof := d.profile
	if len(prof.Limits.Functions) > 0 && !slices.Contains(prof.Limits.Functions, int(r.Function)) {
		return nil, slave.IllegalFunction
	}
	table := profile.Holding
	if r.Function == 4 {
		table = profile.Input
	}
	if prof.Limits.MaxRegisters > 0 && int(r.Count) > prof.Limits.MaxRegisters {
		return nil, slave.IllegalValue
	}
	if prof.Readable(profile.Span{Table: table, Address: r.Address, Words: int(r.Count)}) != nil {
		return nil, slave.IllegalAddress
	}
	if prof.StaleFirst {
		if before := d.asked.Swap(millis); before != 0 {
			millis = before
		}
	}
	p.reach(millis)
	p.mu.RLock()
	image, err := d.image(p, millis)
	p.mu.RUnlock()
	if err != nil {
		return nil, slave.DeviceFailure
	}
	return cut(image, table, r, prof.Limits.MaxGap)
}

// cut takes the asked words out of an image. Registers that the device does not
// have are an error, unless it is known to bridge so many of them.
func cut(image profile.Image, table profile.Table, r slave.Request, maxGap int) ([]uint16, slave.Exception) {
	words := make([]uint16, r.Count)
	gap := 0
	for i := range words {
		w, ok := image.Word(table, r.Address+uint16(i))
		if ok {
			words[i], gap = w, 0
			continue
		}
		if gap++; gap > maxGap || i == 0 || i == len(words)-1 {
			return nil, slave.IllegalAddress
		}
	}
	return words, 0
}

// silent says whether the device answers nothing now.
func (d *device) silent(millis int64) bool {
	replayed, speaks := false, false
	for _, m := range d.meters {
		if y := m.view.played; y != nil && millis >= y.from {
			replayed, speaks = true, speaks || y.speaks(millis)
			continue
		}
		if _, is := within(m.view.effects.silent, millis); is {
			return true
		}
	}
	return replayed && !speaks
}

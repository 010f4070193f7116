package commission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/gateway/scan"
	"github.com/thermie/thermie/metering"
)

// detect finds the meters of buses that have none yet, names them with the
// installer, and completes the configuration. A complete one is left alone.
func (w *walk) detect(ctx context.Context) error {
	library, err := w.conf.Library()
	if err != nil {
		return err
	}
	empty := false
	for _, b := range w.conf.Buses {
		if len(b.Meters) > 0 {
			continue
		}
		if !empty {
			w.say("step_detect")
			empty = true
		}
		settings, err := settingsOf(b)
		if err != nil {
			return err
		}
		b, ok, err := w.scan(ctx, b, settings, library)
		if err != nil {
			return err
		}
		if ok {
			if err := w.keep(b); err != nil {
				return err
			}
		}
	}
	if len(w.conf.Buses) == 0 {
		w.say("step_detect")
		if err := w.newBuses(ctx, library); err != nil {
			return err
		}
	}
	w.conf, err = gateway.LoadConfig(w.o.Config)
	return err
}

// keep writes the meters of a bus into the configuration as soon as they have
// names: who is interrupted at the next bus need not name them again.
func (w *walk) keep(b gateway.Bus) error {
	if err := gateway.Complete(w.o.Config, []gateway.Bus{b}); err != nil {
		return err
	}
	w.say("written", w.o.Config)
	return nil
}

// settingsOf are the settings to try on a configured bus: what the file says, and
// the usual ones for what it does not.
func settingsOf(b gateway.Bus) ([]modbus.Endpoint, error) {
	e := modbus.Endpoint{Type: b.Type, Address: b.Address, Device: b.Device, Baud: b.Baud, Parity: b.Parity, StopBits: b.StopBits}
	if b.Type != modbus.RTU {
		return []modbus.Endpoint{e}, nil
	}
	bauds, parities := scan.Bauds, scan.Parities
	if b.Baud != 0 {
		bauds = []int{b.Baud}
	}
	if b.Parity != "" {
		parities = []string{b.Parity}
	}
	return scan.Settings(e, bauds, parities)
}

// newBuses asks for buses until there are no more.
func (w *walk) newBuses(ctx context.Context, library *profile.Library) error {
	w.say("no_buses")
	if ports := scan.Ports(w.o.Dev); len(ports) > 0 {
		w.say("ports", strings.Join(ports, ", "))
	}
	for n := 1; ; {
		a, err := w.ask("ask_bus")
		if err != nil || a == "" {
			return err
		}
		b := gateway.Bus{ID: fmt.Sprintf("bus-%d", n), Type: modbus.RTU, Device: a}
		if kind, address, ok := strings.Cut(a, ":"); ok && (kind == modbus.TCP || kind == modbus.RTUOverTCP) {
			b.Type, b.Address, b.Device = kind, address, ""
		}
		settings, err := settingsOf(b)
		if err == nil {
			_, err = modbus.New(settings[0])
		}
		if err != nil {
			w.say("bad_config", err)
			continue
		}
		b, ok, err := w.scan(ctx, b, settings, library)
		if err != nil {
			return err
		}
		if ok {
			if err := w.keep(b); err != nil {
				return err
			}
			n++
		}
	}
}

// scan looks for the devices of a bus and asks for their names; ok is false when
// none is taken.
func (w *walk) scan(ctx context.Context, b gateway.Bus, settings []modbus.Endpoint, library *profile.Library) (_ gateway.Bus, ok bool, err error) {
	var devices []scan.Device
	for _, e := range settings {
		setting := e.String()
		if e.Type == modbus.RTU {
			setting = fmt.Sprintf("%s, %d %s", e, e.Baud, e.Parity)
		}
		w.say("scanning", setting)
		devices, err = scan.Line(ctx, scan.Options{Endpoint: e, Library: library})
		if errors.Is(err, modbus.ErrUnreachable) {
			w.say("bad_config", err)
			return b, false, nil
		}
		if err != nil {
			return b, false, err
		}
		if len(devices) > 0 {
			if b.Type == modbus.RTU {
				b.Baud, b.Parity, b.StopBits = e.Baud, e.Parity, e.StopBits
			}
			break
		}
	}
	if len(devices) == 0 {
		w.say("found_none", settings[0])
	}
	b.Meters = nil
	for _, d := range devices {
		if d.Duplicate {
			w.say("duplicate", d.Unit)
			continue
		}
		meters, err := w.name(d, library)
		if err != nil {
			return b, false, err
		}
		b.Meters = append(b.Meters, meters...)
	}
	return b, len(b.Meters) > 0, nil
}

// name asks what the meters of a device are to be called.
func (w *walk) name(d scan.Device, library *profile.Library) (meters []gateway.Meter, err error) {
	guess, about := "", w.text["unknown"]
	if len(d.Candidates) > 0 {
		c := d.Candidates[0]
		guess = c.Profile.ID
		key := "maybe"
		if c.Sure {
			key = "sure"
		}
		about = fmt.Sprintf(w.text[key], c.Profile.Maker+" "+strings.Join(c.Profile.Models, ", "))
		for _, what := range []string{"model", "serial", "firmware"} {
			if c.Identity[what] != "" {
				about += ", " + what + " " + c.Identity[what]
			}
		}
	}
	w.say("found", d.Unit, about)
	var p *profile.Profile
	for p == nil {
		id, err := w.askOr(guess, "ask_profile", guess)
		if err != nil {
			return nil, err
		}
		if id == "" {
			return nil, nil // unknown, and to be left out
		}
		if p, err = library.Get(id); err != nil {
			w.say("bad_config", err)
		}
	}
	if p.Channels() == 0 {
		m, err := w.oneMeter(gateway.Meter{Unit: int(d.Unit), Profile: p.ID}, "ask_id")
		if err != nil || m.ID == "" {
			return nil, err
		}
		return []gateway.Meter{m}, nil
	}
	for ch := 1; ch <= p.Channels(); ch++ {
		m, err := w.oneMeter(gateway.Meter{Unit: int(d.Unit), Profile: p.ID, Channel: ch}, "ask_channel", ch)
		if err != nil {
			return nil, err
		}
		if m.ID == "" {
			continue
		}
		if _, counts := p.Field(metering.PulseCount, ch); counts {
			if m.Pulse, err = w.pulse(); err != nil {
				return nil, err
			}
		}
		meters = append(meters, m)
	}
	return meters, nil
}

func (w *walk) oneMeter(m gateway.Meter, key string, args ...any) (gateway.Meter, error) {
	for {
		id, err := w.ask(key, args...)
		if err != nil || id == "" {
			return m, err
		}
		if err := metering.CheckID(id); err != nil {
			w.say("bad_config", err)
			continue
		}
		m.ID = id
		break
	}
	for {
		text, err := w.askOr(gateway.DefaultInterval.String(), "ask_interval", gateway.DefaultInterval)
		if err != nil {
			return m, err
		}
		if m.Interval, err = time.ParseDuration(text); err == nil && m.Interval >= time.Second && m.Interval <= time.Hour {
			return m, nil
		}
		w.say("bad_config", fmt.Errorf("%q: 1s ... 1h", text))
	}
}

func (w *walk) pulse() (*gateway.Pulse, error) {
	var q metering.Quantity
	for {
		text, err := w.ask("ask_quantity")
		if err != nil {
			return nil, err
		}
		q = metering.Quantity(text)
		if info, known := q.Info(); known && info.Kind == metering.Counter {
			break
		}
		w.say("bad_config", fmt.Errorf("%q", text))
	}
	for {
		text, err := w.ask("ask_weight")
		if err != nil {
			return nil, err
		}
		weight, unit, _ := strings.Cut(text, " ")
		weight = strings.ReplaceAll(weight, ",", ".")
		if _, err := metering.ParseDecimal(weight); err == nil && q.Allows(metering.Unit(unit)) {
			return &gateway.Pulse{Quantity: string(q), Weight: weight, Unit: unit}, nil
		}
		w.say("bad_weight")
	}
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

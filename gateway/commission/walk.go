package commission

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/thermie/thermie/commissioning"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/gateway/judge"
	"github.com/thermie/thermie/gateway/modbus"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/gateway/scan"
	"github.com/thermie/thermie/metering"
)

// Options of a walk.
type Options struct {
	Config   string // path of gateway.yaml, complete or a draft
	Out      string // folder for the record
	Language string // one of Languages
	Version  string
	In       io.Reader
	Terminal io.Writer
	Now      func() time.Time
	Dev      string // folder of serial ports, /dev
	// Synchronised says whether the clock is right.
	Synchronised func() bool
}

// walk is one that is under way.
type walk struct {
	*console
	o      Options
	conf   gateway.Config
	record commissioning.Record
}

// Walk leads an installer through a site and writes its record. It returns the
// paths of the YAML and the PDF.
func Walk(ctx context.Context, o Options) (paths []string, err error) {
	w := &walk{console: newConsole(o.In, o.Terminal, o.Language), o: o}
	if w.conf, err = gateway.LoadDraft(o.Config); err != nil {
		return nil, err
	}
	w.say("welcome", w.conf.Gateway, w.conf.Territory)
	w.record = commissioning.Record{Gateway: w.conf.Gateway, Territory: w.conf.Territory, Origin: string(w.conf.Origin), Version: o.Version,
		Language: o.Language, Started: o.Now().UTC().Truncate(time.Second)}
	for _, step := range []func(context.Context) error{w.enrol, w.detect, w.check, w.sign} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w.write()
}

// enrol shows the key by which the server knows this gateway.
func (w *walk) enrol(context.Context) error {
	key, err := gateway.LoadKey(w.conf.Data)
	if err != nil {
		return err
	}
	w.say("step_enrol")
	w.say("enrol", w.conf.Gateway, gateway.PublicKey(key))
	w.record.ClockSynchronised = w.o.Synchronised()
	if w.record.ClockSynchronised {
		w.say("clock_ok")
	} else {
		w.say("clock_bad")
	}
	return nil
}

// check reads every meter, shows what an installer should think of it, and
// compares with the display.
func (w *walk) check(ctx context.Context) error {
	n := 0
	for _, b := range w.conf.PollBuses() {
		n += len(b.Meters)
	}
	w.say("step_check", n)
	w.record.Config = w.conf.Hash().String()
	for _, b := range w.conf.PollBuses() {
		for _, m := range b.Meters {
			entry, err := w.meter(ctx, b, m)
			if err != nil {
				return err
			}
			w.record.Meters = append(w.record.Meters, entry)
		}
	}
	w.say("loads")
	for _, b := range w.conf.PollBuses() {
		worker, err := poll.New(b, poll.Options{})
		if err != nil {
			return err
		}
		load := worker.Forecast()
		w.say("load", b.ID, 100*load)
		w.record.Buses = append(w.record.Buses, commissioning.Bus{ID: b.ID, Endpoint: b.Endpoint.String(), Load: float64(int(1000*load+0.5)) / 1000})
	}
	return nil
}

// meter is one stop of the walk.
func (w *walk) meter(ctx context.Context, b poll.Bus, m poll.Meter) (entry commissioning.Meter, err error) {
	entry = commissioning.Meter{ID: m.ID, Bus: b.ID, Unit: int(m.Unit), Channel: m.Channel, Profile: m.Profile.ID, Maker: m.Profile.Maker, Trust: m.Profile.Trust, Accepted: true}
	w.say("meter", m.ID, b.ID, m.Unit, m.Profile.Maker, strings.Join(m.Profile.Models, ", "))
	for again := true; again; {
		if err := w.read(ctx, b, m, &entry); err != nil {
			return entry, err
		}
		again = false
		if entry.Error == "" {
			if err := w.compare(ctx, b, m, &entry); err != nil {
				return entry, err
			}
		}
		for asking := true; asking; {
			a, err := w.ask("ask_meter")
			if err != nil {
				return entry, err
			}
			asking = false
			switch strings.ToLower(a) {
			case "":
				entry.Accepted = entry.Error == ""
			case "r":
				again = true
			case "x":
				entry.Accepted = false
			case "n":
				if entry.Remark, err = w.ask("ask_remark"); err != nil {
					return entry, err
				}
				asking = true
			default:
				asking = true
			}
		}
	}
	return entry, nil
}

// once reads one meter of a bus.
func once(ctx context.Context, b poll.Bus, m poll.Meter) (poll.Check, error) {
	b.Meters = []poll.Meter{m}
	worker, err := poll.New(b, poll.Options{})
	if err != nil {
		return poll.Check{}, err
	}
	checks := worker.ReadOnce(ctx)
	return checks[0], ctx.Err()
}

// read fills in what the meter says.
func (w *walk) read(ctx context.Context, b poll.Bus, m poll.Meter, entry *commissioning.Meter) error {
	check, err := once(ctx, b, m)
	if err != nil {
		return err
	}
	entry.Error, entry.Readings, entry.Comparison, entry.Latency = "", nil, nil, check.Latency.Round(time.Millisecond)
	answered := slices.ContainsFunc(check.Readings, func(r metering.Reading) bool { return r.Quality.Level != metering.Missing })
	if !answered {
		entry.Error = "no reading"
		if check.Err != nil {
			entry.Error = check.Err.Error()
		}
		w.say("no_reading", entry.Error)
		return nil
	}
	entry.Identity = scan.Identify(ctx, m.Profile, func(ctx context.Context, s profile.Span) ([]uint16, error) {
		return modbus.Once(ctx, b.Endpoint, m.Unit, s.Table, s.Address, s.Words)
	})
	for _, what := range slices.Sorted(maps.Keys(entry.Identity)) {
		w.say("identity", w.text["identity_"+what], entry.Identity[what])
	}
	t := tabwriter.NewWriter(w.out, 0, 0, 2, ' ', 0)
	for _, v := range judge.Readings(check.Readings) {
		r := commissioning.Reading{Quantity: v.Reading.Series.Quantity(), Unit: v.Reading.Unit, At: v.Reading.Time().UTC(), OK: v.OK, Judgement: w.judgement(v)}
		if v.Reading.Quality.Level != metering.Missing {
			r.Number = v.Reading.Number.String()
		}
		entry.Readings = append(entry.Readings, r)
		mark := ""
		if !v.OK {
			mark = "!! "
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s%s\n", w.called(r.Quantity), r.Number, r.Unit, mark, r.Judgement)
	}
	return t.Flush()
}

// judgement is what to think of a reading. In French it is the name of the fault.
func (w *walk) judgement(v judge.Verdict) string {
	if w.o.Language == "en" {
		return v.Words
	}
	if v.Fault != "" {
		return v.Fault.Name().FR
	}
	if s := w.text[v.Words]; s != "" {
		return s
	}
	return v.Words
}

// called is the name of a quantity.
func (w *walk) called(q metering.Quantity) string { return q.Name().In(w.o.Language) }

// register is the reading that a display shows: the first counter, else the first
// of all.
func register(readings []commissioning.Reading) (r commissioning.Reading, ok bool) {
	for _, r := range readings {
		if r.Quantity.Kind() == metering.Counter && r.Number != "" {
			return r, true
		}
	}
	for _, r := range readings {
		if r.Number != "" {
			return r, true
		}
	}
	return commissioning.Reading{}, false
}

// compare asks what the display shows, and reads once more at that moment.
func (w *walk) compare(ctx context.Context, b poll.Bus, m poll.Meter, entry *commissioning.Meter) error {
	before, ok := register(entry.Readings)
	if !ok {
		return nil
	}
	first := metering.MustDecimal(before.Number).Float64()
	for {
		text, err := w.ask("ask_display", w.called(before.Quantity), before.Unit)
		if err != nil {
			return err
		}
		if text == "" {
			return nil
		}
		shown, err := parseDisplay(text, before.Unit)
		if err != nil {
			w.say("bad_display", err)
			continue
		}
		check, err := once(ctx, b, m)
		if err != nil {
			return err
		}
		now := metering.Reading{Number: metering.MustDecimal(before.Number), At: before.At.UnixMilli()}
		for _, r := range check.Readings {
			if r.Series.Quantity() == before.Quantity && r.Quality.Level != metering.Missing {
				now = r
			}
		}
		entry.Comparison = &commissioning.Comparison{Quantity: before.Quantity, Display: text, Read: now.Number.String(), Unit: before.Unit, At: now.Time().UTC(),
			Agrees: shown.agrees(first, now.Number.Float64())}
		if entry.Comparison.Agrees {
			w.say("agrees", entry.Comparison.Read+" "+string(before.Unit))
			return nil
		}
		hint := ""
		if f := shown.ratio(now.Number.Float64()); f != 0 {
			hint = fmt.Sprintf(w.text["differs_by"], fmt.Sprintf("%.4g", f))
		}
		w.say("differs", entry.Comparison.Read, before.Unit, hint)
		a, err := w.ask("ask_again")
		if err != nil {
			return err
		}
		if a != "" {
			return nil
		}
	}
}

// sign asks who was there, and whether the record may be signed.
func (w *walk) sign(context.Context) (err error) {
	w.say("step_sign")
	s := count(w.record)
	w.say("summary", s.meters, s.accepted, s.doubtful, s.differing, s.uncompared)
	for w.record.Installer == "" {
		if w.record.Installer, err = w.ask("ask_name"); err != nil {
			return err
		}
	}
	if w.record.Company, err = w.ask("ask_company"); err != nil {
		return err
	}
	if w.record.Remarks, err = w.ask("ask_remarks"); err != nil {
		return err
	}
	a, err := w.ask("ask_sign")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.ToLower(a), w.text["yes"]) {
		return ErrStopped
	}
	w.record.Signed = w.o.Now().UTC().Truncate(time.Second)
	return nil
}

// write puts the record and its PDF into the folder.
func (w *walk) write() ([]string, error) {
	key, err := gateway.LoadKey(w.conf.Data)
	if err != nil {
		return nil, err
	}
	text, err := commissioning.Seal(w.record, key)
	if err != nil {
		return nil, err
	}
	page, err := PDF(text)
	if err != nil {
		return nil, err
	}
	base := filepath.Join(w.o.Out, "commissioning-"+w.record.Gateway+"-"+w.record.Signed.Format("20060102-150405"))
	paths := []string{base + ".yaml", base + ".pdf"}
	for i, b := range [][]byte{text, page} {
		if err := writeNew(paths[i], b); err != nil {
			return nil, fmt.Errorf("commissioning record: %w", err)
		}
	}
	w.say("done", paths[0], paths[1], commissioning.Digest(text))
	return paths, nil
}

// tally is what a record adds up to.
type tally struct{ meters, accepted, doubtful, differing, uncompared int }

func count(r commissioning.Record) (s tally) {
	for _, m := range r.Meters {
		s.meters++
		if m.Accepted {
			s.accepted++
		}
		for _, x := range m.Readings {
			if !x.OK {
				s.doubtful++
			}
		}
		if m.Comparison != nil && !m.Comparison.Agrees {
			s.differing++
		} else if m.Comparison == nil {
			s.uncompared++
		}
	}
	return s
}

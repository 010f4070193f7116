package port

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/thermie/thermie/metering"
)

// Replay is a file of measured readings that come out of the port's meters in
// place of the physics.
//
// The file is CSV with a header, at most 64 MB. Lines that begin with '#' are
// comments. Wide form, one column for each series:
//
//	time,laiterie-chaleur/heat_energy,laiterie-chaleur/flow_temperature,laiterie-gaz/gas_volume
//	2026-03-02T00:00:00+01:00,1204511,47.2,88120.4
//
// Long form, one line for each reading:
//
//	time,series,number
//	2026-03-02T00:00:00+01:00,laiterie-chaleur/heat_energy,1204511
//
// Times are RFC 3339, those of one series ascending. Numbers are decimals with
// a point; an empty cell is a reading that is not there. A number is in the
// first unit of its quantity (kWh, kW, m3, m3/h, Cel; see
// metering.Quantities), or in the unit that stands behind the series in
// brackets: "laiterie-chaleur/heat_energy [J]". Counters are registers, as
// read. A meter on a pulse input is named by what its pulses count.
//
// The file is moved in time so that its last part is still to come: a file of
// two weeks or more by whole weeks, so that its end lies within the week after
// the port's epoch; one of two days or more by whole days, so that its end lies
// within the day after it; a shorter one so that three quarters of it lie before
// the epoch. What lies before the epoch is history, of origin replayed; the rest
// is played at real speed. At its end the meters fall silent: nothing is
// invented. A reading holds until the next, for at most three times the usual
// distance of readings (a quarter of an hour at least).
//
// From the file's beginning on, a gateway that has a replayed meter reads the
// replayed meters only, so that nothing synthetic is called replayed. A
// quantity that the file does not give is not available.
type Replay struct {
	series map[metering.SeriesID]*recording
	from   time.Time // of the first row, as in the file
	to     time.Time
}

// recording is one series of a replay: times in Unix milliseconds, ascending.
type recording struct {
	unit   metering.Unit
	at     []int64
	number []metering.Decimal
	hold   int64 // milliseconds that a reading is good for
}

// Bounds of a replay file.
const (
	maxReplayBytes  = 64 << 20
	maxReplaySeries = 500
)

// ParseReplay reads a replay file. Errors name the file and the line.
func ParseReplay(name string, r io.Reader) (*Replay, error) {
	limited := &io.LimitedReader{R: r, N: maxReplayBytes + 1}
	c := csv.NewReader(bufio.NewReader(limited))
	c.Comment, c.ReuseRecord = '#', true
	x := &Replay{series: map[metering.SeriesID]*recording{}}
	fail := func(err error) (*Replay, error) {
		line, _ := c.FieldPos(0)
		return nil, fmt.Errorf("replay %s, line %d: %w", name, line, err)
	}
	header, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("replay %s: header: %w", name, err)
	}
	long := len(header) >= 3 && header[1] == "series" && header[2] == "number"
	if header[0] != "time" || len(header) < 2 {
		return fail(errors.New(`header: want "time,<meter>/<quantity>,..." or "time,series,number"`))
	}
	var columns []*recording
	if !long {
		for _, h := range header[1:] {
			rec, err := x.open(h)
			if err != nil {
				return fail(err)
			}
			if slices.Contains(columns, rec) {
				return fail(fmt.Errorf("column %q is given twice", h))
			}
			columns = append(columns, rec)
		}
	}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("replay %s: %w", name, err)
		}
		if limited.N <= 0 {
			return fail(fmt.Errorf("more than %d MB", maxReplayBytes>>20))
		}
		at, err := time.Parse(time.RFC3339, row[0])
		if err != nil || at.Year() < 2000 || at.Year() > 2199 {
			return fail(fmt.Errorf("time %q: want RFC 3339 between 2000 and 2199", row[0]))
		}
		if long {
			rec, err := x.open(row[1])
			if err == nil {
				err = rec.add(at, row[2])
			}
			if err != nil {
				return fail(fmt.Errorf("%s: %w", row[1], err))
			}
			continue
		}
		for i, rec := range columns {
			if err := rec.add(at, row[1+i]); err != nil {
				return fail(fmt.Errorf("%s: %w", header[1+i], err))
			}
		}
	}
	return x, x.finish(name)
}

// open finds or begins the recording of a series, named with or without unit.
func (x *Replay) open(text string) (*recording, error) {
	id, unit, stated := strings.Cut(strings.TrimSpace(text), " [")
	series := metering.SeriesID(id)
	if err := series.Check(); err != nil {
		return nil, err
	}
	info, _ := series.Quantity().Info()
	u := info.Units[0]
	if stated {
		u = metering.Unit(strings.TrimSuffix(unit, "]"))
		if !strings.HasSuffix(unit, "]") || !slices.Contains(info.Units, u) {
			return nil, fmt.Errorf("%q: want one of the units %v in brackets", text, info.Units)
		}
	}
	rec := x.series[series]
	if rec == nil {
		if len(x.series) == maxReplaySeries {
			return nil, fmt.Errorf("more than %d series", maxReplaySeries)
		}
		rec = &recording{unit: u}
		x.series[series] = rec
	}
	if rec.unit != u {
		return nil, fmt.Errorf("%q: was in %s before", text, rec.unit)
	}
	return rec, nil
}

func (r *recording) add(at time.Time, text string) error {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	n, err := metering.ParseDecimal(text)
	if err != nil {
		return err
	}
	if f := math.Abs(n.Float64()); f > 1e15 {
		return fmt.Errorf("number %s out of range", text)
	}
	millis := at.UnixMilli()
	if k := len(r.at); k > 0 && millis <= r.at[k-1] {
		return fmt.Errorf("%s does not come after the reading before", at.Format(time.RFC3339))
	}
	r.at, r.number = append(r.at, millis), append(r.number, n)
	return nil
}

// finish finds the file's bounds and how long readings hold.
func (x *Replay) finish(name string) error {
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for id, r := range x.series {
		if len(r.at) < 2 {
			return fmt.Errorf("replay %s: %s has %d readings, want 2 or more", name, id, len(r.at))
		}
		first, last = min(first, r.at[0]), max(last, r.at[len(r.at)-1])
		steps := make([]int64, len(r.at)-1)
		for i := range steps {
			steps[i] = r.at[i+1] - r.at[i]
		}
		slices.Sort(steps)
		r.hold = max(3*steps[len(steps)/2], (15 * time.Minute).Milliseconds())
	}
	if len(x.series) == 0 {
		return fmt.Errorf("replay %s: no readings", name)
	}
	x.from, x.to = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
	return nil
}

// Shift is how far a port with this epoch moves the file in time.
func (x *Replay) Shift(epoch time.Time) time.Duration {
	length := x.to.Sub(x.from)
	const day = 24 * time.Hour
	unit := time.Duration(0)
	switch {
	case length >= 14*day:
		unit = 7 * day
	case length >= 2*day:
		unit = day
	default:
		return epoch.Add(-length / 4 * 3).Sub(x.from).Truncate(time.Second)
	}
	ahead := epoch.Sub(x.to)
	n := ahead / unit
	if ahead%unit >= 0 {
		n++ // the end must lie after the epoch
	}
	return n * unit
}

// played is a meter's part of a replay, in the port's milliseconds.
type played struct {
	from   int64
	shift  int64 // from the port's milliseconds to the file's Unix milliseconds
	series map[metering.Quantity]*recording
	pulse  *recording
}

// replay prepares the meters for the file; those of its gateways that are not in
// it fall silent where it begins.
func (p *Port) replay(x *Replay) error {
	if x == nil {
		return nil
	}
	shift := x.Shift(p.options.Epoch)
	p.replayFrom, p.replayTo = x.from.Add(shift), x.to.Add(shift)
	base := &played{from: p.millis(p.replayFrom), shift: p.start.Add(-shift).UnixMilli()}
	p.replayed = map[string]bool{}
	ids := make([]metering.SeriesID, 0, len(x.series))
	for id := range x.series {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		m := p.installed[id.Meter()]
		if m == nil {
			return fmt.Errorf("replay: the port has no meter %q", id.Meter())
		}
		if m.view.played == nil {
			m.view.played = &played{from: base.from, shift: base.shift, series: map[metering.Quantity]*recording{}}
		}
		p.replayed[Gateway(m.Company)] = true
		if m.Pulse != nil {
			if id.Quantity() != m.Pulse.Quantity || x.series[id].unit != m.Pulse.Unit {
				return fmt.Errorf("replay: %s: the pulses of this meter count %s in %s", id, m.Pulse.Quantity, m.Pulse.Unit)
			}
			m.view.played.pulse = x.series[id]
			continue
		}
		if !slices.ContainsFunc(m.fields, func(g *register) bool { return g.owner == m && g.field.Quantity == id.Quantity() }) {
			return fmt.Errorf("replay: %s: a %s does not measure it", id, m.Profile)
		}
		m.view.played.series[id.Quantity()] = x.series[id]
	}
	for _, m := range p.installed {
		if p.replayed[Gateway(m.Company)] && m.view.played == nil {
			m.view.played = &played{from: base.from, shift: base.shift}
		}
	}
	return nil
}

// at is the reading that holds at an instant; ok is false when there is none.
func (r *recording) read(unixMillis int64) (metering.Decimal, bool) {
	i := sort.Search(len(r.at), func(i int) bool { return r.at[i] > unixMillis }) - 1
	if i < 0 || unixMillis-r.at[i] > r.hold {
		return metering.Decimal{}, false
	}
	return r.number[i], true
}

// number is what the file says of a quantity, in the unit of the register.
func (y *played) number(m *Meter, q metering.Quantity, u metering.Unit, millis int64) (metering.Decimal, bool) {
	unix := millis + y.shift
	if m.Pulse != nil {
		if q != metering.PulseCount || y.pulse == nil {
			return metering.Decimal{}, false
		}
		n, ok := y.pulse.read(unix)
		if !ok {
			return n, false
		}
		return metering.Int(int64(math.Floor(n.Float64()/m.Pulse.Weight.Float64() + 1e-9))), true
	}
	r := y.series[q]
	if r == nil {
		return metering.Decimal{}, false
	}
	n, ok := r.read(unix)
	if !ok || r.unit == u {
		return n, ok
	}
	joules := metering.Int(3_600_000)
	var err error
	if u == metering.Joule {
		n, err = n.Mul(joules)
	} else {
		n, err = metering.Float(n.Float64() / joules.Float64())
	}
	return n, err == nil
}

// speaks says whether the file has anything to say of the meter at an instant.
func (y *played) speaks(millis int64) bool {
	if y.pulse != nil {
		_, ok := y.pulse.read(millis + y.shift)
		return ok
	}
	for _, r := range y.series {
		if _, ok := r.read(millis + y.shift); ok {
			return true
		}
	}
	return false
}

// Replayed tells which meters of a gateway are replayed, and from when to when;
// ok is false when none is. Such a gateway must be configured with these meters
// only and with the origin replayed.
func (p *Port) Replayed(gateway string) (meters []string, from, to time.Time, ok bool) {
	if !p.replayed[gateway] {
		return nil, from, to, false
	}
	for i := range p.fleet {
		m := p.installed[p.fleet[i].ID]
		if Gateway(m.Company) == gateway && (len(m.view.played.series) > 0 || m.view.played.pulse != nil) {
			meters = append(meters, m.ID)
		}
	}
	return meters, p.replayFrom, p.replayTo, true
}

package importer

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Stamp says which end of an interval a load curve's times are.
type Stamp string

// The stamps. By default it is found out: a curve that has a value at midnight
// of its first day ("Date de debut") is stamped at the beginnings, one that has
// one at midnight of its end ("Date de fin") at the ends. Where both or neither
// hold, the file must be told.
const (
	StampFound Stamp = ""
	StampStart Stamp = "start"
	StampEnd   Stamp = "end"
)

// longestStep is the longest interval of a load curve; a longer pause is a gap.
const longestStep = time.Hour

// Enedis reads what a customer is given of one delivery point: a line of names
// (Identifiant PRM, Type de donnees, Date de debut, Date de fin, Grandeur metier,
// Unite, Pas en minutes ...), a line of what they are, then
//
//	Horodate;Valeur            load curve in W: mean power of intervals, with offsets
//	Horodate;...;EAS T         registers in Wh (Type de releve)
//	Date;Valeur (en Wh)        energy of civil days
//
// or, in another layout, everything beside each value (Date de la mesure; Heure
// de la mesure; Valeur; Statut de la mesure; ...), in civil time.
//
// Mean power becomes energy in joules, which is exact for any step. A status
// other than R (measured) is suspect. The file is of one meter: a curve and
// registers of the same point are two.
func Enedis(r io.Reader, meter string, stamp Stamp) (*Sheet, error) {
	in, err := plain(r)
	if err != nil {
		return nil, err
	}
	e := &enedis{t: newTable(in, ';'), meter: meter, stamp: stamp, clock: newInstants(calendar.Paris, "02/01/2006 15:04:05", "02/01/2006 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04")}
	if err := e.read(); err != nil {
		return nil, err
	}
	return &e.out, nil
}

type enedis struct {
	t     *table
	meter string
	stamp Stamp
	clock *instants
	out   Sheet

	first, last time.Time // days of the file, the last not included
	production  bool
	unit        string
	step        time.Duration // as the file says; 0: unknown
	curve       []enedisPoint
}

type enedisPoint struct {
	at      int64
	number  metering.Decimal
	quality metering.Quality
}

func (e *enedis) read() error {
	var c columns
	about := false // the next row tells of the file
	for {
		row, err := e.t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		names := columnsOf(row)
		switch {
		case names.has("Date de la mesure", "Heure de la mesure", "Valeur"):
			c = names
			continue
		case names.has("Identifiant PRM", "Type de donnees"):
			if c != nil {
				return e.t.at(fmt.Errorf("a second set of data in the file: cut it apart: %w", ErrFormat))
			}
			c, about = names, true
			continue
		case about:
			if err := e.tell(c, row); err != nil {
				return e.t.at(err)
			}
			c, about = nil, false
			continue
		case names.has("Horodate"), names.has("Date", "Valeur (en Wh)"), names.has("Date", "Valeur (en kWh)"):
			c = names
			continue
		case names.has("Periode", "Identifiant calendrier fournisseur"):
			return e.finish() // what follows tells of tariffs
		case c == nil:
			continue
		}
		if err := e.row(c, row); err != nil {
			return e.t.at(err)
		}
	}
	return e.finish()
}

// tell takes what the file says of itself, once.
func (e *enedis) tell(c columns, row []string) error {
	for name, into := range map[string]*time.Time{"Date de debut": &e.first, "Date de fin": &e.last} {
		text := c.cell(row, name)
		for _, layout := range []string{"02/01/2006", "2006-01-02"} {
			if t, err := time.ParseInLocation(layout, text, calendar.Paris); err == nil {
				*into = t
			}
		}
	}
	switch simple(c.cell(row, "Grandeur metier")) {
	case "consommation", "cons", "":
	case "production", "prod", "injection":
		e.production = true
	default:
		return fmt.Errorf("grandeur metier %q: %w", c.cell(row, "Grandeur metier"), ErrFormat)
	}
	if p := simple(c.cell(row, "Grandeur physique")); p != "" && p != "energie active" && p != "ea" && p != "puissance active" && p != "pa" {
		return fmt.Errorf("grandeur physique %q: only active energy is read: %w", c.cell(row, "Grandeur physique"), ErrFormat)
	}
	e.unit = c.cell(row, "Unite")
	if text := c.cell(row, "Pas en minutes"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 || time.Duration(n)*time.Minute > longestStep {
			return fmt.Errorf("pas en minutes %q: %w", text, ErrFormat)
		}
		e.step = time.Duration(n) * time.Minute
	}
	return nil
}

func (e *enedis) series() metering.SeriesID {
	if e.production {
		return metering.Series(e.meter, metering.ActiveEnergyExport)
	}
	return metering.Series(e.meter, metering.ActiveEnergyImport)
}

func (e *enedis) row(c columns, row []string) error {
	switch {
	case c.has("Date de la mesure"):
		if e.unit == "" {
			if err := e.tell(c, row); err != nil {
				return err
			}
		}
		return e.power(c.cell(row, "Date de la mesure")+" "+c.cell(row, "Heure de la mesure"), c.cell(row, "Valeur"), c.cell(row, "Statut de la mesure"))
	case c.has("Horodate", "EAS T"):
		return e.register(c, row)
	case c.has("Horodate", "Valeur"):
		return e.power(c.cell(row, "Horodate"), c.cell(row, "Valeur"), "")
	case c.has("Date"):
		return e.dayEnergy(c, row)
	}
	return fmt.Errorf("row of unknown columns: %w", ErrFormat)
}

func (e *enedis) power(when, value, status string) error {
	if e.unit != "W" && e.unit != "kW" {
		return fmt.Errorf("unit %q of a load curve: want W or kW: %w", e.unit, ErrFormat)
	}
	at, err := e.clock.parse(when)
	if err != nil {
		return err
	}
	p := enedisPoint{at: at.UnixMilli()}
	if n := len(e.curve); n > 0 && p.at <= e.curve[n-1].at {
		return fmt.Errorf("%s does not come after the line before: %w", when, ErrFormat)
	}
	if value == "" {
		p.quality = notAvailable
	} else if p.number, err = decimal(value); err != nil {
		return err
	}
	if s := strings.ToUpper(status); value != "" && s != "" && s != "R" {
		p.quality = estimated
	}
	e.curve = append(e.curve, p)
	return nil
}

func (e *enedis) register(c columns, row []string) error {
	if e.unit != "Wh" && e.unit != "kWh" {
		return fmt.Errorf("unit %q of registers: want Wh or kWh: %w", e.unit, ErrFormat)
	}
	at, err := e.clock.parse(c.cell(row, "Horodate"))
	if err != nil {
		return err
	}
	x := metering.Reading{Series: e.series(), At: at.UnixMilli(), Unit: metering.KWh}
	if text := c.cell(row, "EAS T"); text == "" {
		x.Quality = notAvailable
	} else if x.Number, err = e.kWh(text); err != nil {
		return err
	}
	e.out.Points = append(e.out.Points, x)
	return nil
}

func (e *enedis) kWh(text string) (metering.Decimal, error) {
	d, err := decimal(text)
	if err == nil && e.unit == "Wh" {
		d.Exp -= 3
	}
	return d, err
}

func (e *enedis) dayEnergy(c columns, row []string) error {
	var t time.Time
	err := ErrFormat
	for _, layout := range []string{"2006-01-02", "02/01/2006"} {
		if v, perr := time.Parse(layout, c.cell(row, "Date")); perr == nil {
			t, err = v, nil
		}
	}
	if err != nil {
		return fmt.Errorf("date %q: %w", c.cell(row, "Date"), err)
	}
	from, to := day(t)
	a := Amount{Series: e.series(), From: from.UnixMilli(), To: to.UnixMilli(), Unit: metering.KWh}
	text := c.cell(row, "Valeur (en kWh)")
	if c.has("Valeur (en Wh)") {
		e.unit, text = "Wh", c.cell(row, "Valeur (en Wh)")
	}
	if text == "" {
		a.Quality = notAvailable
	} else if a.Number, err = e.kWh(text); err != nil {
		return err
	}
	e.out.Amounts = append(e.out.Amounts, a)
	return nil
}

// finish turns a curve into amounts.
func (e *enedis) finish() error {
	if len(e.curve) > 0 {
		if err := e.intervals(); err != nil {
			return err
		}
	}
	if len(e.out.Points)+len(e.out.Amounts) == 0 {
		return fmt.Errorf("no values: %w", ErrFormat)
	}
	return nil
}

func (e *enedis) intervals() error {
	stamp, err := e.stamped()
	if err != nil {
		return err
	}
	step := e.step.Milliseconds()
	for i := 1; i < len(e.curve) && e.step == 0; i++ { // the shortest distance
		if d := e.curve[i].at - e.curve[i-1].at; step == 0 || d < step {
			step = d
		}
	}
	if step <= 0 || step > longestStep.Milliseconds() {
		return fmt.Errorf("load curve with a step of %s: %w", time.Duration(step)*time.Millisecond, ErrFormat)
	}
	for i, p := range e.curve {
		a := Amount{Series: e.series(), Unit: metering.Joule, Quality: p.quality}
		// The step may change within a file: an interval reaches to its neighbour.
		if stamp == StampStart {
			a.From, a.To = p.at, p.at+step
			if i+1 < len(e.curve) && e.curve[i+1].at-p.at <= longestStep.Milliseconds() {
				a.To = e.curve[i+1].at
			}
		} else {
			a.From, a.To = p.at-step, p.at
			if i > 0 && p.at-e.curve[i-1].at <= longestStep.Milliseconds() {
				a.From = e.curve[i-1].at
			}
		}
		if (a.To-a.From)%1000 != 0 {
			return fmt.Errorf("interval at %s is no whole number of seconds: %w", instant(a.From), ErrFormat)
		}
		watts := p.number
		if e.unit == "kW" {
			watts.Exp += 3
		}
		if a.Number, err = watts.Mul(metering.Int((a.To - a.From) / 1000)); err != nil {
			return err
		}
		e.out.Amounts = append(e.out.Amounts, a)
	}
	return nil
}

func (e *enedis) stamped() (Stamp, error) {
	if e.stamp != StampFound {
		return e.stamp, nil
	}
	starts := !e.first.IsZero() && e.curve[0].at <= e.first.UnixMilli()
	ends := !e.last.IsZero() && e.curve[len(e.curve)-1].at >= e.last.UnixMilli()
	switch {
	case starts && !ends:
		return StampStart, nil
	case ends && !starts:
		return StampEnd, nil
	}
	return "", fmt.Errorf("whether times are beginnings or ends of intervals cannot be seen in this file: say start or end: %w", ErrFormat)
}

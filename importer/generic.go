package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Mapping tells how a CSV file is read. It is YAML:
//
//	separator: ";"            # default: ","
//	skip: 2                   # lines before the one with the column names
//	time: {column: Date, format: "%d/%m/%Y %H:%M", zone: Europe/Paris}   # or zone: UTC; an offset in the time wins
//	missing: ["", "NA"]       # default: only empty
//	stamp: end                # of amounts: start (default) or end of the interval
//	step: 30m                 # of amounts
//	quality: {column: Statut, good: ["R"], missing: ["X"]}   # anything else is suspect
//	columns:
//	  - {column: "Index (MWh)", series: four-heat/heat_energy, unit: kWh, scale: "1000"}
//	  - {column: "Conso (kWh)", series: site/active_energy_import, unit: kWh, amount: true}
type Mapping struct {
	Separator string `yaml:"separator"`
	Skip      int    `yaml:"skip"`
	Time      struct {
		Column string `yaml:"column"`
		Format string `yaml:"format"` // strftime's %Y %m %d %H %M %S %z; default: ISO 8601
		Zone   string `yaml:"zone"`
	} `yaml:"time"`
	Missing []string `yaml:"missing"`
	Stamp   Stamp    `yaml:"stamp"`
	Step    Duration `yaml:"step"`
	Quality struct {
		Column  string   `yaml:"column"`
		Good    []string `yaml:"good"`
		Missing []string `yaml:"missing"`
	} `yaml:"quality"`
	Columns []MappedColumn `yaml:"columns"`

	zone  *time.Location
	comma rune
}

// MappedColumn is one column of numbers.
type MappedColumn struct {
	Column string            `yaml:"column"`
	Series metering.SeriesID `yaml:"series"`
	Unit   metering.Unit     `yaml:"unit"`
	Scale  metering.Decimal  `yaml:"scale"`  // number in the unit = number in the file * scale; 0: 1
	Amount bool              `yaml:"amount"` // of an interval, else a register or a state at an instant
}

// Duration is a span in YAML, like "30m".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// ParseMapping reads and checks a mapping file; name is for errors.
func ParseMapping(name string, b []byte) (*Mapping, error) {
	if len(b) > 1<<20 {
		return nil, fmt.Errorf("mapping %s: %d bytes: more than 1 MiB", name, len(b))
	}
	m := &Mapping{Missing: []string{""}, Separator: ",", Stamp: StampStart}
	m.Time.Zone = calendar.Paris.String()
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("mapping %s: %s", name, strings.Join(strings.Fields(err.Error()), " "))
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("mapping %s: %w", name, err)
	}
	return m, nil
}

func (m *Mapping) check() (err error) {
	if r := []rune(m.Separator); len(r) == 1 && r[0] != '"' && r[0] != '\r' && r[0] != '\n' {
		m.comma = r[0]
	} else {
		return fmt.Errorf("separator: %q is not one character", m.Separator)
	}
	switch m.Time.Zone {
	case "UTC":
		m.zone = time.UTC
	case calendar.Paris.String():
		m.zone = calendar.Paris
	default:
		return fmt.Errorf("time.zone: %q is neither Europe/Paris nor UTC", m.Time.Zone)
	}
	if _, err := layoutOf(m.Time.Format); err != nil {
		return fmt.Errorf("time.format: %w", err)
	}
	switch {
	case m.Time.Column == "":
		return errors.New("time.column: missing")
	case m.Skip < 0 || m.Skip > 1000:
		return fmt.Errorf("skip: %d is not between 0 and 1000", m.Skip)
	case len(m.Columns) == 0:
		return errors.New("columns: none")
	case m.Stamp != StampStart && m.Stamp != StampEnd:
		return fmt.Errorf("stamp: %q is neither start nor end", m.Stamp)
	}
	seen := map[metering.SeriesID]bool{}
	for i := range m.Columns {
		c := &m.Columns[i]
		if err := c.Series.Check(); err != nil {
			return fmt.Errorf("columns: %s: %w", c.Column, err)
		}
		if c.Scale == (metering.Decimal{}) {
			c.Scale = metering.Int(1)
		}
		switch {
		case c.Column == "":
			return fmt.Errorf("columns: series %s: column missing", c.Series)
		case !c.Series.Quantity().Allows(c.Unit):
			return fmt.Errorf("columns: %s: unit %q does not fit %s", c.Column, c.Unit, c.Series)
		case seen[c.Series]:
			return fmt.Errorf("columns: series %s twice", c.Series)
		case c.Amount && c.Series.Quantity().Kind() != metering.Counter:
			return fmt.Errorf("columns: %s: an amount of %s cannot be", c.Column, c.Series.Quantity())
		case c.Amount && (m.Step <= 0 || time.Duration(m.Step)%time.Second != 0):
			return errors.New("step: amounts need one, of whole seconds, like 30m")
		}
		seen[c.Series] = true
	}
	return nil
}

// Meters are those that a mapping names.
func (m *Mapping) Meters() (out []string) {
	for _, c := range m.Columns {
		if !slices.Contains(out, c.Series.Meter()) {
			out = append(out, c.Series.Meter())
		}
	}
	return out
}

// CSV reads a table with a mapping.
func CSV(r io.Reader, m *Mapping) (*Sheet, error) {
	in, err := plain(r)
	if err != nil {
		return nil, err
	}
	for range m.Skip {
		for {
			_, more, err := in.ReadLine()
			if err != nil {
				return nil, fmt.Errorf("fewer than %d lines: %w", m.Skip, ErrFormat)
			}
			if !more {
				break
			}
		}
	}
	t := newTable(in, m.comma)
	head, err := t.next()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", errors.Join(ErrFormat, err))
	}
	c := columnsOf(head)
	want := []string{m.Time.Column}
	if m.Quality.Column != "" {
		want = append(want, m.Quality.Column)
	}
	for _, x := range m.Columns {
		want = append(want, x.Column)
	}
	for _, name := range want {
		if !c.has(name) {
			return nil, fmt.Errorf("no column %q: %w", name, ErrFormat)
		}
	}
	layouts := []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04"}
	if m.Time.Format != "" {
		layout, _ := layoutOf(m.Time.Format) // checked
		layouts = []string{layout}
	}
	clock := newInstants(m.zone, layouts...)
	s := &Sheet{}
	for {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(row) == 1 && row[0] == "" {
			continue
		}
		at, err := clock.parse(c.cell(row, m.Time.Column))
		if err == nil {
			err = m.row(s, c, row, at.UnixMilli())
		}
		if err != nil {
			return nil, t.at(fmt.Errorf("%w", err))
		}
	}
	if len(s.Points)+len(s.Amounts) == 0 {
		return nil, fmt.Errorf("no rows: %w", ErrFormat)
	}
	return s, nil
}

func (m *Mapping) row(s *Sheet, c columns, row []string, at int64) error {
	var q metering.Quality
	if m.Quality.Column != "" {
		switch text := c.cell(row, m.Quality.Column); {
		case slices.Contains(m.Quality.Missing, text):
			q = notAvailable
		case !slices.Contains(m.Quality.Good, text):
			q = estimated
		}
	}
	for _, x := range m.Columns {
		q, number := q, metering.Decimal{}
		text := c.cell(row, x.Column)
		if slices.Contains(m.Missing, text) {
			q = notAvailable
		}
		if q.Level != metering.Missing {
			d, err := decimal(text)
			if err == nil {
				number, err = d.Mul(x.Scale)
			}
			if err != nil {
				return fmt.Errorf("column %s: %w", x.Column, err)
			}
		}
		if !x.Amount {
			s.Points = append(s.Points, metering.Reading{Series: x.Series, At: at, Number: number, Unit: x.Unit, Quality: q})
			continue
		}
		a := Amount{Series: x.Series, From: at, To: at + time.Duration(m.Step).Milliseconds(), Number: number, Unit: x.Unit, Quality: q}
		if m.Stamp == StampEnd {
			a.From, a.To = at-time.Duration(m.Step).Milliseconds(), at
		}
		s.Amounts = append(s.Amounts, a)
	}
	return nil
}

package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// gasDayBegins is when a gas day begins, civil time (06:00 of its date).
const gasDayBegins = 6

// maxWorkbook bounds what an XLSX file unpacks to, in bytes.
const maxWorkbook = 64 << 20

// GRDF reads what a customer is given of one metering point (PCE): the JSON of
// the customer pages, the workbook that they offer, or that sheet as CSV.
//
//	JSON  {"<PCE>": {"releves": [{"dateDebutReleve", "dateFinReleve", "journeeGaziere", "volumeBrutConsomme", "qualificationReleve", ...}]}}
//	XLSX, CSV  Date de relevé | Volume consommé (m3) | Energie consommée (kWh) | Coefficient de conversion | Température locale (°C)
//
// The volume that the meter counted is taken, and, where the file has it, the energy
// that the grid operator makes of it: kWh of gross calorific value (PCS), as it
// stands there. The conversion coefficients (kWh a m3) that go with it are named in a
// note, and days whose energy is not their volume times their coefficient are
// counted. A gas day lasts from 06:00 to 06:00. What was not measured ("Estimé",
// "Absence de Données") is suspect or missing.
func GRDF(r io.Reader, meter string) (*Sheet, error) {
	in, err := plain(r)
	if err != nil {
		return nil, err
	}
	id := metering.Series(meter, metering.GasVolume)
	head, _ := in.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return grdfWorkbook(in, id)
	case bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")):
		return grdfJSON(in, id)
	}
	rows := [][]string{}
	t := newTable(in, ';')
	for {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			return grdfRows(rows, id)
		}
		if err != nil {
			return nil, err
		}
		if rows = append(rows, slices.Clone(row)); len(rows) > 1_000_000 {
			return nil, fmt.Errorf("more than a million rows of days: %w", ErrFormat)
		}
	}
}

func grdfJSON(r io.Reader, id metering.SeriesID) (*Sheet, error) {
	type reading struct {
		From   string           `json:"dateDebutReleve"`
		To     string           `json:"dateFinReleve"`
		Day    *string          `json:"journeeGaziere"`
		Volume *json.RawMessage `json:"volumeBrutConsomme"`
		Energy *json.RawMessage `json:"energieConsomme"`
		Coef   *json.RawMessage `json:"coeffConversion"`
		How    string           `json:"qualificationReleve"`
	}
	var points map[string]struct {
		Readings []reading `json:"releves"`
	}
	if err := json.NewDecoder(r).Decode(&points); err != nil {
		return nil, fmt.Errorf("%w: JSON: %w", ErrFormat, err)
	}
	if len(points) != 1 {
		return nil, fmt.Errorf("%d metering points in the file, want one: %w", len(points), ErrFormat)
	}
	g := &gasDays{sheet: &Sheet{}, volume: id}
	raw := func(m *json.RawMessage) string {
		if m == nil || string(*m) == "null" {
			return ""
		}
		return strings.Trim(string(*m), `"`)
	}
	for _, p := range points {
		for i, x := range p.Readings {
			a, err := grdfInterval(x.From, x.To, x.Day)
			if err != nil {
				return nil, fmt.Errorf("relevé %d: %w", i+1, err)
			}
			if err := g.add(a, raw(x.Volume), raw(x.Energy), raw(x.Coef), x.How); err != nil {
				return nil, fmt.Errorf("relevé %d: %w", i+1, err)
			}
		}
	}
	if len(g.sheet.Amounts) == 0 {
		return nil, fmt.Errorf("no relevés: %w", ErrFormat)
	}
	return g.done(), nil
}

// grdfInterval is the gas day, or else what lies between two readings.
func grdfInterval(from, to string, gasDay *string) (a Amount, err error) {
	if gasDay != nil && *gasDay != "" {
		t, err := time.Parse(time.DateOnly, *gasDay)
		if err != nil {
			return a, fmt.Errorf("journeeGaziere %q: %w", *gasDay, ErrFormat)
		}
		a.From, a.To = gasDayOf(t)
		return a, nil
	}
	for _, x := range []struct {
		text string
		into *int64
	}{{from, &a.From}, {to, &a.To}} {
		t, err := newInstants(calendar.Paris, "2006-01-02T15:04:05", "2006-01-02").parse(x.text)
		if err != nil {
			return a, err
		}
		*x.into = t.UnixMilli()
	}
	return a, nil
}

func gasDayOf(t time.Time) (from, to int64) {
	y, m, d := t.Date()
	return time.Date(y, m, d, gasDayBegins, 0, 0, 0, calendar.Paris).UnixMilli(), time.Date(y, m, d+1, gasDayBegins, 0, 0, 0, calendar.Paris).UnixMilli()
}

// gasDays collects the intervals of a file.
type gasDays struct {
	sheet         *Sheet
	volume        metering.SeriesID
	least, most   float64 // coefficients, kWh PCS a m3
	with, differs int     // intervals with energy, and those where it does not follow
}

// add takes an interval's volume, and its energy where the file has one.
func (g *gasDays) add(a Amount, volume, energy, coefficient, how string) error {
	a.Series, a.Unit = g.volume, metering.CubicM
	if err := a.measure(volume, how); err != nil {
		return err
	}
	g.sheet.Amounts = append(g.sheet.Amounts, a)
	if energy == "" && (g.with == 0 || a.Quality.Level != metering.Missing) {
		return nil
	}
	e := a
	e.Series, e.Unit = metering.Series(g.volume.Meter(), metering.GasEnergy), metering.KWh
	if err := e.measure(energy, how); err != nil {
		return err
	}
	g.sheet.Amounts = append(g.sheet.Amounts, e)
	if e.Quality.Level != metering.Missing {
		g.with++
	}
	if coefficient == "" || a.Quality.Level == metering.Missing {
		return nil
	}
	d, err := decimal(coefficient)
	if err != nil {
		return fmt.Errorf("conversion: %w", err)
	}
	c := d.Float64()
	if g.least == 0 || c < g.least {
		g.least = c
	}
	g.most = max(g.most, c)
	// Pages round energies to whole kWh.
	if want := a.Number.Float64() * c; math.Abs(e.Number.Float64()-want) > 1+0.01*want {
		g.differs++
	}
	return nil
}

// done adds what is to be said of the energies.
func (g *gasDays) done() *Sheet {
	if g.with > 0 {
		note := fmt.Sprintf("energy of %d intervals taken as the file states it, kWh PCS", g.with)
		if g.most > 0 {
			note += fmt.Sprintf(", at %g to %g kWh PCS a m3", g.least, g.most)
		}
		g.sheet.Notes = append(g.sheet.Notes, note)
	}
	if g.differs > 0 {
		g.sheet.Notes = append(g.sheet.Notes, fmt.Sprintf("in %d intervals the energy is not the volume times the coefficient", g.differs))
	}
	return g.sheet
}

// measure sets number and quality.
func (a *Amount) measure(text, how string) (err error) {
	switch h := simple(how); {
	case text == "" || text == "null" || strings.HasPrefix(h, "absence"):
		a.Quality = notAvailable
		return nil
	case h != "" && !strings.HasPrefix(h, "mesure"):
		a.Quality = estimated
	}
	a.Number, err = decimal(text)
	return err
}

func grdfWorkbook(r io.Reader, id metering.SeriesID) (*Sheet, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxWorkbook+1))
	if err != nil {
		return nil, err
	}
	f, err := excelize.OpenReader(bytes.NewReader(b), excelize.Options{UnzipSizeLimit: maxWorkbook, UnzipXMLSizeLimit: maxWorkbook, RawCellValue: true})
	if err != nil {
		return nil, fmt.Errorf("%w: XLSX: %w", ErrFormat, err)
	}
	defer f.Close()
	names := f.GetSheetList()
	if len(names) == 0 {
		return nil, fmt.Errorf("workbook without sheets: %w", ErrFormat)
	}
	rows, err := f.GetRows(names[0], excelize.Options{RawCellValue: true})
	if err != nil {
		return nil, fmt.Errorf("%w: sheet %s: %w", ErrFormat, names[0], err)
	}
	return grdfRows(rows, id)
}

// grdfRows reads the sheet; lines before the header tell of the customer.
func grdfRows(rows [][]string, id metering.SeriesID) (*Sheet, error) {
	g := &gasDays{sheet: &Sheet{}, volume: id}
	var c columns
	for i, row := range rows {
		if c == nil {
			if n := columnsOf(row); n.has("Date de releve", "Volume consomme (m3)") {
				c = n
			}
			continue
		}
		text := c.cell(row, "Date de releve")
		if text == "" {
			continue
		}
		t, err := grdfDate(text)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i+1, err)
		}
		a := Amount{}
		a.From, a.To = gasDayOf(t)
		if err := g.add(a, c.cell(row, "Volume consomme (m3)"), c.cell(row, "Energie consommee (kWh)"), c.cell(row, "Coefficient de conversion"), c.cell(row, "Qualification")); err != nil {
			return nil, fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	if len(g.sheet.Amounts) == 0 {
		return nil, fmt.Errorf("no rows below Date de relevé and Volume consommé (m3): %w", ErrFormat)
	}
	return g.done(), nil
}

// grdfDate reads a date as text, or as the number of days by which workbooks count.
func grdfDate(s string) (time.Time, error) {
	for _, layout := range []string{"02/01/2006", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	d, err := metering.ParseDecimal(s)
	if n := d.Float64(); err == nil && n >= 36526 && n < 109575 { // 2000 to 2200
		return excelize.ExcelDateToTime(n, false)
	}
	return time.Time{}, fmt.Errorf("date %q: %w", s, ErrFormat)
}

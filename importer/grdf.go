package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
// The volume that the meter counted is taken; energy follows from it with the
// conversion factor that a plan names. A gas day lasts from 06:00 to 06:00. What
// was not measured ("Estimé", "Absence de Données") is suspect or missing.
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
	s := &Sheet{}
	for _, p := range points {
		for i, x := range p.Readings {
			a, err := grdfInterval(x.From, x.To, x.Day)
			if err != nil {
				return nil, fmt.Errorf("relevé %d: %w", i+1, err)
			}
			a.Series, a.Unit = id, metering.CubicM
			volume := ""
			if x.Volume != nil {
				volume = strings.Trim(string(*x.Volume), `"`)
			}
			if err := a.volume(volume, x.How); err != nil {
				return nil, fmt.Errorf("relevé %d: %w", i+1, err)
			}
			s.Amounts = append(s.Amounts, a)
		}
	}
	if len(s.Amounts) == 0 {
		return nil, fmt.Errorf("no relevés: %w", ErrFormat)
	}
	return s, nil
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

// volume sets number and quality.
func (a *Amount) volume(text, how string) (err error) {
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
	s := &Sheet{}
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
		a := Amount{Series: id, Unit: metering.CubicM}
		a.From, a.To = gasDayOf(t)
		if err := a.volume(c.cell(row, "Volume consomme (m3)"), c.cell(row, "Qualification")); err != nil {
			return nil, fmt.Errorf("row %d: %w", i+1, err)
		}
		s.Amounts = append(s.Amounts, a)
	}
	if len(s.Amounts) == 0 {
		return nil, fmt.Errorf("no rows below Date de relevé and Volume consommé (m3): %w", ErrFormat)
	}
	return s, nil
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

package importer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/thermie/thermie/metering"
)

// MeteoFrance reads hourly data of weather stations as meteo.data.gouv.fr has
// them (H_<département>_..._RR-T-Vent.csv, gzip or not): fields between
// semicolons, NUM_POSTE the station, AAAAMMJJHH the hour in UTC, each parameter
// with its quality code beside it. Of the parameters T (°C), U (%) and PSTAT (hPa)
// are taken. Codes: 0 protected, 1 validated, 9 passed the first checks; 2 is
// doubtful and becomes suspect.
//
// station chooses one of the file's; "" when it has one only.
func MeteoFrance(r io.Reader, meter, station string) (*Sheet, error) {
	in, err := plain(r)
	if err != nil {
		return nil, err
	}
	t := newTable(in, ';')
	head, err := t.next()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", errors.Join(ErrFormat, err))
	}
	c := columnsOf(head)
	if !c.has("NUM_POSTE", "AAAAMMJJHH", "T") {
		return nil, fmt.Errorf("header without NUM_POSTE, AAAAMMJJHH and T: %w", ErrFormat)
	}
	parameters := []struct {
		column   string
		quantity metering.Quantity
		unit     metering.Unit
		scale    metering.Decimal
	}{
		{"T", metering.OutdoorTemperature, metering.Celsius, metering.Int(1)},
		{"U", metering.Humidity, metering.Percent, metering.Int(1)},
		{"PSTAT", metering.Pressure, metering.Pascal, metering.Int(100)},
	}
	s := &Sheet{}
	found := ""
	others := map[string]bool{}
	for {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		post := c.cell(row, "NUM_POSTE")
		if station != "" && strings.TrimLeft(post, "0") != strings.TrimLeft(station, "0") {
			if len(others) < 1000 {
				others[strings.Clone(post)] = true
			}
			continue
		}
		if found == "" {
			found = strings.Clone(post)
		} else if post != found {
			return nil, t.at(fmt.Errorf("stations %s and %s in one file: name one: %w", found, post, ErrFormat))
		}
		at, err := time.Parse("2006010215", c.cell(row, "AAAAMMJJHH"))
		if err != nil {
			return nil, t.at(fmt.Errorf("AAAAMMJJHH %q: %w", c.cell(row, "AAAAMMJJHH"), ErrFormat))
		}
		for _, p := range parameters {
			text := c.cell(row, p.column)
			if text == "" {
				continue // most stations do not measure everything
			}
			x := metering.Reading{Series: metering.Series(meter, p.quantity), At: at.UnixMilli(), Unit: p.unit}
			number, err := decimal(text)
			if err == nil {
				x.Number, err = number.Mul(p.scale)
			}
			if err != nil {
				return nil, t.at(fmt.Errorf("%s: %w", p.column, err))
			}
			if c.cell(row, "Q"+p.column) == "2" {
				x.Quality = metering.Quality{Level: metering.Suspect, Reason: "doubtful"}
			}
			s.Points = append(s.Points, x)
		}
	}
	if found == "" {
		return nil, fmt.Errorf("nothing of station %q among %d others: %w", station, len(others), ErrFormat)
	}
	return s, nil
}

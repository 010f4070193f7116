// Package importer turns files of historical data into readings, and readings
// into batches signed with a key of the importer's own, whose origin is
// "imported". They take the way of every batch: verified, in the ledger, then in
// the store.
//
// Formats (see each reader):
//
//	csv           any table, with a mapping file
//	meteo-france  hourly data of weather stations (RR-T-Vent), meteo.data.gouv.fr
//	enedis        a customer's load curve, registers or daily energy, CSV
//	grdf          a customer's daily or monthly gas, JSON, XLSX or CSV
//
// A file gives points (a register or a state at an instant) or amounts (energy
// or volume of an interval). Amounts become a register that begins at 0 and
// grows by each of them, so that they add up exactly to what the file says and
// everything behind reads them as any meter. Where intervals are missing the
// register stands still over a gap in its readings, which counts as not covered.
//
// Civil times without an offset are those of Europe/Paris: in the hour that
// comes twice the first pass is summer time and the second winter time, an hour
// that does not exist is an error.
package importer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thermie/thermie/metering"
)

// Bounds of a file.
const (
	maxFile = 512 << 20 // bytes, uncompressed
	maxRows = 20_000_000
)

// ErrFormat says that a file is not what its format wants; it is wrapped with
// the line.
var ErrFormat = errors.New("not in the expected format")

// Amount is what an interval [From, To) counted; Missing when nobody knows.
type Amount struct {
	Series   metering.SeriesID
	From, To int64 // Unix milliseconds
	Number   metering.Decimal
	Unit     metering.Unit
	Quality  metering.Quality
}

// Sheet is what a file holds.
type Sheet struct {
	Points  []metering.Reading
	Amounts []Amount
	Notes   []string // what was passed over, in words, English
}

// Register is where a series of amounts stands.
type Register struct {
	At     int64            `json:"at"` // end of the last interval, Unix milliseconds
	Number metering.Decimal `json:"number"`
	Unit   metering.Unit    `json:"unit"`
}

// Readings are the readings of a sheet in the order of time, amounts as
// registers that go on from state, which is brought up to date. Amounts of
// intervals before that are passed over: they were imported already. known
// counts them.
func (s *Sheet) Readings(state map[metering.SeriesID]Register) (list []metering.Reading, known int, err error) {
	amounts := slices.Clone(s.Amounts)
	slices.SortStableFunc(amounts, func(a, b Amount) int { return cmp.Or(cmp.Compare(a.Series, b.Series), cmp.Compare(a.From, b.From)) })
	list = slices.Clone(s.Points)
	for i, a := range amounts {
		if a.From >= a.To {
			return nil, 0, fmt.Errorf("series %s: interval at %s is empty: %w", a.Series, instant(a.From), ErrFormat)
		}
		if i > 0 && amounts[i-1].Series == a.Series && amounts[i-1].To > a.From {
			if amounts[i-1] == a {
				continue // the file says it twice
			}
			return nil, 0, fmt.Errorf("series %s: intervals at %s overlap: %w", a.Series, instant(a.From), ErrFormat)
		}
		last, begun := state[a.Series]
		switch {
		case !begun:
			last = Register{At: a.From, Unit: a.Unit}
			list = append(list, last.reading(a.Series, metering.Quality{}))
		case last.Unit != a.Unit:
			return nil, 0, fmt.Errorf("series %s is in %s, not in %s", a.Series, last.Unit, a.Unit)
		case a.To <= last.At:
			known++
			continue
		case a.From < last.At:
			return nil, 0, fmt.Errorf("series %s: interval at %s overlaps what was imported up to %s", a.Series, instant(a.From), instant(last.At))
		}
		if a.Quality.Level == metering.Missing {
			list = append(list, metering.Reading{Series: a.Series, At: a.To - 1, Unit: a.Unit, Quality: a.Quality})
			state[a.Series] = last
			continue
		}
		if a.From > last.At { // a hole: the register is read again where it ends
			last.At = a.From
			list = append(list, last.reading(a.Series, metering.Quality{}))
		}
		if last.Number, err = last.Number.Add(a.Number); err != nil {
			return nil, 0, fmt.Errorf("series %s at %s: %w", a.Series, instant(a.To), err)
		}
		last.At = a.To
		list = append(list, last.reading(a.Series, a.Quality))
		state[a.Series] = last
	}
	slices.SortStableFunc(list, func(a, b metering.Reading) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Series, b.Series))
	})
	for i := range list {
		if err := list[i].Check(); err != nil {
			return nil, 0, err
		}
	}
	return list, known, nil
}

func (r Register) reading(id metering.SeriesID, q metering.Quality) metering.Reading {
	return metering.Reading{Series: id, At: r.At, Number: r.Number, Unit: r.Unit, Quality: q}
}

func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// notAvailable is the quality of what a file leaves empty.
var notAvailable = metering.Quality{Level: metering.Missing, Reason: metering.NotAvailable}

// estimated is the quality of what the source says it made up.
var estimated = metering.Quality{Level: metering.Suspect, Reason: metering.Estimated}

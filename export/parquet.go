package export

import (
	"context"
	"encoding/json"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
)

// readingRow is a reading in Parquet. exact is the decimal as it was read;
// number is the nearest double, null when the reading is missing.
type readingRow struct {
	Time     int64    `parquet:"time,timestamp(millisecond),delta"` // UTC
	Meter    string   `parquet:"meter,dict"`
	Quantity string   `parquet:"quantity,dict"`
	Number   *float64 `parquet:"number,optional"`
	Exact    *string  `parquet:"exact,optional"`
	Unit     string   `parquet:"unit,dict"`
	Quality  string   `parquet:"quality,dict"`
	Source   string   `parquet:"source,dict"`
}

// windowRow aggregates a window in Parquet.
type windowRow struct {
	From     int64    `parquet:"from,timestamp(millisecond),delta"` // UTC
	To       int64    `parquet:"to,timestamp(millisecond),delta"`
	Meter    string   `parquet:"meter,dict"`
	Quantity string   `parquet:"quantity,dict"`
	Mean     *float64 `parquet:"mean,optional"`
	Min      *float64 `parquet:"min,optional"`
	Max      *float64 `parquet:"max,optional"`
	First    *float64 `parquet:"first,optional"`
	Last     *float64 `parquet:"last,optional"`
	Unit     string   `parquet:"unit,dict"`
	Good     int64    `parquet:"good"`
	Suspect  int64    `parquet:"suspect"`
	Missing  int64    `parquet:"missing"`
	Source   string   `parquet:"source,dict"`
}

// groupRows is how many rows are held before they are written.
const groupRows = 100_000

// Parquet writes a file, compressed with zstd, with the header in its key-value
// metadata under "thermie.<name>"; "thermie.series" is JSON.
func Parquet(ctx context.Context, out io.Writer, s Store, scope access.Scope, f File) error {
	if err := f.Check(); err != nil {
		return err
	}
	list, err := json.Marshal(f.Series)
	if err != nil {
		return err
	}
	options := []parquet.WriterOption{parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(groupRows), parquet.KeyValueMetadata("thermie.series", string(list))}
	for _, line := range f.header() {
		if line[0] != "series" && line[0] != "imported" { // both are in thermie.series
			options = append(options, parquet.KeyValueMetadata("thermie."+line[0], line[1]))
		}
	}
	if f.Step == Readings {
		return f.parquetReadings(ctx, out, s, scope, options)
	}
	return f.parquetWindows(ctx, out, s, scope, options)
}

// rows writes rows some thousands at a time.
type rows[T any] struct {
	w    *parquet.GenericWriter[T]
	wait []T
}

func (r *rows[T]) add(row T) error {
	if r.wait = append(r.wait, row); len(r.wait) < 4096 {
		return nil
	}
	return r.flush()
}

func (r *rows[T]) flush() error {
	_, err := r.w.Write(r.wait)
	r.wait = r.wait[:0]
	return err
}

func (r *rows[T]) close() error {
	if err := r.flush(); err != nil {
		return err
	}
	return r.w.Close()
}

func (f *File) parquetReadings(ctx context.Context, out io.Writer, s Store, scope access.Scope, options []parquet.WriterOption) error {
	r := rows[readingRow]{w: parquet.NewGenericWriter[readingRow](out, options...)}
	for _, x := range f.Series {
		for p, err := range s.Points(ctx, scope, x.ID, f.From, f.To) {
			if err != nil {
				return err
			}
			row := readingRow{Time: p.At, Meter: x.ID.Meter(), Quantity: string(x.ID.Quantity()), Unit: string(x.Unit), Quality: p.Quality.String(), Source: x.source(p.At)}
			if p.Quality.Level != metering.Missing {
				number, exact := p.Number.Float64(), p.Number.String()
				row.Number, row.Exact = &number, &exact
			}
			if err := r.add(row); err != nil {
				return err
			}
		}
	}
	return r.close()
}

func (f *File) parquetWindows(ctx context.Context, out io.Writer, s Store, scope access.Scope, options []parquet.WriterOption) error {
	r := rows[windowRow]{w: parquet.NewGenericWriter[windowRow](out, options...)}
	for _, x := range f.Series {
		for v, err := range f.windows(ctx, s, scope, x.ID) {
			if err != nil {
				return err
			}
			row := windowRow{From: v.From.UnixMilli(), To: v.To.UnixMilli(), Meter: x.ID.Meter(), Quantity: string(x.ID.Quantity()), Unit: string(x.Unit),
				Good: int64(v.Good), Suspect: int64(v.Suspect), Missing: int64(v.Missing), Source: x.windowSource(v)}
			if v.Numbers() > 0 {
				first, last := v.First.Number.Float64(), v.Last.Number.Float64()
				row.Mean, row.Min, row.Max, row.First, row.Last = &v.Mean, &v.Min, &v.Max, &first, &last
			}
			if err := r.add(row); err != nil {
				return err
			}
		}
	}
	return r.close()
}

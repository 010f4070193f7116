package export

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
)

var update = flag.Bool("update", false, "write the golden files")

// store holds two series over the night in which clocks go back.
func store(t *testing.T) (*embedded.Store, File) {
	t.Helper()
	s, err := embedded.Open(context.Background(), t.TempDir(), embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	start := time.Date(2025, 10, 26, 0, 0, 0, 0, calendar.Paris)
	var list []metering.Reading
	for i := range int64(10) {
		at := start.UnixMilli() + i*1_800_000 + i%3
		list = append(list,
			metering.Reading{Series: "four-heat/heat_energy", Unit: metering.KWh, At: at, Number: metering.Decimal{Coef: 123456789012345 + i*125, Exp: -3}},
			metering.Reading{Series: "four-heat/flow_temperature", Unit: metering.Celsius, At: at, Number: metering.Decimal{Coef: 655 - i, Exp: -1}},
			metering.Reading{Series: "rival/heat_power", Unit: metering.KW, At: at, Number: metering.Int(9)})
	}
	list[3].Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}
	list[6].Quality, list[6].Number = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}, metering.Decimal{}
	require.NoError(t, s.Apply(context.Background(), 1, list))
	f := File{Territory: "Port d'essai", Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), For: "company four", From: start, To: calendar.NextDay(start), Step: Readings}
	f.Series, err = Choose(context.Background(), s, access.System("test"), []string{"four-*/*"}, func(metering.SeriesID) About {
		return About{Name: "Four n° 2", Source: "measured by gw-four, kamstrup-hc003"}
	})
	require.NoError(t, err)
	require.Len(t, f.Series, 2)
	return s, f
}

func TestCSV(t *testing.T) {
	s, f := store(t)
	for name, x := range map[string]struct {
		step  Step
		style Style
	}{"readings.csv": {Readings, International}, "lectures.csv": {Readings, French}, "hours.csv": {Hours, International}, "days.csv": {Days, French}} {
		t.Run(name, func(t *testing.T) {
			f := f
			f.Step = x.step
			var out bytes.Buffer
			require.NoError(t, CSV(context.Background(), &out, s, access.System("test"), f, x.style))
			golden := filepath.Join("testdata", name)
			if *update {
				require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())
		})
	}
}

// What Parquet holds is what the store holds, and says of itself what CSV says.
func TestParquet(t *testing.T) {
	s, f := store(t)
	var out bytes.Buffer
	require.NoError(t, Parquet(context.Background(), &out, s, access.System("test"), f))
	file, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	for key, want := range map[string]string{"thermie.time zone": "Europe/Paris", "thermie.territory": "Port d'essai", "thermie.quality": "suspect", "thermie.for": "company four"} {
		got, ok := file.Lookup(key)
		require.True(t, ok, key)
		require.Contains(t, got, want)
	}
	text, _ := file.Lookup("thermie.series")
	var list []Series
	require.NoError(t, json.Unmarshal([]byte(text), &list))
	require.Equal(t, f.Series, list)
	rows, err := parquet.Read[readingRow](bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	i := 0
	for _, x := range f.Series {
		for p, err := range s.Points(context.Background(), access.System("test"), x.ID, f.From, f.To) {
			require.NoError(t, err)
			r := rows[i]
			i++
			require.Equal(t, []any{p.At, x.ID.Meter(), string(x.Unit), p.Quality.String(), x.Source}, []any{r.Time, r.Meter, r.Unit, r.Quality, r.Source})
			if p.Quality.Level == metering.Missing {
				require.Nil(t, r.Number)
				require.Nil(t, r.Exact)
				continue
			}
			require.Equal(t, p.Number.Float64(), *r.Number)
			require.Equal(t, p.Number.String(), *r.Exact)
		}
	}
	require.Len(t, rows, i)

	f.Step = Days
	out.Reset()
	require.NoError(t, Parquet(context.Background(), &out, s, access.System("test"), f))
	days, err := parquet.Read[windowRow](bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	require.Len(t, days, 2)
	require.EqualValues(t, 25*3600*1000, days[0].To-days[0].From, "the day has 25 hours")
}

// Points that came from a file say so, whatever reads the meter today; a window that
// begins in one and ends in the other names both.
func TestImportedPoints(t *testing.T) {
	s, f := store(t)
	second, sixth := f.From.Add(30*time.Minute), f.From.Add(150*time.Minute)
	meters := []registry.Installation{{Meter: metering.Meter{ID: "four-heat", Gateway: "gw-four", Profile: "kamstrup-hc003", Name: metering.Text{FR: "Four n° 2"}}}}
	about := Describe(meters, []registry.ImportedSpan{{Series: "four-heat/heat_energy", By: "import-four", From: second, To: sixth.Add(10 * time.Millisecond)}}, false, func(string) bool { return true })
	var err error
	f.Series, err = Choose(t.Context(), s, access.System("test"), []string{"four-heat/*"}, about)
	require.NoError(t, err)
	sources := func() (out []string) {
		var b bytes.Buffer
		require.NoError(t, CSV(t.Context(), &b, s, access.System("test"), f, International))
		if f.Step == Readings {
			require.Contains(t, b.String(), "# imported: four-heat/heat_energy; 2025-10-25T22:30:00Z to 2025-10-26T00:30:00Z; imported by import-four\n")
		}
		r := csv.NewReader(&b)
		r.Comment = '#'
		rows, err := r.ReadAll()
		require.NoError(t, err)
		for _, row := range rows[1:] {
			if strings.Contains(strings.Join(row, " "), "heat_energy") {
				out = append(out, row[len(row)-1])
			}
		}
		return out
	}
	const measured, imported = "measured by gw-four, kamstrup-hc003", "imported by import-four"
	require.Equal(t, []string{measured, imported, imported, imported, imported, imported, measured, measured, measured, measured}, sources())
	f.Step = Hours
	require.Equal(t, []string{measured + "; " + imported, imported, imported, measured, measured}, sources())
	f.Step = Readings
	var out bytes.Buffer
	require.NoError(t, Parquet(t.Context(), &out, s, access.System("test"), f))
	rows, err := parquet.Read[readingRow](bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	n := 0
	for _, r := range rows {
		if r.Source == imported {
			n++
			require.Equal(t, "heat_energy", r.Quantity)
		}
	}
	require.Equal(t, 5, n)
}

func TestDescribe(t *testing.T) {
	meters := []registry.Installation{{Meter: metering.Meter{ID: "a", Gateway: "gw-a", Serial: "77", AccuracyClass: "2"}}, {Meter: metering.Meter{ID: "b", Gateway: "import-x", Profile: "enedis"}}}
	spans := []registry.ImportedSpan{{Series: "a/temperature", By: "import-x"}}
	all := func(string) bool { return true }
	real, synthetic := Describe(meters, spans, false, all), Describe(meters, spans, true, all)
	require.Equal(t, "measured by gw-a, 77, 2", real("a/volume").Source)
	require.Equal(t, "imported by import-x, enedis", real("b/volume").Source)
	require.Equal(t, "synthetic by gw-a, 77, 2", synthetic("a/volume").Source)
	require.Equal(t, "unknown", real("c/volume").Source)
	require.Equal(t, "imported by import-x", real("a/temperature").Imported[0].Source)
	require.Equal(t, "synthetic, imported by import-x", synthetic("a/temperature").Imported[0].Source)
	require.Empty(t, real("a/volume").Imported)
	partner := Describe(meters, spans, false, func(string) bool { return false })
	require.Equal(t, "measured", partner("a/volume").Source, "neither gateway nor device of a company that is not open")
	require.Equal(t, "imported", partner("a/temperature").Imported[0].Source)
}

// A scope that does not allow a series gets nothing of it, not even its name.
func TestScope(t *testing.T) {
	s, f := store(t)
	all, err := Choose(context.Background(), s, access.Scope{}, nil, func(metering.SeriesID) About { return About{} })
	require.NoError(t, err)
	require.Empty(t, all)
	var out bytes.Buffer
	require.ErrorIs(t, CSV(context.Background(), &out, s, access.Scope{}, f, International), series.ErrForbidden)
	require.ErrorIs(t, Parquet(context.Background(), &out, s, access.Scope{}, f), series.ErrForbidden)
	f.Series = nil
	require.ErrorContains(t, CSV(context.Background(), &out, s, access.Scope{}, f, International), "no series")
}

// Windows asked for in parts are those asked for at once.
func TestManyWindows(t *testing.T) {
	s, f := store(t)
	f.Step, f.To = TenMinutes, f.From.AddDate(0, 2, 0)
	require.NoError(t, s.Apply(context.Background(), 2, []metering.Reading{
		{Series: "four-heat/heat_energy", Unit: metering.KWh, At: f.To.UnixMilli() - 1, Number: metering.Int(1)}}))
	var out bytes.Buffer
	require.NoError(t, CSV(context.Background(), &out, s, access.System("test"), f, International))
	r := csv.NewReader(strings.NewReader(out.String()))
	r.Comment = '#'
	all, err := r.ReadAll()
	require.NoError(t, err)
	require.Len(t, all, 1+10+11)
}

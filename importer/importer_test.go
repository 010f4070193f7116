package importer

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

var update = flag.Bool("update", false, "write the golden files")

func mapping(t testing.TB) *Mapping {
	b, err := os.ReadFile("testdata/releves.yaml")
	require.NoError(t, err)
	m, err := ParseMapping("releves.yaml", b)
	require.NoError(t, err)
	return m
}

// readers reads each file of testdata as its format.
func readers(t testing.TB) map[string]func(io.Reader) (*Sheet, error) {
	enedis := func(r io.Reader) (*Sheet, error) { return Enedis(r, "pdl", StampFound) }
	m := mapping(t)
	return map[string]func(io.Reader) (*Sheet, error){
		"enedis-courbe-fins.csv": enedis, "enedis-courbe-debuts.csv": enedis, "enedis-index.csv": enedis, "enedis-jours.csv": enedis,
		"enedis-locale.csv": func(r io.Reader) (*Sheet, error) { return Enedis(r, "pdl", StampStart) },
		"meteo.csv":         func(r io.Reader) (*Sheet, error) { return MeteoFrance(r, "meteo", "67124001") },
		"grdf.json":         func(r io.Reader) (*Sheet, error) { return GRDF(r, "gaz") },
		"grdf.csv":          func(r io.Reader) (*Sheet, error) { return GRDF(r, "gaz") },
		"releves.csv":       func(r io.Reader) (*Sheet, error) { return CSV(r, m) },
	}
}

// What each format becomes, reading by reading, on days with 25 hours too.
func TestFormats(t *testing.T) {
	for name, read := range readers(t) {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("testdata", name))
			require.NoError(t, err)
			s, err := read(bytes.NewReader(b))
			require.NoError(t, err)
			list, known, err := s.Readings(map[metering.SeriesID]Register{})
			require.NoError(t, err)
			require.Zero(t, known)
			var out strings.Builder
			for _, r := range list {
				fmt.Fprintf(&out, "%s  %s  %s %s  %s\n", r.Time().In(calendar.Paris).Format("2006-01-02T15:04:05.000-07:00"), r.Series, r.Number, r.Unit, r.Quality)
			}
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(out.String()), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())

			// Packed with gzip, with a byte-order mark and other line ends it is the same.
			if !strings.HasSuffix(name, ".json") {
				b = append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))...)
			}
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			z.Write(b)
			z.Close()
			again, err := read(&packed)
			require.NoError(t, err)
			require.Equal(t, s, again)
		})
	}
}

// The workbook that GRDF gives is read as the same sheet in CSV.
func TestWorkbook(t *testing.T) {
	f := excelize.NewFile()
	for i, row := range [][]any{{"Numéro PCE", "12345678901234"}, {}, {"Date de relevé", "Volume consommé (m3)", "Energie consommée (kWh)", "Coefficient de conversion", "Température locale (°C)"},
		{"25/10/2025", 3.28, 37, 11.29, 9}, {time.Date(2025, 10, 26, 0, 0, 0, 0, time.UTC), 2.1, 23.7, 11.29, 8}} {
		require.NoError(t, f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row))
	}
	var b bytes.Buffer
	require.NoError(t, f.Write(&b))
	got, err := GRDF(&b, "gaz")
	require.NoError(t, err)
	csv, err := os.Open("testdata/grdf.csv")
	require.NoError(t, err)
	defer csv.Close()
	want, err := GRDF(csv, "gaz")
	require.NoError(t, err)
	require.Equal(t, want.Amounts, got.Amounts)
}

func TestRefusals(t *testing.T) {
	head := "Identifiant PRM;Type de donnees;Date de debut;Date de fin;Grandeur physique;Grandeur metier;Etape metier;Unite\n"
	for name, x := range map[string]struct {
		text string
		read func(io.Reader) (*Sheet, error)
		want string
	}{
		"no values":      {head, func(r io.Reader) (*Sheet, error) { return Enedis(r, "pdl", "") }, "no values"},
		"reactive":       {head + "0;Courbe;;;Energie réactive;Consommation;;VArh\n", func(r io.Reader) (*Sheet, error) { return Enedis(r, "pdl", "") }, "only active energy"},
		"unit":           {head + "0;Courbe de charge;;;Energie active;Consommation;;VA\nHorodate;Valeur\n2025-01-01T00:00:00+01:00;1\n", func(r io.Reader) (*Sheet, error) { return Enedis(r, "pdl", "") }, `line 4: unit "VA"`},
		"backwards":      {head + "0;Courbe de charge;;;Energie active;Consommation;;W\nHorodate;Valeur\n2025-01-01T01:00:00+01:00;1\n2025-01-01T00:00:00+01:00;1\n", func(r io.Reader) (*Sheet, error) { return Enedis(r, "pdl", "") }, "line 5"},
		"which end":      {head + "0;Courbe de charge;;;Energie active;Consommation;;W\nHorodate;Valeur\n2025-01-01T01:00:00+01:00;1\n2025-01-01T02:00:00+01:00;1\n", func(r io.Reader) (*Sheet, error) { return Enedis(r, "pdl", "") }, "say start or end"},
		"two stations":   {"NUM_POSTE;AAAAMMJJHH;T\n1;2025010100;1\n2;2025010100;1\n", func(r io.Reader) (*Sheet, error) { return MeteoFrance(r, "m", "") }, "name one"},
		"no such post":   {"NUM_POSTE;AAAAMMJJHH;T\n1;2025010100;1\n", func(r io.Reader) (*Sheet, error) { return MeteoFrance(r, "m", "9") }, `station "9"`},
		"hour that isnt": {"a\nb\nDate;Index chaleur (MWh);Conso élec (kWh);T départ;Statut\n30/03/2025 02:30;1;1;1;R\n", func(r io.Reader) (*Sheet, error) { return CSV(r, mapping(t)) }, "line 2: 2025-03-30 02:30 does not exist"},
		"no column":      {"a\nb\nDate;x\n", func(r io.Reader) (*Sheet, error) { return CSV(r, mapping(t)) }, `no column "Statut"`},
		"not a number":   {"a\nb\nDate;Index chaleur (MWh);Conso élec (kWh);T départ;Statut\n01/03/2025 02:30;abc;1;1;R\n", func(r io.Reader) (*Sheet, error) { return CSV(r, mapping(t)) }, "Index chaleur"},
		"not JSON":       {"{", func(r io.Reader) (*Sheet, error) { return GRDF(r, "g") }, "JSON"},
		"not a workbook": {"PK\x03\x04xxxxxxxxxxxx", func(r io.Reader) (*Sheet, error) { return GRDF(r, "g") }, "XLSX"},
		"empty":          {"", func(r io.Reader) (*Sheet, error) { return GRDF(r, "g") }, "no rows"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := x.read(strings.NewReader(x.text))
			require.ErrorIs(t, err, ErrFormat)
			require.ErrorContains(t, err, x.want)
		})
	}
	for name, text := range map[string]string{
		"unknown key": "colour: red", "no time": "columns: [{column: a, series: m/heat_power, unit: kW}]", "unit": "time: {column: t}\ncolumns: [{column: a, series: m/heat_power, unit: m3}]",
		"amount of a state": "time: {column: t}\nstep: 1h\ncolumns: [{column: a, series: m/heat_power, unit: kW, amount: true}]", "no step": "time: {column: t}\ncolumns: [{column: a, series: m/heat_energy, unit: kWh, amount: true}]",
		"zone": "time: {column: t, zone: Mars}\ncolumns: [{column: a, series: m/heat_power, unit: kW}]", "format": "time: {column: t, format: '%Q'}\ncolumns: [{column: a, series: m/heat_power, unit: kW}]",
		"twice": "time: {column: t}\ncolumns: [{column: a, series: m/heat_power, unit: kW}, {column: b, series: m/heat_power, unit: kW}]",
	} {
		_, err := ParseMapping("m.yaml", []byte(text))
		require.ErrorContainsf(t, err, "mapping m.yaml", name)
	}
}

// Registers made of amounts add up to the file over every overlap of imports,
// and a hole stays one.
func TestRegistersGoOn(t *testing.T) {
	hour := int64(3_600_000)
	amount := func(i int64) Amount {
		return Amount{Series: "m/heat_energy", From: 1_700_000_000_000 + i*hour, To: 1_700_000_000_000 + (i+1)*hour, Number: metering.Decimal{Coef: 100 + i, Exp: -1}, Unit: metering.KWh}
	}
	state := map[metering.SeriesID]Register{}
	var all []metering.Reading
	take := func(known int, list ...int64) {
		s := &Sheet{}
		for _, i := range list {
			s.Amounts = append(s.Amounts, amount(i))
		}
		got, k, err := s.Readings(state)
		require.NoError(t, err)
		require.Equal(t, known, k)
		all = append(all, got...)
	}
	take(0, 0, 1, 2)
	take(2, 1, 2, 3)
	take(4, 0, 1, 2, 3)
	take(0, 6, 7) // 4 and 5 are not there
	require.Equal(t, "61.9", state["m/heat_energy"].Number.String())
	require.Len(t, all, 1+3+1+1+2)
	require.True(t, all[4].Number.Equal(all[5].Number), "it stands still over the hole")
	require.Equal(t, 2*hour, all[5].At-all[4].At)

	overlap := amount(8)
	overlap.From -= hour / 2
	_, _, err := (&Sheet{Amounts: []Amount{overlap}}).Readings(state)
	require.ErrorContains(t, err, "overlaps what was imported")
	other := amount(9)
	other.Unit = metering.Joule
	_, _, err = (&Sheet{Amounts: []Amount{other}}).Readings(state)
	require.ErrorContains(t, err, "is in kWh, not in J")
}

// memoryOutlet keeps what is put.
type memoryOutlet struct {
	sealed [][]byte
	fail   error
}

func (o *memoryOutlet) Put(_ string, number uint64, sealed []byte) error {
	if o.fail == nil {
		o.sealed = append(o.sealed, sealed)
	}
	return o.fail
}

func (o *memoryOutlet) Last(string) (uint64, []byte, error) {
	if len(o.sealed) == 0 {
		return 0, nil, nil
	}
	return uint64(len(o.sealed)), o.sealed[len(o.sealed)-1], nil
}

// Batches of an importer are signed, chained over restarts and marked imported.
func TestImporterSeals(t *testing.T) {
	dir, out := t.TempDir(), &memoryOutlet{}
	var list []metering.Reading
	for i := range 5000 {
		list = append(list, metering.Reading{Series: "m/heat_power", At: 1_700_000_000_000 + int64(i)*1000, Unit: metering.KW, Number: metering.Int(int64(i))})
	}
	im, err := Open(dir, "import-x", out)
	require.NoError(t, err)
	n, err := im.Import(list, nil, "sum", time.Unix(1_800_000_000, 0))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	// A crash before the state was written: the last batch is known by itself.
	require.NoError(t, os.Remove(filepath.Join(dir, stateFile)))
	im, err = Open(dir, "import-x", out)
	require.NoError(t, err)
	_, err = im.Import(list[:3], nil, "other", time.Unix(1_800_000_000, 0))
	require.NoError(t, err)
	at, ok := im.Known("other")
	require.True(t, ok)
	require.EqualValues(t, 1_800_000_000, at.Unix())
	var got []metering.Reading
	var last batch.Hash
	for i, sealed := range out.sealed {
		b, err := batch.Open(sealed, func(string) (ed25519.PublicKey, error) { return im.Key(), nil })
		require.NoError(t, err)
		require.Equal(t, []any{"import-x", uint64(i + 1), last, batch.Imported}, []any{b.Gateway, b.Number, b.Previous, b.Origin})
		last = batch.HashOf(sealed)
		got = append(got, b.Readings...)
	}
	require.Equal(t, append(list, list[:3]...), got)
	out.fail = os.ErrPermission
	_, err = im.Import(list[:3], nil, "third", time.Now())
	require.ErrorIs(t, err, os.ErrPermission)
	_, ok = im.Known("third")
	require.False(t, ok)
}

// Whatever the bytes, a reader returns readings that hold together or an error.
func FuzzReaders(f *testing.F) {
	all := readers(f)
	names := []string{"enedis-courbe-fins.csv", "enedis-locale.csv", "meteo.csv", "grdf.json", "grdf.csv", "releves.csv", "enedis-index.csv", "enedis-jours.csv"}
	for i, name := range names {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(uint8(i), b)
	}
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		s, err := all[names[int(i)%len(names)]](bytes.NewReader(b))
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			return
		}
		list, _, err := s.Readings(map[metering.SeriesID]Register{})
		if err != nil {
			return
		}
		for k, r := range list {
			require.NoError(t, r.Check())
			require.False(t, k > 0 && r.At < list[k-1].At)
		}
	})
}

func FuzzMapping(f *testing.F) {
	b, err := os.ReadFile("testdata/releves.yaml")
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseMapping("m", b); err == nil {
			CSV(strings.NewReader("a,b\n1,2\n"), m)
		}
	})
}

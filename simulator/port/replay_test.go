package port

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/slave"
)

func sample(t testing.TB) *Replay {
	t.Helper()
	f, err := os.Open("../testdata/replay-sample.csv")
	require.NoError(t, err)
	defer f.Close()
	x, err := ParseReplay("replay-sample.csv", f)
	require.NoError(t, err)
	return x
}

// TestReplay: the file's readings come out of the registers, exactly; its first
// part is history of origin replayed, its rest is played, then the meters are silent.
func TestReplay(t *testing.T) {
	x := sample(t)
	p, err := New(Options{Seed: 1, Epoch: testEpoch, Library: library(t), Replay: x})
	require.NoError(t, err)
	meters, from, to, ok := p.Replayed("gw-laiterie")
	require.True(t, ok)
	require.Equal(t, []string{"laiterie-chaleur", "laiterie-gaz"}, meters)
	require.True(t, to.After(testEpoch) && to.Before(testEpoch.AddDate(0, 0, 1).Add(time.Second)), "ends at %s", to)
	require.Equal(t, 72*time.Hour, to.Sub(from))
	_, _, _, ok = p.Replayed("gw-fonderie")
	require.False(t, ok)

	shift := x.Shift(testEpoch)
	replayed, synthetic, silent := 0, 0, 0
	for part := range p.History("gw-laiterie", from.AddDate(0, 0, -2), testEpoch, 10*time.Minute) {
		switch part.Origin {
		case batch.Synthetic:
			synthetic++
			require.LessOrEqual(t, part.ClosedAt, from.UnixMilli())
			continue
		case batch.Replayed:
			require.Greater(t, part.ClosedAt, from.UnixMilli())
		default:
			t.Fatal(part.Origin)
		}
		for _, r := range part.Readings {
			require.Contains(t, meters, r.Series.Meter())
			if r.Quality.Level == metering.Missing {
				silent++
				continue
			}
			want, ok := x.series[r.Series].read(r.At - shift.Milliseconds())
			require.True(t, ok)
			// The heat meter's energy is a float32: 1204511 and its like are exact in it.
			require.InEpsilon(t, 1+want.Float64(), 1+r.Number.Float64(), 1e-6, "%s", r.Series)
			replayed++
		}
	}
	require.Positive(t, synthetic)
	require.Greater(t, replayed, 1500)
	require.Positive(t, silent)

	ask := func(id string, q metering.Quantity, at time.Time) (metering.Quality, float64, slave.Exception) {
		m := p.installed[id]
		f, ok := m.device.profile.Field(q, m.Channel)
		require.True(t, ok)
		got := readings{}
		for _, s := range f.Spans() {
			words, e := p.answer(m.device, slave.Request{Unit: m.Unit, Function: s.Table.Function(), Address: s.Address, Count: uint16(s.Words)}, at, slave.TargetSilent)
			if e != 0 {
				return metering.Quality{}, 0, e
			}
			got.put(s, words)
		}
		n, _, quality := f.Decode(got)
		return quality, n.Float64(), 0
	}
	live := testEpoch.Add(3 * time.Minute)
	quality, n, e := ask("laiterie-chaleur", metering.HeatEnergy, live)
	require.Zero(t, e)
	require.Equal(t, metering.Quality{}, quality)
	want, ok := x.series["laiterie-chaleur/heat_energy"].read(live.Add(-shift).UnixMilli())
	require.True(t, ok)
	require.InDelta(t, want.Float64(), n, 0.2)
	_, n, e = ask("laiterie-gaz", metering.PulseCount, live)
	require.Zero(t, e)
	want, _ = x.series["laiterie-gaz/gas_volume"].read(live.Add(-shift).UnixMilli())
	require.InDelta(t, want.Float64()*10, n, 0.6)
	// Not in the file: not available. Not replayed on this gateway: silent, as is
	// everything at the file's end.
	quality, _, e = ask("laiterie-chaleur", metering.TemperatureDiff, live)
	require.Zero(t, e)
	require.Equal(t, metering.Missing, quality.Level)
	_, _, e = ask("laiterie-elec", metering.ActivePower, live)
	require.Equal(t, slave.TargetSilent, e)
	_, _, e = ask("laiterie-chaleur", metering.HeatEnergy, to.Add(time.Hour))
	require.Equal(t, slave.TargetSilent, e)
	// Elsewhere the port goes on.
	_, n, e = ask("fonderie-elec", metering.ActivePower, live)
	require.Zero(t, e)
	require.Positive(t, n)
	// An input of the replayed gas meter's module that the file does not give is no register.
	words, e := p.answer(p.installed["laiterie-eau"].device, slave.Request{Function: 3, Address: 29, Count: 2}, live, slave.TargetSilent)
	require.Equal(t, slave.IllegalAddress, e, "%v", words)
	_ = profile.Holding
}

func TestReplayShift(t *testing.T) {
	for _, c := range []struct {
		days  float64
		ahead time.Duration // the end lies after the epoch, at most so far
	}{{28, 7 * 24 * time.Hour}, {14, 7 * 24 * time.Hour}, {3, 24 * time.Hour}, {0.5, 4 * time.Hour}} {
		for hours := range 200 {
			x := &Replay{from: time.Date(2031, 1, 1, hours, 7, 0, 0, time.UTC)}
			x.to = x.from.Add(time.Duration(c.days * 24 * float64(time.Hour)))
			end := x.to.Add(x.Shift(testEpoch))
			require.True(t, end.After(testEpoch) && !end.After(testEpoch.Add(c.ahead)), "%v days: end %s", c.days, end)
			past := &Replay{from: x.from.AddDate(-20, 0, 0), to: x.to.AddDate(-20, 0, 0)}
			end = past.to.Add(past.Shift(testEpoch))
			require.True(t, end.After(testEpoch) && !end.After(testEpoch.Add(c.ahead)), "%v days: end %s", c.days, end)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"", "header"},
		{"when,a/b\n", `header: want "time`},
		{"time,laiterie-chaleur/warmth\n", "unknown quantity"},
		{"time,laiterie-chaleur/heat_energy [MWh]\n", "units [kWh J]"},
		{"time,a/heat_energy,a/heat_energy\n", "given twice"},
		{"time,a/heat_energy\nyesterday,1\n", "line 2: time"},
		{"time,a/heat_energy\n2026-01-01T00:00:00Z,1.2.3\n", "line 2"},
		{"time,a/heat_energy\n2026-01-01T00:00:00Z,1e99\n", "out of range"},
		{"time,a/heat_energy\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:00Z,2\n", "does not come after"},
		{"time,a/heat_energy\n2026-01-01T00:00:00Z,1\n", "want 2 or more"},
		{"time,a/heat_energy\n2026-01-01T00:00:00Z,1,2\n", "wrong number of fields"},
		{"time,series,number\n2026-01-01T00:00:00Z,a/nothing,2\n", "unknown quantity"},
		{"time,series,number\n", "no readings"},
	} {
		_, err := ParseReplay("x.csv", strings.NewReader(c.text))
		require.ErrorContains(t, err, c.says, c.text)
		require.ErrorContains(t, err, "x.csv")
	}
	for _, c := range []struct{ series, says string }{
		{"nowhere/heat_energy", `no meter "nowhere"`},
		{"laiterie-chaleur/humidity", "does not measure it"},
		{"laiterie-gaz/heat_energy", "count gas_volume in m3"},
	} {
		x, err := ParseReplay("x.csv", strings.NewReader("time,series,number\n2026-01-01T00:00:00Z,"+c.series+",1\n2026-01-02T00:00:00Z,"+c.series+",2\n"))
		require.NoError(t, err)
		_, err = New(Options{Seed: 1, Epoch: testEpoch, Library: library(t), Replay: x})
		require.ErrorContains(t, err, c.says)
	}
}

// TestReplayForms: wide and long form say the same.
func TestReplayForms(t *testing.T) {
	wide, err := ParseReplay("w", strings.NewReader("# made up\ntime,a/heat_energy [J],a/heat_power\n2026-01-01T00:00:00Z,36000000,5\n2026-01-01T01:00:00Z,72000000,\n2026-01-01T02:00:00Z,72000000,7.5\n"))
	require.NoError(t, err)
	long, err := ParseReplay("l", strings.NewReader("time,series,number\n2026-01-01T00:00:00Z,a/heat_energy [J],36000000\n2026-01-01T00:00:00Z,a/heat_power,5\n2026-01-01T01:00:00Z,a/heat_energy [J],72000000\n2026-01-01T02:00:00Z,a/heat_energy [J],72000000\n2026-01-01T02:00:00Z,a/heat_power,7.5\n"))
	require.NoError(t, err)
	require.Equal(t, wide, long)
	y := &played{series: map[metering.Quantity]*recording{metering.HeatEnergy: wide.series["a/heat_energy"]}}
	n, ok := y.number(&Meter{}, metering.HeatEnergy, metering.KWh, time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC).UnixMilli())
	require.True(t, ok)
	require.Equal(t, "20", n.String())
}

func FuzzParseReplay(f *testing.F) {
	f.Add("time,a/heat_energy\n2026-01-01T00:00:00Z,1\n2026-01-01T01:00:00Z,2\n")
	f.Add("time,series,number\n2026-01-01T00:00:00Z,a/heat_power,1e3\n")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := ParseReplay("fuzz", strings.NewReader(text))
		if err != nil {
			return
		}
		if x.to.Before(x.from) || len(x.series) == 0 {
			t.Fatalf("accepted %q", text)
		}
		x.Shift(testEpoch)
	})
}

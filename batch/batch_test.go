package batch

import (
	"crypto/ed25519"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/veraison/go-cose"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/metering"
)

var testKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func testKeys(gateway string) (ed25519.PublicKey, error) {
	if gateway != "gw-1" {
		return nil, errors.New("gateway not enrolled")
	}
	return testKey.Public().(ed25519.PublicKey), nil
}

func sample() *Batch {
	h := func(s string) metering.SeriesID { return metering.SeriesID(s) }
	return &Batch{
		Gateway: "gw-1", Number: 7, Previous: HashOf([]byte("six")), Config: HashOf([]byte("cfg")),
		Clock: Clock{true, -12}, Origin: Synthetic, ClosedAt: 1_790_000_060_000,
		Readings: []metering.Reading{
			{Series: h("m-heat/heat_energy"), At: 1_790_000_000_123, Number: metering.Int(math.MaxInt64), Unit: metering.KWh},
			{Series: h("m-heat/flow_temperature"), At: 1_790_000_000_123, Number: metering.MustDecimal("-3.25"), Unit: metering.Celsius,
				Quality: metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}},
			{Series: h("m-gas/gas_volume"), At: 1_790_000_001_000, Number: metering.MustDecimal("12e9"), Unit: metering.CubicM},
			{Series: h("m-gas/pulse_count"), At: 1_790_000_001_000, Unit: metering.Count,
				Quality: metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}},
		},
	}
}

func requireSame(t require.TestingT, want, got *Batch) {
	require.Equal(t, len(want.Readings), len(got.Readings))
	for i := range want.Readings {
		require.Truef(t, want.Readings[i].Equal(got.Readings[i]), "reading %d: %+v became %+v", i, want.Readings[i], got.Readings[i])
	}
	w, g := *want, *got
	w.Readings, g.Readings = nil, nil
	require.Equal(t, w, g)
}

func TestSealOpen(t *testing.T) {
	b := sample()
	sealed, err := Seal(b, testKey)
	require.NoError(t, err)
	got, err := Open(sealed, testKeys)
	require.NoError(t, err)
	requireSame(t, b, got)
	head, err := Head(sealed)
	require.NoError(t, err)
	require.Equal(t, b.Previous, head.Previous)
	require.Empty(t, head.Readings)
}

// No byte of a sealed batch can change without Open refusing it.
func TestTamper(t *testing.T) {
	sealed, err := Seal(sample(), testKey)
	require.NoError(t, err)
	for i := range sealed {
		for _, bit := range []byte{1, 0x80} {
			bad := append([]byte(nil), sealed...)
			bad[i] ^= bit
			_, err := Open(bad, testKeys)
			require.Errorf(t, err, "byte %d of %d, bit %#x", i, len(sealed), bit)
		}
	}
	_, err = Open(sealed[:len(sealed)-1], testKeys)
	require.ErrorIs(t, err, ErrFormat)
	_, err = Open(append(sealed, 0), testKeys)
	require.ErrorIs(t, err, ErrFormat)
}

func TestSealRefuses(t *testing.T) {
	for name, mend := range map[string]func(*Batch){
		"no number":     func(b *Batch) { b.Number = 0 },
		"no chain":      func(b *Batch) { b.Previous = Hash{} },
		"bad gateway":   func(b *Batch) { b.Gateway = "a/b" },
		"no origin":     func(b *Batch) { b.Origin = "" },
		"wrong unit":    func(b *Batch) { b.Readings[0].Unit = metering.Volt },
		"bad series":    func(b *Batch) { b.Readings[0].Series = "heat_energy" },
		"unknown":       func(b *Batch) { b.Readings[0].Series = "m/colour" },
		"ancient clock": func(b *Batch) { b.Readings[0].At = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			b := sample()
			mend(b)
			_, err := Seal(b, testKey)
			require.Error(t, err)
		})
	}
	b := sample()
	b.Previous, b.Break = Hash{}, "disk replaced"
	_, err := Seal(b, testKey)
	require.NoError(t, err, "a declared break needs no previous batch")
}

func TestRoundTripAnyNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := sample()
		d := metering.Decimal{Coef: rapid.Int64().Draw(t, "coef"), Exp: int8(rapid.IntRange(-60, 60).Draw(t, "exp"))}
		b.Readings[0].Number = d
		b.Readings[0].At = rapid.Int64Range(946684800000, 7258118399999).Draw(t, "at")
		sealed, err := Seal(b, testKey)
		require.NoError(t, err)
		got, err := Open(sealed, testKeys)
		require.NoError(t, err)
		requireSame(t, b, got)
	})
}

func TestReceipts(t *testing.T) {
	public := testKey.Public().(ed25519.PublicKey)
	var many []Receipt
	for i := range MaxReceipts {
		many = append(many, Receipt{Gateway: strings.Repeat("g", 64), Number: 1 << 62, Batch: HashOf([]byte{byte(i)}), Index: 1 << 62, Rejected: strings.Repeat("é", 250)})
	}
	for _, want := range [][]Receipt{
		{{Gateway: "gw-1", Number: 3, Batch: HashOf([]byte("x")), Index: 99}},
		{{Gateway: "gw-1", Number: 3, Batch: HashOf([]byte("x")), Index: 99}, {Gateway: "gw-1", Number: 4, Batch: HashOf([]byte("y")), Rejected: "why"}},
		many,
	} {
		sealed, err := SealReceipts(want, testKey)
		require.NoError(t, err)
		require.Less(t, len(sealed), MaxBytes)
		got, err := OpenReceipts(sealed, public)
		require.NoError(t, err)
		require.Equal(t, want, got)
		sealed[len(sealed)/2] ^= 1
		_, err = OpenReceipts(sealed, public)
		require.Error(t, err)
	}
	_, err := SealReceipts(nil, testKey)
	require.Error(t, err)
	_, err = SealReceipts(append(many, many[0]), testKey)
	require.Error(t, err)
	b, err := Seal(sample(), testKey)
	require.NoError(t, err)
	_, err = OpenReceipts(b, public)
	require.ErrorIs(t, err, ErrFormat, "a batch is no receipt")
}

// One receipt alone has the form that every gateway reads.
func TestSingleReceipt(t *testing.T) {
	want := Receipt{Gateway: "gw-1", Number: 3, Batch: HashOf([]byte("x")), Index: 99}
	sealed, err := SealReceipts([]Receipt{want}, testKey)
	require.NoError(t, err)
	var msg cose.Sign1Message
	require.NoError(t, msg.UnmarshalCBOR(sealed))
	require.Equal(t, "application/vnd.thermie.receipt+cbor", msg.Headers.Protected[cose.HeaderLabelContentType])
	var got Receipt
	require.NoError(t, decMode.Unmarshal(msg.Payload, &got))
	require.Equal(t, want, got)
}

func FuzzOpenReceipts(f *testing.F) {
	one := Receipt{Gateway: "gw-1", Number: 3, Batch: HashOf([]byte("x")), Index: 99}
	for _, all := range [][]Receipt{{one}, {one, one}} {
		sealed, err := SealReceipts(all, testKey)
		require.NoError(f, err)
		f.Add(sealed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := OpenReceipts(b, testKey.Public().(ed25519.PublicKey))
		require.Equal(t, err == nil, len(all) > 0)
	})
}

func TestTopics(t *testing.T) {
	topic := Topic("port", "gw-1", TopicBatch)
	require.Equal(t, "thermie/v1/port/gw-1/batch", topic)
	tr, gw, leaf, err := ParseTopic(topic)
	require.NoError(t, err)
	require.Equal(t, []any{"port", "gw-1", TopicBatch}, []any{tr, gw, leaf})
	for _, bad := range []string{"", "a/b", "thermie/v2/p/g/batch", "thermie/v1/p/+/batch", "thermie/v1/p/g/batch/x"} {
		_, _, _, err := ParseTopic(bad)
		require.Error(t, err, bad)
	}
}

// Whatever bytes arrive, Open returns an error or a batch that passes Check.
func FuzzOpen(f *testing.F) {
	sealed, err := Seal(sample(), testKey)
	require.NoError(f, err)
	f.Add(sealed)
	f.Add([]byte{0xd2, 0x84})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := Parse(b); err == nil {
			require.NoError(t, got.Check())
		}
	})
}

func FuzzPack(f *testing.F) {
	f.Add(AppendPack(nil, sample().Readings))
	f.Fuzz(func(t *testing.T, b []byte) {
		if readings, err := ReadPack(b); err == nil {
			got, err := ReadPack(AppendPack(nil, readings))
			require.NoError(t, err)
			for i := range readings {
				require.True(t, readings[i].Equal(got[i]))
			}
		}
	})
}

func benchBatch() *Batch {
	b := sample()
	b.Readings = nil
	qs := []struct {
		q metering.Quantity
		u metering.Unit
		n string
	}{{metering.HeatEnergy, metering.KWh, "1234567"}, {metering.HeatPower, metering.KW, "812.5"}, {metering.VolumeFlow, metering.CubicMPH, "17.42"},
		{metering.FlowTemperature, metering.Celsius, "84.31"}, {metering.ReturnTemperature, metering.Celsius, "61.07"}}
	for m := range 20 {
		for _, q := range qs {
			n := metering.MustDecimal(q.n)
			n.Coef += int64(m * 7)
			b.Readings = append(b.Readings, metering.Reading{Series: metering.Series("meter-"+string(rune('a'+m)), q.q), At: 1_790_000_000_000 + int64(m), Number: n, Unit: q.u})
		}
	}
	return b
}

func BenchmarkSeal100(b *testing.B) {
	batch := benchBatch()
	for b.Loop() {
		sealed, err := Seal(batch, testKey)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(sealed)))
	}
}

func BenchmarkOpen100(b *testing.B) {
	sealed, err := Seal(benchBatch(), testKey)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(sealed)))
	for b.Loop() {
		if _, err := Open(sealed, testKeys); err != nil {
			b.Fatal(err)
		}
	}
}

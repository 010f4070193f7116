package modbus

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// TestChecksum holds the example of V1.02, appendix B, and the classic request.
func TestChecksum(t *testing.T) {
	require.Equal(t, uint16(0x1241), checksum([]byte{0x02, 0x07}))
	require.Equal(t, uint16(0xCDC5), checksum(unhex(t, "01030000000a")))
}

func TestJudgeSerial(t *testing.T) {
	q := question{unit: 17, function: 3, address: 107, count: 3}
	whole := (&nasty{serial: true}).frame(0, 17, unhex(t, "0306022b00000064"))
	for _, w := range []struct {
		name string
		b    []byte
		v    verdict
		n    int
	}{
		{"nothing", nil, unfinished, 0},
		{"two bytes", whole[:2], unfinished, 0},
		{"most", whole[:len(whole)-1], unfinished, 11},
		{"all", whole, answer, 11},
		{"and more", append(whole[:11:11], 1), answer, 11},
		{"wrong checksum", append(whole[:10:10], whole[10]^1), damaged, 11},
		{"refusal", (&nasty{serial: true}).frame(0, 17, unhex(t, "8302")), answer, 5},
		{"refusal of another function", (&nasty{serial: true}).frame(0, 17, unhex(t, "8402")), foreign, 5},
		{"other unit", (&nasty{serial: true}).frame(0, 18, unhex(t, "0306022b00000064")), foreign, 11},
		{"other function", (&nasty{serial: true}).frame(0, 17, unhex(t, "0406022b00000064")), foreign, 11},
		{"short", (&nasty{serial: true}).frame(0, 17, unhex(t, "0304022b0000")), wrongSize, 9},
		{"odd count", unhex(t, "11030502"), garbage, 0},
		{"no function that reads", unhex(t, "112b0e01"), garbage, 0},
		{"noise in another unit's frame", unhex(t, "120306022b000000640000"), garbage, 0},
	} {
		v, n := judgeSerial(w.b, q)
		require.Equal(t, w.v, v, w.name)
		require.Equal(t, w.n, n, w.name)
	}
}

func TestJudgeTCP(t *testing.T) {
	q := question{unit: 1, function: 4, address: 8, count: 1}
	known := func(id uint16) bool { return id == 6 }
	for _, w := range []struct {
		name, hex string
		v         verdict
		n         int
	}{
		{"nothing", "", unfinished, 0},
		{"head", "000700000005", unfinished, 11},
		{"all", "000700000005010402000a", answer, 11},
		{"refusal", "000700000003018402", answer, 9},
		{"earlier question", "000600000005010402000a", foreign, 11},
		{"unknown question", "000500000005010402000a", garbage, 0},
		{"other protocol", "00070001000501040200", garbage, 0},
		{"no length", "000700000002", garbage, 0},
		{"too long", "0007000000ff", garbage, 0},
		{"other unit", "000700000005020402000a", damaged, 11},
		{"other function", "000700000005010302000a", damaged, 11},
		{"long", "00070000000701040400010002", wrongSize, 13},
		{"count does not fit", "00070000000501040400 0a", wrongSize, 11},
	} {
		b := unhex(t, stripped(w.hex))
		v, n := judgeTCP(b, 7, q, known)
		require.Equal(t, w.v, v, w.name)
		require.Equal(t, w.n, n, w.name)
	}
}

func stripped(s string) string {
	out := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		if c != ' ' {
			out = append(out, c)
		}
	}
	return string(out)
}

// FuzzJudgeSerial: whatever comes, an answer is a whole frame of the asked unit
// and function, as long as asked for, with its checksum.
func FuzzJudgeSerial(f *testing.F) {
	f.Add([]byte{17, 3, 6, 2, 43, 0, 0, 0, 100, 0xc8, 0xba}, byte(17), byte(3), byte(3))
	f.Add([]byte{17, 0x83, 2, 0xc1, 0x34}, byte(17), byte(3), byte(3))
	f.Add([]byte{0, 0, 0xff, 1, 4, 2}, byte(1), byte(4), byte(1))
	f.Fuzz(func(t *testing.T, b []byte, unit, function, count byte) {
		q := question{unit: unit, function: 3 + function%2, count: 1 + int(count)%125}
		v, n := judgeSerial(b, q)
		require.LessOrEqual(t, n, 260)
		if v != answer {
			if v == foreign || v == wrongSize {
				require.True(t, n >= 5 && n <= len(b))
			}
			return
		}
		require.LessOrEqual(t, n, len(b))
		require.Equal(t, unit, b[0])
		require.Equal(t, checksum(b[:n-2]), binary.LittleEndian.Uint16(b[n-2:n]))
		if b[1] != q.function|0x80 {
			require.Equal(t, q.function, b[1])
			require.Equal(t, 5+2*q.count, n)
			require.Equal(t, 2*q.count, int(b[2]))
		}
	})
}

func FuzzJudgeTCP(f *testing.F) {
	f.Add([]byte{0, 7, 0, 0, 0, 5, 1, 4, 2, 0, 10}, byte(1), byte(1), byte(0))
	f.Add([]byte{0, 6, 0, 0, 0, 3, 1, 0x84, 2}, byte(1), byte(1), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, unit, function, count byte) {
		q := question{unit: unit, function: 3 + function%2, count: 1 + int(count)%125}
		v, n := judgeTCP(b, 7, q, func(id uint16) bool { return id == 6 })
		require.LessOrEqual(t, n, 260)
		if v != answer {
			return
		}
		require.LessOrEqual(t, n, len(b))
		require.Equal(t, []byte{0, 7, 0, 0, 0, byte(n - 6), unit}, b[:7])
		if b[7] != q.function|0x80 {
			require.Equal(t, q.function, b[7])
			require.Equal(t, 9+2*q.count, n)
			require.Equal(t, 2*q.count, int(b[8]))
		}
	})
}

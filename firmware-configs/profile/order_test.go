package profile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseOrder(t *testing.T) {
	for _, c := range []struct {
		order string
		t     Type
		words []uint16
		want  string
	}{
		{"", U32, []uint16{1, 2}, "65538"},
		{"ABCD", U32, []uint16{1, 2}, "65538"},
		{"CDAB", U32, []uint16{2, 1}, "65538"},
		{"BADC", U32, []uint16{0x0100, 0x0200}, "65538"},
		{"DCBA", U32, []uint16{0x0200, 0x0100}, "65538"},
		{"CDAB", U64, []uint16{4, 3, 2, 1}, "281483566841860"},
		{"GHEFCDAB", U64, []uint16{4, 3, 2, 1}, "281483566841860"},
		{"BA", ASCII, []uint16{'i' | 'h'<<8}, "ih"},
	} {
		o, err := ParseOrder(c.order, c.t)
		require.NoError(t, err)
		image := Image{}
		image.Put(Holding, 7, c.words...)
		text, ok := Identity{Register: Register{Address: 7, Type: c.t, Order: o, Length: 1}}.Get(image)
		require.True(t, ok)
		require.Equal(t, c.want, text, "%+v", c)
	}
	for _, bad := range []struct {
		order string
		t     Type
	}{{"", "u128"}, {"ABCC", U32}, {"ABCDEFGH", U32}, {"XY", ASCII}} {
		_, err := ParseOrder(bad.order, bad.t)
		require.Error(t, err, "%+v", bad)
	}
}

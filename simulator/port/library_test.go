package port

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/firmware-configs/profile"
)

// library is the embedded one.
func library(t testing.TB) *profile.Library {
	t.Helper()
	builtin, err := profile.Builtin()
	require.NoError(t, err)
	return builtin
}

// readings are registers as a master collected them.
type readings map[profile.Cell]uint16

func (r readings) Word(t profile.Table, address uint16) (uint16, bool) {
	w, ok := r[profile.Cell{Table: t, Address: address}]
	return w, ok
}

func (r readings) put(s profile.Span, words []uint16) {
	for i, w := range words {
		r[profile.Cell{Table: s.Table, Address: s.Address + uint16(i)}] = w
	}
}

func cloneImage(image profile.Image) profile.Image { return maps.Clone(image) }

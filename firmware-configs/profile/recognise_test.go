package profile

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// device answers from an image and refuses what it does not hold.
type device struct {
	image Image
	asked map[Span]int
}

func (d *device) read(_ context.Context, s Span) ([]uint16, error) {
	d.asked[s]++
	words := make([]uint16, s.Words)
	for i := range words {
		w, ok := d.image.Word(s.Table, s.Address+uint16(i))
		if !ok {
			return nil, errors.New("illegal data address")
		}
		words[i] = w
	}
	return words, nil
}

// shows is a device that shows a profile's first vector and identities.
func shows(t *testing.T, p *Profile) *device {
	t.Helper()
	d := &device{Image{}, map[Span]int{}}
	for k, w := range p.Vectors[0].Image {
		d.image[k] = w
	}
	for _, probe := range p.Fingerprint {
		require.NoError(t, probe.Put(d.image))
		if _, ok := probe.Raw(d.image); !ok && probe.Plausible() {
			// A register of no quantity: any number in the range will do.
			bits, err := probe.bits(rat(*probe.Min))
			require.NoError(t, err)
			probe.put(bits, d.image)
		}
	}
	return d
}

func TestRecogniseEveryBuiltin(t *testing.T) {
	l, err := Builtin()
	require.NoError(t, err)
	for _, p := range l.All() {
		if len(p.Fingerprint) == 0 {
			continue
		}
		d := shows(t, p)
		found, err := l.Recognise(t.Context(), d.read)
		require.NoError(t, err)
		var ids []string
		for _, c := range found {
			ids = append(ids, c.Profile.ID)
		}
		require.Contains(t, ids, p.ID)
		for s, n := range d.asked {
			require.Equal(t, 1, n, "%s asked %v %d times", p.ID, s, n)
		}
	}
}

func TestRecogniseNothing(t *testing.T) {
	l, err := Builtin()
	require.NoError(t, err)
	d := &device{Image{}, map[Span]int{}}
	found, err := l.Recognise(t.Context(), d.read)
	require.NoError(t, err)
	require.Empty(t, found)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Recognise(ctx, d.read)
	require.ErrorIs(t, err, context.Canceled)
}

func TestProbeBits(t *testing.T) {
	for _, c := range []struct {
		probe Probe
		want  int
	}{
		{Probe{Register: Register{Type: ASCII, Length: 2}, Prefix: "SunS"}, 32},
		{Probe{Register: Register{Type: U16}, Equals: []uint64{0}}, 1},
		{Probe{Register: Register{Type: U16}, Equals: []uint64{0xffff}}, 1},
		{Probe{Register: Register{Type: U16}, Equals: []uint64{71, 72, 73}}, 6},
		{Probe{Register: Register{Type: U16}, Equals: []uint64{0x0155}}, 16},
		{Probe{Register: Register{Type: U32}, Equals: []uint64{0x53756e53}}, 32},
		{Probe{Register: Register{Type: U16, Bits: &Bits{8, 8}}, Equals: []uint64{1}}, 8},
	} {
		require.Equal(t, c.want, c.probe.Bits(), "%+v", c.probe)
	}
}

package embedded

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/conformance"
)

// place makes folders for stores that pack after so many points.
func place(points int) conformance.Place {
	return func(t testing.TB) func(testing.TB) series.Store {
		dir := t.TempDir()
		return func(t testing.TB) series.Store {
			s, err := Open(context.Background(), dir, Options{TailPoints: points})
			require.NoError(t, err)
			return s
		}
	}
}

func TestConformance(t *testing.T) {
	for _, points := range []int{0, 25} {
		t.Run(fmt.Sprint("tail of ", points), func(t *testing.T) { conformance.Run(t, place(points)) })
	}
	t.Run("packed at once", func(t *testing.T) {
		conformance.Run(t, func(t testing.TB) func(testing.TB) series.Store {
			open := place(0)(t)
			return func(t testing.TB) series.Store { return eager{open(t).(*Store)} }
		})
	})
}

// eager is a store that packs everything after every Apply.
type eager struct{ *Store }

func (e eager) Apply(ctx context.Context, upTo uint64, readings []metering.Reading) error {
	if err := e.Store.Apply(ctx, upTo, readings); err != nil {
		return err
	}
	return e.Store.Pack(ctx)
}

package influx

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

func TestCourses(t *testing.T) {
	units := map[metering.SeriesID]metering.Unit{"m/heat_energy": metering.KWh, "m/heat_power": metering.KW}
	of := func(id metering.SeriesID, u metering.Unit, at int64) metering.Reading {
		return metering.Reading{Series: id, Unit: u, At: metering.EarliestMillis + at}
	}
	var c courses
	ascending, err := c.check([]metering.Reading{of("m/heat_energy", metering.KWh, 1), of("m/heat_power", metering.KW, 1), of("m/heat_energy", metering.KWh, 2)}, units)
	require.NoError(t, err)
	require.True(t, ascending)
	require.Empty(t, c.fresh)
	ascending, err = c.check([]metering.Reading{of("m/heat_energy", metering.KWh, 2), of("m/heat_power", metering.KW, 2), of("m/heat_energy", metering.KWh, 2)}, units)
	require.NoError(t, err)
	require.False(t, ascending, "the same instant twice")

	var refused *series.RefusedError
	var unit *series.UnitError
	bad := []metering.Reading{of("n/heat_energy", metering.KWh, 1), of("m/heat_energy", metering.Joule, 3)}
	for range 2 { // a series that only a failed Apply had stays new
		_, err = c.check(bad, units)
		require.ErrorAs(t, err, &refused)
		require.ErrorAs(t, err, &unit)
		require.Equal(t, 1, refused.Index)
		require.Len(t, c.fresh, 1)
	}
	_, err = c.check([]metering.Reading{of("n/heat_energy", metering.Joule, 1), of("n/heat_energy", metering.KWh, 2)}, units)
	require.ErrorAs(t, err, &unit)
	for _, r := range []metering.Reading{
		{Series: "m/heat_energy", Unit: metering.KWh, At: 5},
		{Series: "m/heat_energy", Unit: metering.KWh, At: metering.LatestMillis},
		{Series: "m/heat_energy", Unit: metering.KWh, At: metering.EarliestMillis, Quality: metering.Quality{Level: 3}},
		{Series: "m/heat_energy", Unit: metering.KWh, At: metering.EarliestMillis, Quality: metering.Quality{Level: metering.Suspect, Reason: "a\nb"}},
		{Series: "m/unknown", Unit: metering.KWh, At: metering.EarliestMillis},
	} {
		_, err := c.check([]metering.Reading{of("m/heat_energy", metering.KWh, 9), r}, units)
		require.ErrorAs(t, err, &refused)
		require.Equal(t, 1, refused.Index)
		require.Equal(t, series.Check(r), refused.Err)
	}
}

func TestLastOfEach(t *testing.T) {
	reading := func(at int64, number string) metering.Reading {
		return reading(metering.EarliestMillis+at, number)
	}
	var c courses
	last := func(readings ...metering.Reading) []metering.Reading {
		_, err := c.check(readings, nil)
		require.NoError(t, err)
		return c.lastOfEach(readings)
	}
	none := []metering.Reading{reading(2, "2"), reading(1, "1"), reading(3, "3")}
	require.Equal(t, none, last(none...))
	require.Equal(t, []metering.Reading{reading(1, "3"), reading(2, "4"), reading(0, "5")},
		last(reading(1, "1"), reading(2, "2"), reading(1, "3"), reading(2, "4"), reading(0, "5")))
}

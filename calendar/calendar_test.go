package calendar

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDaysOfClockChanges(t *testing.T) {
	for _, c := range []struct {
		day   string
		hours float64
	}{{"2026-03-29", 23}, {"2026-10-25", 25}, {"2026-06-01", 24}} {
		d, err := time.ParseInLocation("2006-01-02", c.day, Paris)
		require.NoError(t, err)
		require.Equal(t, c.hours, NextDay(d).Sub(Day(d)).Hours(), c.day)
		require.Equal(t, d, Day(NextDay(d).Add(-time.Millisecond)), c.day)
	}
}

func TestQuarters(t *testing.T) {
	q, err := ParseQuarter("2026-Q3")
	require.NoError(t, err)
	require.Equal(t, "2026-06-30T22:00:00Z", q.Start().UTC().Format(time.RFC3339))
	require.Equal(t, "2026-09-30T22:00:00Z", q.End().UTC().Format(time.RFC3339))
	require.Equal(t, Quarter{2025, 4}, Quarter{2026, 1}.Add(-1))
	require.Equal(t, Quarter{2027, 1}, Quarter{2026, 4}.Next())
	require.True(t, q.Before(q.Next()))
	require.Equal(t, q, QuarterOf(q.End().Add(-time.Nanosecond)))
	require.Equal(t, q.Next(), QuarterOf(q.End()))
	for _, bad := range []string{"", "2026-Q5", "2026Q3", "26-Q1", "2026-Q3x", "2026-Q03"} {
		_, err := ParseQuarter(bad)
		require.Error(t, err, bad)
	}
}

// Published dates of Easter and of the holidays that follow from it.
func TestHolidays(t *testing.T) {
	for year, day := range map[int]string{2024: "03-31", 2025: "04-20", 2026: "04-05", 2027: "03-28"} {
		require.Equal(t, day, Easter(year).Format("01-02"), year)
	}
	for day, want := range map[string]string{
		"2026-04-03": "Vendredi saint", "2026-04-06": "Lundi de Pâques", "2026-05-14": "Ascension",
		"2026-05-25": "Lundi de Pentecôte", "2026-12-26": "Saint-Étienne", "2026-07-14": "Fête nationale",
		"2026-07-15": "",
	} {
		d, _ := time.ParseInLocation("2006-01-02", day, Paris)
		require.Equal(t, want, Holiday(d.Add(13*time.Hour)), day)
	}
	require.False(t, Workday(time.Date(2026, 5, 14, 9, 0, 0, 0, Paris)))
	require.False(t, Workday(time.Date(2026, 11, 22, 9, 0, 0, 0, Paris)))
	require.True(t, Workday(time.Date(2026, 11, 24, 9, 0, 0, 0, Paris)))
}

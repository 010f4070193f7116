//go:build integration

package influx

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// What the server's tasks keep equals the windows of the store, also after a
// late and a corrected reading; setting up again makes no second task.
func TestRollups(t *testing.T) {
	d := launchInfluxd(t)
	ctx := context.Background()
	o := SetupOptions{URL: d.url, Org: testOrg, Bucket: "readings", User: "admin", Password: "store-test-password", Rollups: true}
	tokens, err := Setup(ctx, o)
	require.NoError(t, err)
	require.NotEmpty(t, tokens.Rollups)
	o.AdminToken, o.User, o.Password = tokens.Admin, "", ""
	again, err := Setup(ctx, o)
	require.NoError(t, err)
	require.Equal(t, tokens.Rollups, again.Rollups)

	admin, h := connect(d.url, tokens.Admin, nil)
	defer h.CloseIdleConnections()
	tasks, err := admin.TasksAPI().FindTasks(ctx, &api.TaskFilter{OrgName: testOrg})
	require.NoError(t, err)
	require.Len(t, tasks, 3)

	w := open(t, Options{URL: d.url, Token: tokens.Write, Org: testOrg, Bucket: "readings"})
	now := time.Now()
	put := func(upTo uint64, list ...metering.Reading) { require.NoError(t, w.Apply(ctx, upTo, list)) }
	var first []metering.Reading
	for i := range int64(36 * 60) {
		r := reading(now.UnixMilli()-i*60_000, "12.5")
		r.Number = metering.Decimal{Coef: 1000 + i*i%977, Exp: -2}
		if i%50 == 7 {
			r.Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
		}
		first = append(first, r)
	}
	put(1, first...)
	run := func() {
		for _, task := range tasks {
			r, err := admin.TasksAPI().RunManually(ctx, &task)
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				have, err := admin.TasksAPI().GetRunByID(ctx, task.Id, *r.Id)
				return err == nil && have.Status != nil && *have.Status == "success"
			}, 30*time.Second, 100*time.Millisecond, task.Name)
		}
	}
	run()
	corrected := first[70]
	corrected.Number = metering.MustDecimal("99999.125")
	put(2, corrected, reading(now.Add(-90*time.Minute-time.Second).UnixMilli(), "-3"))
	run()

	reader, h2 := connect(d.url, tokens.Rollups, nil)
	defer h2.CloseIdleConnections()
	for bucket, bounds := range map[string][]time.Time{
		"readings-10m": steps(now.Truncate(10*time.Minute).Add(-2*time.Hour), now.Truncate(10*time.Minute), 10*time.Minute),
		"readings-1h":  steps(now.Truncate(time.Hour).Add(-20*time.Hour), now.Truncate(time.Hour), time.Hour),
		"readings-1d":  {calendar.Day(calendar.Day(now).Add(-12 * time.Hour)), calendar.Day(now)},
	} {
		windows, err := w.Windows(ctx, all, heat, bounds)
		require.NoError(t, err)
		got := map[string]float64{}
		answer, err := reader.QueryAPI(testOrg).Query(ctx, `from(bucket: "`+bucket+`") |> range(start: 0) |> filter(fn: (r) => r._measurement == "rollup")`)
		require.NoError(t, err)
		for answer.Next() {
			r := answer.Record()
			got[r.Time().UTC().Format(time.RFC3339)+" "+r.Field()] = r.Value().(float64)
		}
		require.NoError(t, answer.Err())
		require.NotEmpty(t, windows)
		for _, x := range windows {
			require.Positive(t, x.Numbers(), bucket)
			for field, want := range map[string]float64{"mean": x.Mean, "min": x.Min, "max": x.Max, "last": x.Last.Number.Float64()} {
				have, ok := got[x.From.UTC().Format(time.RFC3339)+" "+field]
				require.Truef(t, ok, "%s: no %s at %s", bucket, field, x.From)
				require.LessOrEqualf(t, math.Abs(have-want), 1e-9*math.Abs(want), "%s %s at %s: %v, want %v", bucket, field, x.From, have, want)
			}
		}
	}
	_, err = Open(ctx, Options{URL: d.url, Token: tokens.Rollups, Org: testOrg, Bucket: "readings"})
	require.Error(t, err, "the token of the roll-ups does not read the readings")
}

func steps(from, to time.Time, step time.Duration) (bounds []time.Time) {
	for at := from; !at.After(to); at = at.Add(step) {
		bounds = append(bounds, at)
	}
	return bounds
}

package influx

import (
	"context"
	"fmt"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	"github.com/influxdata/influxdb-client-go/v2/domain"
)

// rollup is a bucket of coarser points that a task of the server keeps: mean,
// min, max and last of the good and suspect readings of each window, stamped
// with its beginning. Days are those of Europe/Paris.
//
// A task computes the windows of its lookback anew each time it runs, so a late
// or corrected reading is in them as long as it is not later than that. Numbers
// that are no whole millionths are left out. [Store.Windows], which Thermie
// uses, computes from the readings themselves and has neither limit.
type rollup struct {
	name, every string
	lookback    string
	keep        time.Duration // 0: for ever
}

var rollups = []rollup{
	{"10m", "10m", "3h", 2 * 365 * 24 * time.Hour},
	{"1h", "1h", "2d", 10 * 365 * 24 * time.Hour},
	{"1d", "1d", "14d", 0},
}

func (r rollup) bucket(of string) string { return of + "-" + r.name }

func (r rollup) task(of string) string { return "thermie " + r.bucket(of) }

// flux is the task's script. What lies before the first whole window of the
// lookback is not touched.
func (r rollup) flux(of, org string) string {
	return fmt.Sprintf(`import "date"
import "timezone"

option location = timezone.location(name: "Europe/Paris")
option task = {name: %s, every: %s, offset: 1m}

readings = from(bucket: %s)
    |> range(start: date.truncate(t: date.sub(d: %s, from: now()), unit: %s), stop: date.truncate(t: now(), unit: %s))
    |> filter(fn: (r) => r._measurement == "reading" and r._field == "micro")
    |> filter(fn: (r) => r._value >= %d)
    |> toFloat()
    |> map(fn: (r) => ({r with _value: r._value / 1000000.0}))

put = (name, tables=<-) => tables
    |> set(key: "_field", value: name)
    |> set(key: "_measurement", value: "rollup")
    |> to(bucket: %s, org: %s)

readings |> aggregateWindow(every: %[2]s, fn: mean, createEmpty: false, timeSrc: "_start") |> put(name: "mean") |> yield(name: "mean")
readings |> aggregateWindow(every: %[2]s, fn: min, createEmpty: false, timeSrc: "_start") |> put(name: "min") |> yield(name: "min")
readings |> aggregateWindow(every: %[2]s, fn: max, createEmpty: false, timeSrc: "_start") |> put(name: "max") |> yield(name: "max")
readings |> aggregateWindow(every: %[2]s, fn: last, createEmpty: false, timeSrc: "_start") |> put(name: "last") |> yield(name: "last")
`, quote(r.task(of)), r.every, quote(of), r.lookback, r.every, r.every, int64(leastMicro), quote(r.bucket(of)), quote(org))
}

// setupRollups makes buckets and tasks where they are missing, brings the
// scripts of tasks up to date, and returns the token that reads the buckets.
func setupRollups(ctx context.Context, client influxdb2.Client, org *domain.Organization, of string) (token string, err error) {
	var buckets []*domain.Bucket
	for _, r := range rollups {
		b, err := ensureBucket(ctx, client.BucketsAPI(), org, r.bucket(of), r.keep)
		if err != nil {
			return "", fmt.Errorf("bucket %s: %w", r.bucket(of), err)
		}
		buckets = append(buckets, b)
		if err := ensureTask(ctx, client.TasksAPI(), org, r.task(of), r.flux(of, org.Name)); err != nil {
			return "", fmt.Errorf("task %q: %w", r.task(of), err)
		}
	}
	return ensureToken(ctx, client.AuthorizationsAPI(), org, buckets, "thermie read roll-ups of "+of, []domain.PermissionAction{domain.PermissionActionRead})
}

func ensureTask(ctx context.Context, tasks api.TasksAPI, org *domain.Organization, name, flux string) error {
	list, err := tasks.FindTasks(ctx, &api.TaskFilter{OrgID: *org.Id, Name: name})
	if err != nil {
		return err
	}
	for _, t := range list {
		if t.Name != name {
			continue
		}
		if strings.TrimSpace(t.Flux) == strings.TrimSpace(flux) {
			return nil
		}
		t.Flux = flux
		_, err := tasks.UpdateTask(ctx, &t)
		return err
	}
	_, err = tasks.CreateTaskByFlux(ctx, flux, *org.Id)
	return err
}

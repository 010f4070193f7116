package influx

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
)

const (
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
)

// once gives do one attempt of at most timeout.
func once(ctx context.Context, timeout time.Duration, do func(context.Context) error) error {
	attempt, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return do(attempt)
}

// insist tries again, with longer and longer waits, while the server is down,
// busy or silent, as long as Patience lasts. It heeds Retry-After.
func (s *Store) insist(ctx context.Context, do func(context.Context) error) error {
	began := time.Now()
	wait := firstWait
	for attempt := 1; ; attempt++ {
		err := once(ctx, s.o.Timeout, do)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if !temporary(err) {
			return err
		}
		pause := wait - time.Duration(rand.Int64N(int64(wait)/2+1))
		var status *influxhttp.Error
		if errors.As(err, &status) && status.RetryAfter > 0 {
			pause = max(pause, time.Duration(status.RetryAfter)*time.Second)
		}
		if time.Since(began)+pause > s.o.Patience {
			return fmt.Errorf("%d attempts: %w", attempt, err)
		}
		s.log.Debug("InfluxDB does not answer, trying again", "store", s.place(), "wait", pause, "error", err)
		if !sleep(ctx, pause) {
			return errors.Join(err, ctx.Err())
		}
		wait = min(2*wait, maxWait)
	}
}

// sleep waits; false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// temporary says whether another attempt may succeed: the server was not
// reached, did not answer, or said that it is busy or in trouble.
func temporary(err error) bool {
	var status *influxhttp.Error
	if errors.As(err, &status) && status.StatusCode != 0 {
		return status.StatusCode == http.StatusTooManyRequests || status.StatusCode >= 500
	}
	var refused *queryError
	return !errors.As(err, &refused) && !errors.Is(err, errFormat) && !errors.Is(err, context.Canceled)
}

// unsettled says whether the server may still carry out the request that
// failed with err: it was sent and not answered, or the answer leaves it open.
func unsettled(err error) bool {
	var status *influxhttp.Error
	if errors.As(err, &status) && status.StatusCode != 0 {
		return status.StatusCode >= 500 && status.StatusCode != http.StatusServiceUnavailable
	}
	var op *net.OpError
	if errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	return true
}

// outOfRetention says whether a write was refused only for points that are
// older than the bucket keeps; the other points were written.
func outOfRetention(err error) bool {
	var status *influxhttp.Error
	return errors.As(err, &status) && status.StatusCode == http.StatusUnprocessableEntity &&
		strings.Contains(status.Message, "retention policy")
}

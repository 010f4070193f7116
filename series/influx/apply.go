package influx

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

const (
	linesPerWrite = 10_000
	dayMillis     = 24 * 3600 * 1000
)

// doubt remembers a write whose outcome is unknown. Repeating it does no harm;
// any other write has to wait until the server cannot carry it out any more.
type doubt struct {
	pending  bool // and nothing has been answered since
	upTo     uint64
	readings int       // with upTo, the Apply that it belongs to
	until    time.Time // when that is past, it is settled
}

// Apply implements [series.Store].
func (s *Store) Apply(ctx context.Context, upTo uint64, readings []metering.Reading) error {
	if err := s.apply(ctx, upTo, readings); err != nil {
		return fmt.Errorf("apply to %s: %w", s.place(), err)
	}
	return nil
}

func (s *Store) apply(ctx context.Context, upTo uint64, readings []metering.Reading) error {
	if upTo > math.MaxInt64 {
		return fmt.Errorf("position %d is beyond what can be stored", upTo)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	position, units, err := s.known(ctx)
	if err != nil {
		return err
	}
	if upTo <= position {
		return nil
	}
	ascending, err := s.courses.check(readings, units)
	if err != nil {
		return err
	}
	if err := s.settle(ctx, upTo, len(readings)); err != nil {
		return err
	}
	if !ascending {
		last := s.courses.lastOfEach(readings)
		if len(last) < len(readings) {
			if _, err := s.courses.check(last, units); err != nil {
				return err
			}
		}
		readings = last
	}
	if err := s.writeReadings(ctx, readings); err != nil {
		return err
	}
	// The greatest position counts, so the clock need not be right. One point a
	// day keeps it within any retention.
	day := s.o.Now().UnixMilli() / dayMillis * dayMillis
	line := "ledger position=" + strconv.FormatUint(upTo, 10) + "i " + strconv.FormatInt(day, 10)
	if _, err := s.write(ctx, []byte(line)); err != nil {
		return fmt.Errorf("move the position to %d: %w", upTo, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position = upTo
	for _, c := range s.courses.fresh {
		c.known = true
		s.units[c.id] = c.unit
	}
	return nil
}

// known returns the position and the units, which only the holder of writing changes.
func (s *Store) known(ctx context.Context) (uint64, map[metering.SeriesID]metering.Unit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return 0, nil, err
	}
	return s.position, s.units, nil
}

// writeReadings writes readings whose courses the last check found, in requests
// of linesPerWrite. The caller holds writing.
func (s *Store) writeReadings(ctx context.Context, readings []metering.Reading) error {
	for begin := 0; begin < len(readings); {
		end := min(begin+linesPerWrite, len(readings))
		b := s.lines[:0]
		s.lines = nil
		for i := begin; i < end; i++ {
			b = appendPoint(b, s.courses.of[i].head, series.Point(readings[i]))
		}
		clean, err := s.write(ctx, b)
		if err != nil {
			return fmt.Errorf("write %d readings: %w", end-begin, err)
		}
		if clean {
			s.lines = b
		}
		begin = end
	}
	return nil
}

// write sends lines until the server has taken them or patience ends. The
// caller holds writing. Unless it was clean, at the first attempt and whole, the
// transport may still read the lines.
func (s *Store) write(ctx context.Context, lines []byte) (clean bool, err error) {
	clean = true
	err = s.insist(ctx, func(ctx context.Context) error {
		err := s.post(ctx, lines)
		clean = clean && err == nil
		if err != nil && outOfRetention(err) {
			s.log.Warn("InfluxDB leaves out readings that are older than the bucket keeps", "store", s.place(), "error", err)
			return nil
		}
		if err != nil && unsettled(err) {
			s.doubt.pending = true
		}
		return err
	})
	if err == nil {
		s.answered()
	}
	return clean, err
}

// post makes one attempt to write lines. It goes through the client's service,
// because the client's own function takes strings and copies them.
func (s *Store) post(ctx context.Context, lines []byte) error {
	service := s.client.HTTPService()
	target := service.ServerAPIURL() + "write?" + url.Values{"org": {s.o.Org}, "bucket": {s.o.Bucket}, "precision": {"ms"}}.Encode()
	if failed := service.DoPostRequest(ctx, target, bytes.NewReader(lines), nil, func(r *http.Response) error { return r.Body.Close() }); failed != nil {
		return failed
	}
	return nil
}

// answered starts the time after which what is pending is settled.
func (s *Store) answered() {
	if s.doubt.pending {
		s.doubt.pending = false
		s.doubt.until = time.Now().Add(s.o.Settle)
	}
}

// settle waits until no earlier write can be carried out any more, unless the
// same Apply is tried again.
func (s *Store) settle(ctx context.Context, upTo uint64, readings int) error {
	same := s.doubt.upTo == upTo && s.doubt.readings == readings && upTo != 0
	if !same {
		if s.doubt.pending {
			if err := s.insist(ctx, func(ctx context.Context) error { _, _, err := s.stored(ctx); return err }); err != nil {
				return err
			}
			s.answered()
		}
		if wait := time.Until(s.doubt.until); wait > 0 {
			s.log.Info("an earlier write to InfluxDB was not answered; waiting until it is settled", "store", s.place(), "wait", wait)
			if !sleep(ctx, wait) {
				return ctx.Err()
			}
		}
	}
	s.doubt.upTo, s.doubt.readings = upTo, readings
	return nil
}

// Delete implements [series.Deleter]. InfluxDB hides the points at once and
// drops their bytes when it next compacts their files.
func (s *Store) Delete(ctx context.Context, meters []string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.courses = courses{}
	if _, _, err := s.known(ctx); err != nil {
		return fmt.Errorf("delete from %s: %w", s.place(), err)
	}
	for _, m := range meters {
		if metering.CheckID(m) != nil {
			continue // no reading can have it
		}
		if err := s.settle(ctx, 0, 0); err != nil {
			return fmt.Errorf("delete meter %s from %s: %w", m, s.place(), err)
		}
		err := s.insist(ctx, func(ctx context.Context) error { return s.deleteMeter(ctx, m) })
		if err != nil {
			return fmt.Errorf("delete meter %s from %s: %w", m, s.place(), err)
		}
		s.answered()
		s.mu.Lock()
		for id := range s.units {
			if id.Meter() == m {
				delete(s.units, id)
			}
		}
		s.mu.Unlock()
	}
	return nil
}

// Clear empties the bucket: readings, position and what others wrote to it. The
// store is then as new, to be filled from the ledger's first leaf.
func (s *Store) Clear(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.courses = courses{}
	if err := s.clear(ctx); err != nil {
		return fmt.Errorf("empty %s: %w", s.place(), err)
	}
	return nil
}

func (s *Store) clear(ctx context.Context) error {
	if _, _, err := s.known(ctx); err != nil {
		return err
	}
	if err := s.settle(ctx, 0, 0); err != nil {
		return err
	}
	if err := s.insist(ctx, func(ctx context.Context) error { return s.erase(ctx, "") }); err != nil {
		return err
	}
	s.answered()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insist(ctx, s.load)
}

// deleteMeter asks for one deletion.
func (s *Store) deleteMeter(ctx context.Context, meter string) error {
	return s.erase(ctx, `_measurement="reading" AND meter="`+meter+`"`)
}

// erase deletes what a predicate chooses, all when it is "". The client's own
// function for it returns errors without their status.
func (s *Store) erase(ctx context.Context, predicate string) error {
	ask := map[string]string{"start": instant(always.from), "stop": instant(always.to)}
	if predicate != "" {
		ask["predicate"] = predicate
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	service := s.client.HTTPService()
	target := service.ServerAPIURL() + "delete?" + url.Values{"org": {s.o.Org}, "bucket": {s.o.Bucket}}.Encode()
	failed := service.DoPostRequest(ctx, target, bytes.NewReader(body),
		func(r *http.Request) { r.Header.Set("Content-Type", "application/json") },
		func(r *http.Response) error { return r.Body.Close() })
	if failed == nil {
		return nil
	}
	if unsettled(failed) {
		s.doubt.pending = true
	}
	return failed
}

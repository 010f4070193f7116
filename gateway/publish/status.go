package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/thermie/thermie/batch"
)

// maxStatus bounds a status on the wire, as brokers are set up for batches.
const maxStatus = batch.MaxBytes

// goodbyeTimeout bounds the last words.
const goodbyeTimeout = 2 * time.Second

// encodeStatus writes a status as JSON. Of a site so large that it does not fit,
// the meters that are well are left out first.
func encodeStatus(st batch.Status) ([]byte, error) {
	b, err := json.Marshal(st)
	if err == nil && len(b) > maxStatus {
		st.Meters = slices.DeleteFunc(slices.Clone(st.Meters), func(m batch.MeterStatus) bool { return m.Fault == "" })
		b, err = json.Marshal(st)
	}
	for err == nil && len(b) > maxStatus && len(st.Meters) > 0 {
		st.Meters = st.Meters[:len(st.Meters)/2]
		b, err = json.Marshal(st)
	}
	if err != nil {
		return nil, fmt.Errorf("status of %s: %w", st.Gateway, err)
	}
	return b, nil
}

// status sends the status if it is due and none is under way.
func (s *session) status(ctx context.Context) error {
	s.mu.Lock()
	busy := s.statusFlies
	s.mu.Unlock()
	if !s.wantStatus || busy {
		return nil
	}
	st := s.o.Status()
	st.Online = true
	payload, err := encodeStatus(st)
	if err != nil {
		return err
	}
	s.wantStatus, s.lastStatus = false, s.o.Now()
	return s.retain(ctx, batch.TopicStatus, payload)
}

// report sends what the gateway says of its configuration, if that is due.
func (s *session) report(ctx context.Context) error {
	if !s.wantReport.Load() {
		return nil
	}
	s.mu.Lock()
	busy := s.statusFlies
	s.mu.Unlock()
	if busy {
		return nil
	}
	s.wantReport.Store(false)
	payload := s.o.Report()
	if len(payload) == 0 {
		return nil
	}
	return s.retain(ctx, batch.TopicReport, payload)
}

// retain sends a retained message; until it has arrived, none other is sent.
func (s *session) retain(ctx context.Context, leaf batch.Leaf, payload []byte) error {
	sent, err := s.conn.Send(ctx, s.o.topic(leaf), true, payload)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.statusFlies = true
	s.mu.Unlock()
	s.flying <- flight{sent: sent}
	return nil
}

// goodbye says that the gateway stopped of its own will.
func (s *session) goodbye() {
	if s.o.Status == nil {
		return
	}
	st := s.o.Status()
	st.Online = false
	payload, err := encodeStatus(st)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
		defer cancel()
		err = s.conn.Publish(ctx, s.o.topic(batch.TopicStatus), true, payload)
	}
	if err != nil {
		s.o.Log.Warn("publish: last status not sent", "gateway", s.o.Gateway, "error", err)
	}
}

package gateway_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/mqtt"
)

// trial is a configuration under trial.
type trial struct {
	mu       sync.Mutex
	trying   bool
	why      string
	messages []string
	restart  bool
}

func (x *trial) Desired(m []byte) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.messages = append(x.messages, string(m))
	return x.restart
}
func (x *trial) Report() []byte { return []byte(`{"state":"running"}`) }
func (x *trial) Trial() (time.Duration, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return 300 * time.Millisecond, x.trying
}
func (x *trial) Reached() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.trying = false
}
func (x *trial) RollBack(why string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.trying, x.why = false, why
}

// TestTrialWithoutBroker: a configuration that does not reach the broker in time is
// rolled back, and the gateway begins anew.
func TestTrialWithoutBroker(t *testing.T) {
	conf, _ := configure(t, "tcp://127.0.0.1:1")
	x := &trial{trying: true}
	g, err := gateway.New(conf, gateway.Options{Remote: x})
	require.NoError(t, err)
	require.ErrorIs(t, g.Run(context.Background()), gateway.ErrReconfigured)
	require.Contains(t, x.why, "the broker was not reached within 300ms")
	require.Contains(t, x.why, "connection refused")
}

// TestReconfigured: with the broker reached the trial is over; a message on the
// config topic is passed on, and one that is taken ends this gateway.
func TestReconfigured(t *testing.T) {
	b := startBroker(t, t.TempDir(), "127.0.0.1:0")
	conf, _ := configure(t, b.URL())
	conn, err := mqtt.Dial(t.Context(), mqtt.Options{Broker: b.URL(), ClientID: "server", Username: site, Password: "g", CleanSession: true})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	reports := make(chan string, 8)
	require.NoError(t, conn.Subscribe(t.Context(), []string{batch.Topic("port-demo", site, batch.TopicReport)}, func(m mqtt.Message) {
		m.Ack()
		reports <- string(m.Payload)
	}))
	x := &trial{trying: true}
	g, err := gateway.New(conf, gateway.Options{Remote: x})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- g.Run(context.Background()) }()
	require.Equal(t, `{"state":"running"}`, <-reports)
	_, trying := x.Trial()
	require.False(t, trying)
	require.NoError(t, conn.Publish(t.Context(), batch.Topic("port-demo", site, batch.TopicConfig), true, []byte("one")))
	require.Equal(t, `{"state":"running"}`, <-reports, "each message is answered")
	x.mu.Lock()
	x.restart = true
	x.mu.Unlock()
	require.NoError(t, conn.Publish(t.Context(), batch.Topic("port-demo", site, batch.TopicConfig), true, []byte("two")))
	require.ErrorIs(t, <-ended, gateway.ErrReconfigured)
	require.Equal(t, []string{"one", "two"}, x.messages)
}

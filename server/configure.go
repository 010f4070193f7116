package server

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
)

// Configuration is what a gateway is to run.
type Configuration struct {
	Gateway string
	Number  uint64        // above that of the last one
	Within  time.Duration // in which the gateway must reach the broker with it
	Text    []byte        // gateway.yaml
	Now     time.Time
	// Sent is called once the broker has it; its error ends the waiting. Nil: nothing.
	Sent func() error
}

// patience is how much longer than Within a report is waited for.
const patience = 30 * time.Second

// Configure signs a configuration, retains it on the gateway's config topic, and
// waits for what the gateway reports of it; told hears each report on the way. A
// gateway that does not report in time may do so later: the configuration stays.
func Configure(ctx context.Context, c Config, d Configuration, told func(batch.ConfigReport)) (batch.ConfigReport, error) {
	var none batch.ConfigReport
	if err := metering.CheckID(d.Gateway); err != nil {
		return none, err
	}
	keys, err := loadKeys(c.Data)
	if err != nil {
		return none, err
	}
	sealed, err := batch.SealDesired(batch.Desired{Gateway: d.Gateway, Number: d.Number, IssuedAt: d.Now.UnixMilli(),
		WithinSeconds: uint32(d.Within / time.Second), Text: d.Text}, keys.Server)
	if err != nil {
		return none, err
	}
	o, territory, err := TapOptions(c)
	if err != nil {
		return none, err
	}
	o.ClientID = fmt.Sprintf("thermie-configure-%d", os.Getpid())
	conn, err := mqtt.Dial(ctx, o)
	if err != nil {
		return none, err
	}
	defer conn.Close()
	reports := make(chan batch.ConfigReport, 8)
	err = conn.Subscribe(ctx, []string{batch.Topic(territory, d.Gateway, batch.TopicReport)}, func(m mqtt.Message) {
		m.Ack()
		if r, err := batch.ParseConfigReport(m.Payload); err == nil && r.Number == d.Number {
			select {
			case reports <- r:
			default: // nobody waits any more
			}
		}
	})
	if err != nil {
		return none, err
	}
	if err := conn.Publish(ctx, batch.Topic(territory, d.Gateway, batch.TopicConfig), true, sealed); err != nil {
		return none, err
	}
	if d.Sent != nil {
		if err := d.Sent(); err != nil {
			return none, fmt.Errorf("the configuration is sent, but not noted: %w", err)
		}
	}
	limit := time.NewTimer(d.Within + patience)
	defer limit.Stop()
	for {
		select {
		case r := <-reports:
			told(r)
			if r.State != batch.ConfigTrying {
				return r, nil
			}
		case <-limit.C:
			return none, fmt.Errorf("gateway %s does not report on configuration %d within %v; it will be taken when the gateway is back", d.Gateway, d.Number, d.Within+patience)
		case <-conn.Done():
			return none, conn.Err()
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
}

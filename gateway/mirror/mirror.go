// Package mirror shows what a gateway reads to whoever is on the site: each
// meter's readings as SenML in JSON (RFC 8428) on a topic of its own, and, for Home
// Assistant, the discovery messages by which it finds them.
//
// A mirror is for looking, not for the record: nothing of it is kept on disk,
// signed or repeated, and it never makes reading or delivery wait. While its
// broker is away it drops the oldest.
package mirror

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
)

// Meter is what discovery says of a device.
type Meter struct {
	ID, Maker, Model string
	Series           []metering.SeriesID
	Units            map[metering.SeriesID]metering.Unit
}

// Options of a mirror.
type Options struct {
	Broker    mqtt.Options // ClientID and Will are set here
	Gateway   string
	Topic     string // prefix: readings of a meter go to TOPIC/METER
	Discovery string // prefix of Home Assistant's discovery topics; "" for none
	Meters    []Meter
	Log       *slog.Logger
}

// mostHeld bounds the messages that wait for the broker.
const mostHeld = 1000

// message is one for the broker.
type message struct {
	topic    string
	retained bool
	payload  []byte
}

// Mirror is one that is ready to run.
type Mirror struct {
	o    Options
	wait chan message
}

// New makes a mirror; it connects in Run.
func New(o Options) *Mirror {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Broker.ClientID = "thermie-mirror-" + strings.ReplaceAll(o.Gateway, ".", ":")
	o.Broker.CleanSession = true
	o.Broker.Will = &mqtt.Will{Topic: o.Topic + "/" + availability, Payload: []byte("offline"), Retained: true}
	return &Mirror{o: o, wait: make(chan message, mostHeld)}
}

// availability is the topic, below the prefix, that says whether the mirror is
// alive. No meter may be called so: identifiers begin with a letter or digit.
const availability = "_gateway"

// Emit takes readings; it never blocks.
func (m *Mirror) Emit(readings []metering.Reading) {
	for len(readings) > 0 {
		meter := readings[0].Series.Meter()
		n := slices.IndexFunc(readings, func(r metering.Reading) bool { return r.Series.Meter() != meter })
		if n < 0 {
			n = len(readings)
		}
		if payload := senML(meter, readings[:n]); payload != nil {
			m.put(message{topic: m.o.Topic + "/" + meter, payload: payload})
		}
		readings = readings[n:]
	}
}

func (m *Mirror) put(x message) {
	for {
		select {
		case m.wait <- x:
			return
		default:
		}
		select {
		case <-m.wait: // the oldest
		default:
		}
	}
}

// Run sends until ctx ends. A broker that cannot be had is tried again for ever.
func (m *Mirror) Run(ctx context.Context) {
	var backoff mqtt.Backoff
	for ctx.Err() == nil {
		began := time.Now()
		err := m.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			backoff.Reset()
		}
		wait := backoff.Next()
		m.o.Log.Warn("mirror: connecting again", "in", wait, "cause", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (m *Mirror) session(ctx context.Context) error {
	conn, err := mqtt.Dial(ctx, m.o.Broker)
	if err != nil {
		return err
	}
	defer conn.Close()
	m.o.Log.Info("mirror: connected", "broker", m.o.Broker.Broker)
	first := append(m.discovery(), message{topic: m.o.Topic + "/" + availability, retained: true, payload: []byte("online")})
	for _, x := range first {
		if err := conn.Publish(ctx, x.topic, x.retained, x.payload); err != nil {
			return err
		}
	}
	for {
		select {
		case x := <-m.wait:
			if err := conn.Publish(ctx, x.topic, x.retained, x.payload); err != nil {
				return err
			}
		case <-conn.Done():
			return conn.Err()
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			return conn.Publish(last, m.o.Topic+"/"+availability, true, []byte("offline"))
		}
	}
}

// record is one of SenML. A label that RFC 8428 does not know is left alone by
// whoever does not know it either.
type record struct {
	BaseName string          `json:"bn,omitempty"`
	BaseTime json.Number     `json:"bt,omitempty"`
	Name     string          `json:"n"`
	Unit     string          `json:"u,omitempty"`
	Value    json.RawMessage `json:"v"`
	Time     json.Number     `json:"t,omitempty"` // seconds after bt
	Quality  string          `json:"quality,omitempty"`
}

// senML writes readings of one meter; nil when none has a number.
func senML(meter string, readings []metering.Reading) []byte {
	var pack []record
	var base int64
	for _, r := range readings {
		if r.Quality.Level == metering.Missing {
			continue
		}
		x := record{Name: string(r.Series.Quantity()), Unit: string(r.Unit), Value: json.RawMessage(r.Number.String())}
		if len(pack) == 0 {
			base = r.At
			x.BaseName, x.BaseTime = meter+"/", seconds(base)
		} else if r.At != base {
			x.Time = seconds(r.At - base)
		}
		if r.Quality.Level != metering.Good {
			x.Quality = r.Quality.String()
		}
		pack = append(pack, x)
	}
	if len(pack) == 0 {
		return nil
	}
	b, err := json.Marshal(pack)
	if err != nil {
		return nil // numbers and identifiers only
	}
	return b
}

// seconds writes milliseconds as seconds, exactly.
func seconds(ms int64) json.Number {
	return json.Number(metering.Decimal{Coef: ms, Exp: -3}.Normal().String())
}

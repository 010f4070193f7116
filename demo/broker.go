package demo

import (
	"context"
	"path/filepath"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/broker"
)

// openBroker starts the broker inside the process, on a free port of loopback,
// with a new password for each gateway and for ingest. A gateway may use its own
// branch and no other.
func (d *demo) openBroker(ctx context.Context, territory string) (err error) {
	d.secrets = map[string]string{"ingest": password()}
	of := func(gateway string, leaves ...batch.Leaf) (out []string) {
		for _, l := range leaves {
			out = append(out, batch.Topic(territory, gateway, l))
		}
		return out
	}
	users := []broker.User{{Name: "ingest", Password: d.secrets["ingest"],
		Publish:   of("+", batch.TopicReceipt, batch.TopicConfig),
		Subscribe: of("+", batch.TopicBatch, batch.TopicStatus, batch.TopicReport)}}
	for _, g := range d.port.Gateways() {
		d.secrets[g] = password()
		users = append(users, broker.User{Name: g, Password: d.secrets[g],
			Publish:   of(g, batch.TopicBatch, batch.TopicStatus, batch.TopicReport),
			Subscribe: of(g, batch.TopicReceipt, batch.TopicConfig)})
		d.sites = append(d.sites, &site{id: g, territory: territory, dir: filepath.Join(d.o.Data, "gateways", g)})
	}
	d.broker, err = broker.Start(ctx, broker.Options{Dir: filepath.Join(d.o.Data, "broker"), Listen: "127.0.0.1:0", Users: users, Log: d.log})
	return err
}

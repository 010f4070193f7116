package demo

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/gateway/publish"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/simulator/port"
)

// batchInterval is how often a live gateway of the demo closes a batch: often
// enough that somebody who watches sees readings move.
const batchInterval = 20 * time.Second

// site is one company's gateway.
type site struct {
	id, territory, dir string
	key                ed25519.PrivateKey

	outbox *outbox.Outbox // open while history is told
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

// enrol makes the key of every gateway on its first start and records it, as
// an installer and an administrator would.
func (d *demo) enrol(ctx context.Context) error {
	for _, s := range d.sites {
		key, err := gateway.LoadKey(s.dir)
		if err != nil {
			return err
		}
		s.key = key
		if err := d.server.Registry().EnrolGateway(ctx, s.id, key.Public().(ed25519.PublicKey)); err != nil {
			return err
		}
	}
	return nil
}

// startPublishers opens every outbox and carries what is put into it to the
// broker, until stopSites.
func (d *demo) startPublishers(ctx context.Context) error {
	ingestKey := d.server.PublicKeys().Server
	for _, s := range d.sites {
		box, err := outbox.Open(gateway.SpoolDir(s.dir), outbox.Options{Gateway: s.id, Key: s.key, Origin: batch.Synthetic, Log: d.log})
		if err != nil {
			return err
		}
		s.outbox = box
		ctx, cancel := context.WithCancel(ctx)
		s.stop = cancel
		o := publish.Options{Territory: s.territory, Gateway: s.id, Outbox: box, IngestKey: ingestKey, InOrder: true,
			Broker: mqtt.Options{Broker: d.broker.URL(), Username: s.id, Password: d.secrets[s.id]}, Log: d.log}
		s.ended.Go(func() {
			if err := publish.Run(ctx, o); err != nil {
				d.fail(fmt.Errorf("%s: %w", s.id, err))
			}
		})
	}
	return nil
}

// stopSites stops publishers and gateways, and waits for them.
func (d *demo) stopSites() error {
	for _, s := range d.sites {
		if s.stop != nil {
			s.stop()
		}
	}
	var errs []error
	for _, s := range d.sites {
		s.ended.Wait()
		s.stop = nil
		if s.outbox != nil {
			errs = append(errs, s.outbox.Close())
			s.outbox = nil
		}
	}
	if d.meters != nil {
		errs = append(errs, d.meters.Close())
		d.meters = nil
	}
	return errors.Join(errs...)
}

// startGateways serves the port's meters and starts a real gateway for each
// company, with the configuration that an installer would have written.
func (d *demo) startGateways(ctx context.Context) (err error) {
	if d.meters, err = d.port.Serve(port.ServeOptions{Now: d.o.Clock, Log: d.log}); err != nil {
		return err
	}
	for _, s := range d.sites {
		g, err := d.newGateway(s)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		s.stop = cancel
		s.ended.Go(func() {
			if err := g.Run(ctx); err != nil {
				d.fail(fmt.Errorf("%s: %w", s.id, err))
			}
		})
	}
	return nil
}

// portClock says that the gateways' clocks are right: in the demo this machine's
// clock is the port's.
func portClock() batch.Clock { return batch.Clock{Synchronised: true} }

// newGateway writes a gateway's configuration file and reads it again.
func (d *demo) newGateway(s *site) (*gateway.Gateway, error) {
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return nil, err
	}
	secret := filepath.Join(dir, "broker-password")
	if err := writeSecret(secret, d.secrets[s.id]); err != nil {
		return nil, err
	}
	text, err := d.port.GatewayYAML(d.meters, s.id, port.GatewayOptions{Territory: s.territory, Data: dir, BatchInterval: batchInterval,
		Broker:    port.Broker{URL: d.broker.URL(), Username: s.id, PasswordFile: secret},
		IngestKey: base64.StdEncoding.EncodeToString(d.server.PublicKeys().Server)})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, fmt.Errorf("configuration of %s: %w", s.id, err)
	}
	conf, err := gateway.LoadConfig(path)
	if err != nil {
		return nil, err
	}
	return gateway.New(conf, gateway.Options{Log: d.log, Now: d.o.Clock, Version: d.o.Version, Clock: portClock})
}

//go:build integration

package integration

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/gateway/publish"
	"github.com/thermie/thermie/ingest"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/mqtt"
	"github.com/thermie/thermie/pki"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
	"github.com/thermie/thermie/series/influx"
)

// The test binary starts itself again as a gateway or as ingest, so that these
// are processes which can be killed. The variable holds the name of a file with
// the role.
const roleVariable = "THERMIE_INTEGRATION_ROLE"

const (
	ledgerOrigin = "thermie/" + territory // as thermie ingest names it
	territory    = "port"
)

// role is what a process of the test does; one of the two is set.
type role struct {
	Broker string // address
	Certs  string // folder
	Name   string // of the certificate

	Gateway *gatewayRole `json:",omitempty"`
	Ingest  *ingestRole  `json:",omitempty"`
}

// gatewayRole makes the readings of [reading] into batches, one each Pace, and
// ends when every one has its receipt.
type gatewayRole struct {
	Dir      string
	Readings int
	Pace     time.Duration
}

// ingestRole receives, keeps the ledger and follows it into a store. When asked
// to end (SIGTERM) it first brings the store to the end of the ledger.
type ingestRole struct {
	Dir      string
	Gateways map[string]ed25519.PublicKey
	Influx   *influxPlace `json:",omitempty"` // nil: the embedded store
}

type influxPlace struct {
	URL, Token, Organisation, Bucket string
	Settle                           time.Duration
}

// keyOf is the signing key of a gateway, of ingest or of the ledger in tests.
func keyOf(name string) ed25519.PrivateKey {
	h := sha256.Sum256([]byte("integration " + name))
	return ed25519.NewKeyFromSeed(h[:])
}

func publicOf(name string) ed25519.PublicKey { return keyOf(name).Public().(ed25519.PublicKey) }

// playRole runs the role of this process and returns its exit code.
func playRole(file string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	b, err := os.ReadFile(file)
	var r role
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err == nil {
		switch {
		case r.Gateway != nil:
			err = r.Gateway.run(ctx, r, log)
		case r.Ingest != nil:
			err = r.Ingest.run(ctx, r, log)
		}
	}
	if err != nil {
		log.Error("ended", "error", err)
		return 1
	}
	return 0
}

func (r role) broker(log *slog.Logger) (mqtt.Options, error) {
	conf, err := pki.Client(filepath.Join(r.Certs, "ca.crt"), filepath.Join(r.Certs, r.Name+".crt"), filepath.Join(r.Certs, r.Name+".key"))
	return mqtt.Options{Broker: r.Broker, TLS: conf, KeepAlive: 5 * time.Second, Log: log}, err
}

// publicKeys are the keys of gateways that use [keyOf].
func publicKeys(gateways ...string) map[string]ed25519.PublicKey {
	keys := make(map[string]ed25519.PublicKey)
	for _, g := range gateways {
		keys[g] = publicOf(g)
	}
	return keys
}

// seriesOfGateway is how many series a gateway of the test reads.
const seriesOfGateway = 40

var firstReading = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// reading is number i of a gateway's readings: exact numbers of many sizes and
// decimal places, some of them suspect or missing, at uneven instants.
func reading(gateway string, i int) metering.Reading {
	s := i % seriesOfGateway
	r := metering.Reading{
		Series: metering.Series(fmt.Sprintf("%s-m%02d", gateway, s), metering.HeatEnergy), Unit: metering.KWh,
		At:     firstReading + int64(i/seriesOfGateway)*1000 + int64(s*7+i%13),
		Number: metering.Decimal{Coef: int64(i) * 1_000_003 % 999_999_999_937, Exp: -int8(i % 7)},
	}
	switch {
	case i%997 == 0:
		r.Number = metering.Decimal{Coef: 1<<53 + int64(i), Exp: -9} // beyond what a float holds
	case i%101 == 0:
		r.Quality = metering.Quality{Level: metering.Suspect, Reason: "stuck"}
	case i%103 == 0:
		r.Number, r.Quality = metering.Decimal{}, metering.Quality{Level: metering.Missing, Reason: "timeout"}
	}
	return r
}

// batchSize is how many readings batch number n of a gateway has: 20 to 200.
func batchSize(gateway string, n uint64) int {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d", gateway, n))
	return 20 + (int(h[0])<<8|int(h[1]))%181
}

func (g *gatewayRole) run(ctx context.Context, r role, log *slog.Logger) error {
	box, err := outbox.Open(g.Dir, outbox.Options{Gateway: r.Name, Key: keyOf(r.Name), Origin: batch.Synthetic, Log: log})
	if err != nil {
		return err
	}
	defer box.Close()
	b, err := r.broker(log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	published := make(chan error, 1)
	go func() {
		err := publish.Run(ctx, publish.Options{Territory: territory, Gateway: r.Name, Outbox: box, Broker: b,
			IngestKey: publicOf("ingest"), Patient: true, Resend: 5 * time.Second, Log: log})
		stop(err)
		published <- err
	}()
	err = g.put(ctx, r.Name, box)
	stop(nil)
	return cmp.Or(err, <-published)
}

// put goes on after the last batch that the outbox has.
func (g *gatewayRole) put(ctx context.Context, name string, box *outbox.Outbox) error {
	at := 0
	for n := uint64(1); n <= box.LastNumber(); n++ {
		at += batchSize(name, n)
	}
	tick := time.NewTicker(g.Pace)
	defer tick.Stop()
	for at < g.Readings || box.Status().Batches > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if at >= g.Readings {
			continue // the receipts of the last ones are awaited
		}
		list := batchReadings(name, box.LastNumber()+1, at, g.Readings)
		if err := box.Put(batch.Clock{Synchronised: true}, list[len(list)-1].At, list); err != nil {
			return err
		}
		at += len(list)
	}
	return nil
}

// batchReadings are the readings of batch n, which begins with reading at.
func batchReadings(gateway string, n uint64, at, total int) (list []metering.Reading) {
	for i := at; i < min(at+batchSize(gateway, n), total); i++ {
		list = append(list, reading(gateway, i))
	}
	return list
}

func (in *ingestRole) run(ctx context.Context, r role, log *slog.Logger) error {
	l, err := openLedger(in.Dir, log)
	if err != nil {
		return err
	}
	defer l.Close()
	chains, err := ingest.OpenChains(ctx, l, filepath.Join(in.Dir, "chains"))
	if err != nil {
		return err
	}
	store, err := in.store(ctx, log)
	if err != nil {
		return err
	}
	defer store.Close()
	b, err := r.broker(log)
	if err != nil {
		return err
	}
	follow, unfollow := context.WithCancel(context.WithoutCancel(ctx))
	followed := make(chan error, 1)
	go func() {
		err := ingest.Follow(follow, l, store, ingest.FollowOptions{Log: log})
		if err != nil {
			log.Error("follow", "error", err)
		}
		followed <- err
	}()
	err = ingest.Run(ctx, ingest.Options{Territory: territory, Ledger: l, Chains: chains, Keys: in.keys, Key: keyOf("ingest"),
		Broker: b, Quarantine: ingest.OpenQuarantine(filepath.Join(in.Dir, "quarantine")), Log: log})
	unfollow()
	if ferr := <-followed; err == nil {
		err = ferr
	}
	if err != nil {
		return err
	}
	return ingest.Follow(context.WithoutCancel(ctx), l, store, ingest.FollowOptions{Until: l.Size(), Log: log})
}

func openLedger(dir string, log *slog.Logger) (*ledger.Ledger, error) {
	return ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{Origin: ledgerOrigin, Signer: keyOf("ledger"), Log: log,
		CheckpointBytes: 512 << 10}) // often, so that kills meet it
}

func (in *ingestRole) keys(gateway string) (ed25519.PublicKey, error) {
	if key, ok := in.Gateways[gateway]; ok {
		return key, nil
	}
	return nil, fmt.Errorf("gateway %s is not enrolled", gateway)
}

func (in *ingestRole) store(ctx context.Context, log *slog.Logger) (series.Store, error) {
	if in.Influx == nil {
		return embedded.Open(ctx, filepath.Join(in.Dir, "store"), embedded.Options{Log: log, TailPoints: 100_000})
	}
	p := in.Influx
	return influx.Open(ctx, influx.Options{URL: p.URL, Token: p.Token, Org: p.Organisation, Bucket: p.Bucket, Settle: p.Settle, Log: log})
}

// newRole returns a process that plays a role, not started yet.
func newRole(t testing.TB, r role) *process {
	t.Helper()
	b, err := json.Marshal(r)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "role.json")
	require.NoError(t, os.WriteFile(file, b, 0o600))
	self, err := os.Executable()
	require.NoError(t, err)
	return newProcess(t, r.Name, nil, []string{roleVariable + "=" + file}, self)
}

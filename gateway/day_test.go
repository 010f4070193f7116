//go:build soak

package gateway

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/gateway/journal"
	"github.com/thermie/thermie/gateway/outbox"
	"github.com/thermie/thermie/metering"
)

// day is a gateway's keeping and sending for 24 simulated hours: ten meters each
// second, a batch each minute.
type day struct {
	t    *testing.T
	r    *rand.Rand
	key  ed25519.PrivateKey
	now  time.Time
	dir  string
	box  *outbox.Outbox
	jour *journal.Journal
	bat  *batcher
	due  time.Time
	full bool // the disk

	made      map[metering.SeriesID][]int64 // instants of the readings
	arrived   map[uint64]*batch.Batch       // by number: ingest keeps each once
	sentTwice int
}

func (d *day) Put(c batch.Clock, at int64, readings []metering.Reading) error {
	if d.full {
		return fmt.Errorf("put: %w", outbox.ErrFull)
	}
	return d.box.Put(c, at, readings)
}

func (d *day) open() {
	c := newClock(func() time.Time { return d.now })
	c.system = func() batch.Clock { return batch.Clock{Synchronised: true} }
	d.bat = newBatcher(d, time.Minute, c, slog.New(slog.DiscardHandler))
	d.box, d.jour = keepIn(d.t, d.dir, d.key, d.bat)
	d.due = next(d.now, time.Minute)
}

func (d *day) close() {
	require.NoError(d.t, d.jour.Close())
	require.NoError(d.t, d.box.Close())
}

// second polls every meter once and closes the batch that is due.
func (d *day) second() {
	var readings []metering.Reading
	for m := range 10 {
		id := metering.Series(fmt.Sprint("m", m), metering.ActiveEnergyImport)
		at := d.now.UnixMilli() + int64(m)
		readings = append(readings, metering.Reading{Series: id, At: at, Unit: metering.KWh, Number: metering.Int(int64(len(d.made[id])))})
		d.made[id] = append(d.made[id], at)
	}
	d.bat.add(readings)
	d.now = d.now.Add(time.Second)
	d.due = d.bat.tick(d.due)
}

// kill takes the process: what is on disk and in its journal stays, what is in
// memory is gone.
func (d *day) kill() {
	after := d.t.TempDir()
	require.NoError(d.t, os.CopyFS(after, os.DirFS(d.dir)))
	d.close()
	d.dir = after
	d.open()
}

// restart stops the gateway as its service does.
func (d *day) restart() {
	d.bat.close(d.now)
	d.close()
	d.open()
}

// deliver is the broker for a second: some batches reach ingest, and some of the
// receipts the gateway.
func (d *day) deliver() {
	list, err := d.box.Unsent(0, 16)
	require.NoError(d.t, err)
	for _, s := range list {
		b, err := batch.Open(s.Bytes, func(string) (ed25519.PublicKey, error) { return d.key.Public().(ed25519.PublicKey), nil })
		require.NoError(d.t, err)
		if old := d.arrived[b.Number]; old != nil {
			require.Equal(d.t, old, b, "batch %d is another now", b.Number)
			d.sentTwice++
		}
		d.arrived[b.Number] = b
		if d.r.IntN(10) == 0 {
			return // the broker dies with the receipt
		}
		require.NoError(d.t, d.box.Delivered(batch.Receipt{Gateway: "gw-1", Number: s.Number, Batch: batch.HashOf(s.Bytes)}))
	}
}

// TestADay: broker gone for twelve seconds, and for hours; gateway stopped, and
// killed; disk full, and freed: every poll that was made arrives exactly once. It
// takes some seconds:
//
//	go test -tags soak -run ADay -v ./gateway
func TestADay(t *testing.T) {
	d := &day{t: t, r: rand.New(rand.NewPCG(7, 7)), key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)), now: testAt, dir: t.TempDir(),
		made: map[metering.SeriesID][]int64{}, arrived: map[uint64]*batch.Batch{}}
	d.open()
	const hour = 3600
	kills, restarts := 0, 0
	for second := range 24 * hour {
		d.second()
		away := second%1800 < 12 || second > 8*hour && second < 11*hour
		d.full = second > 14*hour && second < 15*hour
		if !away {
			d.deliver()
		}
		if !d.full && second%(2*hour) == 5017 {
			d.kill() // in the middle, also while the broker is gone
			kills++
		}
		if !d.full && second%(3*hour) == 7013 {
			d.restart()
			restarts++
		}
	}
	d.restart()
	for range 10_000 {
		if d.box.Status().Batches == 0 {
			break
		}
		d.deliver()
	}
	require.Zero(t, d.box.Status().Batches)
	d.close()

	got := map[metering.SeriesID]map[int64]bool{}
	for _, b := range d.arrived {
		require.Empty(t, b.Break, "batch %d", b.Number)
		for _, r := range b.Readings {
			if got[r.Series] == nil {
				got[r.Series] = map[int64]bool{}
			}
			require.False(t, got[r.Series][r.At], "%s at %d twice", r.Series, r.At)
			got[r.Series][r.At] = true
		}
	}
	polls := 0
	for id, made := range d.made {
		require.Len(t, made, 24*hour)
		require.Len(t, got[id], len(made))
		for _, at := range made {
			require.True(t, got[id][at])
		}
		polls += len(made)
	}
	t.Logf("%d polls, %d kills, %d restarts: none lost, none doubled; %d batches were sent again", polls, kills, restarts, d.sentTwice)
}

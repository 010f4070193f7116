package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
)

func openStore(t testing.TB, dir string) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(ctx, dir, embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// everything is all that a store holds: series, units, points.
func everything(t testing.TB, s series.Store) map[metering.SeriesID][]metering.Point {
	t.Helper()
	scope := access.System("test")
	list, err := s.List(ctx, scope)
	require.NoError(t, err)
	out := map[metering.SeriesID][]metering.Point{}
	for _, info := range list {
		var points []metering.Point
		for p, err := range s.Points(ctx, scope, info.ID, time.UnixMilli(0), time.UnixMilli(1<<45)) {
			require.NoError(t, err)
			points = append(points, p)
		}
		require.Len(t, points, info.Count)
		out[metering.SeriesID(string(info.ID)+" "+string(info.Unit))] = points
	}
	return out
}

// memory is a store that keeps readings in a map and can be told to fail.
type memory struct {
	mu       sync.Mutex
	position uint64
	points   map[metering.SeriesID]map[int64]metering.Point
	units    map[metering.SeriesID]metering.Unit
	fail     func(upTo uint64) error
	refuse   func(metering.Reading) error // nil: series.Check
	applied  int                          // calls that changed something
}

func newMemory() *memory {
	return &memory{points: map[metering.SeriesID]map[int64]metering.Point{}, units: map[metering.SeriesID]metering.Unit{}}
}

func (m *memory) Apply(_ context.Context, upTo uint64, readings []metering.Reading) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(upTo); err != nil {
			return err
		}
	}
	if upTo <= m.position {
		return nil
	}
	fresh := map[metering.SeriesID]metering.Unit{}
	for i, r := range readings {
		check := series.Check
		if m.refuse != nil {
			check = m.refuse
		}
		if err := check(r); err != nil {
			return &series.RefusedError{Index: i, Reading: r, Err: err}
		}
		unit, ok := m.units[r.Series]
		if !ok {
			unit, ok = fresh[r.Series]
		}
		if !ok {
			fresh[r.Series], unit = r.Unit, r.Unit
		}
		if unit != r.Unit {
			return &series.RefusedError{Index: i, Reading: r, Err: &series.UnitError{Series: r.Series, Have: unit, Got: r.Unit}}
		}
	}
	for id, u := range fresh {
		m.units[id] = u
	}
	for _, r := range readings {
		if m.points[r.Series] == nil {
			m.points[r.Series] = map[int64]metering.Point{}
		}
		m.points[r.Series][r.At] = series.Point(r)
	}
	m.position = upTo
	m.applied++
	return nil
}

func (m *memory) Position(context.Context) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(0); err != nil {
			return 0, err
		}
	}
	return m.position, nil
}

func (m *memory) Points(_ context.Context, _ access.Scope, id metering.SeriesID, _, _ time.Time) iter.Seq2[metering.Point, error] {
	return func(yield func(metering.Point, error) bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		at := make([]int64, 0, len(m.points[id]))
		for t := range m.points[id] {
			at = append(at, t)
		}
		slices.Sort(at)
		for _, t := range at {
			if !yield(m.points[id][t], nil) {
				return
			}
		}
	}
}

func (m *memory) List(context.Context, access.Scope) (out []series.Info, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, u := range m.units {
		out = append(out, series.Info{ID: id, Unit: u, Count: len(m.points[id])})
	}
	return out, nil
}

func (m *memory) Latest(context.Context, access.Scope, []metering.SeriesID) (map[metering.SeriesID]metering.Point, error) {
	return nil, errors.ErrUnsupported
}

func (m *memory) Windows(context.Context, access.Scope, metering.SeriesID, []time.Time) ([]series.Window, error) {
	return nil, errors.ErrUnsupported
}

func (m *memory) Close() error { return nil }

var _ series.Store = (*memory)(nil)

// mixed fills a ledger with what a store may meet: several gateways, readings
// corrected later, late ones, every quality, a document, and readings in
// another unit.
func mixed(t testing.TB, l *ledger.Ledger, rounds int) (readings int) {
	t.Helper()
	a, c := newGateway(t, "gw-a"), newGateway(t, "gw-c")
	var leaves [][]byte
	for i := range rounds {
		leaves = append(leaves, a.batch(40, func(b *batch.Batch) {
			b.Readings[0].Quality = metering.Quality{Level: metering.Suspect, Reason: "stuck"}
			b.Readings[1].Quality = metering.Quality{Level: metering.Missing, Reason: "timeout"}
			b.Readings[1].Number = metering.Decimal{}
		}))
		leaves = append(leaves, c.batch(30, func(b *batch.Batch) {
			for j := range b.Readings {
				if i%3 == 2 { // corrects what came two batches before
					b.Readings[j].At -= 120_000
				}
				if i%4 == 3 && j%5 == 0 {
					b.Readings[j].Unit = "J"
				}
			}
		}))
		readings += 70
		if i%10 == 0 {
			doc, err := batch.SealDocument(batch.Document{Kind: "plan", Signer: "server", Body: fmt.Append(nil, i)}, ingestKey)
			require.NoError(t, err)
			leaves = append(leaves, doc, fmt.Append(nil, "neither batch nor document ", i))
		}
	}
	_, err := l.AppendAll(ctx, leaves)
	require.NoError(t, err)
	return readings
}

// A store rebuilt from the first leaf is the same as the one that followed all
// along, however often that one was stopped in between, and another
// implementation of the store holds the same.
func TestRebuiltStoreIsTheSame(t *testing.T) {
	dir := t.TempDir()
	l := openLedger(t, filepath.Join(dir, "ledger"))
	original := openStore(t, filepath.Join(dir, "original"))
	for _, rounds := range []int{1, 7, 30, 1} {
		mixed(t, l, rounds)
		require.NoError(t, Follow(ctx, l, original, FollowOptions{Until: l.Size()}))
		require.NoError(t, original.Close())
		original = openStore(t, filepath.Join(dir, "original"))
	}
	rebuilt := openStore(t, filepath.Join(dir, "rebuilt"))
	require.NoError(t, Follow(ctx, l, rebuilt, FollowOptions{Until: l.Size()}))
	want := everything(t, original)
	require.NotEmpty(t, want)
	require.Equal(t, want, everything(t, rebuilt))

	other := newMemory()
	require.NoError(t, Follow(ctx, l, other, FollowOptions{Until: l.Size()}))
	require.Equal(t, want, everything(t, other))
	position, err := rebuilt.Position(ctx)
	require.NoError(t, err)
	require.Equal(t, l.Size(), position)
}

// Followers that are stopped after any number of chunks and go on, in stores
// that fail at any moment, end with the same store.
func TestFollowResumes(t *testing.T) {
	l := openLedger(t, t.TempDir())
	for range 3 {
		mixed(t, l, 10)
	}
	whole := newMemory()
	require.NoError(t, Follow(ctx, l, whole, FollowOptions{Until: l.Size()}))
	want := everything(t, whole)
	rapid.Check(t, func(rt *rapid.T) {
		store := newMemory()
		until := uint64(0)
		for until < l.Size() {
			until = min(l.Size(), until+uint64(rapid.IntRange(1, 40).Draw(rt, "leaves")))
			require.NoError(rt, Follow(ctx, l, store, FollowOptions{Until: until}))
			position, _ := store.Position(ctx)
			require.Equal(rt, until, position)
		}
		applied := store.applied
		require.NoError(rt, Follow(ctx, l, store, FollowOptions{Until: until}))
		require.Equal(rt, applied, store.applied, "nothing is left to apply")
		require.Equal(rt, want, everything(t, store))
	})
}

// Readings in another unit stay out with an alarm; everything else is there.
func TestRefusedReadings(t *testing.T) {
	l := openLedger(t, t.TempDir())
	g := newGateway(t, "gw-a")
	first := g.batch(40, nil)
	otherUnit := g.batch(10, func(b *batch.Batch) {
		for i := range b.Readings {
			b.Readings[i].Unit = "J"
		}
	})
	good := g.batch(10, nil)
	_, err := l.AppendAll(ctx, [][]byte{first, otherUnit, good})
	require.NoError(t, err)
	picky := newMemory()
	picky.refuse = func(r metering.Reading) error {
		if r.At < epoch.UnixMilli() && r.At%200 != 0 {
			return errors.New("no")
		}
		return nil
	}
	want := map[string]int{"memory": 40 + 10, "embedded": 40 + 10, "picky": 20 + 10}
	for name, store := range map[string]series.Store{"memory": newMemory(), "embedded": openStore(t, t.TempDir()), "picky": picky} {
		t.Run(name, func(t *testing.T) {
			alarms := &recorder{}
			var seen []Applied
			require.NoError(t, Follow(ctx, l, store, FollowOptions{Until: 3, Alarm: alarms.raise, OnBatch: func(a Applied) { seen = append(seen, a) }}))
			require.True(t, alarms.open("ingest/reading/gw-a-m0/heat_energy"))
			require.Contains(t, alarms.get("ingest/reading/gw-a-m0/heat_energy").Text.EN, "the ledger has them")
			count := 0
			for _, points := range everything(t, store) {
				count += len(points)
			}
			require.Equal(t, want[name], count)
			require.Equal(t, []Applied{
				{"gw-a", 1, 0, epoch, batch.Synthetic, 40},
				{"gw-a", 2, 1, epoch.Add(time.Minute), batch.Synthetic, 10},
				{"gw-a", 3, 2, epoch.Add(2 * time.Minute), batch.Synthetic, 10},
			}, seen)
		})
	}
}

// While the store is down the follower waits with an alarm, and goes on where
// it was when the store is back.
func TestStoreDownAndBack(t *testing.T) {
	l := openLedger(t, t.TempDir())
	g := newGateway(t, "gw-a")
	_, err := l.AppendAll(ctx, g.batches(20, 3))
	require.NoError(t, err)
	store := newMemory()
	tries := 0
	store.fail = func(upTo uint64) error {
		if tries++; tries == 1 || tries == 3 { // the position, then the first chunk
			return errors.New("503 Service Unavailable")
		}
		return nil
	}
	alarms := &recorder{}
	var raised []metering.Alarm
	require.NoError(t, Follow(ctx, l, store, FollowOptions{Until: 20, Alarm: func(a metering.Alarm) {
		alarms.raise(a)
		raised = append(raised, a)
	}}))
	require.Equal(t, 4, tries)
	require.Len(t, raised, 4, "on, off, on, off")
	require.Contains(t, raised[0].Text.FR, "503")
	require.False(t, alarms.open("ingest/store/store"))
	require.EqualValues(t, 20, store.position)
	require.Len(t, store.points, 3)
	total := 0
	for _, p := range store.points {
		total += len(p)
	}
	require.Equal(t, 60, total)
}

// A follower waits at the end of the log and applies what is appended.
func TestFollowLive(t *testing.T) {
	l := openLedger(t, t.TempDir())
	store := newMemory()
	ctx, stop := context.WithCancel(ctx)
	progress := make(chan uint64, 1000)
	done := make(chan error, 1)
	go func() {
		done <- Follow(ctx, l, store, FollowOptions{Progress: func(at, size uint64) { progress <- at }})
	}()
	g := newGateway(t, "gw-a")
	for i := range 20 {
		_, _, err := l.Append(ctx, g.batch(1, nil))
		require.NoError(t, err)
		require.EqualValues(t, i+1, <-progress)
	}
	stop()
	require.NoError(t, <-done, "the end of the context is no error")
	require.EqualValues(t, 20, store.position)
}

// A store of another ledger, further than this one, is refused.
func TestFollowRefusesForeignStore(t *testing.T) {
	l := openLedger(t, t.TempDir())
	store := newMemory()
	store.position = 7
	err := Follow(ctx, l, store, FollowOptions{})
	require.ErrorContains(t, err, "do not belong together")
}

// A ledger that is closed under a follower ends it with an error.
func TestFollowLedgerClosed(t *testing.T) {
	l := openLedger(t, t.TempDir())
	done := make(chan error, 1)
	go func() { done <- Follow(ctx, l, newMemory(), FollowOptions{}) }()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-done, ledger.ErrClosed)
}

// Chunks are bounded in readings as well as in leaves.
func TestChunksAreBounded(t *testing.T) {
	l := openLedger(t, t.TempDir())
	g := newGateway(t, "gw-a")
	_, err := l.AppendAll(ctx, g.batches(chunkLeaves+100, 1))
	require.NoError(t, err)
	f := &follower{ledger: l, units: map[metering.SeriesID]metering.Unit{}}
	require.EqualValues(t, chunkLeaves, f.decode(ctx, 0).upTo)
	require.EqualValues(t, chunkLeaves+100, f.decode(ctx, 100).upTo)
	f.o.Until = 50
	require.EqualValues(t, 50, f.decode(ctx, 0).upTo)

	big := openLedger(t, t.TempDir())
	h := newGateway(t, "gw-a")
	_, err = big.AppendAll(ctx, h.batches(40, 1600))
	require.NoError(t, err)
	f = &follower{ledger: big}
	c := f.decode(ctx, 0)
	require.EqualValues(t, 32, c.upTo, "a round, then there are enough readings")
	require.Len(t, c.readings, 32*1600)
	require.EqualValues(t, 40, f.decode(ctx, c.upTo).upTo)
}

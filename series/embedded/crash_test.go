package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
)

// applierDir names the environment variable that turns the test binary into a
// process that applies leaves to the store in a folder until it is killed.
const applierDir = "THERMIE_TEST_APPLIER"

const leafReadings = 40

// leaf makes the readings of a leaf of the ledger, the same each time: late,
// corrected and flagged ones among them.
func leaf(n uint64) []metering.Reading {
	r := rand.New(rand.NewPCG(n, 7))
	out := make([]metering.Reading, leafReadings)
	for i := range out {
		at := int64(1736942400000) + int64(n)*600_000
		switch r.IntN(10) {
		case 0: // late
			at -= r.Int64N(5 * dayMillis)
		case 1: // corrects
			at -= 600_000 * r.Int64N(200)
		}
		out[i] = metering.Reading{Series: metering.Series(fmt.Sprint("m", i%8), metering.HeatPower), At: at, Unit: metering.KW,
			Number: metering.Decimal{Coef: r.Int64N(100_000), Exp: -2}}
		if r.IntN(20) == 0 {
			out[i].Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
		}
	}
	return out
}

// runApplier goes on from the store's position, and says so line by line.
func runApplier(dir string) {
	ctx := context.Background()
	s, err := Open(ctx, dir, Options{TailPoints: 1500})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	position, err := s.Position(ctx)
	for ; err == nil; position++ {
		if err = s.Apply(ctx, position+1, leaf(position)); err == nil {
			fmt.Println(position + 1)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// TestKilledWhileApplying kills a process that applies, at random moments, and
// compares what is there afterwards with a store that nobody killed.
func TestKilledWhileApplying(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	var said uint64
	for range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), applierDir+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		require.True(t, lines.Scan())
		kill := time.AfterFunc(time.Duration(rand.Int64N(int64(60*time.Millisecond))), func() { cmd.Process.Kill() })
		last := lines.Text()
		for lines.Scan() {
			last = lines.Text()
		}
		kill.Stop()
		cmd.Process.Kill()
		_, err = io.Copy(io.Discard, out)
		_ = err // the pipe may be closed
		require.Error(t, cmd.Wait(), "it was killed")
		var n uint64
		_, err = fmt.Sscan(last, &n)
		require.NoError(t, err, last)
		require.Greater(t, n, said, "it went on where it was")
		said = n
	}
	killed, err := Open(ctx, dir, Options{})
	require.NoError(t, err)
	defer killed.Close()
	position, err := killed.Position(ctx)
	require.NoError(t, err)
	require.Contains(t, []uint64{said, said + 1}, position, "what was said to be applied is")

	straight, err := Open(ctx, t.TempDir(), Options{})
	require.NoError(t, err)
	defer straight.Close()
	for n := range position {
		require.NoError(t, straight.Apply(ctx, n+1, leaf(n)))
	}
	t.Logf("%d leaves applied through 12 kills", position)
	require.Equal(t, contents(t, straight), contents(t, killed))
	require.NoError(t, killed.Pack(ctx))
	require.Equal(t, contents(t, straight), contents(t, killed), "after packing")
}

func contents(t *testing.T, s *Store) map[metering.SeriesID][]metering.Point {
	t.Helper()
	scope := access.System("test")
	infos, err := s.List(context.Background(), scope)
	require.NoError(t, err)
	out := map[metering.SeriesID][]metering.Point{}
	for _, i := range infos {
		out[i.ID] = points(t, s, i.ID)
		require.Len(t, out[i.ID], i.Count, i.ID)
	}
	return out
}

func points(t testing.TB, s series.Store, id metering.SeriesID) []metering.Point {
	t.Helper()
	var out []metering.Point
	for p, err := range s.Points(context.Background(), access.System("test"), id, time.Time{}, time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)) {
		require.NoError(t, err)
		out = append(out, p)
	}
	return out
}

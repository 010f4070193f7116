//go:build integration

package influx

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
)

var all = access.System("test")

// leaf makes the readings of a leaf of the ledger: every leaf corrects points
// of the leaves before it, so that a write which overtakes another one shows.
func leaf(n uint64) []metering.Reading {
	r := rand.New(rand.NewPCG(n, 11))
	out := make([]metering.Reading, 200)
	for i := range out {
		at := base + int64(n)*60_000 + int64(i/8)*1000
		if r.IntN(3) == 0 {
			at -= 60_000 * r.Int64N(4)
		}
		out[i] = metering.Reading{Series: metering.Series(fmt.Sprint("m", i%8), metering.HeatPower), At: at, Unit: metering.KW,
			Number: metering.Decimal{Coef: int64(n)*1000 + int64(i), Exp: -3}}
		switch r.IntN(15) {
		case 0:
			out[i].Quality = metering.Quality{Level: metering.Missing, Reason: metering.NoAnswer}
		case 1:
			out[i].Quality = metering.Quality{Level: metering.Suspect, Reason: metering.Frozen}
		}
	}
	return out
}

// TestServerKilledAndStalled applies while the server is killed, stalled and
// started again, as the follower of the ledger does: what fails is tried again.
// In the end the store must hold what one without trouble does.
func TestServerKilledAndStalled(t *testing.T) {
	d := startInfluxd(t)
	o := d.options(d.bucket(t))
	o.Timeout, o.Patience, o.Settle = 400*time.Millisecond, time.Second, 2*time.Second
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	trouble := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(trouble)
		r := rand.New(rand.NewPCG(5, 6))
		for i := range 8 {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(200+r.IntN(900)) * time.Millisecond):
			}
			if i%2 == 0 {
				d.kill()
				time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
				if err := d.tryStart(); err != nil {
					t.Error(err)
					return
				}
			} else {
				d.signal(syscall.SIGSTOP)
				time.Sleep(time.Duration(300+r.IntN(1500)) * time.Millisecond)
				d.signal(syscall.SIGCONT)
			}
		}
	}()
	t.Cleanup(func() { // before the server is ended
		close(stop)
		<-trouble
	})
	s := open(t, o)
	leaves, failures, reopened := uint64(0), 0, 0
	for ended := false; !ended || leaves < 200; {
		select {
		case <-trouble:
			ended = true
		default:
		}
		err := s.Apply(ctx, leaves+1, leaf(leaves))
		if err != nil {
			require.NoError(t, ctx.Err())
			failures++
			if failures%3 == 0 { // the follower's process dies too, and asks where it was
				reopened++
				require.NoError(t, s.Close())
				s = open(t, o)
				var position uint64
				require.Eventually(t, func() bool { position, err = s.Position(ctx); return err == nil }, time.Minute, 10*time.Millisecond)
				require.Contains(t, []uint64{leaves, leaves + 1}, position, "the position is what was applied, or one more that was not answered")
				leaves = position
			}
			continue
		}
		leaves++
	}
	t.Logf("%d leaves of 200 readings, %d failed attempts, %d times opened again", leaves, failures, reopened)
	require.Positive(t, failures, "there was trouble")

	plain, err := embedded.Open(ctx, t.TempDir(), embedded.Options{})
	require.NoError(t, err)
	defer plain.Close()
	for n := range leaves {
		require.NoError(t, plain.Apply(ctx, n+1, leaf(n)))
	}
	same(t, plain, s)
	d.kill()
	d.start()
	same(t, plain, open(t, o))
}

// same compares all that two stores hold.
func same(t *testing.T, want, got series.Store) {
	t.Helper()
	ctx := context.Background()
	a, err := want.Position(ctx)
	require.NoError(t, err)
	b, err := got.Position(ctx)
	require.NoError(t, err)
	require.Equal(t, a, b)
	infos, err := want.List(ctx, all)
	require.NoError(t, err)
	other, err := got.List(ctx, all)
	require.NoError(t, err)
	require.Equal(t, infos, other)
	for _, i := range infos {
		read := func(s series.Store) (out []metering.Point) {
			for p, err := range s.Points(ctx, all, i.ID, i.First, i.Last.Add(1)) {
				require.NoError(t, err)
				out = append(out, p)
			}
			return out
		}
		p, q := read(want), read(got)
		require.Len(t, q, len(p), i.ID)
		for k := range p {
			require.Equal(t, p[k], q[k], i.ID)
		}
		bounds := []time.Time{i.First, i.First.Add(time.Minute), i.First.Add(2 * time.Minute), i.Last.Add(time.Hour)}
		v, err := want.Windows(ctx, all, i.ID, bounds)
		require.NoError(t, err)
		w, err := got.Windows(ctx, all, i.ID, bounds)
		require.NoError(t, err)
		require.Equal(t, v, w)
	}
}

func TestSetup(t *testing.T) {
	d := launchInfluxd(t)
	ctx := context.Background()
	o := SetupOptions{URL: d.url, Org: testOrg, Bucket: "readings", Retention: 20 * 365 * 24 * time.Hour}
	_, err := Setup(ctx, o)
	require.ErrorContains(t, err, "password")
	o.User, o.Password = "admin", "store-test-password"
	first, err := Setup(ctx, o)
	require.NoError(t, err)
	for _, token := range []string{first.Admin, first.Write, first.Read} {
		require.NotEmpty(t, token)
	}
	require.NotEqual(t, first.Write, first.Read)
	_, err = Setup(ctx, o)
	require.ErrorContains(t, err, "token", "a server is new once")

	o.AdminToken = first.Admin
	again, err := Setup(ctx, o)
	require.NoError(t, err)
	require.Equal(t, Tokens{Write: first.Write, Read: first.Read}, again)
	o.Org, o.Bucket, o.Retention = "another", "others", 0
	other, err := Setup(ctx, o)
	require.NoError(t, err)
	require.NotContains(t, []string{first.Write, first.Read}, other.Write)

	// The tokens do what they are for, and nothing else.
	opt := func(token, org, bucket string) Options {
		return Options{URL: d.url, Token: token, Org: org, Bucket: bucket}
	}
	w := open(t, opt(first.Write, testOrg, "readings"))
	require.NoError(t, w.Apply(ctx, 1, leaf(0)))
	require.NoError(t, w.Delete(ctx, []string{"m3"}))
	r := open(t, opt(first.Read, testOrg, "readings"))
	infos, err := r.List(ctx, all)
	require.NoError(t, err)
	require.Len(t, infos, 7)
	require.Error(t, r.Apply(ctx, 2, leaf(1)))
	require.Error(t, r.Delete(ctx, []string{"m1"}))
	same(t, w, r)
	for _, c := range []Options{opt(first.Write, "another", "others"), opt(first.Read, "another", "others"), opt("no such token", testOrg, "readings"), opt(first.Write, testOrg, "nothing")} {
		_, err := Open(ctx, c)
		require.Error(t, err, c)
	}
	req, err := http.NewRequest(http.MethodPost, d.url+"/api/v2/buckets", strings.NewReader(`{"orgID":"0000000000000001","name":"x","retentionRules":[]}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Token "+first.Write)
	answer, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	answer.Body.Close()
	require.GreaterOrEqual(t, answer.StatusCode, 400, "a token for one bucket makes no other")

	// Readings that the bucket no longer keeps are left out, the others are not.
	old := reading(946684800000, "1")
	require.NoError(t, w.Apply(ctx, 2, []metering.Reading{old, reading(time.Now().UnixMilli(), "2")}))
	latest, err := w.Latest(ctx, all, []metering.SeriesID{heat})
	require.NoError(t, err)
	require.Equal(t, metering.Int(2), latest[heat].Number)
}

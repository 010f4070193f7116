package api

import (
	"context"
	"crypto/ed25519"
	"github.com/thermie/thermie/commissioning"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/registry/accounts"
	"github.com/thermie/thermie/series"
	"github.com/thermie/thermie/series/embedded"
	"github.com/thermie/thermie/simulator/port"
)

// password is that of everyone in the fixture.
const password = "une phrase de passe d'essai"

// fixtureNow is when all tests look at the pages: a Tuesday, 14:05 in Paris.
var fixtureNow = time.Date(2026, 11, 24, 13, 5, 0, 0, time.UTC)

func fixtureClock() time.Time { return fixtureNow }

// world is the fictional port put through the real registry, accounts and store:
// its own programme, readings of its meters for the last weeks, and figures that
// the real evaluation made of a reading every other day.
type world struct {
	registry  *registry.Registry
	accounts  *accounts.Accounts
	store     *embedded.Store
	courses   *Courses
	programme registry.Programme
	people    map[access.Role]access.Person

	plain     sync.Once
	shared    *Server
	sharedErr error
}

var theWorld struct {
	once sync.Once
	dir  string
	w    *world
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if theWorld.w != nil {
		_ = theWorld.w.store.Close()
		_ = theWorld.w.registry.Close()
		_ = theWorld.w.accounts.Close()
	}
	if theWorld.dir != "" {
		_ = os.RemoveAll(theWorld.dir)
	}
	os.Exit(code)
}

// fixture returns the world, made once for all tests. Tests that change it make
// names of their own.
func fixture(t testing.TB) *world {
	t.Helper()
	theWorld.once.Do(func() {
		if theWorld.dir, theWorld.err = os.MkdirTemp("", "thermie-pages"); theWorld.err == nil {
			theWorld.w, theWorld.err = makeWorld(context.Background(), theWorld.dir)
		}
	})
	require.NoError(t, theWorld.err)
	return theWorld.w
}

// options are those of a server over the fixture.
func (w *world) options() Options {
	return Options{Registry: w.registry, Series: w.store, Accounts: w.accounts, Courses: w.courses, Clock: fixtureClock, Arrivals: fixtureArrivals,
		Log: slog.New(slog.DiscardHandler), Territory: w.programme.Territory.Name, Synthetic: true, Version: "test"}
}

// server is a dashboard over the fixture; change alters its options. Without a
// change all tests share one.
func (w *world) server(t testing.TB, change ...func(*Options)) *Server {
	t.Helper()
	if len(change) == 0 {
		w.plain.Do(func() { w.shared, w.sharedErr = New(w.options()) })
		require.NoError(t, w.sharedErr)
		return w.shared
	}
	o := w.options()
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	require.NoError(t, err)
	return s
}

// visitor is a browser without scripts: it keeps cookies and follows nothing.
type visitor struct {
	t       testing.TB
	handler http.Handler
	cookies map[string]*http.Cookie
	header  http.Header // sent with every request
}

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

func visitorOf(t testing.TB, s *Server) *visitor {
	return &visitor{t: t, handler: s.Handler(), cookies: map[string]*http.Cookie{}, header: http.Header{}}
}

func (v *visitor) do(r *http.Request) answer {
	v.t.Helper()
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	maps.Copy(r.Header, v.header)
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	a := answer{Response: w.Result()}
	b, err := io.ReadAll(a.Body)
	require.NoError(v.t, err)
	a.body = string(b)
	for _, c := range a.Cookies() {
		if v.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return a
}

func (v *visitor) get(path string) answer {
	v.t.Helper()
	return v.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (v *visitor) post(path string, form url.Values) answer {
	v.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

// signIn signs the fixture's person of a role in.
func (w *world) signIn(t testing.TB, s *Server, role access.Role, lang string) *visitor {
	t.Helper()
	v := visitorOf(t, s)
	a := v.post("/sign-in", url.Values{"email": {w.people[role].Email}, "password": {password}})
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	v.cookies[languageCookie] = &http.Cookie{Name: languageCookie, Value: lang}
	return v
}

// get is one page as the person of a role sees it.
func get(t testing.TB, role access.Role, path, lang string) answer {
	t.Helper()
	w := fixture(t)
	return w.signIn(t, w.server(t), role, lang).get(path)
}

func makeWorld(ctx context.Context, dir string) (*world, error) {
	p, err := port.New(port.Options{Seed: 1, Epoch: fixtureNow})
	if err != nil {
		return nil, err
	}
	w := &world{courses: new(Courses), people: map[access.Role]access.Person{}}
	if w.programme, err = p.Programme(fixtureNow); err != nil {
		return nil, err
	}
	if w.registry, err = registry.Open(ctx, dir+"/registry.db", registry.WithClock(fixtureClock)); err != nil {
		return nil, err
	}
	if err := w.registry.Import(ctx, w.programme); err != nil {
		return nil, err
	}
	if w.accounts, err = accounts.Open(ctx, dir+"/accounts.db", accounts.WithClock(fixtureClock), accounts.WithCost(accounts.Cost{MemoryKiB: 8, Passes: 1, Lanes: 1})); err != nil {
		return nil, err
	}
	for _, x := range w.programme.People {
		person, err := w.accounts.Create(ctx, access.Person{Email: x.Email, Name: x.Name, Role: x.Role, Company: x.Company, Language: x.Language}, password)
		if err != nil {
			return nil, err
		}
		w.people[x.Role] = person
	}
	if w.store, err = embedded.Open(ctx, dir, embedded.Options{TailPoints: 20_000}); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, *port.Port) error{w.readings, w.results, w.findings} {
		if err := step(ctx, p); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// readings fills the store with the last weeks by four hours, the last days by the
// hour and the last one by ten minutes, and counts them by meter and day.
func (w *world) readings(ctx context.Context, p *port.Port) error {
	recent := fixtureNow.Add(-24 * time.Hour).Truncate(time.Hour)
	counts := map[string]map[time.Time]*registry.MeterDay{}
	var leaf uint64
	for _, g := range p.Gateways() {
		status := batch.Status{Gateway: g, At: fixtureNow.Add(-40 * time.Second), Online: true, Version: "0.1.0", StartedAt: fixtureNow.AddDate(0, 0, -12),
			Clock: batch.Clock{Synchronised: true, OffsetMillis: 1}, Spool: batch.SpoolStatus{Batches: 1, LastNumber: 17300}, CertExpiry: fixtureNow.AddDate(0, 7, 0),
			Buses: []batch.BusStatus{{Bus: "tcp-1", Requests: 1200000, Answers: 1199700, Timeouts: 280, BadFrames: 20, LoadRatio: 0.12}}}
		last := map[string]metering.Reading{}
		for _, part := range []struct {
			from, to time.Time
			step     time.Duration
		}{{recent.AddDate(0, 0, -44), recent.AddDate(0, 0, -9), 4 * time.Hour}, {recent.AddDate(0, 0, -9), recent, time.Hour}, {recent, fixtureNow, 10 * time.Minute}} {
			for x := range p.History(g, part.from, part.to, part.step) {
				leaf++
				if err := w.store.Apply(ctx, leaf, x.Readings); err != nil {
					return err
				}
				for _, r := range x.Readings {
					count(counts, r)
					last[r.Series.Meter()] = r
				}
			}
		}
		for _, id := range slices.Sorted(maps.Keys(last)) {
			m := batch.MeterStatus{Meter: id, LastSeen: last[id].Time()}
			if q := last[id].Quality; q.Level == metering.Missing {
				m.Fault, m.LastSeen = string(q.Reason), fixtureNow.Add(-9*time.Hour)
			}
			status.Meters = append(status.Meters, m)
		}
		if g == port.Gateway("transports") {
			status.At, status.Online = fixtureNow.AddDate(0, 0, -3), false
		}
		if err := w.registry.PutStatus(ctx, status); err != nil {
			return err
		}
		if err := w.configure(ctx, g); err != nil {
			return err
		}
	}
	infos, err := w.store.List(ctx, access.System("fixture"))
	if err != nil {
		return err
	}
	tracks := map[string]*align.Track{}
	var days []registry.MeterDay
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		for _, d := range slices.SortedFunc(maps.Keys(counts[id]), time.Time.Compare) {
			day := *counts[id][d]
			if tracks[id] == nil {
				if tracks[id], err = w.track(ctx, id, infos); err != nil {
					return err
				}
			}
			if t := tracks[id]; t.Kind == metering.Counter {
				day.Increase = &registry.Increase{Series: t.Source.Series, Unit: t.Source.Unit, Amount: t.Increase(d, calendar.NextDay(d)), Covered: 1}
			}
			days = append(days, day)
		}
	}
	return w.registry.PutCompleteness(ctx, days)
}

// track reads a meter's first register, else its first series.
func (w *world) track(ctx context.Context, meter string, infos []series.Info) (*align.Track, error) {
	var of []series.Info
	for _, i := range infos {
		if i.ID.Meter() == meter {
			of = append(of, i)
		}
	}
	k := max(slices.IndexFunc(of, func(i series.Info) bool { return i.ID.Quantity().Kind() == metering.Counter }), 0)
	return align.Read(align.Source{Series: of[k].ID, Unit: of[k].Unit}, w.store.Points(ctx, access.System("fixture"), of[k].ID, fixtureNow.AddDate(-1, 0, 0), fixtureNow))
}

func count(counts map[string]map[time.Time]*registry.MeterDay, r metering.Reading) {
	id, day := r.Series.Meter(), calendar.Day(r.Time())
	if counts[id] == nil {
		counts[id] = map[time.Time]*registry.MeterDay{}
	}
	d := counts[id][day]
	if d == nil {
		d = &registry.MeterDay{Meter: id, Day: day}
		counts[id][day] = d
	}
	d.Expected++
	switch r.Quality.Level {
	case metering.Good:
		d.Good++
	case metering.Suspect:
		d.Suspect++
	default:
		d.Missing++
	}
}

// results evaluates every approved plan on a reading every other day, spread over
// the hours between: coarse, and made by the code that makes the real ones.
func (w *world) results(ctx context.Context, p *port.Port) error {
	set, err := indicators.ParseSet([]byte(w.programme.Factors[0].Body))
	if err != nil {
		return err
	}
	until := calendar.Day(fixtureNow)
	data := &savings.Data{From: p.Start(), Hours: int(until.Sub(p.Start()) / time.Hour), Series: map[metering.SeriesID]*savings.Series{}}
	for _, g := range p.Gateways() {
		step := 48 * time.Hour
		if g == port.Gateway("") {
			step = 6 * time.Hour // the weather
		}
		last := map[metering.SeriesID]metering.Reading{}
		for part := range p.History(g, p.Start(), until.Add(time.Hour), step) {
			for _, r := range part.Readings {
				spread(data, last, r)
			}
		}
	}
	var alarms []metering.Alarm
	for _, x := range newestPlans(w.programme.Plans) {
		plan, err := savings.ParsePlan([]byte(x.Body))
		if err != nil {
			return err
		}
		own := *data
		own.Declarations = declared(w.programme.Declarations, x.Synergy)
		e, err := savings.Evaluate(plan, set, &own, until)
		if err != nil {
			return err
		}
		if err := w.registry.PutResults(ctx, e.Results(p.Start(), until)); err != nil {
			return err
		}
		if err := w.courses.Keep(e); err != nil {
			return err
		}
		alarm, ok, err := e.DriftAlarm()
		if err != nil {
			return err
		}
		if ok {
			alarms = append(alarms, alarm)
		}
	}
	return w.registry.PutAlarms(ctx, "assessment", append(alarms, troubles()...))
}

// spread puts what a register counted, or a gauge showed, since its last good
// reading over the hours between.
func spread(d *savings.Data, last map[metering.SeriesID]metering.Reading, r metering.Reading) {
	if r.Quality.Level == metering.Missing {
		return
	}
	s := d.Series[r.Series]
	if s == nil {
		s = &savings.Series{Amount: make([]float64, d.Hours), Covered: make([]float64, d.Hours), Last: d.From.Add(time.Duration(d.Hours) * time.Hour)}
		d.Series[r.Series] = s
	}
	before, known := last[r.Series]
	last[r.Series] = r
	if !known {
		return
	}
	h0, h1 := int(before.Time().Sub(d.From)/time.Hour), min(int(r.Time().Sub(d.From)/time.Hour), d.Hours)
	if h1 <= h0 || h1-h0 > 80 {
		return
	}
	x := before.Number.Float64()
	if r.Series.Quantity().Kind() == metering.Counter {
		x = (r.Number.Float64() - before.Number.Float64()) / float64(h1-h0)
		if r.Unit == metering.Joule {
			x /= 3.6e6
		}
		if x < 0 || x > 1e5 {
			return
		}
	}
	for h := h0; h < h1; h++ {
		s.Amount[h], s.Covered[h] = x, 1
	}
}

func newestPlans(all []registry.Plan) (out []registry.Plan) {
	for _, p := range all {
		if i := slices.IndexFunc(out, func(x registry.Plan) bool { return x.Synergy == p.Synergy }); i >= 0 {
			out[i] = p
			continue
		}
		out = append(out, p)
	}
	return out
}

func declared(all []registry.Declaration, synergy string) (out []savings.Declared) {
	for _, d := range all {
		if d.Synergy == synergy {
			out = append(out, savings.Declared{ID: d.ID, Indicator: d.Indicator, Span: indicators.Span{From: indicators.DateOf(d.From), To: indicators.DateOf(d.To)},
				Amount: d.Amount.Float64(), Half90: d.Half90.Float64(), Flow: indicators.Flow(d.Flow), By: d.Company})
		}
	}
	return out
}

// fixtureArrivals: of one gateway batches are missing, so few that rounding would
// hide them; of the others nothing is known.
func fixtureArrivals(gateway string) (kept, missing uint64, ok bool) {
	return 123_456, 3, gateway == "gw-fonderie"
}

// configure has one gateway roll a configuration back and leave a later one
// unanswered; the others run the file on the device.
func (w *world) configure(ctx context.Context, gateway string) error {
	said := batch.ConfigReport{Gateway: gateway, At: fixtureNow.AddDate(0, 0, -1), State: batch.ConfigLocal, Config: "ab"}
	if gateway != port.Gateway("fonderie") {
		return w.registry.PutConfigReport(ctx, said)
	}
	if err := w.commission(ctx, gateway); err != nil {
		return err
	}
	said.Number, said.State, said.Detail = 41, batch.ConfigRolledBack, "the broker was not reached within 2m0s"
	if err := w.registry.PutConfigReport(ctx, said); err != nil {
		return err
	}
	return w.registry.PutDesired(ctx, registry.Desired{Gateway: gateway, Number: 42, SentAt: fixtureNow.Add(-time.Hour), SentBy: "anne", Body: "gateway: x"})
}

// commission adds a record of two meters of a gateway.
func (w *world) commission(ctx context.Context, gateway string) error {
	record := commissioning.Record{Gateway: gateway, Signed: fixtureNow.AddDate(0, -2, 0), Installer: "Zoé Lefèvre", Company: "Mesures & Cie", Meters: []commissioning.Meter{
		{ID: "fonderie-recuperation", Accepted: true, Comparison: &commissioning.Comparison{Display: "987654", Agrees: true}}, {ID: "fonderie-pompe"}}}
	sealed, err := commissioning.Seal(record, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		return err
	}
	_, err = w.registry.AddCommissioning(ctx, registry.Commissioning{Digest: commissioning.Digest(sealed), Gateway: gateway, SignedAt: record.Signed, AddedAt: fixtureNow, Record: sealed})
	if err != nil {
		return err
	}
	return w.registry.CommissioningEntered(ctx, commissioning.Digest(sealed), 1234)
}

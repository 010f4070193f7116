package api

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/chart"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
)

func TestGatewayState(t *testing.T) {
	s := fixture(t).server(t)
	v := &visit{s: s, lang: words.EN}
	well := batch.Status{At: fixtureNow.Add(-time.Minute), Online: true, Clock: batch.Clock{Synchronised: true}, CertExpiry: fixtureNow.AddDate(1, 0, 0)}
	with := func(change func(*batch.Status)) batch.Status { x := well; change(&x); return x }
	for name, c := range map[string]struct {
		status batch.Status
		known  bool
		level  string
		text   string
	}{
		"well":          {well, true, "good", "online"},
		"without TLS":   {with(func(s *batch.Status) { s.CertExpiry = time.Time{} }), true, "good", "online"},
		"never":         {batch.Status{}, false, "none", "never heard"},
		"last will":     {with(func(s *batch.Status) { s.Online, s.At = false, fixtureNow.Add(-3*time.Hour) }), true, "missing", "offline for 3 hours"},
		"silent":        {with(func(s *batch.Status) { s.At = fixtureNow.Add(-11 * time.Minute) }), true, "missing", "silent for 11 min"},
		"clock":         {with(func(s *batch.Status) { s.Clock.Synchronised = false }), true, "suspect", "clock not synchronised"},
		"certificate":   {with(func(s *batch.Status) { s.CertExpiry = fixtureNow.AddDate(0, 0, 20) }), true, "suspect", "certificate to be renewed before 14 December 2026"},
		"expired":       {with(func(s *batch.Status) { s.CertExpiry = fixtureNow.AddDate(0, 0, -1) }), true, "missing", "certificate expired on 23 November 2026"},
		"expired first": {with(func(s *batch.Status) { s.CertExpiry, s.Online = fixtureNow.AddDate(0, 0, -1), false }), true, "missing", "certificate expired on 23 November 2026"},
	} {
		got := v.gatewayState(c.status, c.known)
		assert.Equal(t, c.level, got.Level, name)
		assert.Equal(t, c.text, strings.ReplaceAll(got.Text, "\u00a0", " "), name)
		assert.Equal(t, c.level == "good", got.Do == "", "%s: what is wrong says what to do", name)
	}
}

// TestEveryFaultHasWords: what a gateway can report is said in both languages,
// with what to do.
func TestEveryFaultHasWords(t *testing.T) {
	for _, r := range []metering.Reason{metering.NoAnswer, metering.BadFrame, metering.Refused, metering.NotAvailable, metering.SensorBreak, metering.OutOfBounds,
		metering.Frozen, metering.SensorsSwap, metering.Reset, metering.ScaleJump, metering.ClockOff, metering.Estimated} {
		assert.True(t, words.Has("reason."+string(r)), r)
		assert.True(t, words.Has("reason."+string(r)+".do"), r)
	}
	for _, q := range metering.Quantities {
		assert.True(t, words.Has("quantity."+string(q.Quantity)), q.Quantity)
	}
	for _, m := range registry.Media {
		assert.True(t, words.Has("medium."+m), m)
	}
}

func TestInstallerFindsTheFault(t *testing.T) {
	body := get(t, access.Installer, "/gateways", "fr").body
	assert.Contains(t, body, "ne répond pas")
	assert.Contains(t, body, "Vérifier l’alimentation du compteur")
	assert.Contains(t, body, "hors ligne depuis 3")
	assert.Contains(t, body, "14 passerelles en ordre")
	assert.Contains(t, body, "Capitainerie", "the territory's own gateway is there")
	first, last := strings.Index(body, "ne répond pas"), strings.LastIndex(body, ">répond<")
	assert.True(t, first > 0 && first < last, "what needs a visit comes first")

	live := get(t, access.Installer, "/gateways/gw-fonderie/live", "fr").body
	assert.NotContains(t, live, "<html")
	assert.Contains(t, live, "Volume de gaz")
	assert.Contains(t, live, "Lu à 14:05:00")
	page := get(t, access.Installer, "/gateways/gw-fonderie", "fr").body
	assert.Contains(t, page, strings.TrimSpace(live), "the page holds what it refreshes")
	assert.Contains(t, page, `data-refresh="/gateways/gw-fonderie/live"`)
	assert.Contains(t, page, "Lots au registre")
	assert.Contains(t, page, "abandonnée, l’ancienne est reprise (n° 41)")
	assert.Contains(t, page, "the broker was not reached within 2m0s")
	assert.Regexp(t, `n° 42 le .*, sans réponse`, page)
	assert.Contains(t, get(t, access.Installer, "/gateways/gw-laiterie", "en").body, "the file on the device")
	assert.Regexp(t, `123.456.; il en manque 3 \(99,9.% sont arrivés\)`, page)
}

func TestMeterPage(t *testing.T) {
	own := get(t, access.Company, "/meters/laiterie-chaleur?days=31", "en").body
	assert.NotContains(t, own, "Signed commissioning record", "there is none")
	gateway := get(t, access.Installer, "/gateways/gw-fonderie", "fr").body
	assert.Regexp(t, `signé le .* par Zoé Lefèvre \(Mesures &amp; Cie\).; entrée n° 1.234 du registre.; compteurs acceptés.: 1 sur 2`, gateway)
	for meter, want := range map[string]string{"fonderie-recuperation": "agrees with its display", "fonderie-pompe": "not accepted by the installer"} {
		page := get(t, access.Installer, "/meters/"+meter, "en").body
		assert.Contains(t, page, want)
		assert.NotContains(t, page, "987654", "what a display showed is history")
	}
	assert.Contains(t, own, `id="m-heat_energy-data"`)
	assert.Contains(t, own, "12 months")
	installer := get(t, access.Installer, "/meters/laiterie-chaleur?days=366", "en").body
	assert.NotContains(t, installer, "12 months")
	assert.NotContains(t, installer, "First reading", "when a series began is history")
	assert.Contains(t, installer, "last 7 days")
	// The animator sees the health of a company that withdrew its consent, not its readings.
	refused := get(t, access.Animator, "/meters/galvano-eau", "en")
	require.Equal(t, 200, refused.StatusCode)
	assert.Contains(t, refused.body, "ask the company for its consent")
	assert.NotContains(t, refused.body, "Last readings")
}

func TestCompanyPage(t *testing.T) {
	body := get(t, access.Company, "/companies/laiterie", "fr").body
	for _, want := range []string{"Ce que vous y gagnez", "60 % des économies", "Votre consommation", "Consentements", "Ce que les autres voient de vous", `id="use-electricity-kWh-data"`} {
		assert.Contains(t, strings.ReplaceAll(body, "\u202f", " "), want)
	}
	other := get(t, access.Animator, "/companies/laiterie", "fr").body
	assert.Contains(t, other, "Ce qu’elle y gagne")
}

// TestSeenByOthers: the page says what access says, for each pair of eyes.
func TestSeenByOthers(t *testing.T) {
	w := fixture(t)
	v := w.signIn(t, w.server(t), access.Company, "en")
	answers := func(viewer string) map[string]bool {
		body := v.get("/companies/laiterie/seen?viewer=" + viewer).body
		out := map[string]bool{}
		for _, row := range strings.Split(body, `<tr><th scope="row">`)[1:] {
			what, _, _ := strings.Cut(row, "<")
			out[strings.ReplaceAll(what, "\u00a0", " ")] = strings.Contains(row, `status good`)
		}
		return out
	}
	animator, partner, stranger, funder := answers("animator"), answers("malterie"), answers("other"), answers("funder")
	assert.True(t, animator["The company’s page"])
	assert.False(t, partner["The company’s page"])
	assert.True(t, partner["Readings: Heat received from the malt house"], "the shared flow")
	assert.False(t, partner["Readings: Town water (pulses)"])
	for what, yes := range stranger {
		assert.Equal(t, what == "The programme’s indicators", yes, what)
	}
	for what, yes := range funder {
		assert.Equal(t, what == "The programme’s indicators", yes, what)
	}
	assert.Len(t, funder, len(animator))
}

func TestIncreasesOfWindows(t *testing.T) {
	window := func(hour int, first, last string) series.Window {
		w := series.Window{From: fixtureNow.Add(time.Duration(hour) * time.Hour)}
		if first != "" {
			w.Good, w.First.Number, w.Last.Number = 1, metering.MustDecimal(first), metering.MustDecimal(last)
		}
		return w
	}
	got := increases([]series.Window{window(0, "100", "110"), window(1, "111", "122"), window(2, "", ""), window(3, "130", "141"), window(4, "5", "9"), window(5, "9", "20")}, metering.KWh)
	want := []float64{10, 12, chart.Missing, 11, chart.Missing, 11}
	require.Len(t, got, len(want))
	for i := range want {
		assert.True(t, want[i] == got[i].Y || math.IsNaN(want[i]) && math.IsNaN(got[i].Y), "%d: want %v, got %v", i, want[i], got[i].Y)
	}
}

func TestUseByMonthSaysWhatItLacks(t *testing.T) {
	now := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	v := &visit{s: &Server{o: Options{Clock: func() time.Time { return now }}}}
	var days []registry.MeterDay
	var bounds []time.Time
	for d := calendar.Day(time.Date(2026, 1, 1, 11, 0, 0, 0, time.UTC)); !d.After(now); d = calendar.NextDay(d) {
		bounds = append(bounds, d)
		x := registry.MeterDay{Meter: "gas", Day: d, Increase: &registry.Increase{Series: "gas/heat_energy", Unit: metering.Joule, Amount: metering.MustDecimal("3.6e6"), Covered: 1}}
		switch d.In(calendar.Paris).Format("01-02") {
		case "02-10":
			x.Increase.Covered = 0.5
		case "03-01":
			continue
		}
		days = append(days, x)
	}
	bounds = append(bounds, calendar.NextDay(now))
	got, unit := v.use(registry.Installation{}, days, periodStarts(bounds, false), false)
	assert.Equal(t, metering.KWh, unit)
	assert.InDeltaSlice(t, []float64{31, 28, 1}, got.amounts, 1e-9)
	assert.Equal(t, []bool{false, true, true}, got.partial)
	got, _ = v.use(registry.Installation{}, days, periodStarts(bounds, true), true)
	assert.True(t, math.IsNaN(got.amounts[len(got.amounts)-2]), "a day without readings is a gap")
	gauge, unit := v.use(registry.Installation{}, []registry.MeterDay{{Meter: "gas", Day: bounds[0]}}, bounds[:1], true)
	assert.Empty(t, unit)
	assert.True(t, math.IsNaN(gauge.amounts[0]))
}

func TestIndicatorsAreTheReports(t *testing.T) {
	w := fixture(t)
	v := w.signIn(t, w.server(t, sealed(t)), access.Funder, "en")
	a := v.get("/indicators")
	require.Equal(t, 200, a.StatusCode)
	assert.Contains(t, strings.ReplaceAll(a.body, "\u00a0", " "), "Sealed on 12 October 2026")
	assert.Contains(t, a.body, "withheld")
	assert.Contains(t, v.get("/indicators?quarter=2025-Q4").body, "not sealed yet")
	assert.Equal(t, 404, v.get("/indicators?quarter=2026-Q4").StatusCode, "the running quarter is not shown")
	assert.Equal(t, 400, v.get("/indicators?quarter=now").StatusCode)
	// A report whose files are lost is computed anew, under the same rules.
	lost := w.signIn(t, w.server(t, sealed(t), func(o *Options) { o.Bundles = nothing{} }), access.Funder, "en").get("/indicators")
	require.Equal(t, 200, lost.StatusCode)
	assert.Contains(t, lost.body, "not sealed yet")
}

// nothing is a store of reports that lost its files.
type nothing struct{}

func (nothing) Bundle(context.Context, registry.Report) (fs.FS, error)  { return nil, fs.ErrNotExist }
func (nothing) Dossier(context.Context, registry.Report) (fs.FS, error) { return nil, fs.ErrNotExist }

func TestReportsAndTheirFiles(t *testing.T) {
	w := fixture(t)
	s := w.server(t, sealed(t))
	v := w.signIn(t, s, access.Funder, "en")
	body := v.get("/reports").body
	assert.Contains(t, body, "Late readings of the dairy", "the reason in the reader's language")
	assert.Contains(t, body, "Replaced by revision 2")
	assert.NotContains(t, body, "/dossiers/", "the dossier is the verifier's")

	for file, kind := range map[string]string{"report.json": "application/json", "report.csv": "text/csv; charset=utf-8", "keys.json": "application/json", "proof.txt": "text/plain; charset=utf-8", "leaf.cose": "application/cose"} {
		a := v.get("/reports/2026-Q3/" + file)
		require.Equal(t, 200, a.StatusCode, file)
		assert.Equal(t, kind, a.Header.Get("Content-Type"))
		assert.Equal(t, `attachment; filename="2026-Q3-r1-`+file+`"`, a.Header.Get("Content-Disposition"))
	}
	page := v.get("/reports/2026-Q2/report.fr.html?revision=2")
	require.Equal(t, 200, page.StatusCode)
	assert.Contains(t, page.Header.Get("Content-Security-Policy"), "sandbox; default-src 'none'")
	assert.Contains(t, page.body, "Rapport trimestriel")

	a := v.get("/reports/2026-Q2/report.zip?revision=1")
	require.Equal(t, 200, a.StatusCode)
	assert.Equal(t, `attachment; filename="report-2026-Q2-r1.zip"`, a.Header.Get("Content-Disposition"))
	files, err := proof.ReadZip(strings.NewReader(a.body), int64(len(a.body)))
	require.NoError(t, err)
	verdict := proof.VerifyReport(files, &theSealed.w.keys)
	assert.True(t, verdict.OK(), "%+v", verdict.Steps)
	assert.Equal(t, 1, verdict.Report.Revision)
	again := v.get("/reports/2026-Q2/report.zip?revision=1")
	assert.Equal(t, a.body, again.body, "the same report is the same file")

	for _, bad := range []string{"/reports/2026-Q3/server.key", "/reports/2026-Q3/..%2fregistry.db", "/reports/2026-Q3/%2e%2e", "/reports/2026-Q3/../../registry.db", "/reports/2026-Q3/report.json%00", "/reports/2026-Q3/plans%2fs01.yaml",
		"/reports/..%2f2026-Q3/report.json", "/reports/2026-Q1/report.json", "/reports/2026-Q3/report.json?revision=2", "/reports/2026-Q3/report.json?revision=-1", "/reports/summer/report.json"} {
		assert.Equal(t, 404, v.get(bad).StatusCode, bad)
	}
}

func TestDossierIsTheVerifiers(t *testing.T) {
	w := fixture(t)
	s := w.server(t, sealed(t))
	for _, r := range access.Roles {
		want := 403
		if r == access.Verifier {
			want = 200
		}
		assert.Equal(t, want, w.signIn(t, s, r, "en").get("/dossiers/2026-Q3").StatusCode, r)
	}
	a := w.signIn(t, s, access.Verifier, "en").get("/dossiers/2026-Q3")
	assert.Equal(t, `attachment; filename="dossier-2026-Q3-r1.zip"`, a.Header.Get("Content-Disposition"))
	z, err := zip.NewReader(strings.NewReader(a.body), int64(len(a.body)))
	require.NoError(t, err)
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	assert.Equal(t, []string{"batches.bin", "dossier.json", "plans/s01.yaml"}, names)
	f, err := z.Open("batches.bin")
	require.NoError(t, err)
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	assert.True(t, bytes.Equal([]byte("batches"), b))
	assert.Equal(t, 404, w.signIn(t, s, access.Verifier, "en").get("/dossiers/2026-Q1").StatusCode)
}

func TestReportsWithoutFiles(t *testing.T) {
	w := fixture(t)
	v := w.signIn(t, w.server(t, sealed(t), func(o *Options) { o.Bundles = nothing{} }), access.Funder, "en")
	assert.Contains(t, v.get("/reports").body, "not on this server")
	a := v.get("/reports/2026-Q3/report.json")
	assert.Equal(t, 404, a.StatusCode)
	assert.Contains(t, a.body, "restore them from the backup")
	assert.Equal(t, 200, v.get("/verify").StatusCode)
	none := w.signIn(t, w.server(t, sealed(t), func(o *Options) { o.Bundles = nil }), access.Funder, "en")
	assert.Equal(t, 200, none.get("/reports").StatusCode)
	assert.Equal(t, 404, none.get("/reports/2026-Q3/report.json").StatusCode)
	empty := w.signIn(t, w.server(t), access.Funder, "en")
	assert.Contains(t, empty.get("/reports").body, "No sealed quarter")
}

func TestVerifyPage(t *testing.T) {
	w := fixture(t)
	s := w.server(t, sealed(t))
	body := w.signIn(t, s, access.Funder, "fr").get("/verify").body
	assert.Contains(t, body, "thermie-verify --keys keys.json report-2026-Q3-r1.zip")
	assert.NotContains(t, body, "ÉCHEC</span>")
	assert.Contains(t, body, base64Of(theSealed.w.keys.Ledger))
	assert.NotContains(t, body, "--dossier")
	assert.Contains(t, w.signIn(t, s, access.Verifier, "fr").get("/verify").body, "--dossier dossier-2026-Q3-r1.zip")
}

func TestPeopleAndAudit(t *testing.T) {
	w := fixture(t)
	v := w.signIn(t, w.server(t), access.Administrator, "fr")
	body := v.get("/people").body
	for _, p := range w.people {
		assert.Contains(t, body, p.Email)
	}
	assert.Contains(t, v.get("/audit?last=5000").body, "import du programme")
	assert.Contains(t, v.get("/audit?last=1").body, "/audit?last=5", "older acts can be asked for")
}

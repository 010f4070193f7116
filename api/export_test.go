package api

import (
	"context"
	"encoding/csv"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/series"
)

// rowsOf reads a file in CSV without its header lines.
func rowsOf(t *testing.T, body string, comma rune) [][]string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff")))
	r.Comment, r.Comma = '#', comma
	rows, err := r.ReadAll()
	require.NoError(t, err)
	return rows
}

// TestExportIsWhatOneMayRead: every meter of the file is one whose readings the
// person may have, and those of the company are there.
func TestExportIsWhatOneMayRead(t *testing.T) {
	w := fixture(t)
	facts, err := w.registry.Facts(t.Context())
	require.NoError(t, err)
	for _, role := range []access.Role{access.Company, access.Animator, access.Verifier, access.Installer} {
		a := get(t, role, "/api/v1/export?every=hour&from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z", "fr")
		require.Equal(t, 200, a.StatusCode, "%s: %s", role, a.body)
		assert.Equal(t, `attachment; filename=thermie-20261123-20261124-hour.csv`, a.Header.Get("Content-Disposition"))
		meters := map[string]bool{}
		for _, row := range rowsOf(t, a.body, ',')[1:] {
			meters[row[3]] = true
			assert.Contains(t, row[len(row)-1], "synthetic")
		}
		scope := access.ForSeries(w.people[role], facts)
		for m := range meters {
			assert.True(t, scope.Allows(m), "%s reads %s", role, m)
		}
		assert.True(t, meters["laiterie-chaleur"], role)
		assert.Equal(t, role == access.Verifier || role == access.Installer || role == access.Animator, meters["fonderie-gaz"], role)
		assert.Contains(t, a.body, "# for: "+string(role))
	}
	assert.Equal(t, 404, get(t, access.Installer, "/api/v1/export?from=2026-11-01&to=2026-11-05", "fr").StatusCode, "older than the installer may read")
	assert.Equal(t, 404, get(t, access.Animator, "/api/v1/export?meter=galvano-eau", "fr").StatusCode, "consent withdrawn")
	assert.Equal(t, get(t, access.Company, "/api/v1/export?meter=none", "fr").body, get(t, access.Company, "/api/v1/export?meter=fonderie-gaz", "fr").body, "refused looks like absent")
	acts, err := w.registry.AuditTrail(t.Context(), 50)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, x := range acts {
		if x.What == "export" {
			seen[x.Who] = true
			assert.Contains(t, x.Subject, " series, ")
		}
	}
	assert.True(t, seen[w.people[access.Company].Email], "it is in the audit trail")
}

func TestExportFormats(t *testing.T) {
	const span = "meter=laiterie-chaleur&from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z"
	readings := rowsOf(t, get(t, access.Company, "/api/v1/export?"+span, "fr").body, ',')
	require.Greater(t, len(readings), 50)
	require.Equal(t, []string{"time_utc", "time_local", "meter", "quantity", "number", "unit", "quality", "source"}, readings[0])
	one := rowsOf(t, get(t, access.Company, "/api/v1/export?"+span+"&series=*/heat_energy", "fr").body, ',')
	assert.Less(t, len(one), len(readings))
	french := get(t, access.Company, "/api/v1/export?"+span+"&format=csv-fr", "fr").body
	assert.True(t, strings.HasPrefix(french, "\ufeff#"), "spreadsheets know it as UTF-8")
	assert.Len(t, rowsOf(t, french, ';'), len(readings))
	parquet := get(t, access.Company, "/api/v1/export?"+span+"&format=parquet", "fr")
	assert.Equal(t, "application/vnd.apache.parquet", parquet.Header.Get("Content-Type"))
	assert.True(t, strings.HasPrefix(parquet.body, "PAR1") && strings.HasSuffix(parquet.body, "PAR1"))
	for _, page := range []string{"/meters/laiterie-chaleur", "/companies/laiterie"} {
		assert.Contains(t, get(t, access.Company, page, "fr").body, `action="/api/v1/export"`, page)
	}
	assert.NotContains(t, get(t, access.Animator, "/meters/galvano-eau", "fr").body, `action="/api/v1/export"`)
}

// TestImportedPointsAreMarked: in files, in JSON and on the meter's page.
func TestImportedPointsAreMarked(t *testing.T) {
	w := fixture(t)
	id := metering.SeriesID("silos-gaz/gas_volume")
	from := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	require.NoError(t, w.registry.MarkImported(t.Context(), []registry.ImportedSpan{{Series: id, By: "import-silos", From: from, To: from.Add(24 * time.Hour)}}))
	a := get(t, access.Verifier, "/api/v1/export?series="+string(id)+"&from=2026-11-20T12:00:00Z&to=2026-11-21T12:00:00Z", "fr")
	sources := map[string]int{}
	for _, row := range rowsOf(t, a.body, ',')[1:] {
		source, _, named := strings.Cut(row[7], " by ")
		assert.True(t, named, row[7])
		sources[source+" "+row[0][:10]]++
	}
	assert.Equal(t, 12, sources["synthetic, imported 2026-11-20"])
	assert.Equal(t, 1, sources["synthetic, imported 2026-11-21"], "the last one is included")
	assert.Equal(t, 11, sources["synthetic 2026-11-21"])
	body := get(t, access.Verifier, "/api/v1/series/"+string(id)+"/points?from=2026-11-20T12:00:00Z&to=2026-11-21T12:00:00Z", "fr").body
	assert.Equal(t, 13, strings.Count(body, `"imported":true`))
	page := get(t, access.Verifier, "/meters/silos-gaz", "fr").body
	assert.Contains(t, spaces(page), "du 20 nov. 2026 au 21 nov. 2026, par import-silos")
	assert.NotContains(t, get(t, access.Installer, "/meters/silos-gaz", "fr").body, "import-silos", "older than the installer may read")
}

// endless is a store of one series that counts what was taken from it.
type endless struct {
	Series
	points, taken int
	fail          error
}

func (e *endless) List(context.Context, access.Scope) ([]series.Info, error) {
	return []series.Info{{ID: "laiterie-chaleur/heat_energy", Unit: metering.KWh, Count: e.points}}, nil
}

func (e *endless) Points(_ context.Context, _ access.Scope, _ metering.SeriesID, from, _ time.Time) iter.Seq2[metering.Point, error] {
	return func(yield func(metering.Point, error) bool) {
		for i := range e.points {
			e.taken++
			if !yield(metering.Point{At: from.UnixMilli() + int64(i), Number: metering.Int(int64(i))}, nil) {
				return
			}
		}
		if e.fail != nil {
			yield(metering.Point{}, e.fail)
		}
	}
}

// counting is a writer that notes how much had been read when the first bytes came.
type counting struct {
	*httptest.ResponseRecorder
	store *endless
	first int
	bytes int
}

func (c *counting) Write(b []byte) (int, error) {
	if c.bytes == 0 {
		c.first = c.store.taken
	}
	c.bytes += len(b)
	return len(b), nil
}

func (w *world) exporting(t *testing.T, e *endless, do func(*Server)) *counting {
	t.Helper()
	s := w.server(t, func(o *Options) { e.Series = o.Series; o.Series = e })
	if do != nil {
		do(s)
	}
	v := w.signIn(t, s, access.Company, "en")
	r := httptest.NewRequest(http.MethodGet, "/api/v1/export", nil)
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	out := &counting{ResponseRecorder: httptest.NewRecorder(), store: e}
	s.Handler().ServeHTTP(out, r)
	return out
}

// TestExportIsStreamed: the first bytes leave before a thousandth is read, so memory
// does not grow with the file.
func TestExportIsStreamed(t *testing.T) {
	e := &endless{points: 300_000}
	out := fixture(t).exporting(t, e, nil)
	assert.Equal(t, 300_000, e.taken)
	assert.Greater(t, out.bytes, 20_000_000)
	assert.Less(t, out.first, 300)
}

// TestBrokenExportIsCut: an answer that could not be finished does not look whole.
func TestBrokenExportIsCut(t *testing.T) {
	e := &endless{points: 10, fail: errors.New("disk gone")}
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { fixture(t).exporting(t, e, nil) })
}

func TestTooManyExports(t *testing.T) {
	e := &endless{points: 10}
	out := fixture(t).exporting(t, e, func(s *Server) {
		for range exportsAtOnce {
			s.exports <- struct{}{}
		}
	})
	assert.Equal(t, 503, out.Code)
	assert.Equal(t, "60", out.Header().Get("Retry-After"))
	assert.Zero(t, e.taken)
}

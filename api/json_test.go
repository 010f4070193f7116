package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/access"
)

// document is openapi.yaml, read as a machine reads it.
type document struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

func openDocument(t testing.TB) document {
	t.Helper()
	var d document
	require.NoError(t, yaml.Unmarshal(openAPI, &d.root))
	b, err := json.Marshal(d.root)
	require.NoError(t, err)
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	require.NoError(t, err)
	d.compiler = jsonschema.NewCompiler()
	d.compiler.AssertFormat()
	require.NoError(t, d.compiler.AddResource("openapi.yaml", plain))
	return d
}

// at follows a path of keys, and references where there are any.
func (d document) at(keys ...string) (found map[string]any, pointer string) {
	found = d.root
	for _, k := range keys {
		next, ok := found[k].(map[string]any)
		if !ok {
			return nil, ""
		}
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
		if ref, ok := next["$ref"].(string); ok {
			pointer = strings.TrimPrefix(ref, "#")
			next, _ = d.at(strings.Split(strings.TrimPrefix(pointer, "/"), "/")...)
		}
		found = next
	}
	return found, pointer
}

var colon = regexp.MustCompile(`:([a-z]+)`)

// path is a route's address as the document writes it.
func pathOf(r route) string { return colon.ReplaceAllString(r.path, "{$1}") }

// TestDocumentNamesEveryRoute: the document has the routes of the API, all of
// them, and no other.
func TestDocumentNamesEveryRoute(t *testing.T) {
	d := openDocument(t)
	paths, _ := d.at("paths")
	var have []string
	for _, r := range routes {
		if !strings.HasPrefix(r.path, "/api/") {
			continue
		}
		have = append(have, pathOf(r))
		op, _ := d.at("paths", pathOf(r), strings.ToLower(r.method))
		if !assert.NotNil(t, op, r.path) {
			continue
		}
		said, _ := d.at("paths", pathOf(r), "get", "responses")
		_, signIn := said["401"]
		_, role := said["403"]
		_, gone := said["404"]
		assert.Equal(t, !r.open, signIn, "%s: 401 stands where one must be signed in", r.path)
		if !r.open && !r.anyone {
			assert.Equal(t, r.subject == nil, role, "%s: 403 stands where the role decides", r.path)
			assert.Equal(t, r.subject != nil || strings.Contains(r.path, ":") || r.path == exportPath, gone, "%s: 404 stands where a subject decides", r.path)
		}
	}
	for p := range paths {
		assert.Contains(t, have, p)
	}
}

// TestAnswersFollowTheDocument asks every address in every way it can be
// answered and holds status, media type and shape against the document. Each
// status that the document promises must have been seen.
func TestAnswersFollowTheDocument(t *testing.T) {
	w := fixture(t)
	s := w.server(t, sealed(t))
	d := openDocument(t)
	visitors := map[access.Role]*visitor{"": visitorOf(t, s)}
	for _, r := range access.Roles {
		visitors[r] = w.signIn(t, s, r, "en")
	}
	seen := map[string]bool{}
	for _, c := range []struct {
		role     access.Role
		path     string // as in the document
		url      string
		status   int
		nonempty bool
	}{
		{"", "/api/v1/openapi.yaml", "/api/v1/openapi.yaml", 200, false},
		{"", "/api/v1/me", "/api/v1/me", 401, false},
		{"", "/api/v1/synergies", "/api/v1/synergies", 401, false},
		{access.Installer, "/api/v1/synergies", "/api/v1/synergies", 403, false},
		{access.Company, "/api/v1/synergies", "/api/v1/synergies", 200, true},
		{"", "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/s02-malterie-laiterie/results", 401, false},
		{access.Company, "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/s02-malterie-laiterie/results", 200, true},
		{access.Company, "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/s02-malterie-laiterie/results?kind=day&from=2026-11-01&to=2026-11-10", 200, true},
		{access.Company, "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/s02-malterie-laiterie/results?kind=to_date", 200, true},
		{access.Company, "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/s02-malterie-laiterie/results?kind=week", 400, false},
		{access.Company, "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/s02-malterie-laiterie/results?limit=0", 400, false},
		{access.Company, "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/s02-malterie-laiterie/results?from=yesterday", 400, false},
		{access.Company, "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/s02-malterie-laiterie/results?from=2026-11-10&to=2026-11-01", 400, false},
		{access.Company, "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/s01-fonderie-reseau/results", 404, false},
		{access.Verifier, "/api/v1/synergies/{synergy}/results", "/api/v1/synergies/none/results", 404, false},
		{"", "/api/v1/opportunities", "/api/v1/opportunities", 401, false},
		{access.Funder, "/api/v1/opportunities", "/api/v1/opportunities", 403, false},
		{access.Verifier, "/api/v1/opportunities", "/api/v1/opportunities", 200, true},
		{"", "/api/v1/contacts", "/api/v1/contacts", 401, false},
		{access.Funder, "/api/v1/contacts", "/api/v1/contacts", 403, false},
		{access.Company, "/api/v1/contacts", "/api/v1/contacts?limit=0", 400, false},
		{access.Company, "/api/v1/contacts", "/api/v1/contacts", 200, true},
		{access.Verifier, "/api/v1/contacts", "/api/v1/contacts", 200, true},
		{"", "/api/v1/gateways", "/api/v1/gateways", 401, false},
		{access.Administrator, "/api/v1/gateways", "/api/v1/gateways", 403, false},
		{access.Installer, "/api/v1/gateways", "/api/v1/gateways", 200, true},
		{"", "/api/v1/series", "/api/v1/series", 401, false},
		{access.Funder, "/api/v1/series", "/api/v1/series", 403, false},
		{access.Installer, "/api/v1/series", "/api/v1/series?limit=many", 400, false},
		{access.Installer, "/api/v1/series", "/api/v1/series?limit=20", 200, true},
		{"", "/api/v1/series/{meter}/{quantity}/points", "/api/v1/series/laiterie-chaleur/heat_energy/points", 401, false},
		{access.Funder, "/api/v1/series/{meter}/{quantity}/points", "/api/v1/series/laiterie-chaleur/heat_energy/points", 403, false},
		{access.Installer, "/api/v1/series/{meter}/{quantity}/points", "/api/v1/series/laiterie-chaleur/heat_energy/points?from=2026-11-01&to=2026-11-05", 403, false},
		{access.Installer, "/api/v1/series/{meter}/{quantity}/points", "/api/v1/series/laiterie-chaleur/heat_energy/points?from=2026-11-20", 200, true},
		{access.Company, "/api/v1/series/{meter}/{quantity}/points", "/api/v1/series/laiterie-chaleur/heat_energy/points?from=2026-11-01&to=2026-11-05&limit=7", 200, true},
		{access.Company, "/api/v1/series/{meter}/{quantity}/points", "/api/v1/series/laiterie-chaleur/heat_energy/points?from=2026-01-01&to=2026-11-05", 400, false},
		{access.Company, "/api/v1/series/{meter}/{quantity}/points", "/api/v1/series/fonderie-gaz/gas_volume/points", 404, false},
		{access.Company, "/api/v1/series/{meter}/{quantity}/points", "/api/v1/series/laiterie-chaleur/humidity/points", 404, false},
		{access.Company, "/api/v1/series/{meter}/{quantity}/points", "/api/v1/series/laiterie-chaleur/nonsense/points", 404, false},
		{"", "/api/v1/indicators", "/api/v1/indicators", 401, false},
		{access.Installer, "/api/v1/indicators", "/api/v1/indicators", 403, false},
		{access.Funder, "/api/v1/indicators", "/api/v1/indicators", 200, true},
		{access.Funder, "/api/v1/indicators", "/api/v1/indicators?quarter=2026-Q3", 200, true},
		{access.Funder, "/api/v1/indicators", "/api/v1/indicators?quarter=2026-Q4", 200, false},
		{access.Funder, "/api/v1/indicators", "/api/v1/indicators?quarter=summer", 400, false},
		{"", "/api/v1/export", "/api/v1/export", 401, false},
		{access.Funder, "/api/v1/export", "/api/v1/export", 403, false},
		{access.Company, "/api/v1/export", "/api/v1/export?format=xlsx", 400, false},
		{access.Company, "/api/v1/export", "/api/v1/export?every=month", 400, false},
		{access.Company, "/api/v1/export", "/api/v1/export?series=%5B", 400, false},
		{access.Company, "/api/v1/export", "/api/v1/export?meter=fonderie-gaz", 404, false},
		{access.Company, "/api/v1/export", "/api/v1/export?company=laiterie&every=day", 200, false},
		{"", "/api/v1/reports", "/api/v1/reports", 401, false},
		{access.Administrator, "/api/v1/reports", "/api/v1/reports", 403, false},
		{access.Funder, "/api/v1/reports", "/api/v1/reports", 200, true},
		{access.Verifier, "/api/v1/reports", "/api/v1/reports", 200, true},
	} {
		name := fmt.Sprintf("%s as %q", c.url, c.role)
		a := visitors[c.role].get(c.url)
		require.Equal(t, c.status, a.StatusCode, "%s: %s", name, a.body)
		seen[fmt.Sprintf("%s %d", c.path, c.status)] = true
		d.hold(t, name, c.path, a)
		if c.nonempty {
			assert.NotContains(t, a.body, `"items":[]`, name)
		}
	}
	for _, r := range access.Roles {
		a := visitors[r].get("/api/v1/me")
		require.Equal(t, http.StatusOK, a.StatusCode)
		d.hold(t, "me as "+string(r), "/api/v1/me", a)
		seen["/api/v1/me 200"] = true
	}
	for _, r := range routes {
		said, _ := d.at("paths", pathOf(r), "get", "responses")
		for status := range said {
			assert.True(t, seen[pathOf(r)+" "+status], "%s %s is promised and was never seen", pathOf(r), status)
		}
	}
}

// hold checks one answer against what the document promises.
func (d document) hold(t testing.TB, name, path string, a answer) {
	t.Helper()
	content, pointer := d.at("paths", path, "get", "responses", fmt.Sprint(a.StatusCode), "content")
	require.NotNil(t, content, "%s: status %d is not promised", name, a.StatusCode)
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	require.Contains(t, content, kind, name)
	if kind == "application/yaml" {
		assert.Equal(t, string(openAPI), a.body)
		return
	}
	assert.Equal(t, "no-store", a.Header.Get("Cache-Control"), name)
	if kind == "text/csv" {
		return
	}
	d.validate(t, name, pointer+"/"+strings.ReplaceAll(kind, "/", "~1")+"/schema", []byte(a.body))
}

func (d document) validate(t testing.TB, name, pointer string, body []byte) {
	t.Helper()
	schema, err := d.compiler.Compile("openapi.yaml#" + pointer)
	require.NoError(t, err, name)
	x, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(t, err, name)
	assert.NoError(t, schema.Validate(x), name)
}

// TestDocumentIsPrecise: numbers are doubles, objects are closed, no name is a
// bare "value", and the examples are right.
func TestDocumentIsPrecise(t *testing.T) {
	d := openDocument(t)
	schemas, _ := d.at("components", "schemas")
	examples := 0
	for name, s := range schemas {
		walk(s, func(x map[string]any) {
			switch x["type"] {
			case "number":
				assert.Equal(t, "double", x["format"], name)
			case "object":
				assert.Contains(t, x, "additionalProperties", name)
			}
			if properties, ok := x["properties"].(map[string]any); ok {
				for p := range properties {
					assert.False(t, slices.Contains([]string{"value", "val", "data"}, p), "%s.%s", name, p)
				}
			}
		})
		list, _ := s.(map[string]any)["examples"].([]any)
		for _, e := range list {
			b, err := json.Marshal(e)
			require.NoError(t, err)
			d.validate(t, name+" example", "/components/schemas/"+name, b)
			examples++
		}
	}
	assert.Greater(t, examples, 10)
}

func walk(x any, do func(map[string]any)) {
	switch x := x.(type) {
	case map[string]any:
		do(x)
		for _, y := range x {
			walk(y, do)
		}
	case []any:
		for _, y := range x {
			walk(y, do)
		}
	}
}

// TestPagesFollowEachOther: the pages of a list, put together, are the list.
func TestPagesFollowEachOther(t *testing.T) {
	w := fixture(t)
	v := w.signIn(t, w.server(t), access.Company, "en")
	collect := func(url string) (all []json.RawMessage, pages int) {
		for url != "" {
			a := v.get(url)
			require.Equal(t, 200, a.StatusCode, a.body)
			var page listJSON[json.RawMessage]
			require.NoError(t, json.Unmarshal([]byte(a.body), &page))
			all, url = append(all, page.Items...), page.Next
			pages++
		}
		return all, pages
	}
	for _, url := range []string{"/api/v1/series?limit=%d", "/api/v1/series/laiterie-chaleur/heat_energy/points?from=2026-11-10&to=2026-11-15&limit=%d",
		"/api/v1/synergies/s02-malterie-laiterie/results?kind=day&limit=%d"} {
		whole, one := collect(fmt.Sprintf(url, 5000))
		require.Equal(t, 1, one, url)
		require.NotEmpty(t, whole)
		parts, many := collect(fmt.Sprintf(url, max(1, len(whole)/4)))
		assert.Greater(t, many, 3, url)
		assert.Equal(t, whole, parts, url)
	}
}

// TestPointsAreExact: what the API gives is the decimal in the store.
func TestPointsAreExact(t *testing.T) {
	w := fixture(t)
	v := w.signIn(t, w.server(t), access.Company, "en")
	a := v.get("/api/v1/series/laiterie-chaleur/heat_energy/points?limit=1")
	require.Equal(t, 200, a.StatusCode, a.body)
	var got pointsJSON
	require.NoError(t, json.Unmarshal([]byte(a.body), &got))
	require.Len(t, got.Items, 1)
	n := 0
	for pt, err := range w.store.Points(t.Context(), access.System("test"), "laiterie-chaleur/heat_energy", got.Items[0].At, got.Items[0].At.Add(1)) {
		require.NoError(t, err)
		assert.Equal(t, pt.Number.String(), got.Items[0].Reading)
		n++
	}
	assert.Equal(t, 1, n)
}

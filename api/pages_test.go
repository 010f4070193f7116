package api

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/words"
)

var (
	href     = regexp.MustCompile(`href="([^"]*)"`)
	anyID    = regexp.MustCompile(` id="([^"]*)"`)
	scripts  = regexp.MustCompile(`(?s)<script[^>]*>(.*?)</script>`)
	straight = regexp.MustCompile(`[A-Za-zé]'[A-Za-zé]`)
	loose    = regexp.MustCompile(` [;:!?%»](?:\s|$)|« `)
	codes    = regexp.MustCompile(`(?s)<(code|pre|svg)[^>]*>.*?</(code|pre|svg)>`)
)

// TestEveryLinkedPage walks from each role's home through every link, in both
// languages: each answers, is well formed, holds under the content security
// policy, and says what it should in the typography of its language.
func TestEveryLinkedPage(t *testing.T) {
	w := fixture(t)
	s := w.server(t, sealed(t))
	for _, role := range access.Roles {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			for _, lang := range words.Langs {
				v := w.signIn(t, s, role, string(lang))
				follow(t, v, role, lang, home(w.people[role]))
			}
		})
	}
}

func follow(t *testing.T, v *visitor, role access.Role, lang words.Lang, start string) {
	seen := map[string]bool{start: true, "/": true} // "/" leads home
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		a := v.get(queue[0])
		if !assert.Equal(t, 200, a.StatusCode, queue[0]) || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			continue
		}
		if strings.HasPrefix(queue[0], "/reports/") {
			continue // a sealed document has its own form
		}
		inspect(t, queue[0], a.body, lang)
		for _, m := range href.FindAllStringSubmatch(a.body, -1) {
			u, err := url.Parse(html.UnescapeString(m[1]))
			if err != nil || u.IsAbs() || u.Path == "" || u.Query().Has("lang") || strings.HasPrefix(u.Path, "/assets/") {
				require.NoError(t, err, m[1])
				continue
			}
			next := u.Path
			if one := kind(next, role == access.Verifier || lang == words.EN); !seen[one] {
				seen[one] = true
				queue = append(queue, next)
			}
		}
	}
}

// kind puts the pages of things of one kind together, of which the walk opens
// one: a third of the meters, gateways and companies, a synergy for each way of
// knowing a saving, or, coarsely, one thing of each sort. The animator's walk in
// French is the fine one; in English and as the verifier the same templates show
// the same things.
func kind(path string, coarse bool) string {
	parts := strings.Split(path, "/")
	if len(parts) < 3 {
		return path
	}
	if coarse {
		return fmt.Sprint(parts[1], len(parts), parts[3:])
	}
	switch parts[1] {
	case "meters", "gateways", "companies":
		sum := sha256.Sum256([]byte(parts[2]))
		return fmt.Sprint(parts[1], sum[0]%3, len(parts), parts[3:])
	case "synergies":
		// Walked are s02 (heat, drift), s05 and s07 (declared), s06 (calculated), s09
		// (water), s11 (shared), s12 (baseline); one of the others stands for them.
		if slices.Contains([]string{"s01", "s03", "s04", "s08", "s10"}, strings.Split(parts[2], "-")[0]) {
			return "a synergy like another"
		}
	}
	return path
}

func inspect(t *testing.T, path, body string, lang words.Lang) {
	here, err := os.Getwd()
	require.NoError(t, err)
	for _, p := range wellFormed(body) {
		t.Errorf("%s: %s", path, p)
	}
	for _, bad := range []string{" style=", "<style", " onclick=", " onload=", "javascript:", "%!", "&lt;nil&gt;", "NaN", here, os.TempDir(), "0001-01-01"} {
		assert.False(t, strings.Contains(body, bad), "%s holds %q", path, bad)
	}
	for _, m := range scripts.FindAllStringSubmatch(body, -1) {
		if m[1] != "" {
			assert.True(t, strings.HasPrefix(m[0], `<script type="application/json" `), "%s: inline script", path)
			assert.True(t, json.Valid([]byte(m[1])), "%s: data block is no JSON", path)
		}
	}
	ids := map[string]bool{}
	for _, m := range anyID.FindAllStringSubmatch(body, -1) {
		assert.False(t, ids[m[1]], "%s: id %s twice", path, m[1])
		ids[m[1]] = true
	}
	// A chart has its data block and, in the same figure, its table.
	for _, f := range strings.Split(body, "<figure>")[1:] {
		f, _, _ = strings.Cut(f, "</figure>")
		if strings.Contains(f, `class="chart`) {
			assert.Contains(t, f, "<table", "%s: a chart without its table", path)
			assert.Contains(t, f, "application/json", "%s: a chart without data", path)
		}
	}
	_, text, _ := apart(codes.ReplaceAllString(scripts.ReplaceAllString(body, ""), ""))
	text = html.UnescapeString(text)
	assert.NotRegexp(t, `\[[a-z_]+\.[a-z_.]+\]`, text, "%s: a text is missing", path)
	assert.Empty(t, straight.FindAllString(text, -1), "%s: straight apostrophes", path)
	if lang == words.FR {
		if at := loose.FindStringIndex(text); at != nil {
			t.Errorf("%s: breaking space: %q", path, text[max(0, at[0]-30):min(len(text), at[1]+10)])
		}
	}
}

var void = []string{"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

// element is one tag of a page.
type element struct {
	name          string
	closing, self bool
}

// apart takes a page without its scripts apart into tags and text, one line break for
// each tag; ok is false where a bracket stands loose. Attributes are those of
// html/template: in double quotes, in which no bracket is left.
func apart(body string) (elements []element, text string, ok bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(body, "<")
		if strings.Contains(before, ">") {
			return elements, before, false
		}
		b.WriteString(before)
		b.WriteByte('\n')
		if !found {
			return elements, b.String(), true
		}
		tag, after, closed := strings.Cut(rest, ">")
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(tag, "/"), "/"), " ")
		if !closed || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || strings.Contains(tag, "<") || strings.Count(tag, `"`)%2 != 0 {
			return elements, "<" + tag, false
		}
		elements = append(elements, element{name, tag[0] == '/', strings.HasSuffix(tag, "/") || slices.Contains(void, name)})
		body = after
	}
}

// wellFormed checks that every element is closed in its turn, that paragraphs and
// headings hold no blocks, and that no bare bracket stands in the text.
func wellFormed(body string) (problems []string) {
	elements, text, ok := apart(scripts.ReplaceAllString(strings.TrimPrefix(body, "<!DOCTYPE html>"), ""))
	if !ok {
		return []string{fmt.Sprintf("stray bracket: %q", text[:min(len(text), 60)])}
	}
	var open []string
	for _, e := range elements {
		switch {
		case e.closing && (len(open) == 0 || open[len(open)-1] != e.name):
			return append(problems, fmt.Sprintf("</%s> closes %v", e.name, open))
		case e.closing:
			open = open[:len(open)-1]
		default:
			if len(open) > 0 && slices.Contains([]string{"p", "h1", "h2", "h3"}, open[len(open)-1]) &&
				slices.Contains([]string{"p", "div", "ul", "ol", "table", "section", "figure", "form"}, e.name) {
				problems = append(problems, fmt.Sprintf("<%s> inside <%s>", e.name, open[len(open)-1]))
			}
			if !e.self {
				open = append(open, e.name)
			}
		}
	}
	if len(open) > 0 {
		problems = append(problems, fmt.Sprintf("left open: %v", open))
	}
	return problems
}

func TestWellFormedFindsMistakes(t *testing.T) {
	require.Empty(t, wellFormed(`<!DOCTYPE html><p class="a">x<br>y</p><ul><li>1</li></ul>`))
	for _, s := range []string{"<p><div></div></p>", "<p>", "<ul><li></ul></li>", "<p>a < b</p>", "</p>"} {
		require.NotEmpty(t, wellFormed(s), s)
	}
}

// TestKeysExist reads the sources: every text that a template or a handler asks
// for by name is in the catalogue, and every text of it is asked for.
func TestKeysExist(t *testing.T) {
	literal := regexp.MustCompile(`(?:\.t|\.T|\.N|\.head|\.headN|\.Or|\{\{-? ?[tn]|[( ][tn])[ (]"([a-z0-9_.]+)"`)
	quoted := regexp.MustCompile(`"([a-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_<>-]*)*)"`)
	var sources []byte
	for _, glob := range []string{"*.go", "templates/*.html", "words/date.go", "words/number.go"} {
		files, err := filepath.Glob(glob)
		require.NoError(t, err)
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			sources = append(append(sources, b...), '\n')
			for _, m := range literal.FindAllSubmatch(b, -1) {
				key := string(m[1])
				if !strings.HasSuffix(key, ".") {
					assert.True(t, words.Has(key), "%s asks for %q", f, key)
				}
			}
		}
	}
	named := map[string]bool{}
	var prefixes []string
	for _, m := range quoted.FindAllSubmatch(sources, -1) {
		if k := string(m[1]); strings.HasSuffix(k, ".") {
			prefixes = append(prefixes, k)
		} else {
			named[k] = true
		}
	}
	suffixes := regexp.MustCompile(`"(\.[a-z_]+)"`).FindAllSubmatch(sources, -1)
	for _, key := range words.Keys() {
		used := named[key] || slices.ContainsFunc(suffixes, func(m [][]byte) bool {
			stem, ok := strings.CutSuffix(key, string(m[1]))
			return ok && named[stem]
		}) || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) || strings.HasPrefix(key, "problem.")
		assert.True(t, used, "nothing asks for %q", key)
	}
}

// TestClosedListsHaveWords: what a page may meet of a closed list has its text.
func TestClosedListsHaveWords(t *testing.T) {
	for _, key := range closedLists() {
		assert.True(t, words.Has(key), key)
	}
}

// TestVendoredFiles are what their checksums say.
func TestVendoredFiles(t *testing.T) {
	b, err := fs.ReadFile(assetFiles, "assets/vendor/SHA256SUMS")
	require.NoError(t, err)
	listed := map[string]bool{"SHA256SUMS": true}
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		want, name, ok := strings.Cut(sc.Text(), "  ")
		require.True(t, ok, sc.Text())
		f, err := fs.ReadFile(assetFiles, "assets/vendor/"+name)
		require.NoError(t, err)
		sum := sha256.Sum256(f)
		require.Equal(t, want, hex.EncodeToString(sum[:]), name)
		listed[name] = true
	}
	all, err := fs.ReadDir(assetFiles, "assets/vendor")
	require.NoError(t, err)
	for _, f := range all {
		require.True(t, listed[f.Name()], "%s has no checksum", f.Name())
	}
}

func TestAssets(t *testing.T) {
	v := visitorOf(t, fixture(t).server(t))
	a := v.get("/sign-in")
	m := regexp.MustCompile(`href="(/assets/thermie\.css\?v=[0-9a-f]+)"`).FindStringSubmatch(a.body)
	require.NotNil(t, m)
	css := v.get(m[1])
	require.Equal(t, "public, max-age=31536000, immutable", css.Header.Get("Cache-Control"))
	require.Equal(t, "text/css; charset=utf-8", css.Header.Get("Content-Type"))
	require.Equal(t, "no-cache", v.get("/assets/thermie.css?v=old").Header.Get("Cache-Control"))
	v.header.Set("If-None-Match", css.Header.Get("Etag"))
	require.Equal(t, 304, v.get(m[1]).StatusCode)
	v.header.Del("If-None-Match")
	v.header.Set("Accept-Encoding", "gzip")
	packed := v.get("/assets/vendor/echarts-6.1.0.min.js")
	require.Equal(t, "gzip", packed.Header.Get("Content-Encoding"))
	require.Less(t, len(packed.body), 500_000)
	require.Equal(t, 404, v.get("/assets/../server.go").StatusCode)
}

// TestContrast: text and marks stand out from the page in light and dark, by the
// formula of WCAG 2.2: 4.5:1 for words, 3:1 for what is drawn.
func TestContrast(t *testing.T) {
	b, err := fs.ReadFile(assetFiles, "assets/thermie.css")
	require.NoError(t, err)
	light, rest, _ := strings.Cut(string(b), "prefers-color-scheme: dark")
	dark, _, _ := strings.Cut(rest, "@media print")
	for name, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = m[2]
		}
		for pair, least := range map[string]float64{"ink paper": 7, "soft paper": 4.5, "soft panel": 4.5, "accent paper": 4.5, "warn warn-soft": 4.5, "ink panel": 7,
			"heat paper": 3, "water paper": 3, "electricity paper": 3, "gas paper": 3, "material paper": 3, "service paper": 3, "good paper": 3, "suspect paper": 3, "missing paper": 3} {
			a, b, _ := strings.Cut(pair, " ")
			assert.GreaterOrEqual(t, contrast(colours[a], colours[b]), least, "%s: %s", name, pair)
		}
	}
}

//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// pagesOf are the addresses that a person of each role came for, beside those
// of the navigation.
var pagesOf = map[string][]string{
	"animatrice":     {"/synergies/s01-fonderie-reseau", "/synergies/s02-malterie-laiterie", "/synergies/s12-papeterie-hotte", "/synergies/s05-bois-gazeification", "/overview?quarter=2026-Q3"},
	"installatrice":  {"/gateways/gw-laiterie", "/meters/laiterie-chaleur", "/meters/transports-elec"},
	"laiterie":       {"/companies/laiterie", "/companies/laiterie/seen", "/synergies/s02-malterie-laiterie"},
	"financeur":      {"/verify"},
	"verificateur":   {"/companies/fonderie", "/meters/fonderie-elec"},
	"administrateur": {},
}

// Every page of every role is looked at in a real browser, wide and narrow, in
// both languages: no script fails, nothing is refused by the content security
// policy, every chart is drawn, nothing is wider than the screen, and the page
// says that its data are synthetic. With THERMIE_PICTURES set to a folder,
// pictures are kept there.
func demoPages(t *testing.T, d *demoProcess) {
	for who, own := range pagesOf {
		for _, lang := range []string{"fr", "en"} {
			for _, width := range []int64{1440, 390} {
				t.Run(fmt.Sprintf("%s %s %d", who, lang, width), func(t *testing.T) {
					b := openBrowser(t, width)
					v := d.as(who)
					_, _ = v.get("/?lang=" + lang) // remembered in a cookie
					b.take(v)
					paths := append(b.navigation(d.base), own...)
					require.NotEmpty(t, paths)
					slices.Sort(paths)
					for _, path := range slices.Compact(paths) {
						b.look(d.base+path, lang, picture(who, lang, width, path))
					}
				})
			}
		}
	}
}

func picture(who, lang string, width int64, path string) string {
	dir := os.Getenv("THERMIE_PICTURES")
	if dir == "" {
		return ""
	}
	name := strings.NewReplacer("/", "_", "?", "_", "=", "-").Replace(strings.Trim(path, "/"))
	return filepath.Join(dir, fmt.Sprintf("%s-%s-%d-%s.png", who, lang, width, name))
}

// navigation are the links of the main navigation on the first page.
func (b *browser) navigation(base string) []string {
	b.t.Helper()
	b.do(chromedp.Navigate(base + "/"))
	return ask(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll('nav.main a')].map(a => a.getAttribute('href'))`))
}

// looked is what a page shows, as far as a program can judge it.
type looked struct {
	Lang             string
	Charts, Drawn    int
	Width, Inner     int
	Text             string
	Wide             []string // elements beyond the right edge
	Missing          int      // texts that have no words in the catalogue
	TextBoxesUnnamed int
}

// look opens a page and judges it.
func (b *browser) look(address, lang, picture string) {
	b.t.Helper()
	b.forget()
	b.do(chromedp.Navigate(address), chromedp.WaitReady("main"))
	var page looked
	deadline := time.Now().Add(15 * time.Second)
	for {
		page = ask(b, chromedp.Evaluate[looked](`(() => {
			const charts = [...document.querySelectorAll('.chart')];
			const inner = document.documentElement.clientWidth;
			return {
				Lang: document.documentElement.lang,
				Charts: charts.length, Drawn: charts.filter(c => c.querySelector('svg, canvas')).length,
				Width: document.documentElement.scrollWidth, Inner: inner,
				Text: document.body.innerText.toLowerCase(),
				Wide: [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > inner + 1 && !e.closest('.scroll') && !e.closest('svg')).slice(0, 5).map(e => e.tagName + '.' + e.className),
				Missing: (document.body.innerText.match(/\[[a-z_]+\.[a-z_.]+\]/g) || []).length,
				TextBoxesUnnamed: [...document.querySelectorAll('input, select')].filter(e => e.type !== 'hidden' && !e.labels?.length && !e.getAttribute('aria-label')).length,
			}})()`))
		if page.Drawn == page.Charts || time.Now().After(deadline) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if picture != "" {
		require.NoError(b.t, os.WriteFile(picture, ask(b, chromedp.FullScreenshot(100)), 0o644))
	}
	require.Empty(b.t, b.complaints(), address)
	require.Equal(b.t, lang, page.Lang, address)
	require.Equal(b.t, page.Charts, page.Drawn, "%s: every chart is drawn", address)
	require.LessOrEqual(b.t, page.Width, page.Inner, "%s: wider than the screen: %v", address, page.Wide)
	require.Contains(b.t, page.Text, map[string]string{"fr": "synthétiques", "en": "synthetic"}[lang], address)
	require.Zero(b.t, page.Missing, "%s: a text without words", address)
	require.Zero(b.t, page.TextBoxesUnnamed, "%s: a field without a name", address)
}

//go:build integration

package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The browser that the pages are looked at with notices each thing that a page
// of ours must not do; else its silence would prove nothing.
func TestBrowserNotices(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; img-src 'self'")
		switch r.URL.Path {
		case "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
		case "/good":
			fmt.Fprint(w, `<!doctype html><title>x</title><h1>Énergie thermique</h1><script src="/good.js"></script>`)
		case "/good.js":
			fmt.Fprint(w, `document.querySelector("h1").textContent += " 42"`)
		case "/inline":
			fmt.Fprint(w, `<!doctype html><script>document.title = "x"</script>`)
		case "/throws", "/console":
			fmt.Fprintf(w, `<!doctype html><script src="%s.js"></script>`, r.URL.Path)
		case "/throws.js":
			fmt.Fprint(w, `throw new Error("thrown on purpose")`)
		case "/console.js":
			fmt.Fprint(w, `console.error("said on purpose", 7)`)
		case "/elsewhere":
			fmt.Fprint(w, `<!doctype html><img src="http://elsewhere.invalid/x.png">`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	b := openBrowser(t, 1280)
	b.do(chromedp.Navigate(s.URL + "/good"))
	require.Equal(t, "Énergie thermique 42", ask(b, chromedp.Text("h1")))
	require.Empty(t, b.complaints())
	for path, want := range map[string]string{
		"/inline": "Content Security Policy", "/throws": "thrown on purpose", "/console": "said on purpose",
		"/missing": "404", "/elsewhere": "Content Security Policy",
	} {
		b.forget()
		b.do(chromedp.Navigate(s.URL + path))
		require.Eventuallyf(t, func() bool { return strings.Contains(strings.Join(b.complaints(), "\n"), want) },
			10*time.Second, 10*time.Millisecond, "%s: want a complaint about %q", path, want)
	}
}

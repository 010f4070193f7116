package gateway

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFigure(t *testing.T) {
	for text, want := range map[string]string{"0": "0", "999": "999", "1000": "1 000", "-1234567.5": "−1 234 567,5", "0.25": "0,25"} {
		require.Equal(t, strings.ReplaceAll(want, " ", "\u202f"), figure(text, "fr"))
	}
	require.Equal(t, "1\u202f234.5", figure("1234.5", "en"))
	require.Equal(t, "1,5\u202fMio", size(3<<19, "fr"))
	require.Equal(t, "12\u202fB", size(12, "en"))
}

// The same words in both languages.
func TestPageWords(t *testing.T) {
	for key, fr := range pageWords["fr"] {
		require.Contains(t, pageWords["en"], key)
		require.Equal(t, strings.Count(fr, "%"), strings.Count(pageWords["en"][key], "%"))
	}
	require.Len(t, pageWords["en"], len(pageWords["fr"]))
}

// TestGuard: nothing without the password; nobody for a minute after five wrong ones.
func TestGuard(t *testing.T) {
	now := testAt
	g := newGuard("correct horse", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("page")) }), func() time.Time { return now })
	ask := func(password string) (int, http.Header) {
		r := httptest.NewRequest(http.MethodGet, "http://192.0.2.7:9184/", nil)
		if password != "" {
			r.SetBasicAuth("anybody", password)
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		return w.Code, w.Header()
	}
	code, header := ask("")
	require.Equal(t, http.StatusUnauthorized, code)
	require.Contains(t, header.Get("WWW-Authenticate"), "Basic")
	code, _ = ask("correct horse")
	require.Equal(t, http.StatusOK, code)
	for range wrongMost {
		code, _ = ask("wrong")
		require.Equal(t, http.StatusUnauthorized, code)
	}
	code, header = ask("correct horse")
	require.Equal(t, http.StatusTooManyRequests, code)
	require.Equal(t, "60", header.Get("Retry-After"))
	now = now.Add(closedTime)
	code, _ = ask("correct horse")
	require.Equal(t, http.StatusOK, code)
}

func TestPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	require.NoError(t, os.WriteFile(path, []byte("correct horse\r\nsecond line"), 0o600))
	got, err := readPassword(path)
	require.NoError(t, err)
	require.Equal(t, "correct horse", got)
	require.NoError(t, os.WriteFile(path, []byte("short\n"), 0o600))
	_, err = readPassword(path)
	require.ErrorContains(t, err, "5 characters, want 10 to 200")
}

// TestRecent: warnings are remembered whatever the log's level, the same in a row
// once, the last twenty.
func TestRecent(t *testing.T) {
	var text strings.Builder
	r := newRecent(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelError}))
	log := slog.New(r).With("gateway", "gw", "bus", "b")
	log.Info("nothing")
	log.Warn("slow", "by", 3)
	log.Warn("slow", "by", 4)
	log.Error("lost", "why", strings.Repeat("x", 1000))
	list := r.shared.newest()
	require.Len(t, list, 2)
	require.True(t, list[0].Error)
	require.Less(t, len(list[0].Words), 350)
	require.Equal(t, "slow, bus b, by 4", list[1].Words)
	require.Equal(t, 2, list[1].Times)
	require.Equal(t, 1, strings.Count(text.String(), "\n"), "the log keeps its level")
	for i := range 2 * mostRecent {
		log.Warn("w" + strings.Repeat("w", i))
	}
	require.Len(t, r.shared.newest(), mostRecent)
}

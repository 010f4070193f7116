package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// leastPassword is the shortest password of the page.
const leastPassword = 10

// readPassword is the first line of a password file.
func readPassword(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimRight(line, "\r")
	if len(line) < leastPassword || len(line) > 200 {
		return "", fmt.Errorf("%s: its first line has %d characters, want %d to 200", path, len(line), leastPassword)
	}
	return line, nil
}

// guard asks whoever opens the page for the password (any user name). After some
// wrong ones it answers nobody for a while: there is one password, and few
// people who know it.
type guard struct {
	sum  [sha256.Size]byte
	next http.Handler
	now  func() time.Time

	mu     sync.Mutex
	wrong  int
	closed time.Time // until when
}

const (
	wrongMost  = 5
	closedTime = time.Minute
)

func newGuard(password string, next http.Handler, now func() time.Time) *guard {
	return &guard{sum: sha256.Sum256([]byte(password)), next: next, now: now}
}

// ServeHTTP passes a request with the password on.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, password, given := r.BasicAuth()
	if given {
		switch err := g.try(password); {
		case err == nil:
			g.next.ServeHTTP(w, r)
			return
		case errors.Is(err, errClosed):
			w.Header().Set("Retry-After", fmt.Sprint(int(closedTime.Seconds())))
			http.Error(w, err.Error(), http.StatusTooManyRequests)
			return
		}
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="Thermie", charset="UTF-8"`)
	http.Error(w, "password wanted", http.StatusUnauthorized)
}

var (
	errClosed = errors.New("too many wrong passwords: wait a minute")
	errWrong  = errors.New("wrong password")
)

func (g *guard) try(password string) error {
	sum := sha256.Sum256([]byte(password))
	right := subtle.ConstantTimeCompare(sum[:], g.sum[:]) == 1
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now().Before(g.closed) {
		return errClosed
	}
	if right {
		g.wrong = 0
		return nil
	}
	if g.wrong++; g.wrong >= wrongMost {
		g.wrong, g.closed = 0, g.now().Add(closedTime)
	}
	return errWrong
}

//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	products     sync.Once
	productsDir  string
	productsFail error
)

// product builds the programs as they are shipped, once, and returns one's path.
func product(t testing.TB, name string) string {
	t.Helper()
	products.Do(func() {
		productsDir, productsFail = os.MkdirTemp("", "thermie-products-")
		for _, p := range []string{"thermie", "thermie-gateway", "thermie-verify"} {
			if productsFail != nil {
				return
			}
			cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(productsDir, p), "./cmd/"+p)
			cmd.Dir, cmd.Env = repository(t), append(cmd.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				productsFail = fmt.Errorf("build %s: %w\n%s", p, err, out)
			}
		}
	})
	require.NoError(t, productsFail)
	return filepath.Join(productsDir, name)
}

// runProduct runs a program to its end and returns what it printed.
func runProduct(t testing.TB, stdin, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(product(t, name), args...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// visitor is somebody who is signed in to a dashboard.
type visitor struct {
	t    testing.TB
	base string
	http *http.Client
}

func signIn(t testing.TB, base, email, password string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	v := &visitor{t: t, base: base, http: &http.Client{Jar: jar}}
	r, err := v.http.PostForm(base+"/sign-in", url.Values{"email": {email}, "password": {password}})
	require.NoError(t, err)
	defer r.Body.Close()
	require.Equal(t, http.StatusOK, r.StatusCode, "sign-in of %s", email)
	require.NotEqual(t, "/sign-in", r.Request.URL.Path, "sign-in of %s", email)
	return v
}

// get returns a page's status and body.
func (v *visitor) get(path string) (int, string) {
	v.t.Helper()
	r, err := v.http.Get(v.base + path)
	require.NoError(v.t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(v.t, err, path)
	return r.StatusCode, string(b)
}

// json reads an answer of the API.
func (v *visitor) json(path string, into any) {
	v.t.Helper()
	status, body := v.get(path)
	require.Equal(v.t, http.StatusOK, status, "%s: %s", path, body)
	require.NoError(v.t, json.Unmarshal([]byte(body), into), path)
}

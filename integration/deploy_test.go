//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/server"
)

// madeByOperator are the files that the head of compose.yaml tells to make.
var madeByOperator = regexp.MustCompile(`^\./(certs/[a-z-]+\.(crt|key)|secrets/[a-z-]+|server\.yaml|programme\.yaml)$`)

// There is no container engine in these tests: compose.yaml is held against the
// files that it names and against the configuration that runs inside. The
// programs themselves run natively, with the same files and users, in
// TestBrokerAccessRules, TestInfluxAsComposed and TestProduction.
func TestCompose(t *testing.T) {
	c := readCompose(t)
	deploy := filepath.Join(repository(t), "deploy")
	head, err := os.ReadFile(filepath.Join(deploy, "compose.yaml"))
	require.NoError(t, err)
	for name, s := range c.Services {
		require.Equal(t, "unless-stopped", s.Restart, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
		if s.Build == nil {
			require.Regexp(t, `^[a-z-]+:\d+\.\d+\.\d+$`, s.Image, "%s: a pinned version", name)
		}
		for _, d := range s.DependsOn {
			require.Contains(t, c.Services, d, name)
		}
		for _, x := range s.Secrets {
			require.Contains(t, c.Secrets, x, name)
			require.Contains(t, string(head), "deploy/secrets/"+x, "the head says to make it")
		}
		for _, v := range s.Volumes {
			source, rest, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(source, ".") {
				require.Contains(t, c.Volumes, source, name)
				continue
			}
			require.Truef(t, strings.HasSuffix(rest, ":ro"), "%s: %s is written by nobody", name, v)
			if madeByOperator.MatchString(source) {
				continue
			}
			_, err := os.Stat(filepath.Join(deploy, source))
			require.NoError(t, err, name)
		}
	}
	for name, s := range c.Secrets {
		require.Regexp(t, madeByOperator, s.File, name)
	}
	require.Equal(t, strconv.Itoa(mosquittoUser)+":"+strconv.Itoa(mosquittoUser), c.Services["mosquitto"].User)
}

// mounted are the places inside a container at which files or folders lie.
func (s composeService) mounted() (places []string) {
	for _, v := range s.Volumes {
		places = append(places, strings.Split(v, ":")[1])
	}
	for _, x := range s.Secrets {
		places = append(places, "/run/secrets/"+x)
	}
	return append(places, s.Tmpfs...)
}

// Every place that the broker's and the server's configuration names exists in
// their containers, and the addresses are those of the services.
func TestComposeFitsConfigurations(t *testing.T) {
	c := readCompose(t)
	deploy := filepath.Join(repository(t), "deploy")
	broker := c.Services["mosquitto"]
	conf, err := os.ReadFile(filepath.Join(deploy, "mosquitto", "mosquitto.conf"))
	require.NoError(t, err)
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^(?:cafile|certfile|keyfile|acl_file|persistence_location) (\S+)$`).FindAllStringSubmatch(string(conf), -1) {
		require.Contains(t, broker.mounted(), strings.TrimSuffix(m[1], "/"))
		found++
	}
	require.Equal(t, 5, found)
	listener := regexp.MustCompile(`(?m)^listener (\d+)$`).FindStringSubmatch(string(conf))
	require.NotNil(t, listener)
	require.Equal(t, []string{listener[1] + ":" + listener[1]}, broker.Ports)

	// The example with the operator's file names is what the head tells to copy.
	s, err := server.LoadConfig(filepath.Join(deploy, "server.example.yaml"))
	require.NoError(t, err)
	thermie := c.Services["thermie"]
	for _, place := range []string{s.Programme, s.Data, s.Broker.CAFile, s.Broker.CertFile, s.Broker.KeyFile, s.Store.TokenFile, "/etc/thermie/server.yaml"} {
		require.Contains(t, thermie.mounted(), place)
	}
	at := func(address string) string {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Contains(t, c.Services, u.Hostname())
		require.Contains(t, thermie.DependsOn, u.Hostname())
		return u.Port()
	}
	require.Equal(t, listener[1], at(s.Broker.URL))
	require.Equal(t, "8086", at(s.Store.URL))
	influx := c.Services["influxdb"]
	require.Equal(t, s.Store.Organisation, influx.Environment["DOCKER_INFLUXDB_INIT_ORG"])
	require.Equal(t, s.Store.Bucket, influx.Environment["DOCKER_INFLUXDB_INIT_BUCKET"])
	require.Equal(t, s.Store.TokenFile, influx.Environment["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE"])
	require.Contains(t, influx.mounted(), influx.Environment["DOCKER_INFLUXDB_INIT_PASSWORD_FILE"])
	require.Empty(t, influx.Ports, "only Thermie speaks with it")
	_, port, _ := strings.Cut(s.Listen, ":")
	require.Equal(t, []string{"127.0.0.1:" + port + ":" + port}, thermie.Ports)
	require.True(t, s.BehindTLSProxy)
}

// The image holds programs that exist, under the command that systemd runs too.
func TestDockerfile(t *testing.T) {
	c := readCompose(t)
	build := c.Services["thermie"].Build
	require.NotNil(t, build)
	root := filepath.Join(repository(t), "deploy", build.Context)
	b, err := os.ReadFile(filepath.Join(root, build.Dockerfile))
	require.NoError(t, err)
	text := string(b)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	require.Contains(t, text, "FROM golang:"+string(version[1])+" AS build")
	m := regexp.MustCompile(`for b in ([a-z -]+); do`).FindStringSubmatch(text)
	require.NotNil(t, m)
	for _, name := range strings.Fields(m[1]) {
		product(t, name) // builds without cgo, as there
		require.Contains(t, text, "/out/"+name+" ")
	}
	require.Contains(t, text, "USER "+strconv.Itoa(thermieUser)+":"+strconv.Itoa(thermieUser))
	var entry, args []string
	for line := range strings.Lines(text) {
		if s, ok := strings.CutPrefix(line, "ENTRYPOINT "); ok {
			require.NoError(t, json.Unmarshal([]byte(s), &entry))
		}
		if s, ok := strings.CutPrefix(line, "CMD "); ok {
			require.NoError(t, json.Unmarshal([]byte(s), &args))
		}
	}
	unit, err := os.ReadFile(filepath.Join(root, "deploy", "systemd", "thermie.service"))
	require.NoError(t, err)
	require.Contains(t, string(unit), "ExecStart="+strings.Join(slices.Concat(entry, args), " ")+"\n")
}

// InfluxDB is set up with what compose.yaml sets up; its token then opens the
// bucket that the server's example names, and reporting home is off.
func TestInfluxAsComposed(t *testing.T) {
	c := readCompose(t)
	env := c.Services["influxdb"].Environment
	require.Equal(t, "setup", env["DOCKER_INFLUXDB_INIT_MODE"])
	require.Equal(t, "true", env["INFLUXD_REPORTING_DISABLED"])
	out, err := exec.Command(program(t, "THERMIE_INFLUXD"), "print-config", "--key-name", "reporting-disabled").CombinedOutput()
	require.NoError(t, err, string(out))
	cmd := exec.Command(program(t, "THERMIE_INFLUXD"), "print-config", "--key-name", "reporting-disabled")
	cmd.Env = append(os.Environ(), "INFLUXD_REPORTING_DISABLED="+env["INFLUXD_REPORTING_DISABLED"])
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "true", "InfluxDB knows the variable")

	f := startInflux(t)
	require.Equal(t, env["DOCKER_INFLUXDB_INIT_ORG"], f.organisation)
	require.Equal(t, env["DOCKER_INFLUXDB_INIT_BUCKET"], f.bucket)
	r, err := http.NewRequest(http.MethodGet, f.url+"/api/v2/buckets?name="+f.bucket, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Token "+f.token)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
}

// systemd finds nothing to say about the units, and finds them well sheltered.
func TestSystemdUnits(t *testing.T) {
	analyze := program(t, "THERMIE_SYSTEMD_ANALYZE")
	for unit, name := range map[string]string{"thermie.service": "thermie", "thermie-gateway.service": "thermie-gateway"} {
		t.Run(unit, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(repository(t), "deploy", "systemd", unit))
			require.NoError(t, err)
			require.Contains(t, string(b), "ExecStart=/usr/bin/"+name+" ")
			file := filepath.Join(t.TempDir(), unit)
			b = bytes.ReplaceAll(b, []byte("/usr/bin/"+name+" "), []byte(product(t, name)+" "))
			require.NoError(t, os.WriteFile(file, b, 0o644))
			out, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", file).CombinedOutput()
			require.NoError(t, err, string(out))
			require.Empty(t, string(out))

			out, err = exec.Command(analyze, "security", "--offline=true", "--no-pager", file).CombinedOutput()
			require.NoError(t, err, string(out))
			m := regexp.MustCompile(`exposure level for \S+: (\d+\.\d+)`).FindSubmatch(out)
			require.NotNil(t, m, string(out))
			exposure, err := strconv.ParseFloat(string(m[1]), 64)
			require.NoError(t, err)
			require.Lessf(t, exposure, 2.5, "%s", out)
			t.Logf("exposure %.1f of 10", exposure)
		})
	}
}

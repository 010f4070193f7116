package server

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const example = "../deploy/server.example.yaml"

// The example is a configuration that loads, and explains every key.
func TestExample(t *testing.T) {
	c, err := LoadConfig(example)
	require.NoError(t, err)
	require.Equal(t, "influx", c.Store.Kind)
	b, err := os.ReadFile(example)
	require.NoError(t, err)
	for _, key := range keysOf(reflect.TypeFor[Config]()) {
		require.Regexp(t, regexp.MustCompile(`(?m)\b`+key+`:`), string(b), "%s is not in %s", key, example)
	}
}

// keysOf lists the YAML keys of a type and of what it holds.
func keysOf(t reflect.Type) (keys []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		keys = append(keys, strings.Split(f.Tag.Get("yaml"), ",")[0])
		keys = append(keys, keysOf(f.Type)...)
	}
	return keys
}

const least = `
programme: /etc/thermie/programme.yaml
broker: {url: "tls://broker.example.org:8883"}
`

func TestDefaults(t *testing.T) {
	c, err := load(t, least)
	require.NoError(t, err)
	require.Equal(t, "embedded", c.Store.Kind)
	require.Equal(t, "127.0.0.1:8080", c.Listen)
	require.Equal(t, "/var/lib/thermie", c.Data)
	require.Equal(t, "03:15", c.AssessAt)
}

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return LoadConfig(path)
}

// Every mistake is refused with the file and the key.
func TestRefusals(t *testing.T) {
	for name, x := range map[string]struct{ text, want string }{
		"unknown key":         {least + "colour: red\n", "field colour not found"},
		"no programme":        {"broker: {url: \"tcp://127.0.0.1:1883\"}\n", "programme: name the programme's YAML file"},
		"no broker":           {"programme: p.yaml\n", "broker.url"},
		"clear text":          {"programme: p.yaml\nbroker: {url: \"tcp://broker:1883\"}\n", "is not loopback: use tls://"},
		"half a certificate":  {"programme: p.yaml\nbroker: {url: \"tls://b:8883\", cert_file: c.crt}\n", "cert_file and key_file go together"},
		"relative data":       {least + "data: here\n", `"here" is not an absolute path`},
		"unknown store":       {least + "store: {kind: oracle}\n", "neither embedded nor influx"},
		"influx without url":  {least + "store: {kind: influx}\n", "store.url"},
		"influx without org":  {least + "store: {kind: influx, url: \"http://i:8086\"}\n", "InfluxDB needs it"},
		"listen":              {least + "listen: here\n", "is not host:port"},
		"open to the world":   {least + "listen: 0.0.0.0:8080\n", "is not loopback and there is no TLS"},
		"half of TLS":         {least + "tls: {cert_file: a}\n", "wants cert_file and key_file"},
		"time of day":         {least + "assess_at: noon\n", "is not a time of day"},
		"log level":           {least + "log: {level: loud, format: text}\n", "log.level"},
		"log format":          {least + "log: {level: info, format: xml}\n", "log.format"},
		"not YAML":            {"\t- x", "configuration"},
		"shared, no name":     {"programme: p.yaml\nbroker: {url: \"tls://b:8883\", shared: true}\n", "broker.client_id"},
		"witness by http":     {least + "witnesses: [{url: \"http://w.example\", key: k}]\n", "witnesses[0].url"},
		"witness key":         {least + "witnesses: [{url: \"https://w.example\", key: a+b}]\n", "witnesses[0].key"},
		"days before sealing": {least + "seal_after_days: -1\n", "seal_after_days"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, x.text)
			require.ErrorContains(t, err, x.want)
			require.ErrorContains(t, err, "server.yaml")
		})
	}
	_, err := LoadConfig(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

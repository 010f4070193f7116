package offline

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/report"
	"github.com/thermie/thermie/report/trial"
)

var update = flag.Bool("update", false, "write golden files anew")

// sealed is a quarter of the trial programme: names of its files.
var sealed struct{ dir, report, dossier, keys string }

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "thermie-offline")
	if err == nil {
		err = seal(dir)
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func seal(dir string) error {
	ctx := context.Background()
	w, err := trial.New(ctx, dir)
	if err != nil {
		return err
	}
	defer w.Close()
	r, err := report.Seal(ctx, w.Inputs(""))
	if err != nil {
		return err
	}
	at := filepath.Join(dir, filepath.FromSlash(r.Path))
	sealed.dir, sealed.report = dir, filepath.Join(at, proof.ZipName(r.Quarter, r.Revision))
	sealed.dossier, sealed.keys = filepath.Join(at, proof.DossierName(r.Quarter, r.Revision)), filepath.Join(dir, "keys", "keys.json")
	return report.PublishKeys(dir, w.Keys)
}

// run is the command with paths shortened in what it says.
func run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Run("thermie-verify", args, &out, &errs)
	short := func(s string) string { return strings.ReplaceAll(s, sealed.dir, "DIR") }
	return code, short(out.String()), short(errs.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// damaged is a copy of a zip in which one file was changed.
func damaged(t *testing.T, name, file string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), filepath.Base(name))
	if strings.HasPrefix(filepath.Base(name), "dossier") {
		d, err := proof.ReadDossier(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		d.Files[file] = append(d.Files[file], ' ')
		_, b, err = trial.Zips(nil, d)
		require.NoError(t, err)
	} else {
		f, err := proof.ReadZip(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		f[file] = append(f[file], ' ')
		var z bytes.Buffer
		require.NoError(t, f.Zip(&z, trial.From))
		b = z.Bytes()
	}
	require.NoError(t, os.WriteFile(out, b, 0o600))
	return out
}

func TestWords(t *testing.T) {
	badReport := damaged(t, sealed.report, "report.csv")
	badDossier := damaged(t, sealed.dossier, "plans/s1.yaml")
	torn := filepath.Join(t.TempDir(), "report.zip")
	require.NoError(t, os.WriteFile(torn, []byte("PK\x03\x04 torn"), 0o600))
	for _, c := range []struct {
		name string
		code int
		args []string
	}{
		{"whole.fr.txt", Verified, []string{"--lang", "fr", "--keys", sealed.keys, "--dossier", sealed.dossier, sealed.report}},
		{"whole.en.txt", Verified, []string{"--lang", "en", "--keys", sealed.keys, "--dossier", sealed.dossier, sealed.report}},
		{"whole.json", Verified, []string{"--json", "--keys", sealed.keys, "--dossier", sealed.dossier, sealed.report}},
		{"own-keys.fr.txt", Verified, []string{"--lang", "fr", sealed.report}},
		{"own-keys.en.txt", Verified, []string{"--lang", "en", sealed.report}},
		{"bad-report.fr.txt", Failed, []string{"--lang", "fr", "--keys", sealed.keys, "--dossier", sealed.dossier, badReport}},
		{"bad-report.en.txt", Failed, []string{"--lang", "en", "--keys", sealed.keys, badReport}},
		{"bad-report.json", Failed, []string{"--json", "--keys", sealed.keys, badReport}},
		{"bad-dossier.en.txt", Failed, []string{"--lang", "en", "--keys", sealed.keys, "--dossier", badDossier, sealed.report}},
		{"torn.fr.txt", Failed, []string{"--lang", "fr", torn}},
	} {
		code, stdout, stderr := run(c.args...)
		require.Equal(t, c.code, code, "%s: %s", c.name, stderr)
		require.Empty(t, stderr, c.name)
		if strings.HasSuffix(c.name, ".json") {
			stdout = withoutCells(t, stdout)
		}
		golden(t, c.name, stdout)
	}
}

// withoutCells leaves the figures themselves out of a golden answer: they are
// the analytics' matter.
func withoutCells(t *testing.T, answer string) string {
	t.Helper()
	var a map[string]any
	require.NoError(t, json.Unmarshal([]byte(answer), &a))
	report, ok := a["report"].(map[string]any)
	require.True(t, ok)
	require.Len(t, report["cells"], 21)
	report["cells"] = "21 cells"
	b, err := json.MarshalIndent(a, "", " ")
	require.NoError(t, err)
	return string(b) + "\n"
}

func TestUsage(t *testing.T) {
	notKeys := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(notKeys, []byte("{}"), 0o600))
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"nothing":         {Usage, nil, "want one report"},
		"two reports":     {Usage, []string{sealed.report, sealed.report}, "want one report"},
		"language":        {Usage, []string{"--lang", "de", sealed.report}, "a language of fr or en"},
		"unknown flag":    {Usage, []string{"--key", "x", sealed.report}, "flag provided but not defined: -key"},
		"no such report":  {Usage, []string{"DIR/none.zip"}, "none.zip"},
		"no such dossier": {Usage, []string{"--dossier", "DIR/none.zip", sealed.report}, "none.zip"},
		"no such keys":    {Usage, []string{"--keys", "DIR/none.json", sealed.report}, "none.json"},
		"no keys in it":   {Usage, []string{"--keys", notKeys, sealed.report}, "keys"},
		"a folder":        {Usage, []string{sealed.dir}, "is a folder"},
		"help":            {Verified, []string{"--help"}, "Usage: thermie-verify [--keys keys.json]"},
	} {
		code, stdout, stderr := run(c.args...)
		require.Equal(t, c.code, code, name)
		require.Contains(t, stderr, c.says, name)
		require.Empty(t, stdout, name)
	}
	code, stdout, _ := run("--lang", "en", "--dossier", sealed.report, sealed.report)
	require.Equal(t, Failed, code)
	require.Contains(t, stdout, "this is no dossier")
	code, stdout, _ = run("--lang", "en", sealed.dossier)
	require.Equal(t, Failed, code)
	require.Contains(t, stdout, "this is a dossier")
}

func TestLanguage(t *testing.T) {
	for env, want := range map[string]string{"": "fr", "fr_FR.UTF-8": "fr", "en_GB.UTF-8": "en", "C": "fr", "C.UTF-8": "fr", "de_DE": "en"} {
		require.Equal(t, want, Language("", env), env)
	}
	require.Equal(t, "en", Language("en_US", "fr_FR"))
}

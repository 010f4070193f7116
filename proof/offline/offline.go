// Package offline is the verification of sealed quarters as a command: a
// funder or an independent verifier runs it on the files alone, with no network
// and no trust in the programme's server. `thermie verify` and the small program
// thermie-verify are both this.
package offline

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/thermie/thermie/proof"
)

// Exit codes.
const (
	Verified = 0
	Failed   = 1
	Usage    = 2
)

const help = `Usage: %[1]s [--keys keys.json] [--dossier dossier.zip] [--lang fr|en] [--json] report.zip

Checks a sealed quarterly report offline: the seal's signature, its entry in the
tamper-evident ledger, that no file changed since, and the figures. With the
dossier (for verifiers) every figure is computed anew from the signed readings.

Give the programme's public keys, as it publishes them, with --keys: without
them the report only proves itself.

Exit code: 0 verified, 1 not verified, 2 wrong usage or no such file.

Examples:
  %[1]s --keys keys.json report-2026-Q3.zip
  %[1]s --keys keys.json --dossier dossier-2026-Q3.zip report-2026-Q3.zip
  %[1]s --json report-2026-Q3.zip

`

// Run is the command; name is how it was called.
func Run(name string, args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { fmt.Fprintf(f.Output(), help, name); f.PrintDefaults() }
	keysPath := f.String("keys", "", "the programme's public keys, from a place other than the report")
	dossierPath := f.String("dossier", "", "the verifier's dossier of the same quarter")
	lang := f.String("lang", Language(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")), "language of the answer, fr or en")
	asJSON := f.Bool("json", false, "answer as JSON")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return Verified
	} else if err != nil {
		return Usage
	}
	fail := func(code int, err error) int {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return code
	}
	if f.NArg() != 1 || *lang != "fr" && *lang != "en" {
		return fail(Usage, fmt.Errorf("want one report and a language of fr or en (see %s --help)", name))
	}
	verdict, err := verify(f.Arg(0), *dossierPath, *keysPath)
	if err != nil {
		return fail(Usage, err) // a file that is not there, keys that are none
	}
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", " ")
		err = e.Encode(struct {
			Verified bool `json:"verified"`
			*proof.Verdict
		}{verdict.OK(), verdict})
	} else {
		_, err = io.WriteString(stdout, words(verdict, *lang))
	}
	if err != nil {
		return fail(Failed, err)
	}
	if !verdict.OK() {
		return Failed
	}
	return Verified
}

// Language picks French unless one of the variables of the environment, the
// strongest first, says otherwise.
func Language(variables ...string) string {
	for _, v := range variables {
		if v != "" {
			if strings.HasPrefix(v, "fr") || v == "C" || v == "POSIX" || strings.HasPrefix(v, "C.") {
				return "fr"
			}
			return "en"
		}
	}
	return "fr"
}

// open opens a zip; read must be done with it before it is closed.
func open(path string, read func(f *os.File, size int64)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder: give the zip", path)
	}
	read(f, info.Size())
	return nil
}

// maxKeys bounds a keys file; its real size is some 200 bytes.
const maxKeys = 4096

func readKeys(path string) (*proof.Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeys+1))
	if err != nil {
		return nil, err
	}
	k, err := proof.ParseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &k, nil
}

func verify(reportPath, dossierPath, keysPath string) (verdict *proof.Verdict, err error) {
	var keys *proof.Keys
	if keysPath != "" {
		if keys, err = readKeys(keysPath); err != nil {
			return nil, err
		}
	}
	err = open(reportPath, func(f *os.File, size int64) {
		files, err := proof.ReadZip(f, size)
		if err != nil {
			verdict = &proof.Verdict{KeysGiven: keys != nil}
			verdict.Unreadable("Archive du rapport lisible", "Archive of the report readable", err)
			return
		}
		verdict = proof.VerifyReport(files, keys)
	})
	if err != nil || dossierPath == "" || !verdict.OK() {
		return verdict, err
	}
	err = open(dossierPath, func(f *os.File, size int64) {
		dossier, err := proof.ReadDossier(f, size)
		if err != nil {
			verdict.Unreadable("Archive du dossier lisible", "Archive of the dossier readable", err)
			return
		}
		proof.VerifyDossier(verdict, dossier)
	})
	return verdict, err
}

func words(v *proof.Verdict, lang string) string {
	var b strings.Builder
	fr := lang == "fr"
	say := func(french, english string, args ...any) {
		if fr {
			fmt.Fprintf(&b, french, args...)
		} else {
			fmt.Fprintf(&b, english, args...)
		}
	}
	r := v.Report
	if r.Format != "" {
		say("Rapport %s, révision %d, %s\n", "Report %s, revision %d, %s\n", r.Quarter, r.Revision, r.Name.In(lang))
		if r.Synthetic {
			say("DONNÉES SYNTHÉTIQUES : ce rapport ne dit rien du monde réel.\n", "SYNTHETIC DATA: this report says nothing about the real world.\n")
		}
	}
	for _, s := range v.Steps {
		mark := "ok  "
		if !s.OK {
			mark = "ÉCHEC"
			if !fr {
				mark = "FAILED"
			}
		}
		fmt.Fprintf(&b, "  %-6s %s", mark, s.Name.In(lang))
		if says := s.Says.In(lang); says != "" {
			sep := " : "
			if !fr {
				sep = ": "
			}
			b.WriteString(sep + says)
		}
		b.WriteByte('\n')
	}
	switch {
	case !v.OK():
		say("NON VÉRIFIÉ. Ne pas utiliser ces chiffres ; demander au programme un rapport intact.\n",
			"NOT VERIFIED. Do not use these figures; ask the programme for an intact report.\n")
	case !v.KeysGiven:
		say("VÉRIFIÉ avec les clés contenues dans le rapport. Les comparer à celles que publie le programme (--keys) :\n",
			"VERIFIED with the keys inside the report. Compare them with those that the programme publishes (--keys):\n")
		if k, err := json.Marshal(v.Keys); err == nil {
			fmt.Fprintf(&b, "  %s\n", k)
		}
	default:
		say("VÉRIFIÉ.\n", "VERIFIED.\n")
	}
	say("Ce que cette vérification ne montre pas : qu'un capteur est posé sur la bonne conduite (voir la fiche de mise en service).\n",
		"What this does not show: that a sensor sits on the right pipe (see the commissioning record).\n")
	return b.String()
}

package main

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/ledger"
	"github.com/thermie/thermie/pki"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/server"
)

func ledgerCommand() *cobra.Command {
	var dir, keysPath string
	var witnesses []string
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Prove the tamper-evident ledger, or one leaf of it",
		Long: `Works on a ledger's folder and the programme's public keys (keys/keys.json in the data
folder). "check" may run beside an idle server; "prove" needs the server to be stopped.`,
		Example: `  thermie ledger check --data /var/lib/thermie
  thermie ledger check --data /var/lib/thermie --witness witness.example.org/w1+0c1f2d3e+BK8Go...
  thermie ledger prove --data /var/lib/thermie 4711 > proof.txt`,
	}
	c.PersistentFlags().StringVar(&dir, "data", "/var/lib/thermie", "the server's data folder")
	c.PersistentFlags().StringVar(&keysPath, "keys", "", "public keys (default: keys/keys.json in the data folder)")
	check := &cobra.Command{
		Use:   "check",
		Short: "Compute the whole tree anew and compare it with what was signed",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return checkLedger(c, dir, keysPath, witnesses) },
	}
	check.Flags().StringArrayVar(&witnesses, "witness", nil, "key of a witness (\"<name>+<hash>+<base64>\") that must have co-signed; may be repeated")
	c.AddCommand(check, &cobra.Command{
		Use:   "prove INDEX",
		Short: "Print the C2SP tlog-proof of one leaf",
		Args:  cobra.ExactArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return proveLeaf(c, dir, keysPath, args[0]) },
	})
	c.AddCommand(ledgerActsCommand())
	return c
}

func ledgerActsCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "acts",
		Short: "Compare the audit trail with what the ledger has of it",
		Long: `Each line of the audit trail enters the ledger within seconds, by its hash. This finds lines
that were changed, taken out or put in afterwards. The server must be stopped.`,
		Example: `  thermie ledger acts --config /etc/thermie/server.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := loadServerConfig(path)
			if err != nil {
				return err
			}
			a, err := server.CheckActs(c.Context(), conf)
			if err != nil {
				return err
			}
			for _, f := range a.Faults {
				fmt.Fprintln(c.OutOrStdout(), f)
			}
			if len(a.Faults) > 0 {
				return fmt.Errorf("the audit trail is not what the ledger has: %d lines differ", len(a.Faults))
			}
			fmt.Fprintf(c.OutOrStdout(), "audit trail: %d lines proved, %d wait for the ledger\n", a.Proved, a.Waiting)
			return nil
		},
	}
	c.Flags().StringVar(&path, "config", "", "the server's configuration file")
	return c
}

func publishedKeys(dir, path string) (proof.Keys, error) {
	if path == "" {
		path = filepath.Join(dir, "keys", "keys.json")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return proof.Keys{}, frame.Usage(fmt.Errorf("public keys: %w", err))
	}
	k, err := proof.ParseKeys(b)
	if err != nil {
		return k, frame.Usage(fmt.Errorf("%s: %w", path, err))
	}
	return k, nil
}

func checkLedger(c *cobra.Command, dir, keysPath string, witnessKeys []string) error {
	var witnesses []ledger.Witness
	for _, text := range witnessKeys {
		w, err := ledger.ParseWitness(text)
		if err != nil {
			return frame.Usage(fmt.Errorf("--witness: %w", err))
		}
		witnesses = append(witnesses, w)
	}
	keys, err := publishedKeys(dir, keysPath)
	if err != nil {
		return err
	}
	bar := newBar(c.ErrOrStderr())
	report, err := ledger.Check(c.Context(), filepath.Join(dir, "ledger"), keys.Origin, keys.Ledger, bar.show)
	bar.end()
	for _, f := range report.Faults {
		fmt.Fprintln(c.OutOrStdout(), f)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "ledger %s: %d leaves proved, root %s", keys.Origin, report.Size, report.Root)
	if report.Unsigned > 0 {
		fmt.Fprintf(c.OutOrStdout(), "; %d more wait for the next checkpoint", report.Unsigned)
	}
	fmt.Fprintln(c.OutOrStdout())
	return checkWitnesses(c, dir, keys, witnesses)
}

// checkWitnesses says who co-signed, and fails when one of those named did not.
func checkWitnesses(c *cobra.Command, dir string, keys proof.Keys, witnesses []ledger.Witness) error {
	if len(witnesses) == 0 {
		return nil
	}
	list, err := ledger.CheckWitnesses(filepath.Join(dir, "ledger"), keys.Origin, keys.Ledger, witnesses)
	if err != nil {
		return err
	}
	for _, w := range witnesses {
		i := slices.IndexFunc(list, func(x ledger.Cosigned) bool { return x.Name == w.Name })
		if i < 0 {
			return fmt.Errorf("witness %s has not co-signed", w.Name)
		}
		fmt.Fprintf(c.OutOrStdout(), "witness %s: co-signed %d leaves on %s\n", w.Name, list[i].Size, list[i].At.Format(time.RFC3339))
	}
	return nil
}

func proveLeaf(c *cobra.Command, dir, keysPath, text string) error {
	index, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return frame.Usage(fmt.Errorf("index %q is not a number", text))
	}
	keys, err := publishedKeys(dir, keysPath)
	if err != nil {
		return err
	}
	signer, err := ledgerSigner(dir, keys)
	if err != nil {
		return err
	}
	l, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{Origin: keys.Origin, Signer: signer})
	if err != nil {
		return err
	}
	defer l.Close()
	p, err := l.Prove(c.Context(), index)
	if err != nil {
		return err
	}
	_, err = c.OutOrStdout().Write(p)
	return err
}

// ledgerSigner is the ledger's signing key: a new checkpoint is signed when
// leaves wait for one.
func ledgerSigner(dir string, keys proof.Keys) (ed25519.PrivateKey, error) {
	path := filepath.Join(dir, "keys", "ledger.key")
	if _, err := os.Stat(path); err != nil {
		return nil, err // pki.SigningKey would make one
	}
	k, err := pki.SigningKey(path)
	if err != nil {
		return nil, err
	}
	if !k.Public().(ed25519.PublicKey).Equal(keys.Ledger) {
		return nil, fmt.Errorf("%s: ledger.key is not the key that keys.json publishes", dir)
	}
	return k, nil
}

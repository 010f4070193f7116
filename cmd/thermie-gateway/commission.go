package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/commissioning"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/gateway/commission"
)

func commissionCommand() *cobra.Command {
	var out, language string
	c := &cobra.Command{
		Use:   "commission",
		Short: "Walk through the site with the installer and sign its record",
		Long: `Commission shows the key to enrol, looks for meters on buses that have none yet and
writes them into the configuration, reads every meter, judges what it says, asks
what its display shows, and writes a commissioning record: YAML signed by the
gateway's key, and a PDF of it. It needs no network. Every question is a line, so
the answers may come from a file. The gateway must not run meanwhile. Exit code 1
when it is stopped before the signature; the record is then not written.`,
		Example: `  thermie-gateway commission --config gateway.yaml --out /home/installer
  thermie-gateway commission --lang en < answers.txt
  thermie-gateway commission verify commissioning-gw-fonderie-20261128-101500.yaml`,
		Args: cobra.NoArgs,
	}
	path := c.Flags().String("config", defaultConfig, "configuration `FILE`; buses without meters are looked through")
	c.Flags().StringVar(&out, "out", ".", "`FOLDER` for the record")
	c.Flags().StringVar(&language, "lang", "fr", "language: fr, en")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !slices.Contains(commission.Languages, language) {
			return frame.Usage(fmt.Errorf("--lang %q is none of %v", language, commission.Languages))
		}
		if info, err := os.Stat(out); err != nil || !info.IsDir() {
			return frame.Usage(fmt.Errorf("--out %s is not a folder", out))
		}
		if _, err := gateway.LoadDraft(*path); err != nil {
			return frame.Usage(err)
		}
		_, err := commission.Walk(c.Context(), commission.Options{Config: *path, Out: out, Language: language, Version: version,
			In: c.InOrStdin(), Terminal: c.OutOrStdout(), Now: time.Now, Dev: "/dev", Synchronised: gateway.ClockSynchronised})
		return err
	}
	c.AddCommand(commissionVerifyCommand())
	return c
}

func commissionVerifyCommand() *cobra.Command {
	var page string
	c := &cobra.Command{
		Use:   "verify RECORD",
		Short: "Verify the signature of a commissioning record and print who signed it",
		Args:  cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&page, "pdf", "", "also make the PDF anew, into `FILE`")
	c.RunE = func(c *cobra.Command, args []string) error {
		f, err := os.Open(args[0])
		if err != nil {
			return frame.Usage(err)
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, 9<<20))
		if err != nil {
			return err
		}
		r, err := commissioning.Open(text)
		if errors.Is(err, commissioning.ErrSignature) {
			return err
		}
		if err != nil {
			return frame.Usage(fmt.Errorf("%s: %w", args[0], err))
		}
		if page != "" {
			b, err := commission.PDF(text)
			if err != nil {
				return err
			}
			if err := os.WriteFile(page, b, 0o640); err != nil {
				return err
			}
		}
		fmt.Fprintf(c.OutOrStdout(), "%s %s %s %s (%d meters)\n", r.Gateway, r.Key, r.Signed.Format(time.RFC3339), r.Installer, len(r.Meters))
		return nil
	}
	return c
}

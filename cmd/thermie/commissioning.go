package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/commissioning"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/server"
)

func commissioningCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "commissioning",
		Short: "The records of how meters were put into service: add one, list them",
		Example: `  thermie commissioning add commissioning-gw-fonderie-20261128-101500.yaml --config server.yaml
  thermie commissioning list --config server.yaml`,
	}
	c.PersistentFlags().StringVar(&path, "config", "", "the server's configuration file")
	add := &cobra.Command{
		Use:   "add RECORD...",
		Short: "Verify records and keep them; a running server enters them in the ledger",
		Long: `Add verifies the signature of each RECORD (the YAML file that "thermie-gateway
commission" wrote) with the keys that were enrolled for its gateway, and keeps it.
Within seconds a running server enters its hash in the ledger; the next sealed
dossier holds it, and the pages of gateway and meters show it. What does not fit
the programme is said and hinders nothing: a signed record cannot be changed.
Exit code 1 when one is not what a gateway of the programme signed.`,
		Args: cobra.MinimumNArgs(1),
	}
	add.RunE = func(c *cobra.Command, args []string) error {
		return withRegistry(c.Context(), path, func(r *registry.Registry) error {
			for _, name := range args {
				if err := addRecord(c, r, name); err != nil {
					return err
				}
			}
			return nil
		})
	}
	list := &cobra.Command{Use: "list", Short: "Every record, and the ledger's leaf that names it", Args: cobra.NoArgs}
	asJSON := list.Flags().Bool("json", false, "print JSON")
	list.RunE = func(c *cobra.Command, _ []string) error {
		return withRegistry(c.Context(), path, func(r *registry.Registry) error { return listRecords(c, r, *asJSON) })
	}
	c.AddCommand(add, list)
	return c
}

func addRecord(c *cobra.Command, r *registry.Registry, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return frame.Usage(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, commissioning.MaxBytes+1))
	if err != nil {
		return err
	}
	record, added, warnings, err := server.AddCommissioning(c.Context(), r, text, operator(), time.Now())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, w := range warnings {
		fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", name, w)
	}
	word := "added"
	if !added {
		word = "is there already"
	}
	fmt.Fprintf(c.OutOrStdout(), "%s: record of %s by %s, %d meters, SHA-256 %s: %s\n", record.Gateway, record.Signed.Format(time.RFC3339), record.Installer,
		len(record.Meters), commissioning.Digest(text), word)
	return nil
}

// recordLine is a record in a list.
type recordLine struct {
	Gateway   string    `json:"gateway"`
	Signed    time.Time `json:"signed"`
	Installer string    `json:"installer"`
	Company   string    `json:"company,omitempty"`
	Meters    []string  `json:"meters"`
	SHA256    string    `json:"sha256"`
	Leaf      *uint64   `json:"leaf,omitempty"` // in the ledger; none: not entered yet
}

func listRecords(c *cobra.Command, r *registry.Registry, asJSON bool) error {
	all, err := r.Commissionings(c.Context())
	if err != nil {
		return err
	}
	lines := []recordLine{}
	for _, x := range all {
		record, err := commissioning.Open(x.Record)
		if err != nil {
			return errors.Join(fmt.Errorf("record %s", x.Digest), err)
		}
		l := recordLine{Gateway: x.Gateway, Signed: record.Signed, Installer: record.Installer, Company: record.Company, Meters: []string{}, SHA256: x.Digest}
		for _, m := range record.Meters {
			l.Meters = append(l.Meters, m.ID)
		}
		if x.Entered {
			l.Leaf = &x.Index
		}
		lines = append(lines, l)
	}
	if asJSON {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(lines)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GATEWAY\tSIGNED\tINSTALLER\tMETERS\tLEAF\tSHA-256")
	for _, l := range lines {
		leaf := "-"
		if l.Leaf != nil {
			leaf = fmt.Sprint(*l.Leaf)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", l.Gateway, l.Signed.UTC().Format(time.RFC3339), l.Installer, len(l.Meters), leaf, l.SHA256)
	}
	return w.Flush()
}

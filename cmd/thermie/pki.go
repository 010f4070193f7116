package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/pki"
)

func pkiCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pki",
		Short: "A small certificate authority for the broker and the gateways",
		Example: `  thermie pki init --dir certs --organisation "Port du Rhin"
  thermie pki issue --dir certs broker --host broker.example.org
  thermie pki issue --dir certs ingest
  thermie pki issue --dir certs gw-fonderie`,
	}
	var dir, organisation string
	var hosts []string
	create := &cobra.Command{
		Use:   "init",
		Short: "Create the authority (ca.crt, ca.key); keep ca.key off the server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := pki.Init(dir, organisation, time.Now()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "authority written: %s, %s\n", filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
			return nil
		},
	}
	create.Flags().StringVar(&dir, "dir", "certs", "folder of the authority")
	create.Flags().StringVar(&organisation, "organisation", "Thermie", "name of the programme")
	issue := &cobra.Command{
		Use:   "issue NAME",
		Short: "Issue a certificate: with --host for a server, without for a client",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := pki.Issue(dir, args[0], hosts, time.Now()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "certificate written: %s, %s\n", filepath.Join(dir, args[0]+".crt"), filepath.Join(dir, args[0]+".key"))
			return nil
		},
	}
	issue.Flags().StringVar(&dir, "dir", "certs", "folder of the authority")
	issue.Flags().StringArrayVar(&hosts, "host", nil, "host name or address of a server; may be repeated")
	c.AddCommand(create, issue)
	return c
}

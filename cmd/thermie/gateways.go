package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/registry"
)

func gatewaysCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "gateways",
		Short: "The gateways of the programme: list them, show one, enrol its key, configure it",
		Example: `  thermie gateways list --config server.yaml
  thermie gateways show gw-fonderie --config server.yaml
  thermie gateways enrol --config server.yaml gw-fonderie dGhlIGtleSB0aGF0IHRoZSBnYXRld2F5IHByaW50cyE=

The key is what "thermie-gateway key" prints on the gateway. It counts from the next batch on;
the server need not be restarted. What came before waits in quarantine.`,
	}
	c.PersistentFlags().StringVar(&path, "config", "", "the server's configuration file")
	c.AddCommand(&cobra.Command{
		Use:   "enrol GATEWAY KEY",
		Short: "Make KEY (Ed25519, base64) the one that the gateway signs with from now on",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			key, err := base64.StdEncoding.DecodeString(args[1])
			if err != nil {
				return frame.Usage(fmt.Errorf("key %q is not base64", args[1]))
			}
			return withRegistry(c.Context(), path, func(r *registry.Registry) error {
				if err := r.EnrolGateway(c.Context(), args[0], key); err != nil {
					return err
				}
				act := registry.Act{Who: operator(), What: "gateway.enrol", Subject: args[0], Detail: "key " + args[1]}
				if err := r.Audit(c.Context(), act); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: enrolled\n", args[0])
				return nil
			})
		},
	}, &cobra.Command{
		Use:   "list",
		Short: "Every gateway, its key and when it was heard of last",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withRegistry(c.Context(), path, func(r *registry.Registry) error { return listGateways(c, r) })
		},
	})
	c.AddCommand(gatewaysShowCommand(&path), gatewaysConfigureCommand(&path), gatewaysGapsCommand(&path))
	return c
}

func listGateways(c *cobra.Command, r *registry.Registry) error {
	all, err := r.Gateways(c.Context())
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GATEWAY\tCOMPANY\tKEY\tONLINE\tLAST STATUS\tCONFIGURATION")
	for _, g := range all {
		key := "not enrolled"
		if k, err := r.GatewayKey(c.Context(), g.ID); err == nil {
			key = base64.StdEncoding.EncodeToString(k)
		} else if !errors.Is(err, registry.ErrNotFound) {
			return err
		}
		online, at := "-", "never"
		if s, err := r.Status(c.Context(), g.ID); err == nil {
			online, at = fmt.Sprint(s.Online), s.At.UTC().Format(time.RFC3339)
		} else if !errors.Is(err, registry.ErrNotFound) {
			return err
		}
		config, err := runs(c.Context(), r, g.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", g.ID, g.Company, key, online, at, config)
	}
	return w.Flush()
}

// withRegistry opens the registry that a configuration names.
func withRegistry(ctx context.Context, path string, do func(*registry.Registry) error) error {
	conf, err := loadServerConfig(path)
	if err != nil {
		return err
	}
	r, err := registry.Open(ctx, filepath.Join(conf.Data, "registry.db"))
	if err != nil {
		return err
	}
	return errors.Join(do(r), r.Close())
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/gateway"
)

func keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Print the public key by which the server enrols this gateway",
		Long: `Key prints the gateway's public key, and makes the key pair on first use. The
private key stays in the data folder; it is never copied.

On a device that replaces one whose disk is lost, say so with --replaces: the
gateway then begins its chain of batches with numbers that were never used, and
its first batch tells why.`,
		Example: `  thermie-gateway key --config /etc/thermie-gateway/gateway.yaml
  thermie-gateway key --replaces "SD card failed on 2026-07-27"`,
		Args: cobra.NoArgs,
	}
	load := configFlag(c)
	replaces := c.Flags().String("replaces", "", "`REASON` for which the former device's spool is lost")
	c.RunE = func(c *cobra.Command, _ []string) error {
		conf, err := load()
		if err != nil {
			return err
		}
		key, err := gateway.LoadKey(conf.Data)
		if err != nil {
			return err
		}
		if *replaces != "" {
			if err := gateway.DeclareLoss(conf.Data, *replaces); err != nil {
				return err
			}
		}
		fmt.Fprintf(c.OutOrStdout(), "%s %s\n", conf.Gateway, gateway.PublicKey(key))
		return nil
	}
	return c
}

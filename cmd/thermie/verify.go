package main

import (
	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/proof/offline"
)

// verifyCommand is the same command as the program thermie-verify, which reads
// its own flags and prints its own help.
func verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "verify [--keys keys.json] [--dossier dossier.zip] report.zip",
		Short:              "Check a sealed quarterly report offline",
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			code := offline.Run(c.CommandPath(), args, c.OutOrStdout(), c.ErrOrStderr())
			if code != offline.Verified {
				return frame.ExitCode(code)
			}
			return nil
		},
	}
}

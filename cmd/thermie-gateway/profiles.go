package main

import (
	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/profiles"
)

func profilesCommand() *cobra.Command {
	c := &cobra.Command{Use: "profiles", Short: "The meters that this gateway knows"}
	c.AddCommand(profiles.List("thermie-gateway"), profiles.Show("thermie-gateway"))
	return c
}

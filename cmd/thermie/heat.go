package main

import "github.com/spf13/cobra"

func heatCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "heat",
		Short: "Waste heat: find it in the measurements, and what it is worth",
		Example: `  thermie heat sources --cards cards.json --data year.csv.gz
  thermie heat sources --cards cards.json --data year.csv.gz --json --plot sources.svg`,
	}
	c.AddCommand(heatSourcesCommand())
	return c
}

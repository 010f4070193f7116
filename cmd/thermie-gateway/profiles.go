package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/firmware-configs/profile"
)

func profilesCommand() *cobra.Command {
	c := &cobra.Command{Use: "profiles", Short: "The meters that this gateway knows"}
	c.AddCommand(profilesListCommand())
	return c
}

// profileLine is a profile as a list shows it.
type profileLine struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind"`
	Maker      string   `json:"maker"`
	Models     []string `json:"models"`
	Trust      string   `json:"trust"`
	Quantities int      `json:"quantities"`
	Channels   int      `json:"channels,omitempty"`
}

func profilesListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the meter profiles, built in and of a folder",
		Args:  cobra.NoArgs,
	}
	folder := c.Flags().String("profiles", "", "`FOLDER` of own profiles, as in the configuration")
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		library, err := profile.Builtin()
		if err != nil {
			return err
		}
		if *folder != "" {
			if _, err := os.ReadDir(*folder); err != nil {
				return frame.Usage(fmt.Errorf("profiles: %w", err))
			}
			own, err := profile.LoadDir(os.DirFS(*folder))
			if err != nil {
				return frame.Usage(err)
			}
			library = library.Over(own)
		}
		lines := []profileLine{}
		for _, p := range library.All() {
			lines = append(lines, profileLine{p.ID, p.Kind, p.Maker, p.Models, p.Trust, len(p.Fields), p.Channels()})
		}
		if *asJSON {
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(lines)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "PROFILE\tKIND\tMAKER\tMODELS\tTRUST")
		for _, l := range lines {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.Kind, l.Maker, strings.Join(l.Models, ", "), l.Trust)
		}
		return w.Flush()
	}
	return c
}

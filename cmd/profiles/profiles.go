// Package profiles holds the commands that show what is known of meters: the
// list of profiles and one profile's registers. thermie and thermie-gateway
// share them.
package profiles

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/firmware-configs/profile"
)

// Library is the built-in profiles and, over them, those of a folder ("" for
// none). A folder or file that cannot be used is the caller's to mend.
func Library(folder string) (*profile.Library, error) {
	library, err := profile.Builtin()
	if err != nil || folder == "" {
		return library, err
	}
	if _, err := os.ReadDir(folder); err != nil {
		return nil, frame.Usage(fmt.Errorf("profiles: %w", err))
	}
	own, err := profile.LoadDir(os.DirFS(folder))
	if err != nil {
		return nil, frame.Usage(err)
	}
	return library.Over(own), nil
}

// folderFlag is the flag that names a folder of own profiles.
func folderFlag(c *cobra.Command) *string {
	return c.Flags().String("profiles", "", "`FOLDER` of own profiles, as in the gateway's configuration")
}

// line is a profile as a list shows it.
type line struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind"`
	Maker      string   `json:"maker"`
	Models     []string `json:"models"`
	Trust      string   `json:"trust"`
	Quantities int      `json:"quantities"`
	Channels   int      `json:"channels,omitempty"`
	Recognised bool     `json:"recognised"` // a scan can name it for certain
}

// List is "profiles list"; program is the name that its examples begin with.
func List(program string) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the meter profiles, built in and of a folder",
		Long: `Lists what meters are known, by kind and maker. TRUST says how far the map was
checked: repository (read in other code or in an extract), document (in the maker's),
second_source (two that agree), device (tried on the device).`,
		Example: "  " + program + " profiles list\n  " + program + " profiles list --kind heat\n  " + program + " profiles list --maker siemens --json",
		Args:    cobra.NoArgs,
	}
	folder := folderFlag(c)
	kind := c.Flags().String("kind", "", "only this `KIND`: "+strings.Join(profile.Kinds, ", "))
	maker := c.Flags().String("maker", "", "only makers whose name holds `TEXT`")
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *kind != "" && !slices.Contains(profile.Kinds, *kind) {
			return frame.Usage(fmt.Errorf("kind %q is none of %s", *kind, strings.Join(profile.Kinds, ", ")))
		}
		library, err := Library(*folder)
		if err != nil {
			return err
		}
		lines := []line{}
		for _, p := range library.All() {
			if *kind != "" && p.Kind != *kind || !strings.Contains(strings.ToLower(p.Maker), strings.ToLower(*maker)) {
				continue
			}
			lines = append(lines, line{p.ID, p.Kind, p.Maker, p.Models, p.Trust, len(p.Fields), p.Channels(), p.Recognisable()})
		}
		slices.SortStableFunc(lines, func(a, b line) int {
			return slices.Index(profile.Kinds, a.Kind) - slices.Index(profile.Kinds, b.Kind)
		})
		if *asJSON {
			return writeJSON(c.OutOrStdout(), lines)
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

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

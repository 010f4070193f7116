package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/savings/coverage"
	"github.com/thermie/thermie/cmd/frame"
)

func savingsCoverageCommand() *cobra.Command {
	sites, seed, asJSON, model := 500, uint64(1), false, ""
	var only []string
	c := &cobra.Command{
		Use:   "coverage",
		Short: "Simulation study: how often the 90 % intervals hold the truth",
		Long: `Draws synthetic sites whose saving is known, under several kinds of noise and in five
climates, and counts how often the 90 % interval of the year and of each quarter holds it.
"plain" is the AR(1) sandwich with one scatter for all seasons, to compare. A star marks
kinds of noise that nothing in the intervals was set on.`,
		Example: `  thermie savings coverage --sites 500
  thermie savings coverage --model towt --noise ar1 --sites 500
  thermie savings coverage --noise seasonal --noise long-memory --sites 2000`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if sites < 10 || sites > 1_000_000 {
				return frame.Usage(fmt.Errorf("--sites %d: want 10 to 1000000", sites))
			}
			models := coverage.Models()
			if model != "" {
				models = slices.DeleteFunc(models, func(m coverage.Model) bool { return m.Name != model })
			}
			if len(models) == 0 {
				return frame.Usage(fmt.Errorf("--model %s: want change-point, towt or caltrack-hourly", model))
			}
			kinds := coverage.Noises()
			var names []string
			for _, k := range kinds {
				names = append(names, k.Name)
			}
			for _, n := range only {
				if !slices.Contains(names, n) {
					return frame.Usage(fmt.Errorf("--noise %s: want one of %v", n, names))
				}
			}
			if len(only) > 0 {
				kinds = slices.DeleteFunc(kinds, func(k coverage.Noise) bool { return !slices.Contains(only, k.Name) })
			}
			b := newBar(c.ErrOrStderr())
			var done atomic.Uint64
			var results []*coverage.Result
			for _, k := range kinds {
				r, err := coverage.Run(c.Context(), models[0], k, sites, seed, func() { done.Add(1) })
				if err != nil {
					return err
				}
				b.show(done.Load(), uint64(sites*len(kinds)))
				results = append(results, r)
			}
			b.end()
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", " ")
				return e.Encode(results)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NOISE\tYEAR %\tQ1\tQ2\tQ3\tQ4\tWIDTH YEAR\tPLAIN YEAR %\tQ1\tQ2\tQ3\tQ4")
			for _, r := range results {
				name := r.Noise
				if r.HeldOut {
					name += " *"
				}
				p := func(n int) string { return fmt.Sprintf("%.1f", 100*r.Share(n)) }
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t±%.0f %%\t%s\t%s\t%s\t%s\t%s\n", name, p(r.Year), p(r.Quarters[0]), p(r.Quarters[1]), p(r.Quarters[2]), p(r.Quarters[3]),
					100*r.YearWidth, p(r.Plain[0]), p(r.Plain[1]), p(r.Plain[2]), p(r.Plain[3]), p(r.Plain[4]))
			}
			return w.Flush()
		},
	}
	c.Flags().IntVar(&sites, "sites", sites, "synthetic sites of each kind of noise")
	c.Flags().Uint64Var(&seed, "seed", seed, "which sites are drawn")
	c.Flags().StringVar(&model, "model", "", "baseline: change-point, towt or caltrack-hourly (not given: change-point)")
	c.Flags().StringArrayVar(&only, "noise", nil, "a kind of noise; may be given again; not given: all")
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}

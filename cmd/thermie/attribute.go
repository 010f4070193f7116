package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/metering"
)

func savingsAttributeCommand() *cobra.Command {
	var f planFlags
	var site string
	var plans []string
	c := &cobra.Command{
		Use:   "attribute --site FILE --plan FILE --data FILE",
		Short: "Share a site's saving among the synergies on it, counting nothing twice",
		Long: `Evaluates the plan of the whole site (option C) and the plans of the synergies on it
over their common period, and shares the energy avoided: claims stand while they agree
with the site's saving within the intervals; beyond, they are brought to it, each in
proportion to its variance. What nobody claims is shown, and so is what is claimed twice.`,
		Example: `  thermie savings attribute --site mill.yaml --plan heat-line.yaml --plan hood.yaml --factors factors.yaml --data readings.csv`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if site == "" || len(plans) == 0 {
				return frame.Usage(errors.New("--site and --plan: which plans?"))
			}
			var all []*savings.Evaluation
			for _, path := range append([]string{site}, plans...) {
				one := f
				one.plan = path
				e, err := one.evaluate()
				if err != nil {
					return err
				}
				all = append(all, e)
			}
			from, to, ok := savings.CommonDays(all...)
			if !ok {
				return frame.Usage(fmt.Errorf("the plans have no common day: from %s to %s", from.Format(time.DateOnly), to.Format(time.DateOnly)))
			}
			a, err := savings.AttributeSite(all[0], all[1:], metering.PeriodToDate, from, to)
			if err != nil {
				return err
			}
			if f.asJSON {
				out := json.NewEncoder(c.OutOrStdout())
				out.SetIndent("", " ")
				return out.Encode(a)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "MWh\tCLAIMED\t± 90 %\tATTRIBUTED\t± 90 %\tSHARE")
			for _, p := range a.Parts {
				fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.1f %%\n", p.Synergy, p.Claimed, p.ClaimedHalf90, p.Attributed, p.Half90, 100*p.ShareOfClaims)
			}
			fmt.Fprintf(w, "unattributed\t\t\t%.3f\t\t\n", a.Unattributed)
			fmt.Fprintf(w, "interaction\t\t\t%.3f\t%.3f\t\n", a.Interaction, a.InteractionHalf90)
			fmt.Fprintf(w, "site\t\t\t%.3f\t%.3f\t\n", a.Whole, a.WholeHalf90)
			if err := w.Flush(); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), a.Text.In(f.language))
			for _, l := range a.Left {
				fmt.Fprintf(c.OutOrStdout(), "- %s: %s\n", l.Synergy, l.Why.In(f.language))
			}
			return nil
		},
	}
	c.Flags().StringVar(&site, "site", "", "the plan of the whole site, option C")
	c.Flags().StringArrayVar(&plans, "plan", nil, "the plan of a synergy on the site; may be given again")
	c.Flags().StringArrayVar(&f.data, "data", nil, "a CSV of readings, as for report; may be given again")
	c.Flags().StringVar(&f.factors, "factors", "", "the set of emission factors and tariffs, YAML")
	c.Flags().StringVar(&f.until, "until", "", "whole days before this date; not given: up to the last reading")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print as JSON")
	c.Flags().StringVar(&f.language, "lang", "fr", "language of the words: fr or en")
	return c
}

package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/flows"
	"github.com/thermie/thermie/analytics/plot"
	"github.com/thermie/thermie/cmd/frame"
)

func flowsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "flows",
		Short: "Flows beside heat: who has what, who needs what, and how little water is enough",
		Long:  `Works on files alone, without server.`,
		Example: `  thermie flows match inventory.yaml
  thermie flows water plant.json --json`,
	}
	c.AddCommand(flowsMatchCommand(), flowsWaterCommand())
	return c
}

func flowsWaterCommand() *cobra.Command {
	var asJSON bool
	var picture string
	c := &cobra.Command{
		Use:   "water CASE.json",
		Short: "Least fresh water of operations that may reuse each other's, by water pinch analysis",
		Long: `Reads operations (load of contaminant in kg/h, highest concentrations at inlet and outlet
in ppm) and says how much fresh water they need without and with reuse, and where the
pinch lies. Format: docs/heat-matching.md.`,
		Example: `  thermie flows water plant.json
  thermie flows water plant.json --json --plot plant.svg`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			problem, err := readCase(args[0], flows.ParseWaterCase)
			if err != nil {
				return err
			}
			answer, err := problem.Answer()
			if err != nil {
				return frame.Usage(fmt.Errorf("%s: %w", args[0], err))
			}
			if err := drawTo(picture, waterChart(problem)); err != nil {
				return err
			}
			if asJSON {
				return printIndented(c.OutOrStdout(), answer)
			}
			w := c.OutOrStdout()
			if problem.Title != "" {
				fmt.Fprintln(w, problem.Title)
			}
			fmt.Fprintf(w, "fresh water without reuse  %10.3f t/h\n", answer["fresh_without_reuse_t_h"])
			fmt.Fprintf(w, "least with reuse           %10.3f t/h  (%.1f %% less)\n", answer["fresh_min_with_reuse_t_h"], 100*answer["saving_fraction"].(float64))
			if ppm, ok := answer["pinch_ppm"]; ok {
				fmt.Fprintf(w, "pinch                      %10.1f ppm\n", ppm)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&picture, "plot", "", "draw the limiting composite curve and the water supply to this SVG file")
	return c
}

func waterChart(c *flows.WaterCase) plot.Chart {
	t, err := flows.WaterTargets(c)
	if err != nil {
		return plot.Chart{}
	}
	chart := plot.Chart{Title: "Water: limiting composite curve and least supply", XLabel: "Mass load taken up, kg/h", YLabel: "Concentration, ppm",
		Lines: []plot.Line{{Name: "operations", Points: t.Composite}}}
	if n := len(t.Composite); t.WithReuseTH > 0 && n > 0 {
		load := t.Composite[n-1][0]
		chart.Lines = append(chart.Lines, plot.Line{Name: "fresh water", Points: [][2]float64{{0, c.FreshPPM}, {load, c.FreshPPM + 1000*load/t.WithReuseTH}}})
	}
	for _, ppm := range t.PinchPPM {
		chart.Marks = append(chart.Marks, plot.Mark{Y: ppm, Text: fmt.Sprintf("pinch %g ppm", ppm)})
	}
	return chart
}

func flowsMatchCommand() *cobra.Command {
	var asJSON bool
	o := flows.DefaultOptions
	c := &cobra.Command{
		Use:   "match INVENTORY.yaml",
		Short: "Substitutions and mutualisations among the declared flows of an inventory",
		Long: `Reads companies and the flows that they declared (a programme.yaml serves, or JSON) and
proposes, resource by resource, who could use what another has, shared out so that
proposals never add up past what there is, and who could buy, collect or treat together.
Figures are declarations, not measurements. Format: docs/heat-matching.md.`,
		Example: `  thermie flows match programme.yaml
  thermie flows match inventory.json --json --max-km 5`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for name, x := range map[string]float64{"--max-km": o.MaxKM, "--shared-km": o.SharedKM, "--route-factor": o.RouteFactor - 1} {
				if !(x >= 0) || math.IsInf(x, 0) {
					return frame.Usage(fmt.Errorf("%s: want a length of 0 or more, a factor of 1 or more", name))
				}
			}
			inv, err := readCase(args[0], flows.ParseInventory)
			if err != nil {
				return err
			}
			p, err := flows.Match(c.Context(), inv, o)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if asJSON {
				return printIndented(c.OutOrStdout(), flowsDocument(p))
			}
			return printFlows(c.OutOrStdout(), p)
		},
	}
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.Float64Var(&o.MaxKM, "max-km", o.MaxKM, "farthest way of a substitution, km")
	f.Float64Var(&o.SharedKM, "shared-km", o.SharedKM, "how near companies lie that could share, km")
	f.Float64Var(&o.RouteFactor, "route-factor", o.RouteFactor, "length of the road over the straight line")
	return c
}

// kilometres is a distance for JSON, which knows no NaN.
func kilometres(km float64) *float64 {
	if math.IsNaN(km) {
		return nil
	}
	km = milli(km)
	return &km
}

func flowsDocument(p *flows.Proposals) map[string]any {
	substitutions, groups, balances := []any{}, []any{}, []any{}
	for _, s := range p.Substitutions {
		substitutions = append(substitutions, map[string]any{"from": s.From, "to": s.To, "giver": s.Giver, "taker": s.Taker, "resource": s.Resource, "use": s.Use,
			"available": s.Available, "needed": s.Needed, "alone": s.Alone, "proposed": milli(s.Proposed), "unit": s.Unit, "L_km": kilometres(s.KM),
			"verdict": s.Verdict, "reasons": append([]string{}, s.Reasons...)})
	}
	for _, m := range p.Mutualisations {
		groups = append(groups, map[string]any{"resource": m.Resource, "direction": m.Direction, "companies": m.Companies, "flows": m.Flows, "amount": m.Amount,
			"unit": m.Unit, "spread_km": kilometres(m.SpreadKM)})
	}
	for _, b := range p.Balances {
		balances = append(balances, map[string]any{"resource": b.Resource, "unit": b.Unit, "has": b.Has, "needs": b.Needs, "proposed": milli(b.Served)})
	}
	return map[string]any{"substitutions": substitutions, "mutualisations": groups, "resources": balances, "warnings": append([]string{}, p.Warnings...), "evidence": "declared"}
}

func printFlows(out io.Writer, p *flows.Proposals) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FROM\tTO\tRESOURCE\tHAS\tNEEDS\tPROPOSED\tUNIT/YEAR\tkm\tVERDICT")
	for _, s := range p.Substitutions {
		km := "?"
		if !math.IsNaN(s.KM) {
			km = fmt.Sprintf("%.1f", s.KM)
		}
		resource := string(s.Resource)
		if s.Use != "" {
			resource += " (" + s.Use + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.6g\t%.6g\t%.6g\t%s\t%s\t%s: %s\n", s.From, s.To, resource, s.Available, s.Needed, s.Proposed, s.Unit, km, s.Verdict, strings.Join(s.Reasons, "; "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, m := range p.Mutualisations {
		verb := "have"
		if m.Direction == "needs" {
			verb = "need"
		}
		fmt.Fprintf(out, "together: %s %s %s, %.6g %s a year, within %.1f km\n", strings.Join(m.Companies, ", "), verb, m.Resource, m.Amount, m.Unit, m.SpreadKM)
	}
	for _, x := range p.Warnings {
		fmt.Fprintf(out, "note: %s\n", x)
	}
	return nil
}

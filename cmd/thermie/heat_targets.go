package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/pinch"
	"github.com/thermie/thermie/analytics/plot"
	"github.com/thermie/thermie/cmd/frame"
)

func heatTargetsCommand() *cobra.Command {
	var asJSON bool
	var picture string
	c := &cobra.Command{
		Use:   "targets CASE.json",
		Short: "Least heating and cooling of a process or a site, by pinch analysis",
		Long: `Reads streams (supply and target temperature, heat capacity flow or heat load) and says
how little heating and cooling they need when heat is recovered as well as temperatures
allow: pinch, composite and grand composite curves, zones, total site through utility
levels, time slices of a batch cycle, periods. Format: docs/heat-matching.md.`,
		Example: `  thermie heat targets brewery.json
  thermie heat targets site.json --json --plot site.svg`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			problem, err := readCase(args[0], pinch.ParseCase)
			if err != nil {
				return err
			}
			answer, err := problem.Answer()
			if err != nil {
				return frame.Usage(fmt.Errorf("%s: %w", args[0], err))
			}
			if err := drawTo(picture, targetCharts(problem, answer)...); err != nil {
				return err
			}
			if asJSON {
				return printIndented(c.OutOrStdout(), answer)
			}
			printTargets(c.OutOrStdout(), problem, answer)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&picture, "plot", "", "draw composite, grand composite and site curves to this SVG file")
	return c
}

// printTargets prints the figures of an answer, one a line; curves are left to
// --json and --plot.
func printTargets(w io.Writer, c *pinch.Case, answer map[string]any) {
	if c.Title != "" {
		fmt.Fprintln(w, c.Title)
	}
	var walk func(indent string, m map[string]any)
	walk = func(indent string, m map[string]any) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			switch v := m[k].(type) {
			case map[string]any:
				fmt.Fprintf(w, "%s%s\n", indent, k)
				walk(indent+"  ", v)
			case float64:
				fmt.Fprintf(w, "%s%-*s %12.6g\n", indent, 44-len(indent), k, v)
			case string:
				fmt.Fprintf(w, "%s%-*s %12s\n", indent, 44-len(indent), k, v)
			case []float64:
				fmt.Fprintf(w, "%s%-*s %12v\n", indent, 44-len(indent), k, v)
			case map[string]float64:
				for _, n := range slices.Sorted(maps.Keys(v)) {
					fmt.Fprintf(w, "%s%-*s %12.6g\n", indent, 44-len(indent), k+" "+n, v[n])
				}
			}
		}
	}
	walk("", answer)
}

func targetCharts(c *pinch.Case, answer map[string]any) []plot.Chart {
	var charts []plot.Chart
	curve := func(m map[string]any, key string) [][2]float64 {
		points, _ := m[key].([][2]float64)
		return points
	}
	var marks []plot.Mark
	if shifted, ok := answer["pinch_shifted_degC"].([]float64); ok {
		for _, p := range shifted {
			marks = append(marks, plot.Mark{Y: p, Text: fmt.Sprintf("pinch %g °C", p)})
		}
	}
	if hot, cold := curve(answer, "composite_hot"), curve(answer, "composite_cold"); len(hot)+len(cold) > 0 {
		charts = append(charts, plot.Chart{Title: "Composite curves", XLabel: "Heat, " + c.Unit, YLabel: "Temperature, °C",
			Lines: []plot.Line{{Name: "hot streams", Points: hot}, {Name: "cold streams", Points: cold}}})
	}
	if grand := curve(answer, "grand_composite_shifted"); len(grand) > 0 {
		charts = append(charts, plot.Chart{Title: "Grand composite curve", XLabel: "Net heat flow, " + c.Unit, YLabel: "Shifted temperature, °C",
			Lines: []plot.Line{{Name: "net heat flow", Points: grand}}, Marks: marks})
	}
	if source, sink := curve(answer, "site_source_profile_shifted"), curve(answer, "site_sink_profile_shifted"); len(source)+len(sink) > 0 {
		charts = append(charts, plot.Chart{Title: "Total site profiles", XLabel: "Heat to remove, heat to bring, " + c.Unit, YLabel: "Shifted temperature, °C",
			Lines: []plot.Line{{Name: "sources", Points: source}, {Name: "sinks", Points: sink}}})
	}
	if rows, ok := answer["slices"].([][4]float64); ok {
		chart := plot.Chart{Title: "Utilities by time slice", YLabel: "kWh"}
		for _, r := range rows {
			chart.Bars = append(chart.Bars, plot.Bar{Name: fmt.Sprintf("%g-%g h", r[0], r[1]), Height: r[2] + r[3], Inner: r[2]})
		}
		chart.XLabel = "Dark: heating; light: cooling"
		charts = append(charts, chart)
	}
	add := func(name string, m map[string]any) {
		charts = append(charts, plot.Chart{Title: strings.TrimSpace("Grand composite curve " + name), XLabel: "Net heat flow, " + c.Unit, YLabel: "Shifted temperature, °C",
			Lines: []plot.Line{{Name: "net heat flow", Points: curve(m, "grand_composite_shifted")}}})
	}
	switch periods := answer["periods"].(type) {
	case map[string]any:
		for _, n := range c.Names {
			add(n, periods[n].(map[string]any))
		}
	case []any:
		for i, p := range periods {
			add(fmt.Sprint(i+1), p.(map[string]any))
		}
	}
	return charts
}

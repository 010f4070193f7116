package task

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// Print writes what matters of an answer for a person.
func Print(w io.Writer, answer map[string]any) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "case\t%v\n", answer["case"])
	if m, ok := answer["model"].(map[string]any); ok {
		fmt.Fprintf(t, "model\t%v\n", m["type"])
	}
	if m, ok := answer["metrics"].(map[string]any); ok {
		cv, _ := m["cvrmse_adj"].(float64)
		fmt.Fprintf(t, "fit\tR² %.4f, CV(RMSE) %.2f %%, lag-1 correlation %.2f, %v intervals\n", m["r2"], 100*cv, m["rho1"], m["n"])
	}
	if answer["refused"] == true {
		fmt.Fprintf(t, "refused\t%v\n", answer["reasons"])
	}
	rows := func(r map[string]any) {
		quarters, _ := r["quarters"].(map[string]any)
		line := func(name string, v any) {
			f, ok := v.(map[string]any)
			if !ok {
				return
			}
			if s, ok := f["savings"].(float64); ok {
				fmt.Fprintf(t, "%s\tsaved %s ± %s (90 %%), observed %s of %s, significant: %v\n", name, plain(s), plain(f["unc90"]), plain(f["observed"]), plain(f["counterfactual"]), f["significant"])
			} else if h, ok := f["heat_mwh"].(float64); ok {
				fmt.Fprintf(t, "%s\theat %.3f ± %.3f MWh (95 %%), pump %.3f MWh, %.3f t CO2e, %.2f EUR\n", name, h, f["heat_unc95_mwh"], f["pump_mwh"], f["net_tco2e"], f["net_eur"])
			}
		}
		for _, q := range sortedKeys(quarters) {
			line(q, quarters[q])
		}
		line("total", r["total"])
	}
	for _, k := range []string{"report", "portfolio"} {
		if r, ok := answer[k].(map[string]any); ok {
			rows(r)
		}
	}
	rows(answer)
	if n, ok := answer["nre"].(map[string]any); ok {
		fmt.Fprintf(t, "events proposed\t%v\n", n["candidates"])
	}
	for _, key := range []string{"warnings", "not_understood"} {
		if list, ok := answer[key].([]string); ok {
			for _, s := range list {
				fmt.Fprintf(t, "%s\t%s\n", key, s)
			}
		}
	}
	return t.Flush()
}

// plain writes a number with four digits that matter, without an exponent.
func plain(v any) string {
	x, ok := v.(float64)
	if !ok {
		return "?"
	}
	digits := 0
	if a := math.Abs(x); a > 0 && a < 1000 {
		digits = max(0, min(6, 3-int(math.Floor(math.Log10(a)))))
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

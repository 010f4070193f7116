package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/heatfile"
	"github.com/thermie/thermie/cmd/frame"
)

func heatSourcesCommand() *cobra.Command {
	var o struct {
		cards, data string
		json        bool
	}
	c := &cobra.Command{
		Use:   "sources --cards CARDS.json --data DATA.csv.gz",
		Short: "Heat that each asset rejects, from meter channels: amounts, bands, power, faults",
		Long: `Runs the rule of every card over the channels: heat rejected by temperature band
and month, typical (P50) and firm (P90) power, hours, and how sure that is.

Faults of the meters are found first. Exchanged sensors and jumps of scale are
put right, frozen readings and gaps are left out and filled from like times; the
answer says where and how much. Formats: docs/heat.md.`,
		Example: `  thermie heat sources --cards cards.json --data year.csv.gz
  thermie heat sources --cards cards.json --data year.csv.gz --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			in, err := readHeat(o.cards, o.data)
			if err != nil {
				return err
			}
			a, err := in.sources()
			if err != nil {
				return err
			}
			if o.json {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", " ")
				return e.Encode(a)
			}
			return a.print(c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&o.cards, "cards", "", "assets, needs, sites and network (JSON)")
	c.Flags().StringVar(&o.data, "data", "", "meter channels on a regular grid (CSV, may be packed with gzip)")
	c.Flags().BoolVar(&o.json, "json", false, "answer for programs")
	return c
}

// heatInput is what the files of a heat command say.
type heatInput struct {
	cards    *heatfile.Cards
	grid     *heat.Grid
	clean    *heat.Grid // faults mended; nil until computed
	warnings []string
}

func readHeat(cards, data string) (*heatInput, error) {
	if cards == "" || data == "" {
		return nil, frame.Usage(errors.New("--cards and --data: both files are needed"))
	}
	in := &heatInput{}
	err := withFile(cards, func(r io.Reader) (err error) {
		in.cards, err = heatfile.ReadCards(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = withFile(data, func(r io.Reader) (err error) {
		in.grid, in.warnings, err = heatfile.ReadData(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	in.warnings = append(slices.Clone(in.cards.Warnings), in.warnings...)
	return in, nil
}

// withFile reads a file; what is wrong with it is the caller's to mend.
func withFile(path string, read func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return frame.Usage(err)
	}
	defer f.Close()
	if err := read(f); err != nil {
		return frame.Usage(fmt.Errorf("%s: %w", path, err))
	}
	return nil
}

// sources computes the answer. A card that cannot be computed is flagged; only
// when none can, that is an error.
func (in *heatInput) sources() (*sourcesAnswer, error) {
	faults := heat.FindFaults(in.grid, in.cards.Assets...)
	clean := heat.Mend(in.grid, faults)
	a := &sourcesAnswer{sources: map[string]*sourceAnswer{}, demands: map[string]*demandAnswer{}, warnings: in.warnings,
		from: in.grid.Start, to: in.grid.At(in.grid.Steps), faults: []faultAnswer{}}
	for _, f := range faults {
		a.faults = append(a.faults, faultOf(f))
	}
	var found []heat.Source
	failed := 0
	for _, c := range in.cards.Assets {
		s, err := heat.Sources(in.grid, []heat.Card{c}, faults)
		a.order = append(a.order, c.ID)
		if err != nil {
			failed++
			a.warnings = append(a.warnings, err.Error())
			a.sources[c.ID] = &sourceAnswer{Flags: []string{err.Error()}}
			continue
		}
		found = append(found, s[0])
		a.sources[c.ID] = sourceOf(&s[0])
		for _, f := range s[0].Flags {
			a.warnings = append(a.warnings, "heat asset "+c.ID+": "+f)
		}
	}
	if failed > 0 && failed == len(in.cards.Assets) {
		return nil, frame.Usage(errors.New(a.warnings[len(a.warnings)-1]))
	}
	var needs []*heat.Need
	for i := range in.cards.Demands {
		d := &in.cards.Demands[i]
		n, err := d.On(clean, in.cards.Weather)
		if err != nil {
			a.warnings = append(a.warnings, err.Error())
			a.demands[d.ID] = &demandAnswer{Flags: []string{err.Error()}}
			continue
		}
		needs = append(needs, n)
		a.demands[d.ID] = demandOf(n)
	}
	a.simultaneous = heat.Simultaneous(clean, found, needs)
	return a, nil
}

// sourcesAnswer is the answer of the command.
type sourcesAnswer struct {
	from, to     time.Time
	order        []string
	sources      map[string]*sourceAnswer
	demands      map[string]*demandAnswer
	faults       []faultAnswer
	simultaneous map[string]float64 // MWh by site
	warnings     []string
}

type sourceAnswer struct {
	MWh       *float64           `json:"MWh"`
	Interval  *[2]float64        `json:"MWh_interval_90,omitempty"`
	ByBand    map[string]float64 `json:"by_band_MWh,omitempty"`
	NoBand    float64            `json:"no_band_MWh,omitempty"`
	Hours     float64            `json:"hours_above_20pct_of_P95"`
	P50       float64            `json:"P50_kW"`
	P90       float64            `json:"P90_firm_kW"`
	Max       float64            `json:"max_kW"`
	Monthly   []float64          `json:"monthly_MWh,omitempty"`
	Grade     heat.Grade         `json:"grade,omitempty"`
	Coverage  float64            `json:"coverage"`
	Estimated float64            `json:"estimated_MWh"`
	Mended    float64            `json:"mended_MWh"`
	HighC     float64            `json:"T_hot_mean_C"`
	LowC      float64            `json:"T_cold_mean_C"`
	Flags     []string           `json:"flags,omitempty"`
}

type demandAnswer struct {
	MWh       float64  `json:"MWh"`
	Max       float64  `json:"max_kW"`
	Coverage  float64  `json:"coverage"`
	Estimated float64  `json:"estimated_MWh"`
	Flags     []string `json:"flags,omitempty"`
}

type faultAnswer struct {
	Kind      heat.FaultKind `json:"kind"`
	Channels  []string       `json:"channels"`
	From      string         `json:"from"`
	To        string         `json:"to"`
	Treatment string         `json:"treatment"`
}

// MarshalJSON puts the sites' figures beside the others, as the answer's format
// has them: "B_simultaneous_heat_and_cool_MWh".
func (a *sourcesAnswer) MarshalJSON() ([]byte, error) {
	out := map[string]any{
		"period":  map[string]string{"from": a.from.Format("2006-01-02T15:04Z"), "to": a.to.Format("2006-01-02T15:04Z")},
		"sources": a.sources, "demands": a.demands, "faults": a.faults, "warnings": append([]string{}, a.warnings...),
	}
	for site, mwh := range a.simultaneous {
		out[site+"_simultaneous_heat_and_cool_MWh"] = round(mwh, 10)
	}
	return json.Marshal(out)
}

func round(x, per float64) float64 { return math.Round(x*per) / per }

func sourceOf(s *heat.Source) *sourceAnswer {
	mwh, half := round(s.MWh, 10), s.HalfWidthMWh()
	a := &sourceAnswer{MWh: &mwh, Interval: &[2]float64{round(max(s.MWh-half, 0), 10), round(s.MWh+half, 10)}, ByBand: map[string]float64{},
		NoBand: round(s.NoBandMWh, 10), Hours: round(s.Hours, 10), P50: round(s.P50KW, 10), P90: round(s.P90KW, 10), Max: round(s.MaxKW, 10),
		Grade: s.Grade, Coverage: round(s.Coverage, 1e4), Estimated: round(s.EstimatedMWh, 10), Mended: round(s.MendedMWh, 10),
		HighC: round(s.HighC, 10), LowC: round(s.LowC, 10), Flags: s.Flags}
	for k, b := range heat.Bands {
		a.ByBand[b.Name] = round(s.ByBand[k], 10)
	}
	for _, m := range s.Monthly {
		a.Monthly = append(a.Monthly, round(m, 10))
	}
	return a
}

func demandOf(n *heat.Need) *demandAnswer {
	return &demandAnswer{MWh: round(n.MWh, 10), Max: round(n.MaxKW, 10), Coverage: round(n.Coverage, 1e4), Estimated: round(n.EstimatedMWh, 10)}
}

func faultOf(f heat.Fault) faultAnswer {
	a := faultAnswer{Kind: f.Kind, Channels: f.Channels, From: f.From.Format("2006-01-02T15:04Z"), To: f.To.Format("2006-01-02T15:04Z"),
		Treatment: "left out; filled from like times, and counted as estimated"}
	switch {
	case f.Kind == heat.SensorsSwapped && f.Mend:
		a.Treatment = "mended: exchanged back"
	case f.Factor > 0 && f.Mend:
		a.Treatment = fmt.Sprintf("mended: divided by %.4g", f.Factor)
	}
	return a
}

// print writes the answer for people.
func (a *sourcesAnswer) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "SOURCE\tMWh\t± 90 %\tGRADE\t<40\t40-60\t60-90\t90-150\t>150 degC\tP50 kW\tP90 kW\tMAX kW\tHOURS\tCOVERAGE\tESTIMATED\t")
	for _, id := range a.order {
		s := a.sources[id]
		if s.MWh == nil {
			fmt.Fprintf(w, "%s\t-\t\t\t\t\t\t\t\t\t\t\t\t\t\t\n", id)
			continue
		}
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%s", id, *s.MWh, (s.Interval[1]-s.Interval[0])/2, s.Grade)
		for _, b := range heat.Bands {
			fmt.Fprintf(w, "\t%.1f", s.ByBand[b.Name])
		}
		fmt.Fprintf(w, "\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f %%\t%.1f\t\n", s.P50, s.P90, s.Max, s.Hours, 100*s.Coverage, s.Estimated)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, f := range a.faults {
		fmt.Fprintf(out, "%s: %s, %s to %s UTC; %s\n", f.Kind, strings.Join(f.Channels, ", "), f.From, f.To, f.Treatment)
	}
	sites := make([]string, 0, len(a.simultaneous))
	for s := range a.simultaneous {
		sites = append(sites, s)
	}
	slices.Sort(sites)
	for _, s := range sites {
		fmt.Fprintf(out, "site %s heats and cools at once: %.1f MWh it could recover itself\n", s, a.simultaneous[s])
	}
	for _, m := range a.warnings {
		fmt.Fprintf(out, "note: %s\n", m)
	}
	return nil
}

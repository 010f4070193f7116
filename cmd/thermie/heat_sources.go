package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/analytics/heat/asset"
	"github.com/thermie/thermie/analytics/heat/detect"
	"github.com/thermie/thermie/analytics/heat/heatfile"
	"github.com/thermie/thermie/analytics/matching"
	"github.com/thermie/thermie/analytics/worth"
	"github.com/thermie/thermie/cmd/frame"
)

func heatSourcesCommand() *cobra.Command {
	var o sourcesOptions
	c := &cobra.Command{
		Use:   "sources --cards CARDS.json --data DATA.csv.gz",
		Short: "Heat that each asset rejects, from meter channels: amounts, bands, power, faults, worth",
		Long: `Runs the rule of every card over the channels: heat rejected by temperature band
and month, typical (P50) and firm (P90) power, hours, load-duration curve, and how
sure that is. A card without a rule gets that of its type (--assets adds types).

Faults of the meters are found first. Exchanged sensors and jumps of scale are
put right, frozen readings and gaps are left out and filled from like times; the
answer says where and how much.

Channels that no card reads are searched for undeclared sources. Formats and
rules: docs/heat.md.`,
		Example: `  thermie heat sources --cards cards.json --data year.csv.gz
  thermie heat sources --cards cards.json --data year.csv.gz --json --plot sources.svg
  thermie heat sources --data year.csv.gz                        what waste heat do these meters show?
  thermie heat sources --cards cards.json --data year.csv.gz --explain 3 --lang en`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return frame.Usage(err)
			}
			in, err := readHeatFiles(o.cards, o.data)
			if err != nil {
				return err
			}
			if err := in.rules(o); err != nil {
				return err
			}
			a, err := in.sources()
			if err != nil {
				return err
			}
			if o.explain > 0 || o.json {
				if err := in.rank(a, o); err != nil {
					return err
				}
			}
			if err := drawTo(o.picture, a.charts()...); err != nil {
				return err
			}
			switch {
			case o.json:
				return printIndented(c.OutOrStdout(), a)
			case o.explain > 0:
				return a.explain(c.OutOrStdout(), o)
			}
			return a.print(c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.cards, "cards", "", "assets, needs, sites and network (JSON); without it, only detection")
	f.StringVar(&o.data, "data", "", "meter channels on a regular grid (CSV, may be packed with gzip)")
	f.BoolVar(&o.json, "json", false, "answer for programs")
	f.StringVar(&o.picture, "plot", "", "draw load-duration curves, months and weeks to this SVG file")
	f.StringVar(&o.assets, "assets", "", "own types of asset (YAML, as docs/heat.md has it)")
	f.StringVar(&o.rules, "rules", "", "own costs, prices and aid rules (YAML) in place of the built-in ones")
	f.IntVar(&o.explain, "explain", 0, "print so many of the best uses, one page each")
	f.StringVar(&o.lang, "lang", "fr", "language of the pages: fr or en")
	f.StringVar(&o.day, "day", "", "the day whose costs and aid rules hold, 2006-01-02 (default: the end of the data)")
	f.BoolVar(&o.small, "small-firms", false, "the firms are small or medium ones (support is higher)")
	return c
}

// sourcesOptions are the flags of the command.
type sourcesOptions struct {
	cards, data, picture, assets, rules, lang, day string
	json, small                                    bool
	explain                                        int
}

func (o *sourcesOptions) check() error {
	switch {
	case o.data == "":
		return errors.New("--data: the table of channels is needed")
	case o.lang != "fr" && o.lang != "en":
		return fmt.Errorf("--lang %q: want fr or en", o.lang)
	case o.explain < 0:
		return fmt.Errorf("--explain %d: want how many pages", o.explain)
	case o.explain > 0 && o.cards == "":
		return errors.New("--explain: uses need --cards with needs")
	}
	return nil
}

// heatInput is what the files of a heat command say.
type heatInput struct {
	cards    *heatfile.Cards
	grid     *heat.Grid
	clean    *heat.Grid // faults mended; nil until computed
	warnings []string
	kinds    asset.Kinds
	worth    *worth.Rules
	found    []heat.Source
	needs    []*heat.Need
}

// readHeat reads cards and data. A card without a rule gets that of its type.
func readHeat(cards, data string) (*heatInput, error) {
	if cards == "" || data == "" {
		return nil, frame.Usage(errors.New("--cards and --data: both files are needed"))
	}
	in, err := readHeatFiles(cards, data)
	if err != nil {
		return nil, err
	}
	if in.kinds, err = asset.Builtin(); err != nil {
		return nil, err
	}
	for i, c := range in.cards.Assets {
		if full, err := in.kinds.Complete(in.grid, c); err == nil {
			in.cards.Assets[i] = full
		}
	}
	return in, nil
}

// readHeatFiles reads cards, if there are any, and data.
func readHeatFiles(cards, data string) (*heatInput, error) {
	in := &heatInput{cards: &heatfile.Cards{Network: heat.DefaultNetwork}}
	if cards != "" {
		err := withFile(cards, func(r io.Reader) (err error) {
			in.cards, err = heatfile.ReadCards(r)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	err := withFile(data, func(r io.Reader) (err error) {
		in.grid, in.warnings, err = heatfile.ReadData(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	in.warnings = append(slices.Clone(in.cards.Warnings), in.warnings...)
	return in, nil
}

// rules reads types of asset and rules of worth.
func (in *heatInput) rules(o sourcesOptions) (err error) {
	if in.kinds, err = asset.Builtin(); err != nil {
		return err
	}
	if o.assets != "" {
		err := withFile(o.assets, func(r io.Reader) error {
			own, err := asset.Parse(r)
			in.kinds = append(in.kinds, own...)
			return err
		})
		if err != nil {
			return err
		}
	}
	if o.rules == "" {
		in.worth, err = worth.Builtin()
		return err
	}
	return withFile(o.rules, func(r io.Reader) (err error) {
		in.worth, err = worth.Parse(r)
		return err
	})
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
	in.clean = heat.Mend(in.grid, faults)
	a := &sourcesAnswer{sources: map[string]*sourceAnswer{}, demands: map[string]*demandAnswer{}, detected: map[string]*sourceAnswer{}, warnings: in.warnings,
		from: in.grid.Start, to: in.grid.At(in.grid.Steps), faults: []faultAnswer{}}
	for _, f := range faults {
		a.faults = append(a.faults, faultOf(f))
	}
	failed := 0
	for _, c := range in.cards.Assets {
		a.order = append(a.order, c.ID)
		s, err := in.source(c, faults)
		if err != nil {
			failed++
			a.warnings = append(a.warnings, err.Error())
			a.sources[c.ID] = &sourceAnswer{Flags: []string{err.Error()}}
			continue
		}
		in.found = append(in.found, *s)
		a.sources[c.ID] = in.sourceOf(s)
		for _, f := range s.Flags {
			a.warnings = append(a.warnings, "heat asset "+c.ID+": "+f)
		}
	}
	if failed > 0 && failed == len(in.cards.Assets) {
		return nil, frame.Usage(errors.New(a.warnings[len(a.warnings)-1]))
	}
	for i := range in.cards.Demands {
		d := &in.cards.Demands[i]
		n, err := d.On(in.clean, in.cards.Weather)
		if err != nil {
			a.warnings = append(a.warnings, err.Error())
			a.demands[d.ID] = &demandAnswer{Flags: []string{err.Error()}}
			continue
		}
		in.needs = append(in.needs, n)
		for _, f := range n.Flags {
			a.warnings = append(a.warnings, "heat demand "+d.ID+": "+f)
		}
		a.demands[d.ID] = needOf(n.Figures(in.clean, in.cards.Weather), n)
	}
	a.simultaneous = heat.Simultaneous(in.clean, in.found, in.needs)
	if err := in.detect(a, faults); err != nil {
		return nil, err
	}
	for i := range in.found {
		a.drawn = append(a.drawn, drawnSource{in.found[i].Card.ID, &in.found[i], in.found[i].Profile(in.clean)})
	}
	return a, nil
}

// source computes one card, completed by its type.
func (in *heatInput) source(c heat.Card, faults []heat.Fault) (*heat.Source, error) {
	c, err := in.kinds.Complete(in.clean, c)
	if err != nil {
		return nil, err
	}
	s, err := heat.Sources(in.grid, []heat.Card{c}, faults)
	if err != nil {
		return nil, err
	}
	return &s[0], nil
}

// detect looks for sources that no card declares.
func (in *heatInput) detect(a *sourcesAnswer, faults []heat.Fault) error {
	o := detect.Options{Weather: in.cards.Weather, Declared: in.cards.Assets, Demands: in.cards.Demands}
	if o.Weather == "" {
		o.Weather = weatherOf(in.grid)
	}
	for name := range in.grid.Channels {
		for _, text := range in.cards.NotASource {
			if strings.Contains(text, name) {
				o.Apart = append(o.Apart, name)
			}
		}
	}
	found, err := detect.Find(in.grid, faults, o)
	if err != nil {
		return err
	}
	for i := range found {
		f := &found[i]
		x := in.sourceOf(&f.Source)
		x.Site, x.Pattern, x.Rule, x.Signals = f.Card.Site, string(f.Pattern), f.Card.Rule, f.Card.Signals
		x.Why = &f.Why
		x.Signs = f.Also
		a.detected[f.Object] = x
		a.detectedOrder = append(a.detectedOrder, f.Object)
	}
	return nil
}

// weatherOf is the channel that is named like outdoor temperature, "" if none.
func weatherOf(g *heat.Grid) string {
	var found []string
	for name := range g.Channels {
		object, variable := heat.ChannelParts(name)
		if variable == "T_ext" || variable == "T" && (object == "ext" || object == "weather" || object == "meteo") {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}

// rank adds the uses of the sources' heat, best first.
func (in *heatInput) rank(a *sourcesAnswer, o sourcesOptions) error {
	day := a.to
	if o.day != "" {
		var err error
		if day, err = time.Parse("2006-01-02", o.day); err != nil {
			return frame.Usage(fmt.Errorf("--day %q: want for example 2026-11-28", o.day))
		}
	}
	all, notes, err := in.worth.Rank(worth.Input{Grid: in.clean, Sources: in.found, Needs: in.needs, Places: in.cards.Places, Network: in.cards.Network,
		Kinds: in.kinds, Day: day, Small: o.small})
	if err != nil {
		return frame.Usage(err)
	}
	a.warnings = append(a.warnings, notes...)
	a.proposals = all
	a.bound, err = in.upperBound()
	return err
}

// upperBound is what all sources and needs could exchange together without a
// machine and without distance, MWh: no sum of direct proposals passes it.
func (in *heatInput) upperBound() (float64, error) {
	anywhere := map[string]heat.Place{} // distances do not matter to it
	for i := range in.found {
		anywhere[in.found[i].Card.Site] = heat.Place{}
	}
	for _, n := range in.needs {
		anywhere[n.Demand.Site] = heat.Place{}
	}
	p, err := (&matching.Site{Grid: in.clean, Sources: in.found, Needs: in.needs, Places: anywhere, Network: in.cards.Network}).Problem()
	if err != nil {
		return 0, err
	}
	return p.UpperBound()
}

package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/analytics/savings/chart"
	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/metering"
)

// planFlags are what fit and report take.
type planFlags struct {
	plan, factors, until string
	data                 []string
	asJSON               bool
	plot, language       string
}

func (f *planFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.plan, "plan", "", "the measurement and verification plan, YAML")
	c.Flags().StringArrayVar(&f.data, "data", nil, "a CSV of readings; may be given again")
	c.Flags().StringVar(&f.factors, "factors", "", "the set of emission factors and tariffs, YAML")
	c.Flags().StringVar(&f.until, "until", "", "evaluate whole days before this date; not given: up to the last reading")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print as JSON")
	c.Flags().StringVar(&f.plot, "plot", "", "write a picture to this SVG file")
	c.Flags().StringVar(&f.language, "lang", "fr", "language of notes and picture: fr or en")
}

const planHelp = `
The data are CSV files: a column time (RFC 3339), and a column for each series, called
like in the plan ("dairy-heat/heat_energy"), with its unit in brackets where it is not
the usual one ("mill-gas/gas_volume [m3]"). Registers are given as they stand, cumulative.
An empty cell is no reading.`

func savingsReportCommand() *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use:   "report --plan FILE --data FILE",
		Short: "What a plan's synergy saved: quarters and to date, with intervals and notes",
		Long:  "Evaluates a plan on readings, by the code that the daily run uses." + planHelp,
		Example: `  thermie savings report --plan plan.yaml --factors factors.yaml --data readings.csv
  thermie savings report --plan plan.yaml --factors factors.yaml --data readings.csv --plot saving.svg --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e, err := f.evaluate()
			if err != nil {
				return err
			}
			return f.report(c, e)
		},
	}
	f.add(c)
	return c
}

func savingsFitCommand() *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use:     "fit --plan FILE --data FILE",
		Short:   "The adjusted baselines of a plan of option C, and what they leave",
		Long:    "Fits the models of a plan on the readings of its baseline period." + planHelp,
		Example: `  thermie savings fit --plan plan.yaml --factors factors.yaml --data readings.csv --plot fit.svg`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e, err := f.evaluate()
			if err != nil {
				return err
			}
			if len(e.Fits) == 0 {
				return frame.Usage(fmt.Errorf("%s: a plan of option %s has no model to fit", f.plan, e.Plan.Option))
			}
			return f.fit(c, e)
		},
	}
	f.add(c)
	return c
}

// evaluate reads everything and evaluates the plan.
func (f *planFlags) evaluate() (*savings.Evaluation, error) {
	switch {
	case f.plan == "":
		return nil, frame.Usage(errors.New("--plan: which plan?"))
	case len(f.data) == 0:
		return nil, frame.Usage(errors.New("--data: which readings?"))
	case f.language != "fr" && f.language != "en":
		return nil, frame.Usage(fmt.Errorf("--lang %s: want fr or en", f.language))
	}
	b, err := readBounded(f.plan)
	if err != nil {
		return nil, frame.Usage(err)
	}
	plan, err := savings.ParsePlan(b)
	if err != nil {
		return nil, frame.Usage(fmt.Errorf("%s: %w", f.plan, err))
	}
	set := &indicators.Set{ID: "none", Version: 1}
	if f.factors != "" {
		if b, err = readBounded(f.factors); err != nil {
			return nil, frame.Usage(err)
		}
		if set, err = indicators.ParseSet(b); err != nil {
			return nil, frame.Usage(fmt.Errorf("%s: %w", f.factors, err))
		}
	}
	all := &readings{points: map[metering.SeriesID][]metering.Point{}, units: map[metering.SeriesID]metering.Unit{}}
	for _, path := range f.data {
		if err := all.read(path); err != nil {
			return nil, frame.Usage(err)
		}
	}
	for _, id := range plan.Series() {
		if all.points[id] == nil && slices.ContainsFunc(plan.Meters, func(m savings.Meter) bool { return m.Series == id }) {
			return nil, frame.Usage(fmt.Errorf("no file has a column %s, which the plan counts", id))
		}
	}
	until := all.last
	if f.until != "" {
		var d indicators.Date
		if err := d.UnmarshalText([]byte(f.until)); err != nil {
			return nil, frame.Usage(fmt.Errorf("--until: %w", err))
		}
		until = d.Time()
	}
	e, err := savings.Compute(savings.Inputs{Plan: plan, Set: set, Points: all.give, Until: until})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.plan, err)
	}
	return e, nil
}

// readings are the columns of CSV files as series.
type readings struct {
	points map[metering.SeriesID][]metering.Point
	units  map[metering.SeriesID]metering.Unit
	last   time.Time
}

func (r *readings) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	name := filepath.Base(path)
	c := csv.NewReader(f)
	c.Comment, c.ReuseRecord = '#', true
	header, err := c.Read()
	if err != nil {
		return fmt.Errorf("%s: no header: %w", name, err)
	}
	if header[0] != "time" {
		return fmt.Errorf("%s: the first column is %q: want time", name, header[0])
	}
	var ids []metering.SeriesID
	for _, h := range header[1:] {
		id, unit, _ := strings.Cut(strings.TrimSpace(h), " [")
		if _, ok := metering.SeriesID(id).Quantity().Info(); !ok {
			return fmt.Errorf("%s: column %q: want meter/quantity", name, h)
		}
		ids = append(ids, metering.SeriesID(id))
		if unit != "" {
			r.units[metering.SeriesID(id)] = metering.Unit(strings.TrimSuffix(unit, "]"))
		}
	}
	for line := 2; ; line++ {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		at, err := time.Parse(time.RFC3339, rec[0])
		if err != nil {
			return fmt.Errorf("%s, line %d: time %q: want RFC 3339, such as 2026-01-31T13:00:00Z", name, line, rec[0])
		}
		if at.After(r.last) {
			r.last = at
		}
		for k, cell := range rec[1:] {
			if cell == "" {
				continue
			}
			d, err := metering.ParseDecimal(cell)
			if err != nil {
				return fmt.Errorf("%s, line %d, %s: %w", name, line, ids[k], err)
			}
			r.points[ids[k]] = append(r.points[ids[k]], metering.Point{At: at.UnixMilli(), Number: d})
		}
	}
	for _, id := range ids {
		slices.SortStableFunc(r.points[id], func(a, b metering.Point) int { return int(min(max(a.At-b.At, -1), 1)) })
	}
	return nil
}

func (r *readings) give(id metering.SeriesID, from, to time.Time) (metering.Unit, iter.Seq2[metering.Point, error]) {
	return r.units[id], func(yield func(metering.Point, error) bool) {
		for _, p := range r.points[id] {
			if p.At >= from.UnixMilli() && p.At < to.UnixMilli() && !yield(p, nil) {
				return
			}
		}
	}
}

func (f *planFlags) fit(c *cobra.Command, e *savings.Evaluation) error {
	if err := f.draw(e); err != nil {
		return err
	}
	if f.asJSON {
		out := json.NewEncoder(c.OutOrStdout())
		out.SetIndent("", " ")
		return out.Encode(e.Fits)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	for k, fit := range e.Fits {
		fmt.Fprintf(w, "model of %s\t%s, n %d, R² %.4f, CV(RMSE) %.2f %%, NMBE %.3f %%, lag-1 correlation %.2f\n", e.Plan.Models[k].Energy, fit.Model, fit.N, fit.R2, 100*fit.CVRMSEAdj, 100*fit.NMBE, fit.Rho1)
		for _, t := range fit.Terms {
			fmt.Fprintf(w, "  %s\t%.6g ± %.2g (standard error, scatter taken as independent)\n", t.Name, t.Value, t.SE)
		}
		for _, p := range fit.ChangePoints {
			fmt.Fprintf(w, "  %s\t%.2f °C\n", p.Name, p.C)
		}
		for _, g := range fit.Gates {
			fmt.Fprintf(w, "  gate %s\t%.4g, limit %.4g: %s\n", g.Name, g.Value, g.Limit, map[bool]string{true: "held", false: "not held"}[g.Holds])
		}
		for i, c := range fit.Candidates {
			if i > 0 {
				fmt.Fprintf(w, "  tried %s\tSSE %.6g, left out %.2f %%: %s\n", c.Name, c.SSE, 100*c.Criterion, c.Why)
			}
		}
	}
	return w.Flush()
}

// planReport is the JSON of a report.
type planReport struct {
	Plan     string                `json:"plan"`
	Option   savings.Option        `json:"option"`
	Results  []metering.Result     `json:"results"`
	Events   []savings.Proposed    `json:"proposed_events,omitempty"`
	Unadjust []float64             `json:"unadjusted_mwh_by_day,omitempty"`
	Normal   []*savings.Normalised `json:"normalised,omitempty"`
	Why      string                `json:"not_normalised,omitempty"`
	Drift    *savings.DriftReport  `json:"drift,omitempty"`
}

func (f *planFlags) report(c *cobra.Command, e *savings.Evaluation) error {
	if err := f.draw(e); err != nil {
		return err
	}
	from, to := e.Days()
	r := planReport{Plan: e.Plan.Synergy, Option: e.Plan.Option, Unadjust: e.Unadjusted}
	for _, x := range e.Results(from, to) {
		if x.Kind != metering.PeriodDay {
			r.Results = append(r.Results, x)
		}
	}
	r.Events = e.Events()
	for k := range e.Fits {
		switch n, err := e.Normalised(k); {
		case err != nil:
			r.Why = err.Error()
		case n != nil:
			r.Normal = append(r.Normal, n)
		}
	}
	if d, err := e.Drift(); err == nil {
		r.Drift = d
	}
	if f.asJSON {
		out := json.NewEncoder(c.OutOrStdout())
		out.SetIndent("", " ")
		return out.Encode(r)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PERIOD\tINDICATOR\tAMOUNT\t± 90 %\tCOVERED\tSIGNIFICANT")
	said := map[string]bool{}
	var notes []string
	for _, x := range r.Results {
		if x.Kind != metering.PeriodQuarter && x.Kind != metering.PeriodToDate {
			continue
		}
		name := x.From.Format(time.DateOnly) + " to " + x.To.Format(time.DateOnly)
		for _, g := range x.Figures {
			fmt.Fprintf(w, "%s\t%s\t%.3f\t%.3f\t%.1f %%\t%v\n", name, g.Indicator, g.Amount, g.Half90, 100*g.Coverage, g.Amount > g.Half90 || -g.Amount > g.Half90)
		}
		for _, n := range x.Notes {
			if s := n.In(f.language); !said[s] {
				said[s] = true
				notes = append(notes, s)
			}
		}
	}
	for _, n := range r.Normal {
		fmt.Fprintf(w, "normal year, %d days\t%s saved, MWh\t%.3f\t%.3f\t\t%v\n", n.Days, n.Energy, n.SavedMWh, n.Half90, n.SavedMWh > n.Half90 || -n.SavedMWh > n.Half90)
	}
	if r.Why != "" {
		notes = append(notes, r.Why)
	}
	for _, p := range r.Events {
		notes = append(notes, p.Text.In(f.language))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(c.OutOrStdout(), "-", n)
	}
	return nil
}

// draw writes the picture, if one is asked for.
func (f *planFlags) draw(e *savings.Evaluation) error {
	if f.plot == "" {
		return nil
	}
	p := &chart.Picture{Title: e.Plan.Title, Unit: "MWh", Against: chart.Fitted}
	first, last := e.Days()
	if len(e.Fits) > 0 {
		for _, w := range e.BaselineWeeks(0) {
			switch {
			case w.Days < 7:
			case w.From.Before(e.Plan.Baseline.To.Time()):
				p.Fit = append(p.Fit, chart.FitPoint{At: w.From, X: w.Adjusted, Observed: w.Actual, Fitted: w.Adjusted})
			case !w.From.Before(first):
				p.Course = append(p.Course, chart.Span{From: w.From, Actual: w.Actual, Adjusted: w.Adjusted})
			}
		}
	}
	for t := first.AddDate(0, 1, 0); ; t = t.AddDate(0, 1, 0) {
		if t.After(last) {
			t = last
		}
		if g, ok := e.Result(metering.PeriodToDate, first, t).Figure(metering.EnergyAvoidedMWh); ok {
			p.Saved = append(p.Saved, chart.Sum{At: t, Saved: g.Amount, Half: g.Half90})
		}
		if !t.Before(last) {
			break
		}
	}
	return os.WriteFile(f.plot, p.Render(f.language), 0o644)
}

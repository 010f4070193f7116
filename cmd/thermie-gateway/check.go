package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/gateway/judge"
	"github.com/thermie/thermie/gateway/poll"
	"github.com/thermie/thermie/gateway/remote"
	"github.com/thermie/thermie/metering"
)

// checkLine is one reading and what to think of it.
type checkLine struct {
	Bus       string            `json:"bus"`
	Meter     string            `json:"meter"`
	Quantity  metering.Quantity `json:"quantity,omitempty"`
	Reading   string            `json:"reading,omitempty"`
	Unit      metering.Unit     `json:"unit,omitempty"`
	OK        bool              `json:"ok"`
	Judgement string            `json:"judgement"`
}

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Read every configured meter once and judge what it says",
		Long: `Check reads every configured meter once, without a network and without keeping
anything, and judges each reading: is it there, plausible, of the right sign and
order, does it fit the others? It ends with a forecast of how much of each bus's
time the configured intervals will take. The gateway must not run meanwhile: two masters on
one line disturb each other. Exit code 1 when something is wrong.`,
		Args: cobra.NoArgs,
	}
	load := configFlag(c)
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if _, err := load(); err != nil {
			return err
		}
		conf, err := remote.Peek(c.Flag("config").Value.String()) // what runs, if it was changed from afar
		if err != nil {
			return frame.Usage(err)
		}
		lines, loads, err := checkAll(c.Context(), conf.PollBuses())
		if err != nil {
			return err
		}
		if *asJSON {
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			err = e.Encode(lines)
		} else {
			if err = printChecks(c.OutOrStdout(), lines); err == nil {
				err = printLoads(c.OutOrStdout(), loads)
			}
		}
		if err != nil {
			return err
		}
		if err := c.Context().Err(); err != nil {
			return err
		}
		wrong := 0
		for _, l := range lines {
			if !l.OK {
				wrong++
			}
		}
		if wrong > 0 {
			return fmt.Errorf("%d of %d readings are not as they should be", wrong, len(lines))
		}
		return nil
	}
	return c
}

// busLoad is what reading a bus's meters takes of its time, by the planner's
// model with the turnarounds that were just measured.
type busLoad struct {
	bus    string
	meters int
	share  float64
}

// checkAll reads the buses side by side, the meters of each in order.
func checkAll(ctx context.Context, buses []poll.Bus) (lines []checkLine, loads []busLoad, err error) {
	results := make([][]checkLine, len(buses))
	loads = make([]busLoad, len(buses))
	var wg sync.WaitGroup
	for i, b := range buses {
		w, err := poll.New(b, poll.Options{})
		if err != nil {
			return nil, nil, frame.Usage(err)
		}
		wg.Go(func() {
			for _, check := range w.ReadOnce(ctx) {
				results[i] = append(results[i], judgeCheck(b.ID, check)...)
			}
			loads[i] = busLoad{b.ID, len(b.Meters), w.Forecast()}
		})
	}
	wg.Wait()
	for _, r := range results {
		lines = append(lines, r...)
	}
	return lines, loads, nil
}

func printLoads(out io.Writer, loads []busLoad) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nBUS\tMETERS\tLOAD")
	for _, l := range loads {
		words := ""
		if l.share > 1 {
			words = "  !! too much: longer intervals, fewer meters, a higher baud rate"
		} else if l.share > 0.7 {
			words = "  little is left for a meter that does not answer"
		}
		fmt.Fprintf(w, "%s\t%d\t%.1f %%%s\n", l.bus, l.meters, 100*l.share, words)
	}
	return w.Flush()
}

func judgeCheck(bus string, check poll.Check) (lines []checkLine) {
	if len(check.Readings) == 0 {
		words := "not read"
		if check.Err != nil {
			words = check.Err.Error()
		}
		return []checkLine{{Bus: bus, Meter: check.Meter, Judgement: words}}
	}
	answered := false
	for _, v := range judge.Readings(check.Readings) {
		l := checkLine{Bus: bus, Meter: check.Meter, Quantity: v.Reading.Series.Quantity(), Unit: v.Reading.Unit, OK: v.OK, Judgement: v.Words}
		if v.Reading.Quality.Level != metering.Missing {
			answered = true
			l.Reading = v.Reading.Number.String()
		}
		if l.OK && l.Judgement == "" {
			l.Judgement = "plausible"
		}
		lines = append(lines, l)
	}
	if answered && check.Fault == metering.WordOrder { // which no single reading tells
		lines = append(lines, checkLine{Bus: bus, Meter: check.Meter, Judgement: check.Detail})
	}
	if !answered && check.Err != nil { // one line says it
		return []checkLine{{Bus: bus, Meter: check.Meter, Judgement: check.Err.Error()}}
	}
	return lines
}

func printChecks(out io.Writer, lines []checkLine) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "METER\tQUANTITY\tREADING\tUNIT\tJUDGEMENT")
	for _, l := range lines {
		mark := "!! "
		if l.OK {
			mark = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s%s\n", l.Meter, dash(string(l.Quantity)), dash(l.Reading), dash(string(l.Unit)), mark, l.Judgement)
	}
	return w.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

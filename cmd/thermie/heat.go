package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/plot"
	"github.com/thermie/thermie/cmd/frame"
)

func heatCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "heat",
		Short: "Waste heat: find it in the measurements, match it with needs, and what it is worth",
		Long:  `Works on files alone, without server.`,
		Example: `  thermie heat sources --cards cards.json --data year.csv.gz
  thermie heat sources --cards cards.json --data year.csv.gz --json --plot sources.svg
  thermie heat targets brewery.json --plot brewery.svg
  thermie heat match --cards cards.json --data year.csv.gz`,
	}
	c.AddCommand(heatSourcesCommand(), heatTargetsCommand(), heatMatchCommand())
	return c
}

// readCase reads a whole case file, of at most 16 MB, and parses it; what is
// wrong with it is the caller's to mend.
func readCase[T any](path string, parse func([]byte) (T, error)) (c T, err error) {
	const limit = 16 << 20
	err = withFile(path, func(r io.Reader) error {
		b, err := io.ReadAll(io.LimitReader(r, limit+1))
		if err != nil {
			return err
		}
		if len(b) > limit {
			return fmt.Errorf("more than %d MB", limit>>20)
		}
		c, err = parse(b)
		return err
	})
	return c, err
}

// drawTo writes charts to a file, if one is named.
func drawTo(path string, charts ...plot.Chart) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return frame.Usage(err)
	}
	return errors.Join(plot.Write(f, charts...), f.Close())
}

// printIndented prints an answer for programs that people read too.
func printIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false) // names of pairs hold "->"
	return e.Encode(v)
}

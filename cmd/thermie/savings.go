package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/analytics/savings/chart"
	"github.com/thermie/thermie/analytics/savings/task"
	"github.com/thermie/thermie/cmd/frame"
)

const maxCaseFile = 512 << 20 // bytes of one file of a case

func savingsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "savings",
		Short: "Measurement and verification of savings on plain files",
		Example: `  thermie savings report --plan plan.yaml --factors factors.yaml --data readings.csv
  thermie savings fit --plan plan.yaml --factors factors.yaml --data readings.csv --plot fit.svg
  thermie savings case ./heat-2025 --json             the task in the folder's case.json
  thermie savings coverage --sites 500                how often the intervals hold the truth`,
	}
	c.AddCommand(savingsFitCommand(), savingsReportCommand(), savingsAttributeCommand(), savingsCaseCommand(), savingsCoverageCommand())
	return c
}

func savingsCaseCommand() *cobra.Command {
	asJSON, plot, language := false, "", "fr"
	c := &cobra.Command{
		Use:   "case FOLDER",
		Short: "Answer one task: quality of data, baseline model, savings with their interval",
		Long: `Reads case.json and the files that it names, and answers the task: what is wrong with
the data, which baseline model fits, what was saved in each quarter and how sure that is,
which non-routine events are proposed. Data that cannot carry a baseline are refused with
reasons; keys of the task that are not understood are named under "not_understood".
Data that are refused are an answer too, with exit code 0; exit code 2 says that case.json
or a file cannot be read; with --json the reason is on the standard output too. Of several
files that are judged one by one, such a file is refused and the others are answered.`,
		Example: `  thermie savings case ./heat-2025 --json
  thermie savings case ./heat-2025 --plot saving.svg --lang en`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := caseFiles(args[0])
			if err != nil {
				return frame.Usage(err)
			}
			if language != "fr" && language != "en" {
				return frame.Usage(fmt.Errorf("--lang %s: want fr or en", language))
			}
			work := func(files map[string][]byte) (map[string]any, *chart.Picture, error) {
				a, err := task.Answer(files)
				return a, nil, err
			}
			if plot != "" {
				work = task.Draw
			}
			answer, picture, err := work(files)
			if err != nil {
				err = fmt.Errorf("%s: %w", args[0], err)
				if asJSON { // programs read a reason
					_ = writeJSON(c.OutOrStdout(), map[string]any{"refused": true, "sufficient": false, "reasons": []string{task.Unreadable},
						"flags": map[string]string{task.Unreadable: err.Error()}})
				}
				return frame.Usage(err)
			}
			if picture != nil {
				if err := os.WriteFile(plot, picture.Render(language), 0o644); err != nil {
					return err
				}
			} else if plot != "" {
				fmt.Fprintf(c.ErrOrStderr(), "thermie: no picture: the answer of %s has no saving to draw\n", args[0])
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), answer)
			}
			return task.Print(c.OutOrStdout(), answer)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the whole answer as JSON")
	c.Flags().StringVar(&plot, "plot", "", "write a picture of the saving to this SVG file")
	c.Flags().StringVar(&language, "lang", language, "language of the picture: fr or en")
	return c
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(v)
}

// readFolder reads the CSV and JSON files of a folder, and of those in it one step
// down, which are called "folder/file".
func readFolder(files map[string][]byte, dir, under string) error {
	entries, err := os.ReadDir(filepath.Join(dir, under))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(under, e.Name())
		if e.IsDir() && under == "" && !strings.HasPrefix(name, ".") {
			if err := readFolder(files, dir, name); err != nil {
				return err
			}
		}
		if e.IsDir() || name == "expected.json" || !strings.HasSuffix(name, ".csv") && !strings.HasSuffix(name, ".json") {
			continue
		}
		b, err := readBounded(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		files[name] = b
	}
	return nil
}

// caseFiles reads the CSV and JSON files of a folder; expected.json, which holds
// the answers of an open case, is not opened.
func caseFiles(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	if err := readFolder(files, dir, ""); err != nil {
		return nil, err
	}
	if files["case.json"] == nil {
		return nil, errors.New(dir + ": there is no case.json")
	}
	return files, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCaseFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(b) > maxCaseFile {
		return nil, fmt.Errorf("%s: larger than %d MB", path, maxCaseFile>>20)
	}
	return b, nil
}

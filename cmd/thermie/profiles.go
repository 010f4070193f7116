package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/cmd/profiles"
	firmwareconfigs "github.com/thermie/thermie/firmware-configs"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/firmware-configs/schema"
)

func profilesCommand() *cobra.Command {
	c := &cobra.Command{Use: "profiles", Short: "What is known of meters and of gateway hardware"}
	c.AddCommand(profiles.List("thermie"), profiles.Show("thermie"), profilesTestCommand(), hardwareCommand())
	return c
}

func profilesTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE|FOLDER|all",
		Short: "Hold profiles against their schema and their test vectors",
		Long: `Reads each profile as a gateway does, holds it against meter.schema.json, and runs its
test vectors both ways: the registers must give the readings, and the readings the
registers. "all" means the built-in ones.`,
		Example: `  thermie profiles test all
  thermie profiles test my-meter.yaml
  thermie profiles test ./profiles`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			fsys, names, err := profileFiles(args[0])
			if err != nil {
				return frame.Usage(err)
			}
			bad := 0
			for _, name := range names {
				ok, err := testProfile(c.OutOrStdout(), fsys, name)
				if err != nil {
					return frame.Usage(err)
				}
				if !ok {
					bad++
				}
			}
			fmt.Fprintf(c.OutOrStdout(), "%d profiles, %d failed\n", len(names), bad)
			if bad > 0 {
				return frame.ExitCode(1)
			}
			return nil
		},
	}
}

// profileFiles finds the YAML files that an argument means.
func profileFiles(what string) (fs.FS, []string, error) {
	if what == "all" {
		fsys, err := fs.Sub(firmwareconfigs.Files, "meters")
		if err != nil {
			return nil, nil, err
		}
		names, err := fs.Glob(fsys, "*.yaml")
		return fsys, names, err
	}
	info, err := os.Stat(what)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		return os.DirFS(filepath.Dir(what)), []string{filepath.Base(what)}, nil
	}
	fsys := os.DirFS(what)
	names, err := fs.Glob(fsys, "*.yaml")
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s: no *.yaml file in it", what)
	}
	return fsys, names, err
}

// testProfile says how one file fares; an error means that it cannot be read.
func testProfile(out io.Writer, fsys fs.FS, name string) (ok bool, err error) {
	text, err := readProfile(fsys, name)
	if err != nil {
		return false, err
	}
	p, parseErr := profile.Parse(name, text)
	if parseErr != nil {
		fmt.Fprintf(out, "FAIL  %v\n", parseErr)
	}
	if err := schema.Check(schema.Meter, text); err != nil {
		fmt.Fprintf(out, "FAIL  %s: schema: %v\n", name, err)
		return false, nil
	}
	if parseErr != nil {
		return false, nil
	}
	failures := profile.Test(p)
	for _, f := range failures {
		fmt.Fprintf(out, "FAIL  %s:%d: %v\n", name, profile.Line(text, f.Path), f)
	}
	if len(failures) > 0 {
		return false, nil
	}
	fmt.Fprintf(out, "ok    %s: %d quantities, %d vectors\n", p.ID, len(p.Fields), len(p.Vectors))
	return true, nil
}

func readProfile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, profile.MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > profile.MaxFileBytes {
		return nil, errors.New(name + ": too large for a profile")
	}
	return text, nil
}

// Package frame is what Thermie's command lines have in common: signals, exit
// codes, and refusals of one line that say what to do.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
package frame

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// usageError marks an error that the caller can mend: exit code 2.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// Usage wraps err, if there is one, as the caller's to mend.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// ExitCode ends the program with a code when everything was said already.
type ExitCode int

func (e ExitCode) Error() string { return "" }

// Run runs a root command until it ends or a signal stops it, prints its error
// under its name, and returns the exit code.
func Run(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root.SilenceErrors, root.SilenceUsage, root.DisableAutoGenTag = true, true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return Usage(fmt.Errorf("%w (see: %s --help)", err, c.CommandPath()))
	})
	refuseWell(root)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if code := ExitCode(0); errors.As(err, &code) {
		return int(code)
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", root.Name(), err)
	if u := (usageError{}); errors.As(err, &u) {
		return 2
	}
	return 1
}

// refuseWell makes every refusal of arguments, and every unknown command of a
// group, an error of usage.
func refuseWell(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return Usage(fmt.Errorf("%w (see: %s --help)", err, c.CommandPath()))
			}
			return nil
		}
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return Usage(fmt.Errorf("unknown command %q (see: %s --help)", args[0], c.CommandPath()))
			}
			return c.Help()
		}
	}
	for _, sub := range c.Commands() {
		refuseWell(sub)
	}
}

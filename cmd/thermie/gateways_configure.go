package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/server"
)

// gatewaysConfigureCommand sends a configuration to a gateway.
func gatewaysConfigureCommand(path *string) *cobra.Command {
	var within time.Duration
	var number uint64
	c := &cobra.Command{
		Use:   "configure GATEWAY FILE",
		Short: "Sign a configuration for a gateway, send it, and wait for what becomes of it",
		Long: `Configure signs FILE (a gateway.yaml) with the server's key and retains it for the
gateway. The gateway validates it, tries it, and takes it back by itself when it
does not reach the broker with it within --within. It takes configurations only
from the key that its own file names under remote. Exit code 1 when the gateway
refuses, rolls back or does not report.`,
		Example: `  thermie gateways configure gw-fonderie gw-fonderie.yaml --config server.yaml
  thermie gateways configure gw-fonderie gw-fonderie.yaml --within 5m`,
		Args: cobra.ExactArgs(2),
	}
	c.Flags().DurationVar(&within, "within", 2*time.Minute, "time in which the gateway must reach the broker with it, 10s to 1h")
	c.Flags().Uint64Var(&number, "number", 0, "number of the configuration, above the last; default: the time in seconds, or one more than the last")
	c.RunE = func(c *cobra.Command, args []string) error {
		if within < 10*time.Second || within > time.Hour {
			return frame.Usage(fmt.Errorf("--within %v is not between 10s and 1h", within))
		}
		text, err := os.ReadFile(args[1])
		if err != nil {
			return frame.Usage(err)
		}
		conf, err := loadServerConfig(*path)
		if err != nil {
			return err
		}
		now := time.Now()
		sent := func() error {
			return withRegistry(c.Context(), *path, func(r *registry.Registry) error {
				d := registry.Desired{Gateway: args[0], Number: number, SentAt: now, SentBy: operator(), Body: string(text)}
				if err := r.PutDesired(c.Context(), d); err != nil {
					return err
				}
				return r.Audit(c.Context(), registry.Act{Who: operator(), What: "gateway.configure", Subject: args[0],
					Detail: fmt.Sprintf("configuration %d, SHA-256 %s", number, batch.HashOf(text))})
			})
		}
		err = withRegistry(c.Context(), *path, func(r *registry.Registry) (err error) {
			number, err = numberAfter(c.Context(), r, args[0], number, now)
			return err
		})
		if err != nil {
			return err
		}
		r, err := server.Configure(c.Context(), conf, server.Configuration{Gateway: args[0], Number: number, Within: within, Text: text, Now: now, Sent: sent},
			func(r batch.ConfigReport) {
				fmt.Fprintf(c.OutOrStdout(), "%s: configuration %d %s %s\n", r.Gateway, r.Number, r.State, r.Detail)
			})
		if err != nil {
			return err
		}
		if r.State != batch.ConfigRunning {
			return fmt.Errorf("gateway %s does not run configuration %d: %s", args[0], number, r.State)
		}
		return nil
	}
	return c
}

// numberAfter is the number of a new configuration of a gateway: the one that is
// wanted, which must be above the last, or the time in seconds. What a gateway
// says of a number must be about one text only.
func numberAfter(ctx context.Context, r *registry.Registry, gateway string, wanted uint64, now time.Time) (uint64, error) {
	if _, err := r.Gateway(ctx, gateway); err != nil {
		return 0, err
	}
	last, err := r.Desired(ctx, gateway)
	switch {
	case err != nil && !errors.Is(err, registry.ErrNotFound):
		return 0, err
	case wanted == 0:
		return max(uint64(now.Unix()), last.Number+1), nil
	case wanted <= last.Number:
		return 0, frame.Usage(fmt.Errorf("--number %d: gateway %s was sent number %d already", wanted, gateway, last.Number))
	}
	return wanted, nil
}

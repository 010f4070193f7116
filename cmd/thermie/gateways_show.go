package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/registry"
)

// runs says in a few words what a gateway told of its configuration.
func runs(ctx context.Context, r *registry.Registry, gateway string) (string, error) {
	said, err := r.ConfigReport(ctx, gateway)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return "-", nil
	case err != nil:
		return "", err
	case said.Number > 0:
		return fmt.Sprintf("%s (%d)", said.State, said.Number), nil
	}
	return said.State, nil
}

// gatewayShown is what is known of a gateway beside its programme entry.
type gatewayShown struct {
	Gateway string              `json:"gateway"`
	Status  *batch.Status       `json:"status,omitempty"`
	Report  *batch.ConfigReport `json:"report,omitempty"`
	Desired *desiredShown       `json:"desired,omitempty"`
}

type desiredShown struct {
	Number uint64    `json:"number"`
	SentAt time.Time `json:"sent_at"`
	SentBy string    `json:"sent_by"`
	SHA256 string    `json:"sha256"`
}

func gatewaysShowCommand(path *string) *cobra.Command {
	c := &cobra.Command{
		Use:   "show GATEWAY",
		Short: "What a gateway says of itself: state, buses, meters with faults, and the configuration that it runs",
		Example: `  thermie gateways show gw-fonderie --config server.yaml
  thermie gateways show gw-fonderie --json`,
		Args: cobra.ExactArgs(1),
	}
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		return withRegistry(c.Context(), *path, func(r *registry.Registry) error {
			g, err := showGateway(c.Context(), r, args[0])
			if err != nil {
				return err
			}
			if *asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(g)
			}
			return g.print(c.OutOrStdout())
		})
	}
	return c
}

// found keeps what is there; that nothing is there is no error.
func found[T any](x T, err error) (*T, error) {
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	return &x, err
}

func showGateway(ctx context.Context, r *registry.Registry, id string) (g gatewayShown, err error) {
	if _, err := r.Gateway(ctx, id); err != nil {
		return g, err
	}
	g.Gateway = id
	if g.Status, err = found(r.Status(ctx, id)); err != nil {
		return g, err
	}
	if g.Report, err = found(r.ConfigReport(ctx, id)); err != nil {
		return g, err
	}
	d, err := found(r.Desired(ctx, id))
	if d != nil {
		g.Desired = &desiredShown{d.Number, d.SentAt, d.SentBy, batch.HashOf([]byte(d.Body)).String()}
	}
	return g, err
}

func (g gatewayShown) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	moment := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	line("gateway", "%s", g.Gateway)
	if s := g.Status; s == nil {
		line("status", "never heard of")
	} else {
		line("status", "online %v, %s, version %s, started %s", s.Online, moment(s.At), s.Version, moment(s.StartedAt))
		line("clock", "synchronised %v, offset %d ms", s.Clock.Synchronised, s.Clock.OffsetMillis)
		line("spool", "%d batches, %d bytes, last number %d %s", s.Spool.Batches, s.Spool.Bytes, s.Spool.LastNumber, s.Spool.Fault)
		if !s.CertExpiry.IsZero() {
			line("certificate", "until %s", moment(s.CertExpiry))
		}
		for _, b := range s.Buses {
			line("bus "+b.Bus, "%d requests, %d time-outs, %d bad frames, %d refusals, load %.0f %%", b.Requests, b.Timeouts, b.BadFrames, b.Refusals, 100*b.LoadRatio)
		}
		for _, m := range s.Meters {
			if m.Fault != "" {
				line("meter "+m.Meter, "%s: %s", m.Fault, m.Detail)
			}
		}
	}
	if c := g.Report; c == nil {
		line("configuration", "the gateway has said nothing of it")
	} else {
		number := ""
		if c.Number > 0 {
			number = fmt.Sprintf(" (%d)", c.Number)
		}
		line("configuration", "%s%s, %s, hash %s %s", c.State, number, moment(c.At), c.Config, c.Detail)
	}
	if d := g.Desired; d != nil {
		line("desired", "number %d, sent %s by %s, SHA-256 %s", d.Number, moment(d.SentAt), d.SentBy, d.SHA256)
	}
	return w.Flush()
}

package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/firmware-configs/hardware"
)

func hardwareCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "gateways [MACHINE]",
		Short: "List the machines that a gateway runs on, or show one",
		Long: `Without an argument lists the machines; with one shows its serial ports and who steers
the RS-485 line, its watchdog, clock and disk, and a piece of gateway.yaml to begin with.`,
		Example: "  thermie profiles gateways\n  thermie profiles gateways raspberry-pi-4",
		Args:    cobra.MaximumNArgs(1),
	}
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			m, err := hardware.Get(args[0])
			if err != nil {
				return frame.Usage(err)
			}
			if *asJSON {
				return printJSON(c.OutOrStdout(), m)
			}
			printMachine(c, m)
			return nil
		}
		all, err := hardware.Builtin()
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(c.OutOrStdout(), all)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "MACHINE\tMAKER\tMODELS\tPLATFORM\tPORTS\tTRUST")
		for _, m := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", m.ID, m.Maker, strings.Join(m.Models, ", "), m.Platform, len(m.Serial), m.Trust)
		}
		return w.Flush()
	}
	return c
}

func printMachine(c *cobra.Command, m *hardware.Machine) {
	out := c.OutOrStdout()
	say := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	remark := func(s string) {
		if s != "" {
			say("", "%s", s)
		}
	}
	say("machine", "%s", m.ID)
	say("maker", "%s", m.Maker)
	say("models", "%s", strings.Join(m.Models, ", "))
	say("platform", "%s", m.Platform)
	say("trust", "%s", m.Trust)
	for _, p := range m.Serial {
		say("port", "%s: %s, direction %s", p.Name, p.Device, p.Direction)
		for _, s := range p.Setup {
			say("", "set up: %s", s)
		}
		remark(p.Terminate)
		remark(p.Remark)
	}
	if m.Watchdog.Device != "" {
		say("watchdog", "%s", m.Watchdog.Device)
		remark(m.Watchdog.Remark)
	} else {
		say("watchdog", "none for programs. %s", m.Watchdog.Remark)
	}
	say("clock", "%s", map[bool]string{true: "keeps the time without power", false: "loses the time without power"}[m.Clock.Battery])
	remark(m.Clock.Remark)
	d := m.Data
	say("data", "%s on %s, at most %d MiB, a batch every %s: %d durable writes a year", d.Folder, d.Medium, d.MaxBytes>>20, d.BatchInterval, d.WritesPerYear())
	remark(d.Remark)
	for _, n := range m.Notes {
		say("note", "%s", n)
	}
	for _, s := range m.Sources {
		say("source", "%s (%s), %s; read: %s", s.Title, s.Version, s.At, s.Read)
	}
	fmt.Fprintf(out, "\n# gateway.yaml\ndata: %s\nbatch_interval: %s\nspool:\n  max_bytes: %d\n%s", d.Folder, d.BatchInterval, d.MaxBytes, m.Serial[0].BusExample("rs485"))
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/gateway"
	"github.com/thermie/thermie/gateway/modbus"
)

// readFlags are those of the read command.
type readFlags struct {
	kind, order, table string
	count              int
	serial             modbus.Endpoint // baud, parity, stop bits, timeout
	asJSON             bool
}

func readCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "read BUS UNIT REGISTER",
		Short: "Read one register",
		Long: `Read asks one question of one meter and prints the words that come back.

BUS is tcp:HOST:PORT, rtu-over-tcp:HOST:PORT, the path of a serial port, or the id
of a bus of the configuration. REGISTER is as on the bus, counted from 0, in
decimal or hexadecimal (0x0BD3). Types: ` + strings.Join(typeNames, " ") + `.`,
		Example: `  thermie-gateway read tcp:192.0.2.20:502 1 3027 --type f32
  thermie-gateway read /dev/ttyUSB0 7 0x1C --type u32 --order CDAB --baud 9600
  thermie-gateway read rtu-1 7 28 --count 8 --config gateway.yaml`,
		Args: cobra.ExactArgs(3),
	}
	config := c.Flags().String("config", defaultConfig, "configuration `FILE`, for the id of a bus")
	var f readFlags
	c.Flags().StringVar(&f.kind, "type", "", "`TYPE` of the number; without it the words are printed")
	c.Flags().StringVar(&f.order, "order", "", "`ORDER` of its bytes: ABCD (default), CDAB, BADC, DCBA")
	c.Flags().StringVar(&f.table, "table", "holding", "`TABLE`: holding (function 3) or input (function 4)")
	c.Flags().IntVar(&f.count, "count", 1, "how many registers (without --type, or of an ascii text)")
	c.Flags().IntVar(&f.serial.Baud, "baud", 0, "of a serial port; default 19200")
	c.Flags().StringVar(&f.serial.Parity, "parity", "", "none, even (default), odd")
	c.Flags().IntVar(&f.serial.StopBits, "stop-bits", 0, "1 (default) or 2")
	c.Flags().DurationVar(&f.serial.Timeout, "timeout", time.Second, "how long the meter may think")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		e, err := endpoint(args[0], f.serial, *config)
		if err != nil {
			return frame.Usage(err)
		}
		unit, err := strconv.ParseUint(args[1], 0, 8)
		if err != nil {
			return frame.Usage(fmt.Errorf("UNIT %q is not a number from 0 to 255", args[1]))
		}
		address, err := strconv.ParseUint(args[2], 0, 16)
		if err != nil {
			return frame.Usage(fmt.Errorf("REGISTER %q is not a number from 0 to 65535", args[2]))
		}
		register, err := f.register(uint16(address))
		if err != nil {
			return frame.Usage(err)
		}
		a, err := ask(c.Context(), e, byte(unit), register)
		if err != nil {
			return err
		}
		if f.asJSON {
			return json.NewEncoder(c.OutOrStdout()).Encode(a)
		}
		a.print(c)
		return nil
	}
	return c
}

var typeNames = []string{"u16", "i16", "u32", "i32", "u48", "i48", "u64", "i64", "f32", "f64", "bcd16", "bcd32", "bcd48", "bcd64",
	"s16", "s32", "mod10k32", "mod10k48", "mod10k64", "dec32u", "dec32i", "ascii"}

// register is what the flags describe.
func (f *readFlags) register(address uint16) (g profile.Register, err error) {
	g = profile.Register{Address: address, Type: profile.Type(f.kind), Length: f.count}
	switch f.table {
	case "holding":
	case "input":
		g.Table = profile.Input
	default:
		return g, fmt.Errorf("--table %q is neither holding nor input", f.table)
	}
	if f.count < 1 || f.count > 125 {
		return g, fmt.Errorf("--count %d is not between 1 and 125", f.count)
	}
	if f.kind == "" {
		if f.order != "" {
			return g, fmt.Errorf("--order %s without --type", f.order)
		}
		return g, nil
	}
	if g.Order, err = profile.ParseOrder(f.order, g.Type); err != nil {
		return g, fmt.Errorf("%w (types: %s)", err, strings.Join(typeNames, " "))
	}
	return g, nil
}

// endpoint finds the bus that an argument means.
func endpoint(bus string, serial modbus.Endpoint, config string) (modbus.Endpoint, error) {
	e := serial
	if kind, address, ok := strings.Cut(bus, ":"); ok && (kind == modbus.TCP || kind == modbus.RTUOverTCP) {
		e.Type, e.Address = kind, address
		if _, _, err := net.SplitHostPort(address); err != nil {
			return e, fmt.Errorf("BUS %q: want %s:HOST:PORT", bus, kind)
		}
	} else if strings.HasPrefix(bus, "/") {
		e.Type, e.Device = modbus.RTU, bus
	} else {
		conf, err := gateway.LoadConfig(config)
		if err != nil {
			return e, fmt.Errorf("BUS %q is neither tcp:HOST:PORT nor the path of a serial port, and as the id of a bus: %w", bus, err)
		}
		for _, b := range conf.PollBuses() {
			if b.ID == bus {
				return b.Endpoint, nil
			}
		}
		return e, fmt.Errorf("BUS %q is not in %s", bus, config)
	}
	if _, err := modbus.New(e); err != nil {
		return e, fmt.Errorf("BUS %q: %w", bus, err)
	}
	return e, nil
}

// answer is what came back.
type answer struct {
	Table   string   `json:"table"`
	Address uint16   `json:"register"`
	Words   []uint16 `json:"words"`
	Type    string   `json:"type,omitempty"`
	Number  string   `json:"number,omitempty"`
}

func ask(ctx context.Context, e modbus.Endpoint, unit byte, g profile.Register) (answer, error) {
	words := g.Length
	if n := g.Words(); n > 0 {
		words = n
	}
	got, err := modbus.Once(ctx, e, unit, g.Table, g.Address, words)
	if err != nil {
		return answer{}, err
	}
	a := answer{Table: g.Table.String(), Address: g.Address, Words: got, Type: string(g.Type)}
	if g.Type == "" {
		return a, nil
	}
	image := profile.Image{}
	image.Put(g.Table, g.Address, got...)
	text, ok := profile.Identity{Register: g}.Get(image)
	if !ok {
		return a, fmt.Errorf("%s register %d: %04x is no number of type %s", a.Table, g.Address, got, g.Type)
	}
	a.Number = text
	return a, nil
}

func (a answer) print(c *cobra.Command) {
	out := c.OutOrStdout()
	if a.Type != "" {
		fmt.Fprintf(out, "%s  (%s, words %04x)\n", a.Number, a.Type, a.Words)
		return
	}
	for i, w := range a.Words {
		fmt.Fprintf(out, "%5d  0x%04x  %6d  %6d\n", int(a.Address)+i, w, w, int16(w))
	}
}

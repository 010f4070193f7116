// Command thermie-gateway reads the meters of a site over Modbus, signs what
// they say and delivers it; it works without a network and loses nothing. Its
// other commands help whoever installs it.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
	"github.com/thermie/thermie/gateway"
)

var version = "dev" // set by the linker

const defaultConfig = "/etc/thermie-gateway/gateway.yaml"

func main() { os.Exit(run()) }

func run() int { return frame.Run(rootCommand(slacken)) }

// rootCommand makes the commands; slacken may start the program anew.
func rootCommand(slacken func(time.Duration) error) *cobra.Command {
	root := &cobra.Command{
		Use:   "thermie-gateway",
		Short: "Read a site's Modbus meters, sign what they say, deliver every reading",
		Example: `  thermie-gateway key --config gateway.yaml         the public key, to enrol the gateway
  thermie-gateway check --config gateway.yaml       read every meter once and judge what it says
  thermie-gateway scan                              find the meters of the serial ports and name them
  thermie-gateway read tcp:192.0.2.20:502 1 3027 --type f32
  thermie-gateway commission --config gateway.yaml  walk through the site and sign the record
  thermie-gateway run --config gateway.yaml`,
		Version: version,
	}
	root.AddCommand(runCommand(slacken), checkCommand(), readCommand(), scanCommand(), commissionCommand(), keyCommand(), profilesCommand())
	return root
}

// configFlag gives a command --config; the function loads that file.
func configFlag(c *cobra.Command) func() (gateway.Config, error) {
	path := c.Flags().String("config", defaultConfig, "configuration `FILE`")
	return func() (gateway.Config, error) {
		conf, err := gateway.LoadConfig(*path)
		return conf, frame.Usage(err)
	}
}

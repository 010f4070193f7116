// Command thermie is the server side of Thermie and its tools: a demonstration
// port, the production server, its people, gateways and ledger, and offline
// verification.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/thermie/thermie/cmd/frame"
)

var version = "dev" // set by the linker

func main() { os.Exit(run()) }

func run() int { return frame.Run(rootCommand()) }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "thermie",
		Short: "Metering and industrial symbiosis: measure exchanges between companies, prove what they save",
		Long: `Thermie reads the meters of a port or an industrial zone, keeps a tamper-evident
record of them, and measures what each exchange between companies saves.`,
		Example: `  thermie demo                                   a whole fictional port on this machine
  thermie server --config /etc/thermie/server.yaml
  thermie verify rapport-2026-Q3.zip              check a sealed report, offline`,
		Version: version,
	}
	root.AddCommand(demoCommand(), serverCommand(), ingestCommand(), serveCommand(), verifyCommand(),
		peopleCommand(), gatewaysCommand(), commissioningCommand(), ledgerCommand(), quarantineCommand(), reportCommand(), tapCommand(), pkiCommand(), heatCommand(), flowsCommand(), savingsCommand(),
		profilesCommand())
	root.AddCommand(rebuildCommand(), storeCommand(), exportCommand(), importCommand())
	return root
}

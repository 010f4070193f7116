// Command thermie-verify checks sealed quarterly reports offline. It holds the
// wire format, the ledger's mathematics and the analytics, and nothing else.
package main

import (
	"fmt"
	"os"

	"github.com/thermie/thermie/proof/offline"
)

var version = "dev" // set by the linker

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("thermie-verify", version)
		return
	}
	os.Exit(offline.Run("thermie-verify", os.Args[1:], os.Stdout, os.Stderr))
}

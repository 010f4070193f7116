package thermie

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/thermie/thermie/"

// floors lists the rooms from the ground up. A room may import any room of a
// lower floor; on its own floor only where arrows has the pair.
var floors = [][]string{
	{"metering", "calendar"},
	{"batch", "firmware-configs", "firmware-configs/profile", "firmware-configs/hardware", "access", "mqtt", "sqlite", "pki", "commissioning"},
	{"series", "ledger", "registry"},
	{"ingest", "gateway", "analytics", "broker", "export", "importer", "contact"},
	{"proof", "report", "assessment", "simulator", "api", "demo", "server"},
	{"cmd"},
}

// arrows are the imports allowed between rooms of one floor, beside those
// between a room and the rooms inside it.
var arrows = map[string][]string{
	"firmware-configs/profile":  {"firmware-configs"},
	"commissioning":             {"batch"},
	"firmware-configs/hardware": {"firmware-configs"},
	"contact":                   {"analytics"},
	"report":                    {"proof"},
	"api":                       {"report", "proof"},
	"server":                    {"api", "assessment", "proof", "report"},
	"demo":                      {"simulator", "server"},
}

// forbidden are imports refused although the floors would allow them.
var forbidden = map[string][]string{
	"gateway":            {"series", "ledger", "registry"},
	"analytics":          {"series", "ledger", "registry", "batch", "access", "mqtt", "sqlite", "firmware-configs"},
	"proof":              {"series", "registry", "ingest", "gateway", "broker", "mqtt", "sqlite", "access", "firmware-configs"},
	"cmd/thermie-verify": {"series", "registry", "ingest", "gateway", "broker", "mqtt", "access", "api", "report", "assessment", "simulator", "demo", "server"},
}

// owners says which rooms may import an outside library; the others must not.
var owners = map[string][]string{
	"github.com/eclipse/paho.mqtt.golang":   {"mqtt"},
	"github.com/goburrow/":                  {"gateway/modbus"},
	"modernc.org/sqlite":                    {"sqlite"},
	"github.com/labstack/echo":              {"api"},
	"github.com/alexedwards/scs":            {"api"},
	"github.com/nats-io/":                   {"broker"},
	"github.com/influxdata/":                {"series/influx"},
	"github.com/veraison/go-cose":           {"batch"},
	"github.com/fxamacker/cbor":             {"batch"},
	"filippo.io/edwards25519":               {"batch/knownkey"},
	"golang.org/x/mod":                      {"ledger"},
	"golang.org/x/crypto/argon2":            {"registry/accounts"},
	"github.com/spf13/cobra":                {"cmd"},
	"gonum.org/":                            {"analytics"},
	"github.com/parquet-go/":                {"export"},
	"codeberg.org/go-pdf/fpdf":              {"gateway/commission"},
	"github.com/santhosh-tekuri/jsonschema": {"firmware-configs/schema"},
	"github.com/prometheus/":                {"gateway", "api", "cmd", "server"},
	"github.com/xuri/excelize":              {"importer"},
}

type goPackage struct {
	ImportPath string
	Dir        string
	Doc        string
	Name       string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Name,GoFiles,Imports", "./...").Output()
	require.NoError(t, err)
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		list = append(list, p)
	}
	require.NotEmpty(t, list)
	return list
}

// within says whether package path p is the room or lies inside it.
func within(p, room string) bool { return p == room || strings.HasPrefix(p, room+"/") }

// roomOf returns the floor and the room of a package: the longest name that fits.
func roomOf(p string) (floor int, room string) {
	floor = -1
	for i, rooms := range floors {
		for _, r := range rooms {
			if within(p, r) && len(r) > len(room) {
				floor, room = i, r
			}
		}
	}
	return floor, room
}

// TestArrows holds the house to its drawing: imports go down only.
func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if p.ImportPath+"/" == module || within(name, "integration") {
			continue
		}
		floor, room := roomOf(name)
		if floor < 0 {
			t.Errorf("package %s stands on no floor: draw it in docs/architecture.md and in this test", name)
			continue
		}
		for _, imp := range p.Imports {
			for lib, rooms := range owners {
				if strings.HasPrefix(imp, lib) && !slices.ContainsFunc(rooms, func(r string) bool { return within(name, r) }) {
					t.Errorf("%s imports %s: only %v may", name, imp, rooms)
				}
			}
			target, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			toFloor, toRoom := roomOf(target)
			for r, no := range forbidden {
				if within(name, r) && slices.ContainsFunc(no, func(n string) bool { return within(target, n) }) {
					t.Errorf("%s imports %s: %s never does", name, target, r)
				}
			}
			switch {
			case toFloor < floor, toRoom == room:
			case toFloor == floor && slices.Contains(arrows[room], toRoom):
			default:
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go down only", name, floor+1, target, toFloor+1)
			}
		}
	}
}

// TestPackageComments: every package says what it is.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && len(p.Doc) < 20 {
			t.Errorf("package %s has no package comment", p.ImportPath)
		}
	}
}

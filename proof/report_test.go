package proof_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/proof"
)

var update = flag.Bool("update", false, "write golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(name, got, 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func example() *proof.Report {
	q := calendar.Quarter{Year: 2026, Q: 3}
	return &proof.Report{
		Format: proof.Format, Territory: "port", Name: metering.Text{FR: "Port <du Rhin> & fictif", EN: "Port of the <Rhine> & fictitious"}, Synthetic: true,
		Quarter: q, From: q.Start().UTC(), To: q.End().UTC(), Revision: 2, Reason: metering.Text{FR: "Relevés reçus tard", EN: "Relevés reçus tard"},
		SealedAt: time.Date(2026, 11, 24, 13, 5, 0, 0, time.UTC), SealedBy: "Ada Animatrice", Code: "1.2.3", FactorSet: "fr-2026 v3#" + strings.Repeat("0a", 32),
		LedgerSize: 1234567, Synergies: 12, Companies: 15,
		Notes: []metering.Text{{FR: "Une note.", EN: "A note."}},
		Cells: []proof.Cell{
			{Indicator: metering.EnergyAvoidedMWh, Theme: "all", Contributors: 11, Amount: 2140.123456, Half90: 95.4, Coverage: 0.982, Measured: 1797.703456, Calculated: 256.82, Declared: 85.6},
			{Indicator: metering.CO2eAvoidedTonnes, Theme: "all", Contributors: 11, Amount: 571.4, Half90: 31, Coverage: 1, Measured: 571.4},
			{Indicator: metering.MoneySavedEUR, Theme: "all", Contributors: 9, Amount: -38412.7, Half90: 2914, Coverage: 0.5, Measured: -38412.7},
			{Indicator: metering.JobsKept, Theme: "all", Contributors: 4, Amount: 2, Coverage: 1, Declared: 2},
			{Indicator: metering.EnergyAvoidedMWh, Theme: "heat", Suppressed: "dominance"},
			{Indicator: metering.WaterSavedM3, Theme: "water", Suppressed: "a_rule_of_tomorrow"},
			{Indicator: metering.WaterSavedM3, Theme: "sludge", Contributors: 3, Amount: 48.75, Half90: 0.997, Coverage: 0.9999, Measured: 48.75},
		},
	}
}

// What is printed for a format never changes: reports that were sealed are made
// anew from their JSON and compared. A change here needs a new proof.Format and
// both forms kept.
func TestPrintedForms(t *testing.T) {
	r := example()
	require.NoError(t, r.Check())
	golden(t, "report.fr.html", r.HTML("fr"))
	golden(t, "report.en.html", r.HTML("en"))
	golden(t, "report.csv", r.CSV())
	b, err := r.JSON()
	require.NoError(t, err)
	golden(t, "report.json", b)
}

func TestPageStandsAlone(t *testing.T) {
	page := string(example().HTML("fr"))
	for _, no := range []string{"<script", "src=", "href=", "@import", "url(", "<du Rhin>"} {
		require.NotContains(t, page, no)
	}
	require.Contains(t, page, "Données synthétiques")
	r := example()
	r.Synthetic, r.Reason = false, metering.Text{}
	page = string(r.HTML("en"))
	require.NotContains(t, page, "Synthetic data")
	require.NotContains(t, page, "corrects an earlier revision")
}

func TestReportThatContradictsItself(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(r *proof.Report)
		says  string
	}{
		"format":              {func(r *proof.Report) { r.Format = "thermie.report/2" }, "this program reads"},
		"bounds":              {func(r *proof.Report) { r.To = r.To.Add(time.Hour) }, "runs from"},
		"a cell twice":        {func(r *proof.Report) { r.Cells = append(r.Cells, r.Cells[0]) }, "is there twice"},
		"suppressed, figured": {func(r *proof.Report) { r.Cells[4].Contributors = 2 }, "is suppressed and yet has figures"},
		"parts":               {func(r *proof.Report) { r.Cells[0].Declared++ }, "the parts by class add up"},
	} {
		r := example()
		c.spoil(r)
		require.ErrorContains(t, r.Check(), c.says, name)
	}
}

func TestKeysFile(t *testing.T) {
	good, err := sealed.world.Keys.File()
	require.NoError(t, err)
	for name, b := range map[string]string{
		"nothing":     "",
		"no origin":   strings.Replace(string(good), sealed.world.Keys.Origin, "", 1),
		"short key":   `{"origin":"a","ledger":"AAAA","server":"AAAA"}`,
		"not base64":  `{"origin":"a","ledger":"?","server":"?"}`,
		"another key": strings.Replace(string(good), `"origin"`, `"origine"`, 1),
		"huge":        string(good) + strings.Repeat(" ", 5000),
	} {
		_, err := proof.ParseKeys([]byte(b))
		require.ErrorContains(t, err, "keys", name)
	}
	k, err := proof.ParseKeys(good)
	require.NoError(t, err)
	require.Equal(t, sealed.world.Keys, k)
}

//go:build integration

package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/calendar"
)

// The animator's question: what do the synergies save, who gives what to whom,
// what comes next. The yearly order of magnitude is the one that the port's
// description states.
func demoAnimator(t *testing.T, v *visitor) {
	status, page := v.get("/overview?lang=fr")
	require.Equal(t, http.StatusOK, status)
	for _, word := range []string{"Énergie évitée", "t CO₂e", "€", "m³", "couverture", "mesuré", "Qui donne quoi à qui", "Synergie 2"} {
		require.Contains(t, page, word)
	}
	var synergies struct{ Items []struct{ ID string } }
	v.json("/api/v1/synergies", &synergies)
	require.Len(t, synergies.Items, 12)
	year := map[string]float64{}
	for _, s := range synergies.Items {
		var results struct {
			Items []struct {
				Figures []struct {
					Indicator string
					Amount    float64
				}
			}
		}
		v.json("/api/v1/synergies/"+s.ID+"/results?kind=year", &results)
		require.NotEmpty(t, results.Items, s.ID)
		for _, f := range results.Items[len(results.Items)-1].Figures { // the newest
			year[f.Indicator] += f.Amount
		}
	}
	t.Logf("the last twelve months: %v", year)
	require.InEpsilon(t, 3500, year["co2e_avoided_t"], 0.25)
	require.InEpsilon(t, 220000, year["money_saved_eur"], 0.25)
	require.InEpsilon(t, 195, year["water_saved_m3"], 0.25)

	// One synergy, measured: MWh delivered, MWh of gas avoided, t CO2e and EUR, per
	// day and per quarter.
	for _, kind := range []string{"day", "quarter"} {
		var results struct {
			Items []struct {
				Figures []struct{ Indicator, Class string }
			}
		}
		v.json("/api/v1/synergies/s01-fonderie-reseau/results?kind="+kind+"&from=2000-01-01", &results)
		require.Greater(t, len(results.Items), 5, kind)
		var have []string
		for _, f := range results.Items[len(results.Items)-1].Figures {
			require.Equal(t, "measured", f.Class)
			have = append(have, f.Indicator)
		}
		require.Subset(t, have, []string{"heat_delivered_mwh", "energy_avoided_mwh", "co2e_avoided_t", "money_saved_eur"})
	}
	var found struct {
		Items []struct {
			MWhPerYear float64 `json:"mwh_per_year"`
		}
	}
	v.json("/api/v1/opportunities", &found)
	require.NotEmpty(t, found.Items)
}

// The installer sees every gateway alive and every meter, and the two that the
// port lets fail.
func demoInstaller(t *testing.T, v *visitor) {
	var gateways struct {
		Items []struct {
			ID     string
			Online bool
			Meters []struct{ ID, Fault string }
		}
	}
	require.Eventually(t, func() bool {
		v.json("/api/v1/gateways", &gateways)
		for _, g := range gateways.Items {
			if !g.Online {
				return false
			}
		}
		return true
	}, 2*time.Minute, time.Second, "every gateway reports itself online")
	meters, faults := 0, map[string]string{}
	require.Eventually(t, func() bool {
		v.json("/api/v1/gateways", &gateways)
		meters, faults = 0, map[string]string{}
		for _, g := range gateways.Items {
			meters += len(g.Meters)
			for _, m := range g.Meters {
				if m.Fault != "" {
					faults[m.ID] = m.Fault
				}
			}
		}
		return faults["beton-elec"] != ""
	}, 2*time.Minute, time.Second, "the silent meter is named")
	require.GreaterOrEqual(t, len(gateways.Items), 15)
	require.GreaterOrEqual(t, meters, 40)
	require.LessOrEqual(t, len(faults), 3, "only what the port lets fail: %v", faults)
	status, page := v.get("/gateways/gw-laiterie?lang=fr")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "laiterie-chaleur")
	// Live readings of the last minutes arrived by way of the meters' registers.
	require.Eventually(t, func() bool {
		var points struct{ Items []struct{ At time.Time } }
		v.json("/api/v1/series/laiterie-chaleur/heat_energy/points?from="+time.Now().UTC().Add(-5*time.Minute).Format(time.RFC3339), &points)
		return len(points.Items) > 0
	}, 2*time.Minute, time.Second)
}

// A company sees its own and what others see of it; another's pages are not there.
func demoCompany(t *testing.T, v *visitor) {
	status, page := v.get("/companies/laiterie?lang=fr")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "Laiterie du Bassin")
	status, _ = v.get("/companies/laiterie/seen?lang=fr")
	require.Equal(t, http.StatusOK, status)
	for _, path := range []string{"/companies/fonderie", "/gateways/gw-fonderie", "/meters/fonderie-elec", "/synergies/s01-fonderie-reseau",
		"/api/v1/series/fonderie-elec/active_power/points", "/companies/no-such-company"} {
		status, _ := v.get(path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
}

// A funder gets the sealed report and checks it offline; a verifier recomputes
// every figure; a changed byte is found.
func demoFunder(t *testing.T, data string, v, verifier *visitor) {
	status, page := v.get("/indicators?lang=fr")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "synthétiques")
	status, _ = v.get("/overview")
	require.Equal(t, http.StatusForbidden, status)

	var reports struct {
		Items []struct {
			Quarter  string
			Revision int
		}
	}
	v.json("/api/v1/reports", &reports)
	require.GreaterOrEqual(t, len(reports.Items), 5, "every closed quarter is sealed")
	revised := 0
	for _, r := range reports.Items {
		revised = max(revised, r.Revision)
	}
	if time.Since(calendar.QuarterOf(time.Now()).Start()) > 30*24*time.Hour {
		require.Equal(t, 2, revised, "the quarter with late data has its revision")
	}
	quarter := reports.Items[0].Quarter
	_, page = v.get("/reports?lang=fr")
	zip := regexp.MustCompile(`/reports/` + regexp.QuoteMeta(quarter) + `/[^"]*\.zip[^"]*`).FindString(page)
	require.NotEmpty(t, zip, "the page links the sealed report")
	report := download(t, v, zip)
	dossier := download(t, verifier, "/dossiers/"+quarter)
	keys := filepath.Join(data, "server", "keys", "keys.json")

	out, errs, code := runProduct(t, "", "thermie", "verify", "--lang", "en", "--keys", keys, report)
	require.Zero(t, code, errs+out)
	require.Contains(t, out, "SYNTHETIC")
	out, errs, code = runProduct(t, "", "thermie-verify", "--json", "--keys", keys, "--dossier", dossier, report)
	require.Zero(t, code, errs+out)
	var verdict struct{ Verified bool }
	require.NoError(t, json.Unmarshal([]byte(out), &verdict))
	require.True(t, verdict.Verified)

	b, err := os.ReadFile(report)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	bad := filepath.Join(t.TempDir(), "bad.zip")
	require.NoError(t, os.WriteFile(bad, b, 0o600))
	_, _, code = runProduct(t, "", "thermie", "verify", "--keys", keys, bad)
	require.Equal(t, 1, code)

	status, _ = v.get("/dossiers/" + quarter)
	require.NotEqual(t, http.StatusOK, status, "the dossier is the verifier's")
}

func download(t *testing.T, v *visitor, path string) string {
	t.Helper()
	status, body := v.get(strings.ReplaceAll(path, "&amp;", "&"))
	require.Equal(t, http.StatusOK, status, path)
	file := filepath.Join(t.TempDir(), "package.zip")
	require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
	return file
}

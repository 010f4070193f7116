package server

import (
	"bytes"
	"context"
	"encoding/csv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/export"
	"github.com/thermie/thermie/metering"
)

// An export holds what the person may see and nothing else, is made beside the
// running server, and is in the audit trail.
func TestExport(t *testing.T) {
	ctx := context.Background()
	c := testConfig(t)
	s, err := Open(ctx, Options{Roles: Roles{Ingest: true}, Config: c})
	require.NoError(t, err)
	defer s.Close()
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	require.NoError(t, s.Store().Apply(ctx, 1, []metering.Reading{
		{Series: "fonderie-flue/temperature", Unit: metering.Celsius, At: at.UnixMilli(), Number: metering.MustDecimal("231.5")},
		{Series: "neudorf-gas/gas_volume", Unit: metering.CubicM, At: at.UnixMilli(), Number: metering.MustDecimal("4711.25")},
		{Series: "nobody/temperature", Unit: metering.Celsius, At: at.UnixMilli(), Number: metering.MustDecimal("1")},
	}))
	for email, p := range map[string]access.Person{
		"f@port.example": {Role: access.Company, Company: "fonderie"}, "v@port.example": {Role: access.Verifier},
		"i@port.example": {Role: access.Installer}, "p@port.example": {Role: access.Funder},
	} {
		p.Email, p.Name, p.Language = email, "Somebody", "fr"
		_, err := s.Accounts().Create(ctx, p, "correct horse battery staple")
		require.NoError(t, err)
	}
	made := func(email string) ([]string, error) {
		var out bytes.Buffer
		_, err := Export(ctx, &out, ExportOptions{Config: c, As: email, From: at.Add(-time.Hour), To: at.Add(time.Hour), Step: export.Readings, Style: export.International, Now: at})
		r := csv.NewReader(&out)
		r.Comment = '#'
		rows, _ := r.ReadAll()
		var got []string
		for _, row := range rows[min(1, len(rows)):] {
			got = append(got, row[2]+" "+row[4]+" "+row[7])
		}
		return got, err
	}
	got, err := made("f@port.example")
	require.NoError(t, err)
	require.Equal(t, []string{"fonderie-flue 231.5 synthetic by gw-fonderie, adam-6015"}, got)
	got, err = made("V@port.example")
	require.NoError(t, err)
	require.Len(t, got, 2, "a meter that the programme does not know is nobody's")
	for _, nothing := range []string{"i@port.example", "p@port.example"} {
		_, err = made(nothing)
		require.ErrorIs(t, err, ErrNothingToExport, nothing)
	}
	_, err = made("x@port.example")
	require.ErrorContains(t, err, "no account of x@port.example")
	trail, err := s.Registry().AuditTrail(ctx, 10)
	require.NoError(t, err)
	exports := 0
	for _, a := range trail {
		if a.What == "export" {
			exports++
		}
	}
	require.Equal(t, 2, exports)
}

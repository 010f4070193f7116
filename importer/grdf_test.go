package importer

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/metering"
)

// TestGRDFEnergy: the energy column is taken beside the volume, as the file states
// it, and what does not fit its coefficient is said.
func TestGRDFEnergy(t *testing.T) {
	read := func(rows string) *Sheet {
		s, err := GRDF(strings.NewReader("Date de relevé;Volume consommé (m3);Energie consommée (kWh);Coefficient de conversion;Qualification\n"+rows), "gaz")
		require.NoError(t, err)
		return s
	}
	s := read("01/03/2025;10;113;11,3;Mesuré\n02/03/2025;20;224;11,2;Estimé\n03/03/2025;;;;Absence de Données\n04/03/2025;10;150;11,3;Mesuré\n")
	var kwh []string
	for _, a := range s.Amounts {
		if a.Series == "gaz/gas_energy" {
			require.Equal(t, metering.KWh, a.Unit)
			kwh = append(kwh, a.Number.String()+" "+a.Quality.String())
		}
	}
	require.Equal(t, []string{"113 good", "224 suspect:estimated", "0 missing:not_available", "150 good"}, kwh)
	require.Equal(t, []string{"energy of 3 intervals taken as the file states it, kWh PCS, at 11.2 to 11.3 kWh PCS a m3",
		"in 1 intervals the energy is not the volume times the coefficient"}, s.Notes)
	s = read("01/03/2025;10;;;Mesuré\n")
	require.Len(t, s.Amounts, 1, "a file without energies gives none")
	require.Empty(t, s.Notes)
	_, err := GRDF(strings.NewReader("Date de relevé;Volume consommé (m3);Energie consommée (kWh)\n01/03/2025;10;much\n"), "gaz")
	require.ErrorIs(t, err, ErrFormat)
}

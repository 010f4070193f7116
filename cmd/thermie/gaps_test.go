package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/ingest"
)

func TestPrintGaps(t *testing.T) {
	chains := map[string]ingest.Chain{
		"gw-b": {Last: 10, Count: 8, Gaps: []ingest.Gap{{From: 3, To: 4, Declared: "disque plein", Before: batch.HashOf(nil)}}},
		"gw-a": {Last: 5, Count: 5},
	}
	var out strings.Builder
	require.NoError(t, printGaps(&out, chains, false))
	require.Equal(t, "GATEWAY  LAST  IN LEDGER  MISSING  COMPLETE   GAPS\ngw-a     5     5          0        100.000 %  \ngw-b     10    8          2        80.000 %    3-4 (disque plein)\n", out.String())
	out.Reset()
	require.NoError(t, printGaps(&out, chains, true))
	var got []gatewayGaps
	require.NoError(t, json.Unmarshal([]byte(out.String()), &got))
	require.Equal(t, []gap{{3, 4, "disque plein", false}}, got[1].Gaps)
	require.Equal(t, 0.8, got[1].Complete)
	out.Reset()
	require.NoError(t, printGaps(&out, nil, true))
	require.Equal(t, "[]\n", out.String())
}

package server

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/sqlite"
)

// The audit trail is in the ledger, each line once, without names; a line that
// is changed, taken out or put in afterwards is found.
func TestActsInLedger(t *testing.T) {
	ctx := context.Background()
	c := testConfig(t)
	s, err := Open(ctx, Options{Roles: Roles{Ingest: true}, Config: c})
	require.NoError(t, err)
	for _, what := range []string{"consent", "plan.approve", "gateway.enrol", "import"} {
		require.NoError(t, s.Registry().Audit(ctx, registry.Act{Who: "anne@port.example", What: what, Subject: "fonderie"}))
	}
	require.NoError(t, s.recordNewActs(ctx))
	size := s.Ledger().Size()
	require.GreaterOrEqual(t, size, uint64(4))
	require.NoError(t, s.Registry().SetSetting(ctx, actsSetting, "1")) // as after a crash
	require.NoError(t, s.recordNewActs(ctx))
	require.Equal(t, size, s.Ledger().Size())
	for e, err := range s.Ledger().Entries(ctx, 0, size) {
		require.NoError(t, err)
		require.NotContains(t, string(e.Data), "anne")
		require.NotContains(t, string(e.Data), "fonderie")
	}
	require.NoError(t, s.Registry().Audit(ctx, registry.Act{Who: "anne@port.example", What: "late"}))
	require.NoError(t, s.Close())

	a, err := CheckActs(ctx, c)
	require.NoError(t, err)
	require.Empty(t, a.Faults)
	require.EqualValues(t, size, a.Proved)
	require.Equal(t, 1, a.Waiting)
	db, err := sqlite.Open(ctx, filepath.Join(c.Data, "registry.db"), sqlite.Full)
	require.NoError(t, err)
	var guards []string // the registry's own, which whoever has the file can drop
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
	require.NoError(t, err)
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		guards = append(guards, "DROP TRIGGER "+name)
	}
	require.NoError(t, rows.Close())
	for _, q := range append(guards, "UPDATE audit SET who = 'bob@port.example' WHERE what = 'consent'", "DELETE FROM audit WHERE what = 'plan.approve'",
		"INSERT INTO audit (id, at, who, what, subject, detail) SELECT -5, at, who, 'forged', subject, detail FROM audit WHERE what = 'import' LIMIT 1") {
		_, err := db.ExecContext(ctx, q)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
	a, err = CheckActs(ctx, c)
	require.NoError(t, err)
	require.Len(t, a.Faults, 3)
	require.Contains(t, a.Faults[0], "was changed")
	require.Contains(t, a.Faults[1], "was taken out")
	require.Contains(t, a.Faults[2], "was put into")
	require.EqualValues(t, size-2, a.Proved)
}

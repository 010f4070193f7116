package profile

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of profiles into docs/profiles.md")

const docs = "../../docs/profiles.md"

// table is the list of built-in profiles as the documentation shows it.
func docsTable(t *testing.T) string {
	t.Helper()
	l, err := Builtin()
	require.NoError(t, err)
	all := l.All()
	slices.SortStableFunc(all, func(a, b *Profile) int { return slices.Index(Kinds, a.Kind) - slices.Index(Kinds, b.Kind) })
	models := 0
	var b strings.Builder
	for _, p := range all {
		models += len(p.Models)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", p.ID, p.Kind, p.Maker, strings.Join(p.Models, ", "), strings.ReplaceAll(p.Trust, "_", " "))
	}
	return fmt.Sprintf("%d models in %d profiles.\n\n| Profile | Kind | Maker | Models | Trust |\n|---|---|---|---|---|\n%s", models, len(all), b.String())
}

// The table in the documentation is the tree's; the example in it is a profile
// that holds.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(docs)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), "<!-- profiles: begin")
	require.True(t, ok)
	first, rest, ok := strings.Cut(rest, "-->\n")
	require.True(t, ok)
	shown, after, ok := strings.Cut(rest, "<!-- profiles: end -->")
	require.True(t, ok)
	want := docsTable(t)
	if *update {
		require.NoError(t, os.WriteFile(docs, []byte(before+"<!-- profiles: begin"+first+"-->\n"+want+"<!-- profiles: end -->"+after), 0o644))
		shown = want
	}
	require.Equal(t, want, shown, "run: go test ./firmware-configs/profile -run TestDocs -update")

	_, example, ok := strings.Cut(before, "```yaml\n")
	require.True(t, ok)
	example, _, _ = strings.Cut(example, "```")
	p, err := Parse("acme-m1.yaml", []byte(example))
	require.NoError(t, err)
	require.Empty(t, Test(p))
}

// The bars that the tree is held to.
func TestEnoughProfiles(t *testing.T) {
	l, err := Builtin()
	require.NoError(t, err)
	byKind, models := map[string]int{}, 0
	for _, p := range l.All() {
		models += len(p.Models)
		byKind[p.Kind]++
	}
	require.GreaterOrEqual(t, len(l.All()), 45)
	require.GreaterOrEqual(t, models, 60)
	require.GreaterOrEqual(t, byKind["electricity"], 25)
	require.GreaterOrEqual(t, byKind["heat"]+byKind["cooling"], 10)
	require.GreaterOrEqual(t, byKind["water"]+byKind["flow"], 4)
	for _, kind := range []string{"pulse", "temperature", "analogue"} {
		require.Positive(t, byKind[kind], kind)
	}
}

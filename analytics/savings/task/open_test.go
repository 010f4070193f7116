package task

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// folder reads the files of a case.
func folder(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, p := range paths {
		if filepath.Base(p) == "expected.json" {
			continue
		}
		files[filepath.Base(p)], err = os.ReadFile(p)
		require.NoError(t, err)
	}
	return files
}

// answered works a case and gives the answer as a reader of its JSON sees it.
func answered(t testing.TB, files map[string][]byte) map[string]any {
	t.Helper()
	a, err := Answer(files)
	require.NoError(t, err)
	b, err := json.Marshal(a)
	require.NoError(t, err)
	out := map[string]any{}
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

// at follows a path with dots; * gives every value of a map.
func at(o any, path string) ([]any, bool) {
	found := []any{o}
	for _, p := range strings.Split(path, ".") {
		var next []any
		for _, c := range found {
			switch x := c.(type) {
			case map[string]any:
				if p == "*" {
					for _, k := range sortedKeys(x) {
						next = append(next, x[k])
					}
				} else if v, ok := x[p]; ok {
					next = append(next, v)
				} else {
					return nil, false
				}
			case []any:
				i, err := strconv.Atoi(p)
				if err != nil || i >= len(x) {
					return nil, false
				}
				next = append(next, x[i])
			default:
				return nil, false
			}
		}
		found = next
	}
	return found, true
}

func num(t testing.TB, o any, path string) float64 {
	t.Helper()
	v, ok := at(o, path)
	require.True(t, ok, path)
	x, ok := v[0].(float64)
	require.True(t, ok, path)
	return x
}

func near(a, b, tol float64) bool { return math.Abs(a-b) <= tol*max(math.Abs(b), 1e-12) }

type checkOf struct {
	Field string
	Kind  string
	Value any
	Tol   *float64
}

// holds is one check of the open cases' scoring.
func (c checkOf) holds(o any) error {
	tol := 0.0
	if c.Tol != nil {
		tol = *c.Tol
	}
	got, ok := at(o, c.Field)
	if !ok {
		return fmt.Errorf("no field %s", c.Field)
	}
	if c.Kind == "sum_equals_total" {
		s := 0.0
		for _, v := range got {
			s += v.(float64)
		}
		total, _ := at(o, strings.Replace(c.Field, ".quarters.*.", ".total.", 1))
		if !near(s, total[0].(float64), tol) {
			return fmt.Errorf("%s: sum %v, total %v", c.Field, s, total[0])
		}
		return nil
	}
	for _, x := range got {
		good := false
		switch c.Kind {
		case "rel":
			good = near(x.(float64), c.Value.(float64), tol)
		case "abs":
			good = math.Abs(x.(float64)-c.Value.(float64)) <= tol
		case "max":
			good = x.(float64) <= c.Value.(float64)
		case "range":
			r := c.Value.([]any)
			good = r[0].(float64) <= x.(float64) && x.(float64) <= r[1].(float64)
		case "contains_truth":
			m := x.(map[string]any)
			good = math.Abs(m["savings"].(float64)-c.Value.(float64)) <= m["unc90"].(float64)
		case "equals":
			a, _ := json.Marshal(x)
			b, _ := json.Marshal(c.Value)
			good = string(a) == string(b)
		case "rel_each":
			good = true
			if list, ok := c.Value.([]any); ok {
				for i, v := range list {
					good = good && near(x.([]any)[i].(float64), v.(float64), tol)
				}
				break
			}
			for k, v := range c.Value.(map[string]any) {
				good = good && near(x.(map[string]any)[k].(float64), v.(float64), tol)
			}
		case "set_each":
			good = true
			for k, v := range c.Value.(map[string]any) {
				have, _ := x.(map[string]any)[k].([]any)
				good = good && float64(apart(have, v.([]any))) <= tol
			}
		default:
			return fmt.Errorf("check %s is not known", c.Kind)
		}
		if !good {
			return fmt.Errorf("%s %s: have %.200v, want %.200v (%v)", c.Field, c.Kind, x, c.Value, tol)
		}
	}
	return nil
}

// apart counts what is in one list and not in the other.
func apart(a, b []any) int {
	in := map[any]int{}
	for _, x := range a {
		in[x] |= 1
	}
	for _, x := range b {
		in[x] |= 2
	}
	n := 0
	for _, v := range in {
		if v != 3 {
			n++
		}
	}
	return n
}

// The open cases pass every check, and give the same bytes when worked again.
func TestOpenCases(t *testing.T) {
	dirs, err := filepath.Glob("testdata/open/*")
	require.NoError(t, err)
	require.Len(t, dirs, 4)
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
			require.NoError(t, err)
			var expected struct{ Checks []checkOf }
			require.NoError(t, json.Unmarshal(b, &expected))
			require.NotEmpty(t, expected.Checks)
			files := folder(t, dir)
			got := answered(t, files)
			for _, c := range expected.Checks {
				require.NoError(t, c.holds(got))
			}
			require.NotContains(t, got, "not_understood")
			again := answered(t, files)
			require.Equal(t, got, again)
		})
	}
}

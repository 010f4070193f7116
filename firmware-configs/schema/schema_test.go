package schema

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	firmwareconfigs "github.com/thermie/thermie/firmware-configs"
	"github.com/thermie/thermie/firmware-configs/profile"
)

func everything(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	return text
}

func TestEveryMeterMatches(t *testing.T) {
	names, err := fs.Glob(firmwareconfigs.Files, "meters/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		text, err := firmwareconfigs.Files.ReadFile(name)
		require.NoError(t, err)
		if err := Check(Meter, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEverything(t *testing.T) {
	text := everything(t)
	require.NoError(t, Check(Meter, text))
	p, err := profile.Parse("everything.yaml", text)
	require.NoError(t, err)
	require.Empty(t, profile.Test(p))
}

// A mutation is a change of a document at one place.
type mutation struct {
	name string
	text []byte
	// structural mutations (unknown keys, other shapes) are refused by both.
	structural bool
}

// mutations of a document: at every mapping a key that nobody knows, every key
// taken away, and every value turned into another shape.
func mutations(t *testing.T, text []byte) (out []mutation) {
	t.Helper()
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal(text, &root))
	add := func(where, what string, structural bool) {
		b, err := yaml.Marshal(&root)
		require.NoError(t, err)
		out = append(out, mutation{where + ": " + what, b, structural})
	}
	var walk func(n *yaml.Node, where string)
	walk = func(n *yaml.Node, where string) {
		switch n.Kind {
		case yaml.MappingNode:
			whole := n.Content
			codes := strings.HasSuffix(where, "/units") || strings.HasSuffix(where, "/factors")
			if !codes {
				n.Content = append(slices.Clone(whole), &yaml.Node{Kind: yaml.ScalarNode, Value: "nonsense"}, &yaml.Node{Kind: yaml.ScalarNode, Value: "1"})
				add(where, "unknown key", true)
			}
			for i := 0; i+1 < len(whole); i += 2 {
				n.Content = slices.Delete(slices.Clone(whole), i, i+2)
				add(where, "without "+whole[i].Value, false)
			}
			n.Content = whole
			for i := 0; i+1 < len(whole); i += 2 {
				v := *whole[i+1]
				*whole[i+1] = yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "x"}, {Kind: yaml.ScalarNode, Value: "y"}}}
				add(where, whole[i].Value+" as a mapping", true)
				*whole[i+1] = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: "?"}
				add(where, whole[i].Value+` as "?"`, false)
				*whole[i+1] = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "-7"}
				add(where, whole[i].Value+" as -7", false)
				*whole[i+1] = v
				walk(whole[i+1], where+"/"+whole[i].Value)
			}
		case yaml.SequenceNode:
			for i, c := range n.Content {
				walk(c, fmt.Sprint(where, "/", i))
			}
		case yaml.DocumentNode:
			walk(n.Content[0], "")
		}
	}
	walk(&root, "")
	return out
}

// What the schema refuses, the reader refuses too; what has the wrong shape,
// both refuse.
func TestSchemaAndReaderAgree(t *testing.T) {
	refused := 0
	for _, m := range mutations(t, everything(t)) {
		bySchema := Check(Meter, m.text)
		_, byReader := profile.Parse("everything.yaml", m.text)
		if bySchema != nil {
			refused++
		}
		if bySchema != nil && byReader == nil {
			t.Errorf("%s: the schema refuses (%v), the reader takes", m.name, bySchema)
		}
		if m.structural && (bySchema == nil || byReader == nil) {
			t.Errorf("%s: schema says %v, reader says %v", m.name, bySchema, byReader)
		}
	}
	require.Greater(t, refused, 300)
}

func TestCheckSaysWhere(t *testing.T) {
	text := strings.Replace(string(everything(t)), "quantity: pulse_count, register: 200", "quantity: pulse_counts, register: 200", 1)
	err := Check(Meter, []byte(text))
	require.ErrorContains(t, err, "quantities 1 quantity")
	require.NotContains(t, err.Error(), "\n")
	require.Error(t, Check(Meter, []byte("a: &x 1\nb: *x\n")))
	require.Error(t, Check(Meter, nil))
	require.Error(t, Check("nothing", []byte("a: 1")))
}

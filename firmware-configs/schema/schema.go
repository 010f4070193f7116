// Package schema holds YAML files against the JSON Schemas of this tree
// (JSON Schema 2020-12), for people who write profiles with an editor or a
// program that knows schemas. The readers in package profile and package
// hardware are stricter where a schema cannot be: they follow references
// between keys. What a schema refuses, they refuse too; a test holds that.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"gopkg.in/yaml.v3"

	firmwareconfigs "github.com/thermie/thermie/firmware-configs"
)

// A Kind of file that has a schema.
type Kind string

// The kinds.
const (
	Meter   Kind = "meter"
	Gateway Kind = "gateway"
)

var compiled = sync.OnceValues(func() (map[Kind]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	out := map[Kind]*jsonschema.Schema{}
	for _, k := range []Kind{Meter, Gateway} {
		name := string(k) + ".schema.json"
		text, err := firmwareconfigs.Files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := c.AddResource(name, doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if out[k], err = c.Compile(name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return out, nil
})

// Check holds a YAML document against a schema. The error is one line: the
// place and what is wrong there.
func Check(k Kind, text []byte) error {
	schemas, err := compiled()
	if err != nil {
		return err
	}
	s, ok := schemas[k]
	if !ok {
		return fmt.Errorf("no schema for %q", k)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return err
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return errors.New("want one YAML document")
	}
	doc, err := plain(root.Content[0])
	if err != nil {
		return err
	}
	err = s.Validate(doc)
	var v *jsonschema.ValidationError
	if errors.As(err, &v) {
		return deepest(v)
	}
	return err
}

// deepest is the complaint that lies furthest inside the document: the others
// only repeat it on the way up, or speak of alternatives that were not meant.
func deepest(v *jsonschema.ValidationError) error {
	best := v
	var walk func(*jsonschema.ValidationError)
	walk = func(v *jsonschema.ValidationError) {
		if len(v.Causes) == 0 && (len(best.Causes) > 0 || len(v.InstanceLocation) > len(best.InstanceLocation)) {
			best = v
		}
		for _, c := range v.Causes {
			walk(c)
		}
	}
	walk(v)
	what := best.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if len(best.InstanceLocation) == 0 {
		return errors.New(what)
	}
	return fmt.Errorf("%s: %s", strings.Join(best.InstanceLocation, " "), what)
}

// plain turns a YAML node into what a JSON reader would give: numbers keep
// their digits, keys are texts (integers in decimal).
func plain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, err := plain(n.Content[i])
			if err != nil {
				return nil, err
			}
			if m[fmt.Sprint(key)], err = plain(n.Content[i+1]); err != nil {
				return nil, err
			}
		}
		return m, nil
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			var err error
			if list[i], err = plain(c); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.ScalarNode:
		var x any
		if err := n.Decode(&x); err != nil {
			return nil, fmt.Errorf("line %d: %w", n.Line, err)
		}
		switch x := x.(type) {
		case int, int64, uint64:
			return json.Number(fmt.Sprint(x)), nil
		case float64:
			return json.Number(strconv.FormatFloat(x, 'g', -1, 64)), nil
		case string, bool, nil:
			return x, nil
		}
		return n.Value, nil // dates
	}
	return nil, fmt.Errorf("line %d: anchors and aliases have no place here", n.Line)
}

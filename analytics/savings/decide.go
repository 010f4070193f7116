package savings

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"gopkg.in/yaml.v3"
)

// WithAdjustment is the body of a plan's next version: the same text, comments
// included, with one more adjustment. The body given must parse, and so does the one
// returned. Approval that stands in the file is left out: the next version needs
// its own.
func WithAdjustment(body []byte, a Adjustment) ([]byte, error) {
	p, err := ParsePlan(body)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("plan: not a mapping")
	}
	root := doc.Content[0]
	var entry yaml.Node
	if err := entry.Encode(a); err != nil {
		return nil, fmt.Errorf("plan: adjustment %s: %w", a.ID, err)
	}
	dropKey(root, "approved_by")
	dropKey(root, "approved_at")
	if v := find(root, "version"); v != nil {
		v.Value = strconv.Itoa(p.Version + 1)
	}
	list := find(root, "adjustments")
	if list == nil {
		list = &yaml.Node{Kind: yaml.SequenceNode}
		root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "adjustments"}, list)
	}
	if list.Kind != yaml.SequenceNode { // "adjustments:" with nothing behind it
		*list = yaml.Node{Kind: yaml.SequenceNode}
	}
	list.Style = 0
	list.Content = append(list.Content, &entry)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	next, err := ParsePlan(out.Bytes())
	if err != nil {
		return nil, err
	}
	if next.Version != p.Version+1 || len(next.Adjustments) != len(p.Adjustments)+1 {
		return nil, fmt.Errorf("plan of %s: version %d could not be written as the next", p.Synergy, p.Version)
	}
	return out.Bytes(), nil
}

// find is the node of a key in a mapping; nil when there is none.
func find(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func dropKey(mapping *yaml.Node, key string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = append(mapping.Content[:i], mapping.Content[i+2:]...)
			return
		}
	}
}

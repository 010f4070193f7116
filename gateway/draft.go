package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// LoadDraft reads a configuration as LoadConfig does, but lets buses be missing,
// and buses be without meters: whoever commissions a site finds them.
func LoadDraft(path string) (Config, error) { return load(path, true) }

// Complete writes meters into a configuration file: those of a bus whose id is
// there already go to it, other buses are added. Comments and all else stay. The
// file is replaced as a whole, and only if what comes out is a good configuration.
func Complete(path string, buses []Bus) error {
	text, err := readBounded(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return (&checker{file: path}).syntax(err)
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("%s: not a group of keys", path)
	}
	list, err := sequence(root.Content[0], "buses")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, b := range buses {
		if err := addBus(list, b); err != nil {
			return fmt.Errorf("%s: bus %s: %w", path, b.ID, err)
		}
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(&root), e.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return replaceFile(path, out.Bytes())
}

// sequence is the list under a key, made when it is not there or empty.
func sequence(m *yaml.Node, key string) (*yaml.Node, error) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value != key {
			continue
		}
		v := m.Content[i+1]
		if v.Kind == yaml.ScalarNode && v.Tag == "!!null" {
			*v = yaml.Node{Kind: yaml.SequenceNode}
		}
		if v.Kind != yaml.SequenceNode {
			return nil, fmt.Errorf("%s is not a list", key)
		}
		if len(v.Content) == 0 {
			v.Style = 0 // an empty list is written [], which nothing can be added to
		}
		return v, nil
	}
	v := &yaml.Node{Kind: yaml.SequenceNode}
	m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, v)
	return v, nil
}

func addBus(list *yaml.Node, b Bus) error {
	for _, n := range list.Content {
		var have Bus
		if err := n.Decode(&have); err != nil || have.ID != b.ID {
			continue
		}
		meters, err := sequence(n, "meters")
		if err != nil {
			return err
		}
		for _, m := range b.Meters {
			node := &yaml.Node{}
			if err := node.Encode(m); err != nil {
				return err
			}
			meters.Content = append(meters.Content, node)
		}
		return nil
	}
	node := &yaml.Node{}
	if err := node.Encode(b); err != nil {
		return err
	}
	list.Content = append(list.Content, node)
	return nil
}

// replaceFile puts a configuration in the place of the one that is there, once it
// is seen to be good. In a folder in which nothing may be made (/etc, for a
// service's user) the file itself is written over.
func replaceFile(path string, text []byte) error {
	if _, err := ParseConfig(path, text); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".gateway-*.yaml")
	if errors.Is(err, fs.ErrPermission) {
		return overwrite(path, text)
	}
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func overwrite(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

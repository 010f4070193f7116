package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"gopkg.in/yaml.v3"
)

// LoadDraft reads a configuration as LoadConfig does, but lets buses be missing,
// and buses be without meters: whoever commissions a site finds them.
func LoadDraft(path string) (Config, error) { return load(path, true) }

// Complete writes meters into a configuration file: those of a bus whose id is
// there already go to it, other buses are added. Comments and all else stay. The
// file is replaced as a whole, and only if what comes out is a good configuration, or
// a draft of one.
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
// is seen to be good (a draft may be). The new file has the old one's owner and
// mode; a link stays and what it points to is replaced. Where a new file cannot
// be made like the old one (/etc, for a service's user) the file itself is written
// over.
func replaceFile(path string, text []byte) error {
	if _, err := parse(path, text, true); err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(target), ".gateway-*.yaml")
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return overwrite(target, text)
	}
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	defer os.Remove(f.Name())
	if err := sameOwner(f, info); errors.Is(err, fs.ErrPermission) {
		return errors.Join(f.Close(), overwrite(target, text))
	} else if err != nil {
		return errors.Join(fmt.Errorf("configuration: %w", err), f.Close())
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return syncDir(filepath.Dir(target))
}

// sameOwner gives a file the owner of another: root must not take the
// configuration away from the service's user.
func sameOwner(f *os.File, like fs.FileInfo) error {
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	have, ok1 := mine.Sys().(*syscall.Stat_t)
	want, ok2 := like.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	return f.Chown(int(want.Uid), int(want.Gid))
}

// overwrite writes a file in its place. It is cut only afterwards: what is killed
// in the middle leaves the new text or the old one, not an empty file.
func overwrite(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Truncate(int64(len(text)))
	}
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

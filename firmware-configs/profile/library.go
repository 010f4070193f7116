package profile

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	firmwareconfigs "github.com/thermie/thermie/firmware-configs"
)

// Library is a set of profiles with different ids.
type Library struct {
	byID map[string]*Profile
	all  []*Profile // by id
}

var builtin = sync.OnceValues(func() (*Library, error) {
	meters, err := fs.Sub(firmwareconfigs.Files, "meters")
	if err != nil {
		return nil, err
	}
	return LoadDir(meters)
})

// Builtin returns the embedded profiles. They are read once; callers must not
// change them.
func Builtin() (*Library, error) { return builtin() }

// LoadDir reads every *.yaml file of a folder (not of its subfolders).
func LoadDir(fsys fs.FS) (*Library, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	l := &Library{byID: map[string]*Profile{}}
	for _, name := range names {
		p, err := load(fsys, name)
		if err != nil {
			return nil, err
		}
		l.add(p)
	}
	return l, nil
}

func load(fsys fs.FS, name string) (*Profile, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", name, err)
	}
	if info.Size() > MaxFileBytes {
		return nil, fmt.Errorf("profile %s: %d bytes, at most %d are read", name, info.Size(), MaxFileBytes)
	}
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", name, err)
	}
	return Parse(name, text)
}

func (l *Library) add(p *Profile) {
	if old, ok := l.byID[p.ID]; ok {
		l.all = slices.DeleteFunc(l.all, func(q *Profile) bool { return q == old })
	}
	l.byID[p.ID] = p
	i, _ := slices.BinarySearchFunc(l.all, p.ID, func(q *Profile, id string) int { return strings.Compare(q.ID, id) })
	l.all = slices.Insert(l.all, i, p)
}

// Over returns a library with the profiles of both; where an id is in both, own
// wins. So a site's folder of profiles stands over the embedded ones.
func (l *Library) Over(own *Library) *Library {
	sum := &Library{byID: map[string]*Profile{}}
	for _, p := range l.all {
		sum.add(p)
	}
	for _, p := range own.all {
		sum.add(p)
	}
	return sum
}

// Get returns a profile by id; the error of an unknown one names those that
// look like it.
func (l *Library) Get(id string) (*Profile, error) {
	if p, ok := l.byID[id]; ok {
		return p, nil
	}
	var near []string
	maker, _, _ := strings.Cut(id, "-")
	for _, p := range l.all {
		if len(maker) >= 3 && strings.HasPrefix(p.ID, maker) || strings.Contains(p.ID, id) && len(id) >= 3 {
			near = append(near, p.ID)
		}
	}
	if len(near) == 0 {
		return nil, fmt.Errorf("profile %q is not known", id)
	}
	return nil, fmt.Errorf("profile %q is not known; near it: %s", id, strings.Join(near, ", "))
}

// All returns every profile, by id.
func (l *Library) All() []*Profile { return slices.Clone(l.all) }

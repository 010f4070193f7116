package task

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
)

// source is a file as a task names it.
type source struct {
	name    string
	as      string            // what the task calls it: a role, a meter; "" for nothing
	columns map[string]string // the file's own names of columns, by what they are
}

var errFiles = errors.New("want a list of file names, or a map of them")

// The words by which a task may say what a column is, and the usual name of such.
var columnWords = []struct {
	usual string
	words []string
}{
	{"time", []string{"time", "timestamp", "time_column", "datetime", "date"}},
	{"value", []string{"value", "energy", "value_column", "consumption", "load"}},
	{"temperature_c", []string{"temperature", "temperature_c", "temp", "temperature_column", "outdoor_temperature"}},
	{"meter", []string{"meter_column", "meter_id"}},
	{"end", []string{"end"}},
	{"estimated", []string{"estimated"}},
}

// sources reads the key "files": a list of names or of maps with a name; or a map
// from a role, a meter or a file's name to a name, several, or what is said of it.
func sources(v json.RawMessage) ([]source, error) {
	var list []json.RawMessage
	if json.Unmarshal(v, &list) == nil {
		var out []source
		for _, one := range list {
			s, err := sourcesOf("", one)
			if err != nil {
				return nil, err
			}
			out = append(out, s...)
		}
		return out, nil
	}
	m := map[string]json.RawMessage{}
	if json.Unmarshal(v, &m) != nil {
		if string(v) == "null" {
			return nil, nil
		}
		return sourcesOf("", v)
	}
	var out []source
	for _, k := range sortedKeys(m) {
		s, err := sourcesOf(k, m[k])
		if err != nil {
			return nil, err
		}
		out = append(out, s...)
	}
	return out, nil
}

func sourcesOf(key string, v json.RawMessage) ([]source, error) {
	var name string
	if json.Unmarshal(v, &name) == nil {
		return []source{{name: name, as: key}}, nil
	}
	var names []string
	if json.Unmarshal(v, &names) == nil && key != "" {
		var out []source
		for _, n := range names { // a meter's files, or a role's
			as := key
			if _, role := roleOf(key); role == "" {
				as = key + "_" + stem(n)
			}
			out = append(out, source{name: n, as: as})
		}
		return out, nil
	}
	m := map[string]json.RawMessage{}
	if json.Unmarshal(v, &m) != nil {
		return nil, errFiles
	}
	s := source{columns: map[string]string{}}
	if strings.Contains(key, ".") {
		s.name = key
	} else {
		s.as = key
	}
	for _, k := range sortedKeys(m) {
		text := ""
		_ = json.Unmarshal(m[k], &text)
		switch k {
		case "name", "file", "path", "filename":
			s.name = text
		case "role", "period", "kind", "meter", "id":
			s.as = strings.Trim(s.as+"_"+text, "_")
		case "columns", "fields":
			s.takeColumns(m[k])
		default:
			s.column(k, text)
		}
	}
	if s.name == "" {
		return nil, errFiles
	}
	return []source{s}, nil
}

// takeColumns reads a map of what columns are to their names.
func (s *source) takeColumns(v json.RawMessage) {
	m := map[string]string{}
	if json.Unmarshal(v, &m) != nil {
		return
	}
	for _, k := range sortedKeys(m) {
		s.column(k, m[k])
	}
}

func (s *source) column(what, name string) {
	for _, w := range columnWords {
		if name != "" && slices.Contains(w.words, strings.ToLower(what)) {
			s.columns[name] = w.usual
		}
	}
}

// renamed is a CSV with the usual names in its header.
func (s *source) renamed(b []byte) []byte {
	if len(s.columns) == 0 {
		return b
	}
	head, rest, _ := bytes.Cut(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), []byte("\n"))
	sep := ","
	if bytes.Count(head, []byte(";")) > bytes.Count(head, []byte(",")) {
		sep = ";"
	}
	r := csv.NewReader(bytes.NewReader(head))
	r.Comma = rune(sep[0])
	names, err := r.Read()
	if err != nil {
		return b
	}
	for i, n := range names {
		n = strings.TrimSpace(n)
		usual, ok := s.columns[n]
		if !ok {
			continue
		}
		if usual == "temperature_c" && isFahrenheit.MatchString(n) {
			usual = "temperature_f"
		}
		names[i] = usual
	}
	return append([]byte(strings.Join(names, sep)+"\n"), rest...)
}

// stem is a file's name without folder and ending.
func stem(name string) string {
	base := path.Base(name)
	return strings.TrimSuffix(base, path.Ext(base))
}

package proof

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/thermie/thermie/calendar"
)

// Bounds of what is read from a zip of unknown origin. A zip can claim to be
// small and unpack to much more: what is unpacked is counted.
const (
	maxFiles = 4000
	maxFile  = 16 << 20 // bytes of one file in memory
	maxTotal = 64 << 20 // bytes of all of them
	// maxBatches bounds batches.bin, which is read as a stream.
	maxBatches = 64 << 30
)

// Files is the content of a zip by name.
type Files map[string][]byte

// Hash is the SHA-256 of a file in hexadecimal.
func Hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// ZipName is how a report's zip is called: "report-2026-Q3-r1.zip".
func ZipName(q calendar.Quarter, revision int) string {
	return fmt.Sprintf("report-%s-r%d.zip", q, revision)
}

// DossierName is how a dossier's zip is called: "dossier-2026-Q3-r1.zip".
func DossierName(q calendar.Quarter, revision int) string {
	return fmt.Sprintf("dossier-%s-r%d.zip", q, revision)
}

// Zip writes the files in order of their names with a fixed time, so that the
// same content gives the same bytes.
func (f Files) Zip(w io.Writer, at time.Time) error {
	z := zip.NewWriter(w)
	if err := f.zip(z, at); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write zip: %w", err)
	}
	return nil
}

func (f Files) zip(z *zip.Writer, at time.Time) error {
	for _, n := range slices.Sorted(maps.Keys(f)) {
		e, err := z.CreateHeader(&zip.FileHeader{Name: n, Method: zip.Deflate, Modified: at.UTC()})
		if err != nil {
			return fmt.Errorf("write %s: %w", n, err)
		}
		if _, err := e.Write(f[n]); err != nil {
			return fmt.Errorf("write %s: %w", n, err)
		}
	}
	return nil
}

// ReadZip reads a report's zip. Sizes are bounded; a name that leaves the
// folder, or comes twice, is refused.
func ReadZip(r io.ReaderAt, size int64) (Files, error) {
	files, batches, err := readZip(r, size)
	if err == nil && batches != nil {
		err = fmt.Errorf("read zip: %s: this is a dossier, not a report", batchesFile)
	}
	return files, err
}

// ReadDossier reads a dossier's zip, which must stay open while it is verified:
// batches.bin is read as a stream.
func ReadDossier(r io.ReaderAt, size int64) (*Dossier, error) {
	files, batches, err := readZip(r, size)
	if err == nil && batches == nil {
		err = fmt.Errorf("read zip: no %s: this is no dossier", batchesFile)
	}
	if err != nil {
		return nil, err
	}
	return &Dossier{Files: files, Batches: batches.Open}, nil
}

func readZip(r io.ReaderAt, size int64) (out Files, batches *zip.File, err error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, nil, fmt.Errorf("read zip: %w", err)
	}
	if len(z.File) > maxFiles {
		return nil, nil, fmt.Errorf("read zip: %d files, more than %d", len(z.File), maxFiles)
	}
	out = Files{}
	left := int64(maxTotal)
	for _, e := range z.File {
		_, twice := out[e.Name]
		switch {
		case !fs.ValidPath(e.Name) || e.Name == ".":
			return nil, nil, fmt.Errorf("read zip: bad name %q", e.Name)
		case twice || e.Name == batchesFile && batches != nil:
			return nil, nil, fmt.Errorf("read zip: %s is there twice", e.Name)
		case e.Name == batchesFile:
			batches = e
			continue
		}
		b, err := readEntry(e, min(maxFile, left))
		if err != nil {
			return nil, nil, fmt.Errorf("read zip: %s: %w", e.Name, err)
		}
		out[e.Name] = b
		left -= int64(len(b))
	}
	return out, batches, nil
}

func readEntry(e *zip.File, limit int64) ([]byte, error) {
	f, err := e.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, limit)
}

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return b, nil
}

// Load reads a report's files from a folder.
func Load(dir fs.FS) (Files, error) {
	f, batches, err := load(dir)
	if err == nil && batches {
		err = fmt.Errorf("%s: this is a dossier, not a report", batchesFile)
	}
	return f, err
}

// LoadDossier reads a dossier's files from a folder.
func LoadDossier(dir fs.FS) (*Dossier, error) {
	f, batches, err := load(dir)
	if err == nil && !batches {
		err = fmt.Errorf("no %s: this is no dossier", batchesFile)
	}
	if err != nil {
		return nil, err
	}
	return &Dossier{Files: f, Batches: func() (io.ReadCloser, error) { return dir.Open(batchesFile) }}, nil
}

func load(dir fs.FS) (out Files, batches bool, err error) {
	out = Files{}
	left := int64(maxTotal)
	err = fs.WalkDir(dir, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || e.IsDir():
			return err
		case name == batchesFile:
			batches = true
			return nil
		}
		f, err := dir.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		b, err := readBounded(f, min(maxFile, left))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		out[name] = b
		left -= int64(len(b))
		return nil
	})
	return out, batches, err
}

// FileHash is one line of a list of files.
type FileHash struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// hashes lists the files but those named, in order of names.
func (f Files) hashes(without ...string) []FileHash {
	var out []FileHash
	for n, b := range f {
		if !slices.Contains(without, n) {
			out = append(out, FileHash{n, Hash(b)})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// compare checks that the files are those of the list: none altered, missing or added.
func (f Files) compare(list []FileHash, without ...string) error {
	var errs []error
	listed := map[string]bool{}
	for _, l := range list {
		listed[l.Name] = true
		b, ok := f[l.Name]
		switch {
		case !ok:
			errs = append(errs, faultf("%s manque", "%s is missing", l.Name))
		case Hash(b) != l.SHA256:
			errs = append(errs, faultf("%s n’est pas le fichier scellé", "%s is not the file that was sealed", l.Name))
		}
	}
	for _, h := range f.hashes(without...) {
		if !listed[h.Name] {
			errs = append(errs, faultf("%s n’a pas été scellé", "%s was not sealed", h.Name))
		}
	}
	return errors.Join(errs...)
}

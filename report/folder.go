package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"archive/zip"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
)

// folder is where a report lies:
//
//	reports/2026-Q3-r1/
//	    report/                   the funder's files
//	    report-2026-Q3-r1.zip     the same
//	    dossier-2026-Q3-r1.zip    the verifier's dossier
//
// While it is made, the folder is called 2026-Q3-r1.work; when only the ledger's
// proof is missing, 2026-Q3-r1.sealing.
type folder struct {
	data     string
	quarter  calendar.Quarter
	revision int
}

const (
	reportsDir = "reports"
	filesDir   = "report"
	working    = ".work"
	sealing    = ".sealing"
)

// path is the folder relative to the data folder, with slashes.
func (f folder) path() string {
	return path.Join(reportsDir, fmt.Sprintf("%s-r%d", f.quarter, f.revision))
}

func (f folder) at(suffix string, parts ...string) string {
	return filepath.Join(append([]string{f.data, filepath.FromSlash(f.path()) + suffix}, parts...)...)
}

func exists(name string) (bool, error) {
	_, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// named says whether the folder has its name.
func (f folder) named() (bool, error) { return exists(f.at("")) }

// begun says whether a report was prepared and not finished.
func (f folder) begun() (bool, error) {
	if yes, err := f.named(); yes || err != nil {
		return yes, err
	}
	return exists(f.at(sealing))
}

// start makes an empty folder to work in.
func (f folder) start() error {
	if err := os.RemoveAll(f.at(working)); err != nil {
		return err
	}
	return os.MkdirAll(f.at(working, filesDir), 0o700)
}

// write makes a file durable.
func write(name string, fill func(w io.Writer) error) error {
	w, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = fill(w)
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

func writeBytes(name string, b []byte) error {
	return write(name, func(w io.Writer) error { _, err := w.Write(b); return err })
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// rename gives the folder another suffix, durably.
func (f folder) rename(from, to string) error {
	for _, d := range []string{f.at(from, filesDir), f.at(from)} {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	if err := os.Rename(f.at(from), f.at(to)); err != nil {
		return err
	}
	return syncDir(filepath.Join(f.data, reportsDir))
}

// put writes the prepared files and marks the folder as ready for the ledger.
func (f folder) put(files proof.Files) error {
	for n, b := range files {
		if err := writeBytes(f.at(working, filesDir, n), b); err != nil {
			return err
		}
	}
	return f.rename(working, sealing)
}

// files reads the funder's files.
func (f folder) files() (proof.Files, error) {
	dir := f.at(sealing, filesDir)
	if named, err := f.named(); err != nil {
		return nil, err
	} else if named {
		dir = f.at("", filesDir)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := proof.Files{}
	for _, e := range list {
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// name writes what the ledger added and gives the folder its name.
func (f folder) name(files proof.Files, at time.Time) error {
	for n, b := range files {
		if err := writeBytes(f.at(sealing, filesDir, n), b); err != nil {
			return err
		}
	}
	err := write(f.at(sealing, proof.ZipName(f.quarter, f.revision)), func(w io.Writer) error { return files.Zip(w, at) })
	if err != nil {
		return err
	}
	return f.rename(sealing, "")
}

// Bundles opens the packages of closed quarters in a data folder.
type Bundles struct{ Data string }

// Bundle is the funder's package: the files of the report's zip.
func (b Bundles) Bundle(_ context.Context, r registry.Report) (fs.FS, error) {
	f, err := b.folder(r)
	if err != nil {
		return nil, err
	}
	dir := f.at("", filesDir)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("report of %s, revision %d: %w", r.Quarter, r.Revision, err)
	}
	return os.DirFS(dir), nil
}

// Dossier is the verifier's package: the files of the dossier's zip.
func (b Bundles) Dossier(_ context.Context, r registry.Report) (fs.FS, error) {
	f, err := b.folder(r)
	if err != nil {
		return nil, err
	}
	name := f.at("", proof.DossierName(r.Quarter, r.Revision))
	if _, err := os.Stat(name); err != nil {
		return nil, fmt.Errorf("dossier of %s, revision %d: %w", r.Quarter, r.Revision, err)
	}
	return zipFS(name), nil
}

// folder finds a report's folder; its recorded path is not trusted with more.
func (b Bundles) folder(r registry.Report) (folder, error) {
	f := folder{data: b.Data, quarter: r.Quarter, revision: r.Revision}
	if r.Path != f.path() {
		return f, fmt.Errorf("report of %s, revision %d: recorded at %q, want %q", r.Quarter, r.Revision, r.Path, f.path())
	}
	return f, nil
}

// zipFS is the content of a zip file; it holds the file open only while one of
// its own is.
type zipFS string

// Open opens a file of the zip.
func (z zipFS) Open(name string) (fs.File, error) {
	r, err := zip.OpenReader(string(z))
	if err != nil {
		return nil, err
	}
	f, err := r.Open(name)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if d, ok := f.(fs.ReadDirFile); ok {
		return zipDir{d, r}, nil
	}
	return zipFile{f, r}, nil
}

type zipFile struct {
	fs.File
	zip io.Closer
}

// Close closes the file and the zip.
func (f zipFile) Close() error { return errors.Join(f.File.Close(), f.zip.Close()) }

type zipDir struct {
	fs.ReadDirFile
	zip io.Closer
}

// Close closes the folder and the zip.
func (f zipDir) Close() error { return errors.Join(f.ReadDirFile.Close(), f.zip.Close()) }

// PublishKeys writes keys.json, the public keys that a programme publishes, to
// <data>/keys/keys.json.
func PublishKeys(data string, k proof.Keys) error {
	b, err := k.File()
	if err != nil {
		return fmt.Errorf("public keys: %w", err)
	}
	name := filepath.Join(data, "keys", "keys.json")
	if old, err := os.ReadFile(name); err == nil && string(old) == string(b) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("public keys: %w", err)
	}
	tmp := fmt.Sprintf("%s.%d.tmp", name, os.Getpid()) // several processes may do this at once
	if err := writeBytes(tmp, b); err != nil {
		return fmt.Errorf("public keys: %w", err)
	}
	if err := errors.Join(os.Chmod(tmp, 0o644), os.Rename(tmp, name)); err != nil {
		return fmt.Errorf("public keys: %w", err)
	}
	return nil
}

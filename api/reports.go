package api

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/proof"
	"github.com/thermie/thermie/registry"
)

// reportFiles are the files of a sealed report that can be asked for by name,
// with their media types. Nothing else is ever opened by a name from outside.
var reportFiles = map[string]string{
	"report.json":    "application/json",
	"report.csv":     "text/csv; charset=utf-8",
	"report.fr.html": "text/html; charset=utf-8",
	"report.en.html": "text/html; charset=utf-8",
	"leaf.cose":      "application/cose",
	"proof.txt":      "text/plain; charset=utf-8",
	"keys.json":      "application/json",
}

// reportZip holds all files of a report; it is made on the way out.
const reportZip = "report.zip"

// dossierTime is how long sending a dossier may take: it can be large and the
// line thin.
const dossierTime = time.Hour

type reportsPage struct {
	Quarters []sealedQuarter
	Verify   bool
	SeenBy   string
}

// sealedQuarter is a closed quarter with its last revision first.
type sealedQuarter struct {
	Key, Name string
	Last      revision
	Earlier   []revision
}

type revision struct {
	Title, Sealed, Reason, Ledger, Hash, Replaced string
	Read, JSON, CSV, Zip, Dossier                 string // addresses
	Available                                     bool
}

func showReports(v *visit) error {
	list, err := v.s.o.Registry.Reports(v.Request().Context())
	if err != nil {
		return err
	}
	p := reportsPage{SeenBy: v.seenBy(access.SeeReports, ""), Verify: len(list) > 0}
	for _, r := range list {
		x := v.revision(r)
		if n := len(p.Quarters); n > 0 && p.Quarters[n-1].Key == r.Quarter.String() {
			last := &p.Quarters[n-1]
			newer := r.Revision + 1
			x.Replaced = v.t("reports.replaced", v.lang.Number(float64(newer), 0))
			last.Earlier = append(last.Earlier, x)
			continue
		}
		p.Quarters = append(p.Quarters, sealedQuarter{Key: r.Quarter.String(), Name: v.lang.Quarter(r.Quarter), Last: x})
	}
	return v.page(http.StatusOK, "reports", v.t("nav.reports"), p)
}

func (v *visit) revision(r registry.Report) revision {
	n := v.lang.Number(float64(r.Revision), 0)
	x := revision{Title: v.t("reports.revision", n), Sealed: v.t("reports.sealed", v.lang.Moment(r.SealedAt), v.sealer(r.SealedBy)), Reason: v.lang.Set(r.Reason),
		Ledger: v.t("reports.ledger", v.lang.Number(float64(r.LedgerIndex), 0)), Hash: r.Hash}
	if v.s.o.Bundles == nil {
		return x
	}
	if _, err := v.s.o.Bundles.Bundle(v.Request().Context(), r); err != nil {
		v.s.o.Log.Warn("dashboard: files of a sealed report", "quarter", r.Quarter, "revision", r.Revision, "error", err)
		return x
	}
	at := func(file string) string {
		return "/reports/" + r.Quarter.String() + "/" + file + "?revision=" + strconv.Itoa(r.Revision)
	}
	x.Available = true
	if r.Reason != "" {
		// The report has its reason in both languages.
		if sealed, err := v.readReport(r); err == nil && sealed.Reason.FR != "" {
			x.Reason = v.lang.Of(sealed.Reason)
		}
	}
	x.Read, x.JSON, x.CSV, x.Zip = at("report."+string(v.lang)+".html"), at("report.json"), at("report.csv"), at(reportZip)
	if v.may(access.SeeDossier, "") {
		x.Dossier = "/dossiers/" + r.Quarter.String() + "?revision=" + strconv.Itoa(r.Revision)
	}
	return x
}

// sealer names who sealed: the programme's server seals by itself.
func (v *visit) sealer(by string) string {
	if by == "" || by == "server" {
		return v.t("reports.server")
	}
	return by
}

// report finds the report that an address names: the quarter's last revision
// unless ?revision= says another.
func (v *visit) report() (registry.Report, error) {
	var none registry.Report
	q, err := calendar.ParseQuarter(v.Param("quarter"))
	if err != nil || v.s.o.Bundles == nil {
		return none, errNotFound
	}
	list, err := v.s.o.Registry.Reports(v.Request().Context())
	if err != nil {
		return none, err
	}
	wanted := v.QueryParam("revision")
	i := slices.IndexFunc(list, func(r registry.Report) bool {
		return r.Quarter == q && (wanted == "" || wanted == strconv.Itoa(r.Revision))
	})
	if i < 0 {
		return none, errNotFound
	}
	return list[i], nil
}

func downloadReport(v *visit) error {
	name := v.Param("file")
	kind, known := reportFiles[name]
	if !known && name != reportZip {
		return errNotFound
	}
	r, err := v.report()
	if err != nil {
		return err
	}
	files, err := v.s.o.Bundles.Bundle(v.Request().Context(), r)
	if err != nil {
		return v.noFiles(r, err)
	}
	if name == reportZip {
		return v.sendReportZip(r, files)
	}
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return v.noFiles(r, err)
	}
	h := v.Response().Header()
	h.Set("Content-Disposition", attachment(fmt.Sprintf("%s-r%d-%s", r.Quarter, r.Revision, name)))
	if name == "report.fr.html" || name == "report.en.html" {
		// The page as it was sealed: its own styles, and nothing that runs.
		h.Set("Content-Disposition", "inline")
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	}
	return v.Blob(http.StatusOK, kind, b)
}

func attachment(name string) string { return fmt.Sprintf("attachment; filename=%q", name) }

// noFiles says that a report is known and its files are not there.
func (v *visit) noFiles(r registry.Report, err error) error {
	v.s.o.Log.Warn("dashboard: files of a sealed report", "quarter", r.Quarter, "revision", r.Revision, "error", err)
	if errors.Is(err, fs.ErrNotExist) {
		return problem{http.StatusNotFound, v.t("reports.unavailable")}
	}
	return err
}

// bundle reads all files of a report.
func bundle(files fs.FS) (proof.Files, error) {
	list, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	out := proof.Files{}
	for _, e := range list {
		if !e.Type().IsRegular() {
			continue
		}
		if out[e.Name()], err = fs.ReadFile(files, e.Name()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (v *visit) sendReportZip(r registry.Report, files fs.FS) error {
	all, err := bundle(files)
	if err != nil {
		return v.noFiles(r, err)
	}
	var b bytes.Buffer
	if err := all.Zip(&b, r.SealedAt); err != nil {
		return err
	}
	v.Response().Header().Set("Content-Disposition", attachment(proof.ZipName(r.Quarter, r.Revision)))
	return v.Blob(http.StatusOK, "application/zip", b.Bytes())
}

// downloadDossier streams the verifier's dossier: every signed batch of the
// quarter is in it.
func downloadDossier(v *visit) error {
	r, err := v.report()
	if err != nil {
		return err
	}
	files, err := v.s.o.Bundles.Dossier(v.Request().Context(), r)
	if err != nil {
		return v.noFiles(r, err)
	}
	names, err := dossierNames(files)
	if err != nil {
		return v.noFiles(r, err)
	}
	control := http.NewResponseController(v.Response())
	if err := control.SetWriteDeadline(v.s.o.Clock().Add(dossierTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	h := v.Response().Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", attachment(proof.DossierName(r.Quarter, r.Revision)))
	v.Response().WriteHeader(http.StatusOK)
	return writeZip(v.Response(), files, names, r.SealedAt)
}

func dossierNames(files fs.FS) (names []string, err error) {
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	return names, err
}

func writeZip(w io.Writer, files fs.FS, names []string, at time.Time) error {
	z := zip.NewWriter(w)
	for _, n := range names {
		if err := addToZip(z, files, n, at); err != nil {
			return fmt.Errorf("zip %s: %w", n, err)
		}
	}
	return z.Close()
}

func addToZip(z *zip.Writer, files fs.FS, name string, at time.Time) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	method := zip.Deflate
	if name == "batches.bin" {
		method = zip.Store // batches are compressed already
	}
	e, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: at.UTC()})
	if err != nil {
		return err
	}
	_, err = io.Copy(e, f)
	return err
}

type verifyPage struct {
	Zip, ZipName, Command, DossierCommand, DossierHref, Title string
	Keys                                                      []pair
	Steps                                                     []verifyStep
	Verified                                                  bool
}

type verifyStep struct {
	Name, Detail string
	State        state
}

// showVerify says how to verify a report without trusting this server, and
// shows what one should find.
func showVerify(v *visit) error {
	list, err := v.s.o.Registry.Reports(v.Request().Context())
	if err != nil {
		return err
	}
	p := verifyPage{ZipName: "report.zip"}
	if len(list) > 0 && v.s.o.Bundles != nil {
		r := list[0]
		files, err := v.s.o.Bundles.Bundle(v.Request().Context(), r)
		var all proof.Files
		if err == nil {
			all, err = bundle(files)
		}
		if err != nil {
			v.s.o.Log.Warn("dashboard: files of a sealed report", "quarter", r.Quarter, "revision", r.Revision, "error", err)
		} else {
			p.Title = v.lang.Quarter(r.Quarter) + ", " + v.t("reports.revision", v.lang.Number(float64(r.Revision), 0))
			p.ZipName = proof.ZipName(r.Quarter, r.Revision)
			p.Zip = fmt.Sprintf("/reports/%s/%s?revision=%d", r.Quarter, reportZip, r.Revision)
			v.verdict(&p, all)
		}
		if v.may(access.SeeDossier, "") && p.Zip != "" {
			dossier := proof.DossierName(r.Quarter, r.Revision)
			p.DossierHref = fmt.Sprintf("/dossiers/%s?revision=%d", r.Quarter, r.Revision)
			p.DossierCommand = "thermie-verify --keys keys.json --dossier " + dossier + " " + p.ZipName
		}
	}
	p.Command = "thermie-verify --keys keys.json " + p.ZipName
	return v.page(http.StatusOK, "verify", v.t("verify.title"), p)
}

func (v *visit) verdict(p *verifyPage, files proof.Files) {
	found := proof.VerifyReport(files, nil)
	p.Verified = found.OK()
	for _, s := range found.Steps {
		x := verifyStep{Name: v.lang.Of(s.Name), Detail: s.Detail, State: state{"good", v.t("verify.ok"), ""}}
		if !s.OK {
			x.State = state{"missing", v.t("verify.failed"), ""}
		}
		p.Steps = append(p.Steps, x)
	}
	p.Keys = []pair{{v.t("verify.origin"), found.Keys.Origin}, {v.t("verify.key_ledger"), base64Of(found.Keys.Ledger)}, {v.t("verify.key_server"), base64Of(found.Keys.Server)}}
}

package api

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/words"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/export"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

// Downloads of readings: what `thermie export` writes, for the person who asks. The
// file is made while it is sent, so that its size does not matter, and an answer that
// breaks off is cut, never ended as if it were whole.

const (
	// exportsAtOnce bounds how many are made at a time.
	exportsAtOnce = 4
	// exportLasts is how long one may take.
	exportLasts = time.Hour
	// maxPatterns of one question, and their length.
	maxPatterns = 50
	maxPattern  = 200
)

// exportPath is told apart where answers are compressed.
const exportPath = "/api/v1/export"

// exportFormats are the file formats with their media types and endings.
var exportFormats = map[string]struct {
	mediaType, ending string
	style             export.Style
}{
	"csv":     {"text/csv; charset=utf-8", "csv", export.International},
	"csv-fr":  {"text/csv; charset=utf-8", "csv", export.French},
	"parquet": {"application/vnd.apache.parquet", "parquet", export.Style{}},
}

// exportReadings streams a file of the series that are asked for and that the person
// may read. Who may read the last days only gets them when no older ones are asked for.
func exportReadings(v *visit) error {
	f, format, err := v.exportFile()
	if err != nil {
		return err
	}
	if len(f.Series) == 0 {
		return errNotFound
	}
	select {
	case v.s.exports <- struct{}{}:
		defer func() { <-v.s.exports }()
	default:
		v.Response().Header().Set("Retry-After", "60")
		return problem{http.StatusServiceUnavailable, v.t("problem.exports")}
	}
	ctx := v.Request().Context()
	err = v.s.o.Registry.Audit(ctx, registry.Act{Who: v.person.Email, What: "export", Subject: fmt.Sprintf("%d series, %s to %s",
		len(f.Series), f.From.UTC().Format(time.RFC3339), f.To.UTC().Format(time.RFC3339))})
	if err != nil {
		return err
	}
	file := exportFormats[format]
	h := v.Response().Header()
	h.Set(echo.HeaderContentType, file.mediaType)
	h.Set(echo.HeaderContentDisposition, mime.FormatMediaType("attachment", map[string]string{"filename": exportName(f, file.ending)}))
	// A large file takes longer than a page may.
	if err := http.NewResponseController(v.Response().Writer).SetWriteDeadline(time.Now().Add(exportLasts)); err != nil {
		v.s.o.Log.Debug("dashboard: export without a deadline of its own", "error", err)
	}
	v.Response().WriteHeader(http.StatusOK)
	if format == "parquet" {
		err = export.Parquet(ctx, v.Response(), v.s.o.Series, v.scope, f)
	} else {
		err = v.exportCSV(v.Response(), f, format)
	}
	if err != nil {
		v.s.o.Log.Warn("dashboard: export cut off", "error", err)
		panic(http.ErrAbortHandler) // the reader must see that something is missing
	}
	return nil
}

// exportCSV begins a file for French spreadsheets with the mark by which they know
// that it is UTF-8.
func (v *visit) exportCSV(out io.Writer, f export.File, format string) error {
	if format == "csv-fr" {
		if _, err := io.WriteString(out, "\ufeff"); err != nil {
			return err
		}
	}
	return export.CSV(v.Request().Context(), out, v.s.o.Series, v.scope, f, exportFormats[format].style)
}

func exportName(f export.File, ending string) string {
	return fmt.Sprintf("thermie-%s-%s-%s.%s", f.From.In(calendar.Paris).Format("20060102"), f.To.In(calendar.Paris).Format("20060102"), f.Step, ending)
}

// exportFile reads the question.
func (v *visit) exportFile() (f export.File, format string, err error) {
	now := v.s.o.Clock()
	p, err := v.period(now.Add(-maxPointDays*24*time.Hour), now, 0)
	if err != nil {
		return f, "", err
	}
	q := v.Request().URL.Query()
	if format = q.Get("format"); format == "" {
		format = "csv"
	}
	if _, ok := exportFormats[format]; !ok {
		return f, "", problem{http.StatusBadRequest, v.t("problem.export_format", format)}
	}
	step := q.Get("every")
	if step == "" {
		step = string(export.Readings)
	}
	f = export.File{Territory: v.s.o.Territory.FR, Made: now, For: v.scope.String(), From: p.from, To: p.to}
	if f.Step, err = export.ParseStep(step); err != nil {
		return f, "", problem{http.StatusBadRequest, v.t("problem.export_every", step)}
	}
	patterns := q["series"]
	for _, x := range patterns {
		if _, err := path.Match(x, "x"); err != nil || len(x) > maxPattern || len(patterns) > maxPatterns {
			return f, "", problem{http.StatusBadRequest, v.t("problem.export_series", x)}
		}
	}
	about, err := v.aboutSeries()
	if err != nil {
		return f, "", err
	}
	if f.Series, err = export.Choose(v.Request().Context(), v.s.o.Series, v.scope, patterns, about); err != nil {
		return f, "", err
	}
	meters, err := v.members()
	if err != nil {
		return f, "", err
	}
	owner := map[string]string{}
	for _, m := range meters.meters {
		owner[m.ID] = m.Company
	}
	meter, company := q.Get("meter"), q.Get("company")
	recent := p.from.Before(now.Add(-access.RecentDays * 24 * time.Hour))
	f.Series = slices.DeleteFunc(f.Series, func(x export.Series) bool {
		id := x.ID.Meter()
		return meter != "" && id != meter || company != "" && owner[id] != company || recent && !v.may(access.SeeHistory, id)
	})
	return f, format, nil
}

// aboutSeries tells of each series what files say of it.
func (v *visit) aboutSeries() (func(metering.SeriesID) export.About, error) {
	m, err := v.members()
	if err != nil {
		return nil, err
	}
	imported, err := v.s.o.Registry.ImportedSpans(v.Request().Context())
	return export.Describe(m.meters, imported, v.s.o.Synthetic, func(company string) bool { return v.may(access.SeeMeters, company) }), err
}

// importedSpans are the stretches of a meter's series that came from files.
func (v *visit) importedSpans(meter string) ([]registry.ImportedSpan, error) {
	all, err := v.s.o.Registry.ImportedSpans(v.Request().Context())
	return slices.DeleteFunc(all, func(x registry.ImportedSpan) bool { return x.Series.Meter() != meter }), err
}

// importedWords says from when to when a meter's readings were imported; "" for
// never.
func (v *visit) importedWords(meter string) (string, error) {
	spans, err := v.importedSpans(meter)
	if err != nil || len(spans) == 0 {
		return "", err
	}
	var said []string
	for _, x := range spans {
		text := v.t("meter.imported_span", v.lang.ShortDate(x.From), v.lang.ShortDate(x.To), x.By)
		if !slices.Contains(said, text) {
			said = append(said, text)
		}
	}
	return strings.Join(said, v.t("sep")), nil
}

// download is the form by which readings are taken away.
type download struct {
	Meter, Company string
	From, To       string
	Steps, Formats []choice
}

func (v *visit) download(meter, company string) *download {
	now, days := v.s.o.Clock().In(calendar.Paris), maxPointDays
	if meter != "" && !v.may(access.SeeHistory, meter) {
		days = access.RecentDays - 1
	}
	d := &download{Meter: meter, Company: company, From: now.AddDate(0, 0, -days).Format(time.DateOnly), To: now.AddDate(0, 0, 1).Format(time.DateOnly)}
	for _, s := range []export.Step{export.Readings, export.TenMinutes, export.Hours, export.Days} {
		d.Steps = append(d.Steps, choice{Key: string(s), Name: v.t("export.every." + string(s))})
	}
	formats := []string{"csv-fr", "csv", "parquet"}
	if v.lang == words.EN {
		formats = []string{"csv", "csv-fr", "parquet"}
	}
	for _, f := range formats {
		d.Formats = append(d.Formats, choice{Key: f, Name: v.t("export.format." + f)})
	}
	return d
}

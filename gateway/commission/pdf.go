package commission

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"github.com/thermie/thermie/commissioning"
)

// Measures of a page, in millimetres: A4 with its margins.
const (
	margin  = 18.0
	width   = 210 - 2*margin
	rowHigh = 5.0
)

// sheet is a PDF under way. Its core fonts have the characters of Windows-1252,
// which French and English need.
type sheet struct {
	*fpdf.Fpdf
	tr func(string) string
	t  map[string]string

	language string
}

// PDF makes the page for people of a sealed record. It is the same bytes each
// time, and names the digest of the signed file; what counts is that file.
func PDF(sealed []byte) ([]byte, error) {
	r, err := commissioning.Open(sealed)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(Languages, r.Language) {
		return nil, fmt.Errorf("commissioning record: language %q is none of %v", r.Language, Languages)
	}
	doc := fpdf.New("P", "mm", "A4", "")
	s := &sheet{Fpdf: doc, tr: doc.UnicodeTranslatorFromDescriptor(""), t: words[r.Language], language: r.Language}
	doc.SetCatalogSort(true)
	doc.SetCreationDate(r.Signed)
	doc.SetModificationDate(r.Signed)
	doc.SetTitle(s.t["title"]+" "+r.Gateway, true)
	doc.SetAuthor(r.Installer, true)
	doc.SetLang(r.Language)
	doc.SetMargins(margin, margin, margin)
	doc.SetAutoPageBreak(true, margin+6)
	doc.AliasNbPages("{pages}")
	doc.SetFooterFunc(func() {
		doc.SetY(-margin)
		doc.SetFont("Helvetica", "", 7.5)
		doc.CellFormat(width/2, 4, s.tr(r.Gateway+", "+moment(r.Signed)), "", 0, "L", false, 0, "")
		doc.CellFormat(width/2, 4, s.tr(fmt.Sprintf(s.t["page"], doc.PageNo(), "{pages}")), "", 0, "R", false, 0, "")
	})
	doc.AddPage()
	s.head(r)
	for _, m := range r.Meters {
		s.meter(m)
	}
	s.end(r, sealed)
	var out bytes.Buffer
	if err := doc.Output(&out); err != nil {
		return nil, fmt.Errorf("commissioning record of %s: PDF: %w", r.Gateway, err)
	}
	return out.Bytes(), nil
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

func (s *sheet) font(style string, size float64) { s.SetFont("Helvetica", style, size) }

// text writes a paragraph.
func (s *sheet) text(style string, size float64, words string) {
	s.font(style, size)
	s.MultiCell(width, size*0.45, s.tr(words), "", "L", false)
}

// fact is a name and what stands behind it.
func (s *sheet) fact(name, what string) {
	if what == "" {
		return
	}
	s.font("B", 9)
	s.CellFormat(48, rowHigh, s.tr(name), "", 0, "L", false, 0, "")
	s.font("", 9)
	s.MultiCell(width-48, rowHigh, s.tr(what), "", "L", false)
}

func (s *sheet) head(r commissioning.Record) {
	s.text("B", 17, s.t["title"])
	s.Ln(2)
	if note := s.t[r.Origin]; note != "" {
		s.SetFillColor(255, 243, 205)
		s.font("B", 9)
		s.MultiCell(width, 6, s.tr(note), "", "L", true)
		s.Ln(2)
	}
	clock := s.t["synchronised"]
	if !r.ClockSynchronised {
		clock = s.t["loose"]
	}
	s.fact(s.t["gateway"], r.Gateway)
	s.fact(s.t["territory"], r.Territory)
	s.fact(s.t["installer"], r.Installer)
	s.fact(s.t["company"], r.Company)
	s.fact(s.t["started"], moment(r.Started))
	s.fact(s.t["signed"], moment(r.Signed))
	s.fact(s.t["clock"], clock)
	s.fact(s.t["version"], r.Version)
	s.fact(s.t["key"], r.Key)
	s.fact(s.t["config"], r.Config)
	for _, b := range r.Buses {
		s.fact(s.t["buses"], fmt.Sprintf("%s, %s, %s %s %%", b.ID, b.Endpoint, s.t["forecast"], strings.Replace(fmt.Sprintf("%.1f", 100*b.Load), ".", s.comma(), 1)))
	}
	c := count(r)
	s.Ln(1)
	s.text("", 9.5, strings.TrimSpace(fmt.Sprintf(s.t["summary"], c.meters, c.accepted, c.doubtful, c.differing, c.uncompared)))
	state := s.t["complete"]
	if c.accepted < c.meters || c.doubtful > 0 || c.differing > 0 {
		state = s.t["open"]
	}
	s.text("B", 9.5, state)
}

func (s *sheet) comma() string {
	if s.language == "fr" {
		return ","
	}
	return "."
}

func (s *sheet) meter(m commissioning.Meter) {
	if s.GetY() > 240 {
		s.AddPage()
	}
	s.Ln(4)
	state := s.t["accepted"]
	if !m.Accepted {
		state = s.t["refused"]
	}
	s.text("B", 12, m.ID+", "+state)
	where := fmt.Sprintf("bus %s, %s %d", m.Bus, s.t["unit"], m.Unit)
	if m.Channel > 0 {
		where += fmt.Sprintf(", %s %d", s.t["channel"], m.Channel)
	}
	about := []string{m.Maker + ", " + where, fmt.Sprintf("%s %s (%s%s%s)", s.t["profile"], m.Profile, s.t["trust"], s.t["colon"], m.Trust),
		fmt.Sprintf("%s %d ms", s.t["latency"], m.Latency.Milliseconds())}
	for _, what := range slices.Sorted(maps.Keys(m.Identity)) {
		name := s.t["identity_"+what]
		if name == "" {
			name = what
		}
		about = append(about, name+" "+m.Identity[what])
	}
	s.text("", 8.5, strings.Join(about, s.t["semi"]))
	if m.Error != "" {
		s.text("B", 9, m.Error)
	}
	if len(m.Readings) > 0 {
		s.readings(m.Readings)
	}
	if c := m.Comparison; c != nil {
		verdict := s.t["ok"]
		if !c.Agrees {
			verdict = s.t["not_ok"]
		}
		s.text("B", 9, strings.Join([]string{fmt.Sprint(s.t["display"], " (", c.Quantity.Name().In(s.language), ")", s.t["colon"], c.Display),
			fmt.Sprint(s.t["read"], s.t["colon"], strings.Replace(c.Read, ".", s.comma(), 1), " ", c.Unit), verdict}, s.t["semi"]))
	} else if m.Error == "" {
		s.text("I", 9, s.t["not_compared"])
	}
	if m.Remark != "" {
		s.text("I", 9, s.t["remark"]+s.t["colon"]+m.Remark)
	}
}

// columns of the table of readings, in millimetres.
var columns = []float64{46, 36, 14, width - 96}

func (s *sheet) readings(list []commissioning.Reading) {
	s.Ln(1)
	s.font("B", 8)
	for i, name := range []string{s.t["quantity"], s.t["reading"], "", s.t["judgement"]} {
		align := "L"
		if i == 1 {
			align = "R"
		}
		s.CellFormat(columns[i], rowHigh, s.tr(name), "B", 0, align, false, 0, "")
	}
	s.Ln(rowHigh)
	for _, r := range list {
		s.font("", 8)
		verdict := s.t["ok"]
		if !r.OK {
			s.font("B", 8)
			verdict = s.t["not_ok"]
		}
		if r.Judgement != "" {
			verdict += s.t["colon"] + r.Judgement
		}
		s.CellFormat(columns[0], rowHigh, s.tr(r.Quantity.Name().In(s.language)), "", 0, "L", false, 0, "")
		s.CellFormat(columns[1], rowHigh, s.tr(strings.Replace(r.Number, ".", s.comma(), 1)), "", 0, "R", false, 0, "")
		s.CellFormat(columns[2], rowHigh, s.tr(" "+string(r.Unit)), "", 0, "L", false, 0, "")
		s.MultiCell(columns[3], rowHigh, s.tr(verdict), "", "L", false)
	}
	s.Ln(1)
}

func (s *sheet) end(r commissioning.Record, sealed []byte) {
	if s.GetY() > 225 {
		s.AddPage()
	}
	s.Ln(5)
	if r.Remarks != "" {
		s.fact(s.t["remarks"], r.Remarks)
	}
	s.fact(s.t["file"], "SHA-256 "+commissioning.Digest(sealed))
	s.fact(s.t["signature"], commissioning.Signature(sealed))
	s.Ln(3)
	s.text("", 9, s.t["hand"])
	s.Rect(margin, s.GetY()+2, 80, 22, "D")
	s.Ln(26)
}

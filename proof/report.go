package proof

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// Format is the version of the report's format.
const Format = "thermie.report/1"

// Report is report.json: the indicators of one closed quarter, after disclosure
// control.
type Report struct {
	Format     string           `json:"format"`
	Territory  string           `json:"territory"`
	Name       metering.Text    `json:"name"`
	Synthetic  bool             `json:"synthetic"` // made by a simulator: proves nothing about the world
	Quarter    calendar.Quarter `json:"quarter"`
	From       time.Time        `json:"from"`
	To         time.Time        `json:"to"` // exclusive
	Revision   int              `json:"revision"`
	Reason     metering.Text    `json:"reason,omitzero"` // of a revision
	SealedAt   time.Time        `json:"sealed_at"`
	SealedBy   string           `json:"sealed_by"`
	Code       string           `json:"code"`        // version of the program that computed
	FactorSet  string           `json:"factor_set"`  // id@version#hash
	LedgerSize uint64           `json:"ledger_size"` // the figures rest on leaves before this one
	Synergies  int              `json:"synergies"`   // implemented in the quarter
	Companies  int              `json:"companies"`   // taking part in them
	Cells      []Cell           `json:"cells"`
	Notes      []metering.Text  `json:"notes,omitempty"`
}

// Cell is one printed figure: an indicator for one theme, or for all.
type Cell struct {
	Indicator metering.Indicator `json:"indicator"`
	Theme     string             `json:"theme"` // "all", or a resource: heat, water, material ...
	// Suppressed names the rule of disclosure control that withholds the figure;
	// then all that follows is zero.
	Suppressed   string  `json:"suppressed,omitempty"`
	Contributors int     `json:"contributors"` // holdings
	Amount       float64 `json:"amount"`
	Half90       float64 `json:"half90"`
	Coverage     float64 `json:"coverage"`
	Measured     float64 `json:"measured"` // the parts of Amount by class
	Calculated   float64 `json:"calculated"`
	Declared     float64 `json:"declared"`
}

// Cell returns the cell of an indicator and a theme; ok is false when there is none.
func (r *Report) Cell(i metering.Indicator, theme string) (c Cell, ok bool) {
	for _, c := range r.Cells {
		if c.Indicator == i && c.Theme == theme {
			return c, true
		}
	}
	return Cell{}, false
}

// JSON is the report's bytes, the same for the same report.
func (r *Report) JSON() ([]byte, error) { return canonical(r) }

func canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return b.Bytes(), nil
}

var csvHeader = []string{"quarter", "revision", "indicator", "theme", "amount", "half90", "coverage", "measured", "calculated", "declared", "contributors", "suppressed", "synthetic"}

// CSV is the report as RFC 4180 lines; numbers in full precision with a point.
func (r *Report) CSV() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write(csvHeader) // to a buffer: never fails
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	for _, c := range r.Cells {
		line := []string{r.Quarter.String(), strconv.Itoa(r.Revision), string(c.Indicator), c.Theme}
		if c.Suppressed != "" {
			line = append(line, "", "", "", "", "", "", "")
		} else {
			line = append(line, number(c.Amount), number(c.Half90), number(c.Coverage), number(c.Measured), number(c.Calculated), number(c.Declared), strconv.Itoa(c.Contributors))
		}
		w.Write(append(line, c.Suppressed, strconv.FormatBool(r.Synthetic)))
	}
	w.Flush()
	return b.Bytes()
}

// Check refuses a report that contradicts itself.
func (r *Report) Check() error {
	if r.Format != Format {
		return fmt.Errorf("report: format %q, this program reads %q", r.Format, Format)
	}
	if !r.From.Equal(r.Quarter.Start()) || !r.To.Equal(r.Quarter.End()) {
		return fmt.Errorf("report: %s runs from %s to %s, not from %s to %s", r.Quarter, r.Quarter.Start(), r.Quarter.End(), r.From, r.To)
	}
	seen := map[string]bool{}
	for _, c := range r.Cells {
		key := string(c.Indicator) + " for " + c.Theme
		if seen[key] {
			return fmt.Errorf("report: %s is there twice", key)
		}
		seen[key] = true
		if c.Suppressed != "" && c != (Cell{Indicator: c.Indicator, Theme: c.Theme, Suppressed: c.Suppressed}) {
			return fmt.Errorf("report: %s is suppressed and yet has figures", key)
		}
		// The parts were summed in another order than the whole: equal to the last digits.
		if sum := c.Measured + c.Calculated + c.Declared; !close9(sum, c.Amount) {
			return fmt.Errorf("report: %s: the parts by class add up to %v, not to %v", key, sum, c.Amount)
		}
	}
	return nil
}

// close9 says whether two sums of the same terms agree to nine digits.
func close9(a, b float64) bool {
	return max(a-b, b-a) <= 1e-9*max(a, -a, b, -b, 1)
}

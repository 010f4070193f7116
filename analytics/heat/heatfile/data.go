package heatfile

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/heat"
)

// Bounds of a table of data.
const (
	maxData     = 1 << 30 // bytes, unpacked
	maxChannels = 5_000
	maxCells    = 150_000_000
)

var layouts = []string{"2006-01-02T15:04Z07:00", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}

// ReadData reads a table of channels: a header "utc,channel,..." and one row an
// interval, labelled with its beginning in UTC; an empty cell was not received.
// The table may be packed with gzip, and separated by semicolons with decimal
// commas. Rows may be missing: their steps are unknown. The grid's step is the
// most frequent distance of rows; the notes say what was unusual.
func ReadData(r io.Reader) (*heat.Grid, []string, error) {
	g, notes, err := readData(r)
	if err != nil {
		return nil, nil, fmt.Errorf("data: %w", err)
	}
	return g, notes, nil
}

func readData(r io.Reader) (*heat.Grid, []string, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, nil, err
		}
		defer z.Close()
		buffered = bufio.NewReaderSize(z, 1<<16)
	}
	limited := &limit{r: buffered, left: maxData}
	lines := bufio.NewReaderSize(limited, 1<<16)
	head, err := lines.Peek(1 << 15)
	if len(head) == 0 {
		if err == nil || err == io.EOF {
			err = errors.New("the table is empty")
		}
		return nil, nil, err
	}
	line, _, _ := strings.Cut(string(head), "\n")
	c := csv.NewReader(lines)
	c.ReuseRecord = true
	c.TrimLeadingSpace = true
	comma := strings.Count(line, ";") > strings.Count(line, ",")
	if comma {
		c.Comma = ';'
	}
	header, err := c.Read()
	if err != nil {
		return nil, nil, err
	}
	names := slices.Clone(header)
	names[0] = strings.TrimPrefix(names[0], "\ufeff")
	t := table{names: names[1:], decimalComma: comma}
	if err := t.check(); err != nil {
		return nil, nil, err
	}
	for {
		row, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		line, _ := c.FieldPos(0)
		if err := t.add(row, line); err != nil {
			return nil, nil, err
		}
	}
	return t.grid()
}

// largest is the largest number that a meter could have meant.
const largest = 1e12

// limit fails, and does not merely end, after so many bytes.
type limit struct {
	r    io.Reader
	left int64
}

func (l *limit) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("more than %d MB unpacked", maxData>>20)
	}
	return n, err
}

// table collects rows.
type table struct {
	names        []string
	decimalComma bool
	at           []int64 // Unix seconds
	cells        [][]float64
	odd          int // cells that are no number
	oddAt        string
}

func (t *table) check() error {
	if len(t.names) == 0 {
		return errors.New("the header has no channels: want utc and the channels' names")
	}
	if len(t.names) > maxChannels {
		return fmt.Errorf("more than %d channels", maxChannels)
	}
	seen := map[string]bool{}
	for i, n := range t.names {
		n = strings.TrimSpace(n)
		if n == "" {
			return fmt.Errorf("column %d of the header has no name", i+2)
		}
		if seen[n] {
			return fmt.Errorf("channel %q stands twice in the header", n)
		}
		seen[n], t.names[i] = true, n
	}
	t.cells = make([][]float64, len(t.names))
	return nil
}

func (t *table) add(row []string, line int) error {
	at, err := instant(row[0])
	if err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	t.at = append(t.at, at.Unix())
	if len(t.at)*len(t.names) > maxCells {
		return fmt.Errorf("line %d: more than %d cells", line, maxCells)
	}
	for i, text := range row[1:] {
		v := math.NaN()
		if text = strings.TrimSpace(text); text != "" {
			if t.decimalComma {
				text = strings.Replace(text, ",", ".", 1)
			}
			x, err := strconv.ParseFloat(text, 64)
			switch {
			case err == nil && !(math.Abs(x) > largest):
				v = x
			default:
				if t.odd++; t.oddAt == "" {
					t.oddAt = fmt.Sprintf("line %d, %s: %q", line, t.names[i], text)
				}
			}
		}
		t.cells[i] = append(t.cells[i], v)
	}
	return nil
}

func instant(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, l := range layouts {
		if t, err := time.Parse(l, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: want for example 2025-02-03T00:10Z", text)
}

// grid lays the rows on their regular grid.
func (t *table) grid() (*heat.Grid, []string, error) {
	if len(t.at) < 2 {
		return nil, nil, fmt.Errorf("%d rows: want at least two", len(t.at))
	}
	counts := map[int64]int{}
	begin, end := t.at[0], t.at[0]
	for i, at := range t.at {
		begin, end = min(begin, at), max(end, at)
		if i > 0 && at > t.at[i-1] {
			counts[at-t.at[i-1]]++
		}
	}
	var step int64
	for d, n := range counts {
		if n > counts[step] || n == counts[step] && d < step {
			step = d
		}
	}
	if step == 0 {
		return nil, nil, errors.New("the rows are not in the order of time")
	}
	long := (end-begin)/step + 1
	if long > int64(maxCells/len(t.names)) || long > 4*int64(len(t.at))+10_000 {
		return nil, nil, fmt.Errorf("rows from %s to %s every %d s: far more steps than rows", stamp(begin), stamp(end), step)
	}
	steps := int(long)
	var notes []string
	g := &heat.Grid{Start: time.Unix(begin, 0).UTC(), Step: time.Duration(step) * time.Second, Steps: steps, Channels: map[string][]float64{}}
	index := make([]int, len(t.at))
	seen := make([]bool, steps)
	twice, present := 0, 0
	for i, at := range t.at {
		if (at-begin)%step != 0 {
			return nil, nil, fmt.Errorf("row %s is not on the grid of %d s that begins at %s", stamp(at), step, stamp(begin))
		}
		k := int((at - begin) / step)
		index[i] = k
		if seen[k] {
			twice++
		} else {
			present++
		}
		seen[k] = true
	}
	if twice > 0 {
		notes = append(notes, fmt.Sprintf("%d rows stand twice: the later one is taken", twice))
	}
	if present < steps {
		notes = append(notes, fmt.Sprintf("%d of %d rows are missing: their intervals are unknown", steps-present, steps))
	}
	if t.odd > 0 {
		notes = append(notes, fmt.Sprintf("%d cells are no numbers and were taken as not received, the first: %s", t.odd, t.oddAt))
	}
	for c, name := range t.names {
		x := make([]float64, steps)
		for i := range x {
			x[i] = math.NaN()
		}
		for i, v := range t.cells[c] {
			x[index[i]] = v
		}
		g.Channels[name] = x
		t.cells[c] = nil
	}
	return g, notes, nil
}

func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02T15:04Z") }

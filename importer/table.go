package importer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/thermie/thermie/metering"
)

// plain undoes gzip where it is, bounds what is read and drops a byte-order mark.
func plain(r io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if head, _ := b.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w: %w", ErrFormat, err)
		}
		b = bufio.NewReaderSize(&bounded{z, maxFile}, 1<<16)
	} else {
		b = bufio.NewReaderSize(&bounded{b, maxFile}, 1<<16)
	}
	if head, _ := b.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		b.Discard(3)
	}
	return b, nil
}

// bounded fails, unlike io.LimitReader, when there is more.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("more than %d MB: %w", maxFile>>20, ErrFormat)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

// table reads rows of separated fields; line is where the last one began.
type table struct {
	r    *csv.Reader
	line int
	rows int
}

func newTable(r io.Reader, comma rune) *table {
	c := csv.NewReader(r)
	c.Comma, c.FieldsPerRecord, c.LazyQuotes, c.ReuseRecord, c.TrimLeadingSpace = comma, -1, true, true, true
	return &table{r: c}
}

// next returns the next row, valid until the one after; io.EOF at the end.
func (t *table) next() ([]string, error) {
	row, err := t.r.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if t.rows++; t.rows > maxRows {
		return nil, fmt.Errorf("more than %d rows: %w", maxRows, ErrFormat)
	}
	t.line, _ = t.r.FieldPos(0)
	return row, nil
}

// at puts the line before an error.
func (t *table) at(err error) error { return fmt.Errorf("line %d: %w", t.line, err) }

// columns finds columns by name, whatever their case and accents.
type columns map[string]int

func columnsOf(row []string) columns {
	c := make(columns, len(row))
	for i, name := range row {
		if n := simple(name); n != "" {
			if _, twice := c[n]; !twice {
				c[n] = i
			}
		}
	}
	return c
}

// cell is the field of a row in a column, "" when there is none.
func (c columns) cell(row []string, name string) string {
	i, ok := c[simple(name)]
	if !ok || i >= len(row) {
		return ""
	}
	return strings.TrimSpace(row[i])
}

func (c columns) has(names ...string) bool {
	for _, n := range names {
		if _, ok := c[simple(n)]; !ok {
			return false
		}
	}
	return true
}

var accents = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "à", "a", "â", "a", "î", "i", "ô", "o", "ù", "u", "û", "u", "ç", "c",
	"É", "e", "È", "e", "³", "3", "\u00a0", " ", "\u202f", " ", "’", "'")

// simple makes names alike that differ in case, accents or space only. Files in
// Latin-1 lose their accented letters, and so do the names that are looked for.
func simple(s string) string {
	if !utf8.ValidString(s) {
		s = latin1(s)
	}
	return strings.Join(strings.Fields(strings.ToLower(accents.Replace(strings.Trim(strings.TrimSpace(s), "\ufeff\"")))), " ")
}

func latin1(s string) string {
	r := make([]rune, len(s))
	for i, b := range []byte(s) {
		r[i] = rune(b)
	}
	return string(r)
}

// decimal reads a number with a decimal comma or point, spaces between thousands.
func decimal(s string) (metering.Decimal, error) {
	s = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "").Replace(s)
	if strings.Count(s, ",") == 1 && !strings.Contains(s, ".") {
		s = strings.Replace(s, ",", ".", 1)
	}
	d, err := metering.ParseDecimal(s)
	if err != nil {
		return d, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return d, nil
}

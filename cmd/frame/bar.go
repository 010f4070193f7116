package frame

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Bar draws the progress of long work on a terminal, and nothing elsewhere.
type Bar struct {
	w       io.Writer
	what    string
	percent int
	drawn   bool
}

// NewBar makes a bar; what stands before it, "" for nothing.
func NewBar(w io.Writer, what string) *Bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &Bar{}
	}
	if what != "" {
		what += " "
	}
	return &Bar{w: w, what: what, percent: -1}
}

// Show draws how much is done, if that is another percentage.
func (b *Bar) Show(done, total uint64) {
	if b.w == nil || total == 0 {
		return
	}
	p := int(100 * done / total)
	if p == b.percent {
		return
	}
	b.percent, b.drawn = p, true
	fmt.Fprintf(b.w, "\r\033[K%s[%-40s] %3d %%  %d / %d", b.what, strings.Repeat("#", p*40/100), p, done, total)
}

// End takes the bar away.
func (b *Bar) End() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\033[K")
	}
}

package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// bar draws the progress of long work on a terminal, and nothing elsewhere.
type bar struct {
	w       io.Writer
	what    string
	percent int
}

func newBar(w io.Writer, what string) *bar {
	b := &bar{what: what, percent: -1}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.w = w
	}
	return b
}

func (b *bar) show(done, total int) {
	if p := 100 * done / max(total, 1); b.w != nil && p != b.percent {
		b.percent = p
		fmt.Fprintf(b.w, "\r\033[K%s [%-40s] %3d %%  %d / %d", b.what, strings.Repeat("#", p*40/100), p, done, total)
	}
}

func (b *bar) end() {
	if b.w != nil && b.percent >= 0 {
		fmt.Fprint(b.w, "\r\033[K")
	}
}

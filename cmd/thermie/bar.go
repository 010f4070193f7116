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
	percent int
	drawn   bool
}

func newBar(w io.Writer) *bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{w: w, percent: -1}
}

func (b *bar) show(done, total uint64) {
	if b.w == nil || total == 0 {
		return
	}
	p := int(100 * done / total)
	if p == b.percent {
		return
	}
	b.percent, b.drawn = p, true
	fmt.Fprintf(b.w, "\r\033[K[%-40s] %3d %%  %d / %d", strings.Repeat("#", p*40/100), p, done, total)
}

func (b *bar) end() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\033[K")
	}
}

package main

import (
	"io"

	"github.com/thermie/thermie/cmd/frame"
)

// bar draws the progress of long work on a terminal, and nothing elsewhere.
type bar struct{ *frame.Bar }

func newBar(w io.Writer) *bar { return &bar{frame.NewBar(w, "")} }

func (b *bar) show(done, total uint64) { b.Show(done, total) }

func (b *bar) end() { b.End() }

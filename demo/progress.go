package demo

import (
	"sync"

	"github.com/thermie/thermie/metering"
)

// progress is how far the history is told, for the pages and the terminal.
type progress struct {
	mu          sync.Mutex
	done, total float64
	text        metering.Text
	ended       bool
}

// Progress returns the share told, 1 when the port is live, and what is being done.
func (p *progress) Progress() (float64, metering.Text) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return 1, p.text
	case p.total == 0:
		return 0, p.text
	}
	return min(p.done/p.total, 0.999), p.text
}

func (p *progress) expect(total float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = total
}

func (p *progress) add(n float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
}

func (p *progress) say(t metering.Text) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = t
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

package port

import (
	"fmt"
	"sync"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/firmware-configs/profile"
)

// Options say which port to make. The same options make the same port: its
// state at an instant depends on nothing else.
type Options struct {
	Seed uint64
	// Epoch is the instant that the story counts from: the first start of the
	// demonstration. History lies before it, live operation after it.
	Epoch time.Time
	// Library holds the meters' register maps; nil: the embedded one.
	Library *profile.Library
	// Replay puts measured readings in the place of the physics; nil: none.
	Replay *Replay
}

// Port is the fictional port. Its methods may be used concurrently.
type Port struct {
	options Options
	start   time.Time
	events  events

	fleet     []Meter
	installed map[string]*installed
	sites     []string // companies with meters, "" for the port itself

	replayed             map[string]bool // gateways
	replayFrom, replayTo time.Time

	mu      sync.RWMutex // guards what follows
	clock   *clock
	physics *physics
	record  *record
}

// HistoryQuarters is how many full quarters of history a port has.
const HistoryQuarters = 6

// Start is the first instant of the history of a port with this epoch: the
// first day of the quarter that is six full quarters before the current one.
func Start(epoch time.Time) time.Time {
	return calendar.QuarterOf(epoch).Add(-HistoryQuarters).Start()
}

// New makes a port and computes it up to a day after its epoch.
func New(o Options) (*Port, error) {
	if y := o.Epoch.Year(); y < 2005 || y > 2150 {
		return nil, fmt.Errorf("port: epoch %s is not between 2005 and 2150", o.Epoch.Format(time.RFC3339))
	}
	p := &Port{options: o, start: Start(o.Epoch)}
	q := calendar.QuarterOf(o.Epoch)
	p.events = events{
		officeStart:  p.stepAt(q.Add(-HistoryQuarters).Start().AddDate(0, 2, 14)),
		hoodStart:    p.stepAt(q.Add(-HistoryQuarters + 4).Start()),
		foulingStart: p.stepAt(q.Add(-2).Start()),
		lineStart:    p.stepAt(q.Add(-1).Start().AddDate(0, 0, 26)),
	}
	steps := p.stepAt(o.Epoch) + 2*stepsADay
	p.clock = newClock(o.Seed, p.start)
	p.physics = newPhysics(o.Seed, p.events)
	p.record = newRecord(steps + 30*stepsADay)
	p.extend(steps)
	library := o.Library
	if library == nil {
		var err error
		if library, err = profile.Builtin(); err != nil {
			return nil, fmt.Errorf("port: %w", err)
		}
	}
	if err := p.install(library); err != nil {
		return nil, err
	}
	if err := p.replay(o.Replay); err != nil {
		return nil, err
	}
	return p, nil
}

// Start is the first instant of the port's history.
func (p *Port) Start() time.Time { return p.start }

// Epoch is the instant that the port's story counts from.
func (p *Port) Epoch() time.Time { return p.options.Epoch }

// stepAt is the step that holds an instant.
func (p *Port) stepAt(t time.Time) int { return int(t.Sub(p.start) / (stepSeconds * time.Second)) }

// millis is an instant as the record counts: milliseconds from the beginning;
// an instant before it is the beginning.
func (p *Port) millis(t time.Time) int64 { return max(0, t.Sub(p.start).Milliseconds()) }

// extend computes until at least so many steps are there.
func (p *Port) extend(steps int) {
	for p.record.steps < steps {
		p.physics.step(p.clock.next(), p.record)
	}
}

// reach makes sure that the record holds an instant, given as millis gives it.
func (p *Port) reach(millis int64) {
	need := int(millis/stepMillis) + 1
	p.mu.RLock()
	have := p.record.steps
	p.mu.RUnlock()
	if have >= need {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.extend(need + stepsADay)
}

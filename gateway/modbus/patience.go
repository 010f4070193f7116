package modbus

import "time"

// patience is how long units are waited for where that is less than the
// endpoint's time-out.
type patience map[byte]time.Duration

func (p patience) of(unit byte, most time.Duration) time.Duration {
	if d, ok := p[unit]; ok {
		return min(d, most)
	}
	return most
}

// SetTimeout makes the line wait for a unit no longer than d, and never longer
// than the endpoint's time-out; 0 takes that back. However short d is, the unit
// is left in peace afterwards until an answer within the endpoint's time-out and
// quiet time would have come, so that no late answer can be taken for another.
func (l *Line) SetTimeout(unit byte, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tuned := l.transport.patience()
	if d <= 0 {
		delete(tuned, unit)
		return
	}
	tuned[unit] = d
}

// Timeout is how long the line waits for a unit.
func (l *Line) Timeout(unit byte) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.transport.patience().of(unit, l.endpoint.Timeout)
}

// OnLate has f told of every unit of which a frame came that answers no open
// question: a slow one, which a scan would miss. Of bytes outside a question that
// are no frame it is told with unit 0, which nobody has. It is called from within
// Read and Listen and must not call the line. Modbus TCP tells none.
func (l *Line) OnLate(f func(unit byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, serial := l.transport.(*serialTransport); serial {
		s.onLate = f
	}
}

func (s *serialTransport) patience() patience { return s.tuned }
func (t *tcpTransport) patience() patience    { return t.tuned }

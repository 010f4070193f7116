package modbus

import (
	"slices"
	"time"
)

// doubts remembers, by unit of a serial line, the questions whose answers were
// not seen: each may still come, and its frame does not say to which question it
// belongs. A device answers in order, so an answer that can only be to a later
// question shows that the earlier ones are gone.
type doubts struct {
	quiet  time.Duration // for which a unit is left in peace
	memory time.Duration // after which an answer does not come any more
	units  map[byte][]unseen
}

type unseen struct {
	question
	at    time.Time // when it was given up
	peace bool      // leave the unit in peace until at+quiet
	sign  time.Time // when an earlier answer of the unit was seen last: it is behind, and this one is to come
}

// since is when the answer was expected last.
func (u *unseen) since() time.Time {
	if u.sign.After(u.at) {
		return u.sign
	}
	return u.at
}

// memoryTimes is for how many rounds of time-out and quiet time an answer is
// expected, memoryLeast for how long at least: a machine under load may stand
// still for longer than ten short time-outs.
const (
	memoryTimes = 10
	memoryLeast = 2 * time.Second
)

func newDoubts(e Endpoint) doubts {
	return doubts{quiet: e.Quiet, memory: max(memoryTimes*(e.Timeout+e.Quiet), memoryLeast), units: map[byte][]unseen{}}
}

// of lists the unit's questions, oldest first, without those that are too old.
func (d *doubts) of(unit byte) []unseen {
	list, ok := d.units[unit]
	if !ok {
		return nil
	}
	old := 0
	for old < len(list) && time.Since(list[old].since()) > d.memory {
		old++
	}
	if list = list[old:]; len(list) == 0 {
		delete(d.units, unit)
		return nil
	}
	d.units[unit] = list
	return list
}

// add notes a question that was given up, earlier by some time than the
// endpoint's time-out says.
func (d *doubts) add(q question, peace bool, earlier time.Duration) {
	d.units[q.unit] = append(d.of(q.unit), unseen{question: q, at: time.Now().Add(earlier), peace: peace})
}

// until is when the unit may be asked again; zero for at once.
func (d *doubts) until(unit byte) time.Time {
	list := d.of(unit)
	if len(list) == 0 || !list[len(list)-1].peace {
		return time.Time{}
	}
	if at := list[len(list)-1].at.Add(d.quiet); time.Now().Before(at) {
		return at
	}
	return time.Time{}
}

// owed says that an answer of the unit was not seen at all, not even damaged.
func (d *doubts) owed(unit byte) bool {
	return slices.ContainsFunc(d.of(unit), func(u unseen) bool { return u.peace })
}

// late strikes out the question that a late frame answers, and those before it.
// A refusal answers the oldest.
func (d *doubts) late(unit, function byte, count int, refusal bool) {
	list := d.of(unit)
	i := slices.IndexFunc(list, func(u unseen) bool {
		return u.function == function && (refusal || u.count == count)
	})
	if i+1 == len(list) {
		delete(d.units, unit)
	} else if i >= 0 {
		d.units[unit] = list[i+1:]
		for k := range d.units[unit] {
			d.units[unit][k].sign = time.Now()
		}
	}
}

// ambiguous says that an answer to q could not be told from one to an earlier,
// different question.
func (d *doubts) ambiguous(q question) bool {
	return slices.ContainsFunc(d.of(q.unit), func(u unseen) bool { return u.alike(q) && u.question != q })
}

// answered notes an answer to q that was taken. A refusal looks like any other,
// so it may have been the answer to an earlier question.
func (d *doubts) answered(q question, refusal bool) {
	list := d.of(q.unit)
	switch {
	case len(list) == 0:
	case refusal:
		d.add(q, false, 0)
	case !slices.ContainsFunc(list, func(u unseen) bool { return u.alike(q) }):
		delete(d.units, q.unit)
	}
}

// probe is a question near q whose answer can be told from all that may come.
func (d *doubts) probe(q question) question {
	list := d.of(q.unit)
	for _, step := range []int{-1, 1, -2, 2, -3, 3, -4, 4, -5, 5} {
		p := q
		p.count += step
		if p.count < 1 || p.count > 125 || int(p.address)+p.count > 1<<16 {
			continue
		}
		if !slices.ContainsFunc(list, func(u unseen) bool { return u.alike(p) }) {
			return p
		}
	}
	return q
}

package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	goburrow "github.com/goburrow/modbus"

	"github.com/thermie/thermie/firmware-configs/profile"
)

// MostTogether bounds the questions of one [Line.ReadAll].
const MostTogether = 8

// ReadAll asks a device for several runs of registers at once: they go out in one
// write, and the answers are read as they come. It is for Modbus TCP only, and
// for devices that are known to take it; many do not.
//
// It returns all the runs or an error, never a part: the answers must come in the
// order of the questions, each with its transaction id, unit, function and
// length, with nothing between them and nothing behind. Two questions of the same
// function and length are refused, so that a device that mixes up registers
// shows itself by the length. After any error but a refusal the connection is
// closed, and with it goes whatever may still be on its way.
func (l *Line) ReadAll(ctx context.Context, unit byte, runs []profile.Span) ([][]uint16, error) {
	t, ok := l.transport.(*tcpTransport)
	if !ok {
		return nil, errors.New("modbus: several questions at once can be asked over Modbus TCP only")
	}
	if len(runs) < 1 || len(runs) > MostTogether {
		return nil, fmt.Errorf("modbus: %d questions cannot be asked at once", len(runs))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.await(ctx, unit); err != nil {
		return nil, err
	}
	g, err := l.pack(unit, runs)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	words := make([][]uint16, 0, len(runs))
	var refusal error
	var refused profile.Span
	answered, err := t.together(ctx, g, func(reply []byte) {
		if reply[7]&0x80 != 0 {
			if refusal == nil {
				refused = runs[len(words)]
				refusal = &Exception{Unit: unit, Function: reply[7] &^ 0x80, Code: reply[8]}
			}
			words = append(words, nil)
			l.account(refusal, unit)
			return
		}
		words = append(words, registers(reply[9:]))
		l.account(nil, unit)
	})
	l.count.busy.Add(int64(time.Since(begin)))
	if err != nil {
		for range len(runs) - answered {
			l.account(err, unit)
		}
		return nil, fmt.Errorf("unit %d at %s: %d of %d questions asked at once answered: %w", unit, l.endpoint, answered, len(runs), err)
	}
	if refusal != nil {
		return nil, fmt.Errorf("%s registers %d to %d: %w", refused.Table, refused.Address, int(refused.Address)+refused.Words-1, refusal)
	}
	return words, nil
}

// registers reads words off an answer.
func registers(b []byte) []uint16 {
	words := make([]uint16, len(b)/2)
	for i := range words {
		words[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return words
}

// group are questions that go out together.
type group struct {
	first     uint16 // transaction id of the first, as counted; the others follow
	questions []question
	out       []byte
}

func (g *group) id(i int) uint16 { return (g.first + uint16(i)) * spread }

// pack makes the frames of questions.
func (l *Line) pack(unit byte, runs []profile.Span) (*group, error) {
	g := &group{questions: make([]question, 0, len(runs)), out: make([]byte, 0, 12*len(runs))}
	*l.unit = unit
	for i, r := range runs {
		if err := oneRequest(r.Address, r.Words); err != nil {
			return nil, err
		}
		adu, err := l.packager.Encode(&goburrow.ProtocolDataUnit{FunctionCode: r.Table.Function(),
			Data: []byte{byte(r.Address >> 8), byte(r.Address), 0, byte(r.Words)}})
		if err != nil {
			return nil, fmt.Errorf("modbus: %w", err)
		}
		q := ask(adu, 7)
		for _, o := range g.questions {
			if q.alike(o) {
				return nil, fmt.Errorf("modbus: two questions for %d %s registers cannot be told apart", r.Words, r.Table)
			}
		}
		if i == 0 {
			g.first = binary.BigEndian.Uint16(adu)
		}
		binary.BigEndian.PutUint16(adu, g.id(i))
		g.questions, g.out = append(g.questions, q), append(g.out, adu...)
	}
	return g, nil
}

// together asks a group and hands over each answer or refusal, in order; answered
// counts them. The reply is valid until take returns.
func (t *tcpTransport) together(ctx context.Context, g *group, take func(reply []byte)) (answered int, err error) {
	for {
		reused, err := t.ready(ctx)
		if err != nil {
			return 0, err
		}
		before := t.asked
		t.last, t.asked = g.first+uint16(len(g.questions)-1), min(before+uint16(len(g.questions)), history)
		earlier := func(id uint16) bool {
			back := g.first - id*inverse
			return back >= 1 && back <= before
		}
		answered, err = t.askAll(ctx, g, earlier, take)
		if err == nil {
			t.missed = 0
			return answered, nil
		}
		t.close() // what is still on its way must not be met again
		again, err := t.broke(ctx, err, reused && answered == 0)
		if !again {
			return answered, err
		}
	}
}

func (t *tcpTransport) askAll(ctx context.Context, g *group, earlier func(id uint16) bool, take func(reply []byte)) (answered int, err error) {
	unit := g.questions[0].unit
	now, err := t.prepare(ctx, unit)
	if err != nil {
		return 0, err
	}
	got, err := t.conn.ask(g.out, t.buf[t.have:])
	for {
		if silent, err := t.came(ctx, got, err); err != nil {
			return answered, err
		} else if silent {
			if ctx.Err() != nil {
				return answered, ctx.Err()
			}
			return answered, fmt.Errorf("%w (%v)", ErrTimeout, t.tuned.of(unit, t.e.Timeout))
		}
		for more := true; more; {
			q := g.questions[answered]
			switch v, n := judgeTCP(t.buf[:t.have], g.id(answered), q, earlier); v {
			case unfinished:
				more = false
			case foreign:
				t.stale(n)
			case answer:
				take(t.buf[:n])
				t.drop(n)
				t.spoke = now
				if answered++; answered < len(g.questions) {
					continue
				}
				if t.have > 0 {
					return answered, fmt.Errorf("%d bytes behind the last answer: %w", t.have, ErrBadFrame)
				}
				return answered, nil
			default:
				return answered, t.explain(v, q)
			}
		}
		// Each answer has the device's whole time.
		if now, err = t.prepare(ctx, unit); err != nil {
			return answered, err
		}
		got, err = t.conn.Read(t.buf[t.have:])
	}
}

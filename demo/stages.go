package demo

import (
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/simulator/port"
)

// sealAfter is how long after a quarter's end the port's animator seals its
// report: the declarations are in by then.
const sealAfter = 15 * 24 * time.Hour

// stage is a stretch of the history that ends with something that people did.
type stage struct {
	until time.Time // what was delivered before this instant is told
	// seal is the quarter to seal at the end; with a reason it is a revision. The
	// last stage seals nothing.
	seal   *calendar.Quarter
	reason metering.Text
}

// stages are those of a port's history up to its epoch: each closed quarter is
// sealed a fortnight after its end, and again when late data have come.
func stages(p *port.Port) (out []stage) {
	epoch := p.Epoch()
	late := map[calendar.Quarter]port.Trouble{}
	for _, t := range p.Troubles() {
		if t.Kind == port.LateData {
			late[calendar.QuarterOf(t.From)] = t
		}
	}
	for q := calendar.QuarterOf(p.Start()); ; q = q.Next() {
		at := q.End().Add(sealAfter)
		if !at.Before(epoch) {
			break
		}
		out = append(out, stage{until: at, seal: &q})
		if t, ok := late[q]; ok && t.Until.After(at) {
			if again := t.Until.Add(72 * time.Hour); again.Before(epoch) {
				out = append(out, stage{until: again, seal: &q, reason: metering.Text{
					FR: "Relevés arrivés après le premier scellé : la passerelle du réseau de chaleur était sans réseau à la clôture du trimestre.",
					EN: "Readings arrived after the first sealing: the gateway of the heat network had no network when the quarter closed."}})
			}
		}
	}
	return append(out, stage{until: epoch})
}

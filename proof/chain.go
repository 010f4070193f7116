package proof

import (
	"cmp"
	"slices"

	"github.com/thermie/thermie/batch"
)

// Which batches must be in a dossier, and how a verifier knows that none was
// left out. A gateway's batch holds what was read between the closing of the
// batch before and its own, and names the batch before by hash. So when a run of
// batches without a gap begins with one that closed before a window of time and
// ends with one that closed after it, all that the gateway read in the window is
// in the run. [Papers.Select] picks such runs, chain finds where they fall short.

// Gap is a place where readings of a gateway may be missing in a window of time
// that counts.
type Gap struct {
	Gateway string `json:"gateway"`
	After   uint64 `json:"after"`  // last batch before it; 0: there is none
	Before  uint64 `json:"before"` // first batch after it; 0: there is none
	// Declared is the reason that the gateway gave; "" when it gave none.
	Declared string `json:"declared,omitempty"`
}

// link is one batch of a gateway's chain.
type link struct {
	number         uint64
	hash, previous batch.Hash
	broken         string
	closedAt       int64
	imported       bool
}

func linkOf(b *batch.Batch, h batch.Hash) link {
	return link{b.Number, h, b.Previous, b.Break, b.ClosedAt, b.Origin == batch.Imported}
}

// windows are, for each gateway, the windows of time of which all its batches
// are needed, in order and without overlap.
func (p *Papers) windows() map[string][]span {
	gateways := map[string]string{}
	for _, m := range p.Programme.Meters {
		gateways[m.ID] = m.Gateway
	}
	all := map[string][]span{}
	for _, n := range p.needs() {
		if g := gateways[n.series.Meter()]; g != "" {
			all[g] = append(all[g], n.windows...)
		}
	}
	for g, w := range all {
		slices.SortFunc(w, func(a, b span) int { return cmp.Compare(a.from, b.from) })
		out := w[:1]
		for _, s := range w[1:] {
			if last := &out[len(out)-1]; s.from <= last.to {
				last.to = max(last.to, s.to)
			} else {
				out = append(out, s)
			}
		}
		all[g] = out
	}
	return all
}

// chain checks that a gateway's batches follow one another. It returns where
// batches are missing that may hold readings of a window; batches between two
// windows may be left out.
func chain(gateway string, links []link, windows []span) (gaps []Gap, err error) {
	if len(links) == 0 {
		return []Gap{{Gateway: gateway}}, nil
	}
	slices.SortStableFunc(links, func(a, b link) int { return cmp.Compare(a.number, b.number) })
	// Files are imported long after what they tell: closing times say nothing.
	imported := slices.ContainsFunc(links, func(l link) bool { return l.imported })
	outside := func(from, to int64) bool {
		return !imported && !slices.ContainsFunc(windows, func(w span) bool { return w.from < to && from < w.to })
	}
	const ever = int64(1) << 62
	first, last := links[0], links[len(links)-1]
	if first.number > 1 && !outside(-ever, first.closedAt) {
		gaps = append(gaps, Gap{Gateway: gateway, Before: first.number})
	}
	for i := 1; i < len(links); i++ {
		a, b := links[i-1], links[i]
		switch {
		case a.number == b.number:
			return gaps, faultf("%s : le lot %d est là deux fois", "%s: batch %d is there twice", gateway, a.number)
		case a.number+1 == b.number && b.previous == a.hash:
		case a.number+1 == b.number && b.broken == "":
			return gaps, faultf("%s : le lot %d ne suit pas le lot %d", "%s: batch %d does not follow batch %d", gateway, b.number, a.number)
		case a.number+1 == b.number || !outside(a.closedAt, b.closedAt):
			gaps = append(gaps, Gap{gateway, a.number, b.number, b.broken})
		}
	}
	if !outside(last.closedAt, ever) {
		gaps = append(gaps, Gap{Gateway: gateway, After: last.number})
	}
	return gaps, nil
}

// Head is what choosing must know of a batch in the ledger.
type Head struct {
	Index    uint64 // leaf
	Number   uint64
	ClosedAt int64 // Unix milliseconds
	Imported bool
}

// Gateways are those whose batches the papers need.
func (p *Papers) Gateways() map[string]bool {
	out := map[string]bool{}
	for g := range p.windows() {
		out[g] = true
	}
	return out
}

// Select chooses the batches that a dossier must hold, given all batches of each
// of its gateways, and returns their leaves, ascending.
func (p *Papers) Select(heads map[string][]Head) []uint64 {
	var out []uint64
	for gateway, windows := range p.windows() {
		all := heads[gateway]
		slices.SortFunc(all, func(a, b Head) int { return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Index, b.Index)) })
		take := make([]bool, len(all))
		imported := slices.ContainsFunc(all, func(h Head) bool { return h.Imported })
		for _, w := range windows {
			lo, hi := len(all), -1
			for i, h := range all {
				if imported || w.from < h.ClosedAt && h.ClosedAt < w.to {
					lo, hi = min(lo, i), max(hi, i)
				}
			}
			if hi < 0 { // no batch closed inside: the first that closed after it tells of it
				if lo = slices.IndexFunc(all, func(h Head) bool { return h.ClosedAt >= w.to }); lo < 0 {
					lo = len(all)
				}
				hi = lo - 1
			}
			for i := max(lo-1, 0); i <= min(hi+1, len(all)-1); i++ {
				take[i] = true
			}
		}
		for i, h := range all {
			if take[i] {
				out = append(out, h.Index)
			}
		}
	}
	slices.Sort(out)
	return out
}

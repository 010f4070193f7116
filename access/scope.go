package access

import "slices"

// Scope is the set of meters whose readings a caller may be given. Only this
// package can make one that allows anything; the zero Scope allows nothing.
// It asks its facts anew each time, so it is as fresh as they are.
type Scope struct {
	allows func(meter string) bool
	why    string
}

// Allows says whether the readings of a meter may be given out.
func (s Scope) Allows(meter string) bool { return s.allows != nil && s.allows(meter) }

// String names the scope's holder for logs: "system: assessment", "company fonderie".
func (s Scope) String() string {
	if s.allows == nil {
		return "nobody"
	}
	return s.why
}

// System is the scope of an inner job (the follower, the assessment): every
// meter, known or not. It is never made for a request. A job that does not say
// why it needs it gets nothing.
func System(why string) Scope {
	if why == "" {
		return Scope{}
	}
	return Scope{allows: func(string) bool { return true }, why: "system: " + why}
}

// ForSeries returns the scope of a person: whose readings they may be given.
// For an installer it is meant for live readings, see [SeeHistory].
func ForSeries(p Person, f Facts) Scope {
	if f == nil || p.Check() != nil {
		return Scope{}
	}
	allows := func(meter string) bool { return seesSeries(p, f, meter) }
	why := string(p.Role)
	if p.Company != "" {
		why += " " + p.Company
	}
	if v, ok := p.Viewer(); ok {
		own := ForSeries(v, f)
		return Scope{why: own.why + " seeing as " + why,
			allows: func(meter string) bool { return own.Allows(meter) && allows(meter) }}
	}
	return Scope{allows: allows, why: why}
}

// seesSeries decides for the person alone, whoever looks through their eyes.
func seesSeries(p Person, f Facts, meter string) bool {
	owner, known := f.MeterCompany(meter)
	if !known {
		return false
	}
	common := owner == "" // the territory's own, such as outdoor temperature
	switch p.Role {
	case Installer:
		return p.Company == "" || common || p.of(owner)
	case Company:
		return common || p.of(owner) || slices.ContainsFunc(f.MeterSynergies(meter), func(s string) bool { return party(p, f, s) })
	case Animator:
		return common || f.Consented(owner, Animator, SeriesMatter)
	case Verifier:
		return true
	}
	return false
}

// party says whether p's company is a party of the synergy.
func party(p Person, f Facts, synergy string) bool {
	for _, q := range f.SynergyParties(synergy) {
		if p.of(q.Company) {
			return true
		}
	}
	return false
}

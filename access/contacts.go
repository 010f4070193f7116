package access

import "slices"

// A contact brings two companies together about something that one has and the
// other could use. Neither learns more of the other than the other consented to,
// and who it is only when both agreed or the other let itself be named
// (docs/decisions/0180-contacts-between-companies.md).

// Part is one thing that a company may let the other company of a contact see,
// beside the kind of resource. The closed list is [Parts].
type Part string

// The parts.
const (
	BandsPart   Part = "bands"   // orders of magnitude: power, amount, temperature
	FiguresPart Part = "figures" // power, amount and temperatures
	NamePart    Part = "name"    // who it is, and whom to call
)

// Parts is the closed list, from the least telling to the most.
var Parts = []Part{BandsPart, FiguresPart, NamePart}

// ContactSide is one of the two companies of a contact.
type ContactSide struct {
	Company string
	Asked   bool   // it was asked; before, the contact does not exist for it
	Agreed  bool   // its consent is in force
	Parts   []Part // what it lets the other one see while its consent is in force
}

// leastCrowd is how many companies must keep their opportunities from the
// animator before a contact of such a company is shown to the animator without
// its name: among fewer it could be guessed.
const leastCrowd = 3

// introduced says whether both agreed.
func introduced(sides []ContactSide) bool {
	return len(sides) == 2 && sides[0].Agreed && sides[1].Agreed
}

// MayPropose says whether p may know that two companies could be brought together,
// and start their contact by name. A name is still shown only to who may see that
// company's opportunities.
func MayPropose(p Person, f Facts, a, b string) bool {
	return f != nil && May(p, f, StartContact, "") && known(f, a, b)
}

// known says whether the animator may know of a pair: both opened their
// opportunities, or whoever did not is one of several.
func known(f Facts, a, b string) bool {
	open := f.Consented(a, Animator, OpportunitiesMatter) && f.Consented(b, Animator, OpportunitiesMatter)
	return open || f.Reserved(Animator, OpportunitiesMatter) >= leastCrowd
}

// MaySeePart says whether p may see a part of a company of a contact. The company
// itself sees all of its own.
func MaySeePart(p Person, f Facts, contact, company string, part Part) bool {
	if f == nil || !May(p, f, SeeContacts, contact) || !slices.Contains(Parts, part) {
		return false
	}
	if v, ok := p.Viewer(); ok && !MaySeePart(v, f, contact, company, part) {
		return false
	}
	sides := f.ContactSides(contact)
	i := slices.IndexFunc(sides, func(s ContactSide) bool { return s.Company == company })
	if i < 0 {
		return false
	}
	switch p.Role {
	case Verifier:
		return true
	case Animator:
		return part == NamePart && introduced(sides) || f.Consented(company, Animator, OpportunitiesMatter)
	case Company:
		s := sides[i]
		return p.of(company) || s.Agreed && (slices.Contains(s.Parts, part) || part == NamePart && introduced(sides))
	}
	return false
}

// seesContact decides for the person alone.
func seesContact(p Person, f Facts, contact string) bool {
	sides := f.ContactSides(contact)
	if len(sides) != 2 {
		return false
	}
	switch p.Role {
	case Company:
		return slices.ContainsFunc(sides, func(s ContactSide) bool { return s.Asked && p.of(s.Company) })
	case Animator:
		return introduced(sides) || known(f, sides[0].Company, sides[1].Company)
	}
	return p.Role == Verifier
}

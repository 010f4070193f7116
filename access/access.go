// Package access decides who may see and do what. It is the only package that
// decides: every handler asks [May] before it answers, and every read of a
// series store takes a [Scope] that only this package can fill.
//
// The rules, in one table (docs/decisions/0010-who-sees-what.md has the reasons):
//
//	installer      gateways and meters: health and live values; no savings, no money
//	company        its own data, what it gains, and of a synergy it is a party of:
//	               the figures and the shared flow's meters
//	animator       figures of all synergies; of a company, what it consented to
//	verifier       everything with its evidence, changing nothing
//	funder         indicators under disclosure control, closed reports; nothing else
//	administrator  people, settings, the audit trail; no business data
//
// What is not allowed is refused: an unknown role, action, company or meter, a
// zero [Person] and a zero [Scope] allow nothing.
package access

import (
	"errors"
	"fmt"
	"slices"

	"github.com/thermie/thermie/metering"
)

// Role is what a person is in the programme. The closed list is [Roles].
type Role string

// The roles.
const (
	Installer     Role = "installer"
	Company       Role = "company"
	Animator      Role = "animator"
	Verifier      Role = "verifier"
	Funder        Role = "funder"
	Administrator Role = "administrator"
)

// Roles is the closed list, in the order of pages.
var Roles = []Role{Installer, Company, Animator, Verifier, Funder, Administrator}

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	if slices.Contains(Roles, Role(s)) {
		return Role(s), nil
	}
	return "", fmt.Errorf("role %q: want one of %v", s, Roles)
}

// Person is who asks. Company is required for the role company; an installer
// who has one sees the sites of that company only; other roles leave it empty.
type Person struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Role     Role   `json:"role"`
	Company  string `json:"company,omitempty"`
	Language string `json:"language,omitempty"` // "fr" or "en"

	viewer *Person // who looks through this person's eyes, see As
}

// Check refuses a person whom the rules could not place.
func (p Person) Check() error {
	if _, err := ParseRole(string(p.Role)); err != nil {
		return fmt.Errorf("person %q: %w", p.Email, err)
	}
	switch {
	case p.Role == Company && p.Company == "":
		return fmt.Errorf("person %q: the role company needs a company", p.Email)
	case p.Role != Company && p.Role != Installer && p.Company != "":
		return fmt.Errorf("person %q: the role %s belongs to no company", p.Email, p.Role)
	case p.Language != "" && p.Language != "fr" && p.Language != "en":
		return fmt.Errorf("person %q: language %q: want fr or en", p.Email, p.Language)
	}
	return nil
}

// Matter is what a company can consent to show. The closed list is [Matters].
type Matter string

// The matters of consent. Figures consented to a funder waive disclosure
// control for that company (analytics/disclosure).
const (
	SeriesMatter        Matter = "series"        // the readings of its meters
	FiguresMatter       Matter = "figures"       // its page: consumption, what it gains
	OpportunitiesMatter Matter = "opportunities" // its waste heat, its needs, its declared flows
)

// Matters is the closed list.
var Matters = []Matter{SeriesMatter, FiguresMatter, OpportunitiesMatter}

// Facts is what the rules must know of the programme; the registry gives it.
type Facts interface {
	// MeterCompany returns the company whose meter it is; "" for a meter of the
	// territory itself, such as its weather station; ok is false when unknown.
	MeterCompany(meter string) (company string, ok bool)
	// MeterSynergies returns the synergies whose shared flow the meter measures.
	MeterSynergies(meter string) []string
	// SynergyParties returns the parties of a synergy, none for an unknown one.
	SynergyParties(synergy string) []metering.Party
	// Consented says whether a consent of the company is in force now.
	Consented(company string, to Role, what Matter) bool
	// Reserved counts the companies without such a consent in force, those of one
	// holding once.
	Reserved(to Role, what Matter) int
	// ContactSides returns the two companies of a contact, none for an unknown one.
	ContactSides(contact string) []ContactSide
}

// ErrNotPermitted is returned, wrapped, where As refuses.
var ErrNotPermitted = errors.New("not permitted")

// As lets viewer see what somebody of the given role (and company) would see of
// what viewer may see: the answer of every rule is that of both at once, so it
// never shows viewer anything new. A company sees in this way what the animator,
// a partner or a funder sees of it. Nothing can be changed while looking so.
// Companies, animators and verifiers may do it.
func As(viewer Person, role Role, company string) (Person, error) {
	if viewer.viewer != nil {
		return Person{}, fmt.Errorf("see as %s: already looking as somebody else: %w", role, ErrNotPermitted)
	}
	if !May(viewer, nil, SeeAs, "") {
		return Person{}, fmt.Errorf("see as %s: the role %s has nothing to compare: %w", role, viewer.Role, ErrNotPermitted)
	}
	p := Person{ID: viewer.ID, Name: viewer.Name, Email: viewer.Email, Language: viewer.Language,
		Role: role, Company: company, viewer: &viewer}
	if err := p.Check(); err != nil {
		return Person{}, fmt.Errorf("see as: %w", err)
	}
	return p, nil
}

// Viewer returns who really looks when p came from As; ok is false otherwise.
func (p Person) Viewer() (viewer Person, ok bool) {
	if p.viewer == nil {
		return Person{}, false
	}
	return *p.viewer, true
}

// of says whether p acts for the company. The empty company is nobody's.
func (p Person) of(company string) bool { return company != "" && p.Company == company }

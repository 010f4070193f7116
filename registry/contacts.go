package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/batch"
	"github.com/thermie/thermie/metering"
)

// How long things last. A contact that nobody answers ends, and companies are
// not asked the same again and again.
const (
	ContactLasts   = 60 * 24 * time.Hour
	ReminderAfter  = 30 * 24 * time.Hour
	MaxPostponed   = 2                    // "ask me later"
	RestDeclined   = 365 * 24 * time.Hour // after a refusal or a withdrawal
	RestUnanswered = 180 * 24 * time.Hour // after no answer
)

// SideState is how far one company is with a contact.
type SideState string

// The states of a side.
const (
	SideWaiting   SideState = "waiting" // not asked before the other agreed
	SideAsked     SideState = "asked"
	SideLater     SideState = "later" // asked to be reminded
	SideAgreed    SideState = "agreed"
	SideDeclined  SideState = "declined"
	SideWithdrawn SideState = "withdrawn"
)

// ContactState is how far a contact is.
type ContactState string

// The states of a contact.
const (
	ContactProposed   ContactState = "proposed"
	ContactIntroduced ContactState = "introduced" // both agreed: each knows the other
	ContactEntered    ContactState = "entered"    // stands as a synergy in the programme
	ContactDeclined   ContactState = "declined"
	ContactWithdrawn  ContactState = "withdrawn"
	ContactExpired    ContactState = "expired"
)

// ContactReasons is the closed list of why a company declines; "" says nothing.
// There is no free text: it could say who writes.
var ContactReasons = []string{"not_now", "own_use", "already_talking", "too_confidential", "other"}

// Band is a range of an order of magnitude; To is 0 where it is open above.
type Band struct {
	From float64 `json:"from"`
	To   float64 `json:"to,omitempty"`
}

// ContactBands are orders of magnitude, wide enough that several companies of the
// programme fit; nil where none is.
type ContactBands struct {
	PowerKW     *Band `json:"power_kw,omitempty"`
	Temperature *Band `json:"temperature_c,omitempty"`
	Amount      *Band `json:"amount,omitempty"` // a year, in the profile's unit
}

// ContactProfile is what a company could let the other one see. It is that of the
// day of the proposal, so that nobody consents to one thing and shows another.
type ContactProfile struct {
	Bands      ContactBands  `json:"bands"`
	MWhPerYear float64       `json:"mwh_per_year,omitempty"` // heat
	PowerKW    float64       `json:"power_kw,omitempty"`     // typical of a source, greatest of a need
	LowC       float64       `json:"low_c,omitempty"`
	HighC      float64       `json:"high_c,omitempty"`
	Amount     float64       `json:"amount,omitempty"` // declared flow, a year
	Unit       string        `json:"unit,omitempty"`
	Quality    metering.Text `json:"quality,omitzero"`
}

// ContactPerson is whom to call once both agreed.
type ContactPerson struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Phone string `json:"phone,omitempty"`
}

// ContactSide is one company of a contact, with all that is known: what is shown of
// it to whom, access decides.
type ContactSide struct {
	Ref        string
	Company    string
	Subject    string
	Profile    ContactProfile
	State      SideState
	AskedAt    time.Time // zero: not yet
	AnsweredAt time.Time
	AnsweredBy string
	Reason     string
	Parts      []access.Part
	RemindAt   time.Time
	Postponed  int
	Person     ContactPerson
	Candidate  bool // agrees that the exchange be entered as a synergy

	salt string
}

// AnswerBy is until when a company can answer. It follows from what this company
// did: the contact may last longer because the other one put it off.
func (s *ContactSide) AnswerBy() time.Time {
	by := s.AskedAt.Add(ContactLasts)
	if t := s.RemindAt.Add(ReminderAfter); s.State == SideLater && t.After(by) {
		return t
	}
	return by
}

// Due says whether a company should be told, at a moment, that a question waits.
func (s *ContactSide) Due(now time.Time) bool {
	return s.State == SideAsked || s.State == SideLater && !now.Before(s.RemindAt)
}

// Contact is two companies that could exchange something; the first has it.
type Contact struct {
	ID         string
	Resource   string
	ProposedAt time.Time
	ProposedBy string
	ExpiresAt  time.Time
	ClosedAt   time.Time
	State      ContactState
	Synergy    string
	Sides      [2]ContactSide
}

// Side returns which side a company is, -1 for none.
func (c *Contact) Side(company string) int {
	return slices.IndexFunc(c.Sides[:], func(s ContactSide) bool { return s.Company == company })
}

// Open says whether it is not closed.
func (c *Contact) Open() bool { return c.ClosedAt.IsZero() }

// agreed says whether the consent of a side is in force.
func (c *Contact) agreed(i int) bool { return c.Open() && c.Sides[i].State == SideAgreed }

// RestingError says that two companies are not to be asked again yet.
type RestingError struct{ Until time.Time }

func (e RestingError) Error() string {
	if e.Until.IsZero() {
		return "they are in contact about it"
	}
	return "not to be proposed again before " + e.Until.UTC().Format(time.DateOnly)
}

// ContactProposal is a contact to be proposed.
type ContactProposal struct {
	Resource string
	Giver    ProposedSide
	Taker    ProposedSide
}

// ProposedSide is one company of a proposal.
type ProposedSide struct {
	Company string
	Subject string
	Profile ContactProfile
	// After asks this company only once the other agreed.
	After bool
}

const selectContacts = `SELECT id, resource, proposed_at, proposed_by, expires_at, closed_at, closed_how, synergy FROM contacts`

func (r *Registry) contacts(ctx context.Context, q querier, where string, args ...any) ([]Contact, error) {
	now := r.now()
	all, err := list(ctx, q, func(s scanner) (c Contact, err error) {
		var how string
		if err := s.Scan(&c.ID, &c.Resource, instant{&c.ProposedAt}, &c.ProposedBy, instant{&c.ExpiresAt}, instant{&c.ClosedAt}, text{&how}, text{&c.Synergy}); err != nil {
			return c, err
		}
		c.State = ContactState(how)
		return c, nil
	}, selectContacts+" "+where+" ORDER BY proposed_at DESC, id", args...)
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(all))
	for i := range all {
		at[all[i].ID] = i
	}
	_, err = list(ctx, q, func(s scanner) (none struct{}, err error) {
		id, n, x, err := readContactSide(s)
		if err == nil {
			all[at[id]].Sides[n] = x
		}
		return none, err
	}, `SELECT contact, side, ref, company, subject, profile, salt, asked_at, state, answered_at, answered_by, reason, parts, remind_at, postponed, person, candidate
		FROM contact_sides WHERE contact IN (SELECT id FROM contacts `+where+")", args...)
	for i := range all {
		all[i].settle(now)
	}
	return all, err
}

// settle finds the state; what nobody answered in time is over.
func (c *Contact) settle(now time.Time) {
	both := c.Sides[0].State == SideAgreed && c.Sides[1].State == SideAgreed
	switch {
	case c.State != "":
	case both && c.Synergy != "":
		c.State = ContactEntered
	case both:
		c.State = ContactIntroduced
	case !now.Before(c.ExpiresAt):
		c.State, c.ClosedAt = ContactExpired, c.ExpiresAt
	default:
		c.State = ContactProposed
	}
	if !c.Open() {
		for i := range c.Sides {
			c.Sides[i].Person, c.Sides[i].Parts = ContactPerson{}, nil
		}
	}
}

func readContactSide(s scanner) (contact string, side int, x ContactSide, err error) {
	var profile, parts, person string
	if err := s.Scan(&contact, &side, &x.Ref, &x.Company, &x.Subject, &profile, &x.salt, instant{&x.AskedAt}, &x.State, instant{&x.AnsweredAt}, &x.AnsweredBy, &x.Reason, &parts,
		instant{&x.RemindAt}, &x.Postponed, &person, &x.Candidate); err != nil {
		return contact, side, x, err
	}
	for _, f := range []struct {
		text string
		into any
	}{{profile, &x.Profile}, {parts, &x.Parts}, {person, &x.Person}} {
		if f.text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(f.text), f.into); err != nil {
			return contact, side, x, fmt.Errorf("contact of company %s: %w", x.Company, err)
		}
	}
	return contact, side, x, nil
}

// Contacts returns the contacts of a company that it was asked about, or all with
// "", the newest first.
func (r *Registry) Contacts(ctx context.Context, company string) ([]Contact, error) {
	all, err := r.contacts(ctx, r.db, "WHERE ? = '' OR id IN (SELECT contact FROM contact_sides WHERE company = ? AND asked_at IS NOT NULL)", company, company)
	return all, wrap(err, "contacts of company %q", company)
}

// Contact returns one contact by its own name.
func (r *Registry) Contact(ctx context.Context, id string) (Contact, error) {
	return r.contact(ctx, r.db, "WHERE id = ?", id)
}

// ContactByRef returns the contact that a company knows by ref, and which side it is.
func (r *Registry) ContactByRef(ctx context.Context, ref string) (Contact, int, error) {
	c, err := r.contact(ctx, r.db, "WHERE id = (SELECT contact FROM contact_sides WHERE ref = ?)", ref)
	return c, slices.IndexFunc(c.Sides[:], func(s ContactSide) bool { return s.Ref == ref }), err
}

func (r *Registry) contact(ctx context.Context, q querier, where string, arg string) (Contact, error) {
	all, err := r.contacts(ctx, q, where, arg)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Contact{}, wrap(err, "contact %q", arg)
	}
	return all[0], nil
}

// Resting says until when two companies are left in peace about a resource, in
// whatever direction, as their contacts have it; ok is false when they may be asked.
// A zero time: they are in contact.
func Resting(all []Contact, resource, a, b string, now time.Time) (until time.Time, ok bool) {
	for i := range all {
		c := &all[i]
		if c.Resource != resource || c.Side(a) < 0 || c.Side(b) < 0 {
			continue
		}
		if c.Open() {
			return time.Time{}, true
		}
		rest := RestDeclined
		if c.State == ContactExpired {
			rest = RestUnanswered
		}
		if t := c.ClosedAt.Add(rest); t.After(until) {
			until = t
		}
	}
	return until, now.Before(until)
}

// random is a name that tells nothing.
func random() (string, error) {
	var b [10]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// ProposeContact asks two companies. It gives a RestingError when they are in
// contact about the resource already or must be left in peace.
func (r *Registry) ProposeContact(ctx context.Context, p ContactProposal, by string) (Contact, error) {
	var id string
	err := r.change(ctx, func(tx *sql.Tx) (err error) {
		if err := p.check(by); err != nil {
			return err
		}
		now := r.now()
		all, err := r.contacts(ctx, tx, "WHERE resource = ?", p.Resource)
		if err != nil {
			return err
		}
		if until, resting := Resting(all, p.Resource, p.Giver.Company, p.Taker.Company, now); resting {
			return RestingError{until}
		}
		if id, err = random(); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO contacts VALUES (?, ?, ?, ?, ?, NULL, NULL, NULL)", id, p.Resource, now.UnixMilli(), by, now.Add(ContactLasts).UnixMilli()); err != nil {
			return err
		}
		for i, s := range []ProposedSide{p.Giver, p.Taker} {
			if err := insertSide(ctx, tx, id, i, s, now); err != nil {
				return err
			}
		}
		return audit(ctx, tx, Act{At: now, Who: by, What: "contact.propose", Subject: id})
	})
	if err != nil {
		return Contact{}, wrap(err, "propose contact")
	}
	return r.Contact(ctx, id)
}

func (p ContactProposal) check(by string) error {
	switch {
	case p.Resource == "" || p.Giver.Company == "" || p.Taker.Company == "" || by == "":
		return errors.New("needs a resource, two companies and who proposes")
	case p.Giver.Company == p.Taker.Company:
		return fmt.Errorf("company %q with itself", p.Giver.Company)
	case p.Giver.After && p.Taker.After:
		return errors.New("each company waits for the other")
	}
	return nil
}

func insertSide(ctx context.Context, tx *sql.Tx, id string, i int, s ProposedSide, now time.Time) error {
	ref, err := random()
	if err != nil {
		return err
	}
	salt, err := random()
	if err != nil {
		return err
	}
	profile, err := json.Marshal(s.Profile)
	if err != nil {
		return err
	}
	asked, state := any(now.UnixMilli()), SideAsked
	if s.After {
		asked, state = nil, SideWaiting
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO contact_sides VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, '', '', '[]', NULL, 0, '', 0)",
		id, i, ref, s.Company, s.Subject, string(profile), salt, asked, state)
	if err != nil {
		return fmt.Errorf("company %s: %w", s.Company, err)
	}
	return nil
}

// profileHash names what a side can show in the audit trail, without telling it.
func (s *ContactSide) profileHash() (string, error) {
	b, err := json.Marshal(s.Profile)
	return batch.HashOf(append([]byte(s.salt), b...)).String(), err
}

package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/metering"
)

// ErrClosed: a contact that is over takes no answer.
var ErrClosed = errors.New("the contact is closed")

// ErrAnswer: an answer that says too little, or what cannot be.
var ErrAnswer = errors.New("the answer cannot be taken")

// AgreeContact gives a company's consent to a contact: the other one may see the
// parts from now on, and who it is once both agreed. Given again, it changes the
// parts; what is no longer among them is hidden at once.
func (r *Registry) AgreeContact(ctx context.Context, ref string, parts []access.Part, person ContactPerson, by string) error {
	return r.answer(ctx, ref, by, func(tx *sql.Tx, c *Contact, i int) error {
		shown := []access.Part{} // in the order of the list
		for _, p := range access.Parts {
			if slices.Contains(parts, p) {
				shown = append(shown, p)
			}
		}
		if len(shown) != len(parts) {
			return fmt.Errorf("parts %v: want some of %v: %w", parts, access.Parts, ErrAnswer)
		}
		if err := person.check(); err != nil {
			return err
		}
		list, err := json.Marshal(shown)
		if err != nil {
			return err
		}
		whom, err := json.Marshal(person)
		if err != nil {
			return err
		}
		now := r.now()
		if _, err := tx.ExecContext(ctx, "UPDATE contact_sides SET state = ?, answered_at = ?, answered_by = ?, parts = ?, person = ?, remind_at = NULL WHERE ref = ?",
			SideAgreed, now.UnixMilli(), by, string(list), string(whom), ref); err != nil {
			return err
		}
		// Who was to be asked afterwards is asked now, with the whole time to answer.
		if other := c.Sides[1-i]; other.State == SideWaiting {
			if _, err := tx.ExecContext(ctx, "UPDATE contact_sides SET state = ?, asked_at = ? WHERE ref = ?", SideAsked, now.UnixMilli(), other.Ref); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE contacts SET expires_at = ? WHERE id = ?", now.Add(ContactLasts).UnixMilli(), c.ID); err != nil {
				return err
			}
		}
		hash, err := c.Sides[i].profileHash()
		if err != nil {
			return err
		}
		return audit(ctx, tx, Act{At: now, Who: by, What: "contact.agree", Subject: ref, Detail: fmt.Sprintf("shows %v of sha256 %s", shown, hash)})
	})
}

// DeclineContact ends a contact. The other company learns only that it came to
// nothing; the reason is the animator's.
func (r *Registry) DeclineContact(ctx context.Context, ref, reason, by string) error {
	return r.answer(ctx, ref, by, func(tx *sql.Tx, c *Contact, i int) error {
		if reason != "" && !slices.Contains(ContactReasons, reason) {
			return fmt.Errorf("reason %q: want one of %v: %w", reason, ContactReasons, ErrAnswer)
		}
		state, how := SideDeclined, ContactDeclined
		if c.Sides[i].State == SideAgreed {
			state, how = SideWithdrawn, ContactWithdrawn
		}
		now := r.now()
		if _, err := tx.ExecContext(ctx, "UPDATE contact_sides SET state = ?, answered_at = ?, answered_by = ?, reason = ?, remind_at = NULL WHERE ref = ?",
			state, now.UnixMilli(), by, reason, ref); err != nil {
			return err
		}
		if err := closeContact(ctx, tx, c.ID, how, now); err != nil {
			return err
		}
		return audit(ctx, tx, Act{At: now, Who: by, What: "contact." + map[ContactState]string{ContactDeclined: "decline", ContactWithdrawn: "withdraw"}[how], Subject: ref, Detail: reason})
	})
}

// closeContact ends a contact; consents and persons of both sides go with it.
func closeContact(ctx context.Context, tx *sql.Tx, id string, how ContactState, at time.Time) error {
	if _, err := tx.ExecContext(ctx, "UPDATE contacts SET closed_at = ?, closed_how = ? WHERE id = ?", at.UnixMilli(), how, id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE contact_sides SET parts = '[]', person = '', candidate = 0 WHERE contact = ?", id)
	return err
}

// PostponeContact puts the question off, at most MaxPostponed times.
func (r *Registry) PostponeContact(ctx context.Context, ref, by string) error {
	return r.answer(ctx, ref, by, func(tx *sql.Tx, c *Contact, i int) error {
		s := c.Sides[i]
		if s.State == SideAgreed || s.Postponed >= MaxPostponed {
			return fmt.Errorf("agreed, or put off %d times already: %w", s.Postponed, ErrAnswer)
		}
		now := r.now()
		remind := now.Add(ReminderAfter)
		if _, err := tx.ExecContext(ctx, "UPDATE contact_sides SET state = ?, answered_at = ?, answered_by = ?, remind_at = ?, postponed = postponed + 1 WHERE ref = ?",
			SideLater, now.UnixMilli(), by, remind.UnixMilli(), ref); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE contacts SET expires_at = max(expires_at, ?) WHERE id = ?", remind.Add(ReminderAfter).UnixMilli(), c.ID); err != nil {
			return err
		}
		return audit(ctx, tx, Act{At: now, Who: by, What: "contact.later", Subject: ref})
	})
}

// WishCandidate says whether a company wants the exchange entered in the programme
// as a synergy, which all members see. Only who was introduced can say so.
func (r *Registry) WishCandidate(ctx context.Context, ref string, wish bool, by string) error {
	return r.answer(ctx, ref, by, func(tx *sql.Tx, c *Contact, i int) error {
		if c.State != ContactIntroduced {
			return fmt.Errorf("the companies are not introduced, or it is entered: %w", ErrAnswer)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE contact_sides SET candidate = ? WHERE ref = ?", wish, ref); err != nil {
			return err
		}
		return audit(ctx, tx, Act{Who: by, At: r.now(), What: "contact.candidate", Subject: ref, Detail: fmt.Sprint(wish)})
	})
}

// answer runs a company's answer on an open contact that it was asked about.
func (r *Registry) answer(ctx context.Context, ref, by string, f func(tx *sql.Tx, c *Contact, i int) error) error {
	return wrap(r.change(ctx, func(tx *sql.Tx) error {
		if by == "" {
			return errors.New("by whom?")
		}
		c, err := r.contact(ctx, tx, "WHERE id = (SELECT contact FROM contact_sides WHERE ref = ?)", ref)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(c.Sides[:], func(s ContactSide) bool { return s.Ref == ref })
		switch {
		case c.Sides[i].AskedAt.IsZero():
			return ErrNotFound
		case !c.Open():
			return ErrClosed
		}
		return f(tx, &c, i)
	}), "answer to contact %q", ref)
}

// EnterCandidate makes a synergy in the state identified of a contact whose two
// companies want it, and returns its name.
func (r *Registry) EnterCandidate(ctx context.Context, id string, name metering.Text, by string) (string, error) {
	var synergy string
	err := r.change(ctx, func(tx *sql.Tx) error {
		c, err := r.contact(ctx, tx, "WHERE id = ?", id)
		if err != nil {
			return err
		}
		if c.State != ContactIntroduced || !c.Sides[0].Candidate || !c.Sides[1].Candidate {
			return fmt.Errorf("both companies must be introduced and want it: %w", ErrAnswer)
		}
		number, err := one(ctx, tx, readInt, "SELECT coalesce(max(number), 0) + 1 FROM synergies")
		if err != nil {
			return err
		}
		synergy = fmt.Sprintf("s%02d-%s-%s", number, c.Sides[0].Company, c.Sides[1].Company)
		if err := metering.CheckID(synergy); err != nil {
			synergy = fmt.Sprintf("s%02d-contact", number)
		}
		i := importer{ctx: ctx, tx: tx, now: r.now()}
		if err := i.synergy(Synergy{Synergy: metering.Synergy{ID: synergy, Number: int(number), Name: name, Kind: metering.Substitution, Resource: c.Resource, Status: metering.Identified,
			Since: i.now, Parties: []metering.Party{{Company: c.Sides[0].Company, Role: "donor"}, {Company: c.Sides[1].Company, Role: "receiver"}}}}); err != nil {
			return err
		}
		if err := i.exec("UPDATE contacts SET synergy = ? WHERE id = ?", synergy, id); err != nil {
			return err
		}
		return audit(ctx, tx, Act{At: i.now, Who: by, What: "contact.enter", Subject: id, Detail: synergy})
	})
	return synergy, wrap(err, "enter contact %q as a synergy", id)
}

// CloseExpired closes the contacts that nobody answered in time, and says how many.
// They count as closed before; what this adds is that the persons named in them are
// deleted.
func (r *Registry) CloseExpired(ctx context.Context) (n int, err error) {
	err = r.change(ctx, func(tx *sql.Tx) error {
		all, err := r.contacts(ctx, tx, "WHERE closed_at IS NULL AND expires_at <= ?", r.now().UnixMilli())
		if err != nil {
			return err
		}
		for _, c := range all {
			if c.State != ContactExpired {
				continue
			}
			if err := closeContact(ctx, tx, c.ID, ContactExpired, c.ExpiresAt); err != nil {
				return err
			}
			if err := audit(ctx, tx, Act{At: r.now(), Who: "system", What: "contact.expire", Subject: c.ID}); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, wrap(err, "close expired contacts")
}

func (p ContactPerson) check() error {
	for what, x := range map[string]string{"name": p.Name, "e-mail": p.Email, "telephone": p.Phone} {
		if len(x) > 200 || strings.ContainsAny(x, "\r\n") {
			return fmt.Errorf("%s of the contact person: too long: %w", what, ErrAnswer)
		}
	}
	if a, err := mail.ParseAddress(p.Email); p.Name == "" || err != nil || a.Address != p.Email {
		return fmt.Errorf("the contact person needs a name and an e-mail address: %w", ErrAnswer)
	}
	return nil
}

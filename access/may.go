package access

import (
	"slices"

	"github.com/thermie/thermie/metering"
)

// Action is something a person may see or do. The closed list is [Actions].
// What the subject of [May] is stands with each; "" where it needs none.
type Action string

// What can be seen.
const (
	// SeeProgramme: names of companies and synergies, who gives what to whom,
	// without figures. No subject.
	SeeProgramme Action = "see_programme"
	// SeeIndicators: sums over the programme, under disclosure control. No subject.
	SeeIndicators Action = "see_indicators"
	// SeeReports: closed quarters' reports, which hold indicators only. No subject.
	SeeReports Action = "see_reports"
	// SeeMethods: formulas and emission factors. No subject.
	SeeMethods Action = "see_methods"
	// SeeSynergy: a synergy's figures (MWh, t CO2e, EUR, m3), its M&V plan with
	// prices, its alarms. Subject: synergy; "" asks for every synergy.
	SeeSynergy Action = "see_synergy"
	// SeeEvidence: a synergy's declarations with weigh tickets, invoices,
	// contracts. Subject: synergy.
	SeeEvidence Action = "see_evidence"
	// SeeDossier: the verifier's dossier, with the batches, plans and factors
	// from which every figure is recomputed. No subject.
	SeeDossier Action = "see_dossier"
	// SeeCompany: a company's page: what it uses, what it gains. Subject: company.
	SeeCompany Action = "see_company"
	// SeeOpportunities: a company's waste heat, needs and declared flows. Subject:
	// company; "" asks for the page as such. A proposal names two companies: ask
	// for each and leave out the one that is refused.
	SeeOpportunities Action = "see_opportunities"
	// SeeContacts: contacts between companies. Subject: contact; "" asks for the page
	// as such. What is shown of each company, MaySeePart says.
	SeeContacts Action = "see_contacts"
	// SeeHeatProposals: assets that detection proposes and nobody confirmed yet. No
	// company sees another's, whatever that one consented to. Subject: company.
	SeeHeatProposals Action = "see_heat_proposals"
	// SeeMeters: a company's gateways and meters: where, which device, last seen,
	// faults in words, completeness by day; no reading. Subject: company; "" asks
	// for the page as such. Readings need a Scope.
	SeeMeters Action = "see_meters"
	// SeeHistory: the readings of a meter older than RecentDays. Subject: meter.
	// Readings need a Scope as well.
	SeeHistory Action = "see_history"
	// SeeAudit: who did what and when. No subject.
	SeeAudit Action = "see_audit"
	// SeeAs: to look at one's own data with another's eyes, see As. No subject.
	SeeAs Action = "see_as"
)

// What can be changed.
const (
	// EditProgramme: synergies, drafts of plans, factors, tariffs. No subject.
	EditProgramme Action = "edit_programme"
	// ApprovePlan: to approve and so lock an M&V plan. Subject: synergy.
	ApprovePlan Action = "approve_plan"
	// SealReport: to close a quarter. No subject.
	SealReport Action = "seal_report"
	// Declare: to enter a declared amount with its evidence. Subject: synergy.
	Declare Action = "declare"
	// DecideHeat: to accept or refuse a proposed heat asset. Subject: company.
	DecideHeat Action = "decide_heat"
	// Consent: to give or withdraw a company's consent. Subject: company.
	Consent Action = "consent"
	// StartContact: to propose a contact to two companies, and to enter it as a synergy
	// once both want it. No subject; MayPropose decides on the pair.
	StartContact Action = "start_contact"
	// AnswerContact: to answer for a company that was asked. Subject: contact.
	AnswerContact Action = "answer_contact"
	// Install: to enrol gateways, record meters and their exchange. Subject: company.
	Install Action = "install"
	// Administer: people, roles, settings. No subject.
	Administer Action = "administer"
)

// RecentDays is how far back an installer may read: long enough to judge a
// commissioning over a week-end, too short to reconstruct a year's production.
const RecentDays = 7

// Actions is the closed list: what is seen first, then what is changed.
var Actions = []Action{SeeProgramme, SeeIndicators, SeeReports, SeeMethods, SeeSynergy, SeeEvidence, SeeDossier,
	SeeCompany, SeeOpportunities, SeeContacts, SeeHeatProposals, SeeMeters, SeeHistory, SeeAudit, SeeAs,
	EditProgramme, ApprovePlan, SealReport, Declare, DecideHeat, Consent, StartContact, AnswerContact, Install, Administer}

// changes says whether an action changes something.
func (a Action) changes() bool {
	return slices.Index(Actions, a) >= slices.Index(Actions, EditProgramme)
}

// May says whether p may do a to subject. Where it answers no, a page answers
// as if the subject did not exist. Actions without a subject ignore it and
// may be asked with nil facts.
func May(p Person, f Facts, a Action, subject string) bool {
	if p.Check() != nil || !slices.Contains(Actions, a) {
		return false
	}
	if v, ok := p.Viewer(); ok {
		return !a.changes() && May(v, f, a, subject) && may(p, f, a, subject)
	}
	return may(p, f, a, subject)
}

func may(p Person, f Facts, a Action, subject string) bool {
	if f == nil {
		f = noFacts{}
	}
	switch p.Role {
	case Installer:
		return installerMay(p, a, subject)
	case Company:
		return companyMay(p, f, a, subject)
	case Animator:
		return animatorMay(p, f, a, subject)
	case Verifier:
		return !a.changes() && (a != SeeContacts || subject == "" || seesContact(p, f, subject))
	case Funder:
		return a == SeeIndicators || a == SeeReports || a == SeeMethods
	case Administrator:
		return a == Administer || a == SeeAudit || a == Install
	}
	return false
}

func installerMay(p Person, a Action, subject string) bool {
	switch a {
	case SeeMeters:
		return p.Company == "" || subject == "" || p.of(subject)
	case Install:
		return p.Company == "" || p.of(subject)
	}
	return false
}

func companyMay(p Person, f Facts, a Action, subject string) bool {
	switch a {
	case SeeProgramme, SeeIndicators, SeeReports, SeeMethods, SeeAs:
		return true
	case SeeSynergy, SeeEvidence, Declare:
		return party(p, f, subject)
	case SeeCompany, SeeHeatProposals, DecideHeat, Consent:
		return p.of(subject)
	case SeeMeters:
		return subject == "" || p.of(subject)
	case SeeOpportunities:
		return subject == "" || p.of(subject) || f.Consented(subject, Company, OpportunitiesMatter)
	case SeeContacts:
		return subject == "" || seesContact(p, f, subject)
	case AnswerContact:
		return seesContact(p, f, subject)
	case SeeHistory:
		return seesSeries(p, f, subject)
	}
	return false
}

func animatorMay(p Person, f Facts, a Action, subject string) bool {
	switch a {
	case SeeDossier, SeeAudit, Consent, AnswerContact, Install, Administer:
		return false
	case SeeContacts:
		return subject == "" || seesContact(p, f, subject)
	case SeeCompany:
		return f.Consented(subject, Animator, FiguresMatter)
	case SeeOpportunities:
		return subject == "" || f.Consented(subject, Animator, OpportunitiesMatter)
	case SeeHeatProposals, DecideHeat:
		return f.Consented(subject, Animator, OpportunitiesMatter)
	case SeeHistory:
		return seesSeries(p, f, subject)
	}
	return true // figures of all synergies, health of all meters, running the programme
}

// noFacts knows nothing: what depends on facts is refused.
type noFacts struct{}

func (noFacts) MeterCompany(string) (string, bool)     { return "", false }
func (noFacts) MeterSynergies(string) []string         { return nil }
func (noFacts) SynergyParties(string) []metering.Party { return nil }
func (noFacts) Consented(string, Role, Matter) bool    { return false }
func (noFacts) ContactSides(string) []ContactSide      { return nil }
func (noFacts) Reserved(Role, Matter) int              { return 0 }

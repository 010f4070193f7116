package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
)

type companiesPage struct{ Table *table }

// showCompanies lists the members; the page of one opens to those who may see it.
func showCompanies(v *visit) error {
	m, err := v.members()
	if err != nil {
		return err
	}
	t := newTable("", v.head("company.one"), v.head("company.activity"), v.head("company.quay"), v.head("nav.synergies"), v.head("company.page")).cards()
	for _, c := range m.companies {
		var numbers []string
		for _, s := range m.synergies {
			if slices.ContainsFunc(s.Parties, func(p metering.Party) bool { return p.Company == c.ID }) {
				numbers = append(numbers, v.lang.Number(float64(s.Number), 0))
			}
		}
		page := txt(v.t("company.closed"))
		if v.may(access.SeeCompany, c.ID) {
			page = link(v.t("company.open"), "/companies/"+c.ID)
		}
		t.add(txt(c.Name), txt(v.lang.Of(c.Activity)), txt(c.Quay), txt(strings.Join(numbers, ", ")), page)
	}
	return v.page(http.StatusOK, "companies", v.t("nav.companies"), companiesPage{t})
}

type companyPage struct {
	Name, Activity, Quay, Seen string
	Gains                      []total
	GainsPeriod                string
	Synergies                  *table
	UseBy                      []choice
	Use                        []*plot
	UseRefused                 bool
	Meters                     []companyMeter
	Opportunities              *table
	Consents                   *table
	Todo                       []alarmLine
	SeenBy                     string
	Own                        bool
	Requests                   string // contacts that wait for an answer
	Download                   *download
}

type companyMeter struct {
	ID, Name, Medium string
	State            state
	Readings         []liveReading
	Refused          bool
}

func showCompany(v *visit) error {
	c, _, err := v.company(v.Param("company"))
	if err != nil {
		return err
	}
	p := companyPage{Name: c.Name, Activity: v.lang.Of(c.Activity), Quay: c.Quay, SeenBy: v.seenBy(access.SeeCompany, c.ID), Own: v.person.Company == c.ID}
	if v.may(access.SeeAs, "") {
		p.Seen = "/companies/" + c.ID + "/seen"
	}
	if err := v.companyGains(&p, c.ID); err != nil {
		return err
	}
	if err := v.companyUse(&p, c.ID); err != nil {
		return err
	}
	if p.Meters, err = v.companyMeters(c.ID); err != nil {
		return err
	}
	if p.Consents, err = v.consentTable(c.ID); err != nil {
		return err
	}
	if p.Opportunities, err = v.companyOpportunities(c.ID); err != nil {
		return err
	}
	if p.Todo, err = v.companyTodo(c.ID); err != nil {
		return err
	}
	if slices.ContainsFunc(p.Meters, func(m companyMeter) bool { return !m.Refused }) {
		p.Download = v.download("", c.ID)
	}
	if p.Own {
		n, err := v.contactRequests()
		if err != nil {
			return err
		}
		if n > 0 {
			p.Requests = v.lang.N("contact.requests", n)
		}
	}
	return v.page(http.StatusOK, "company", c.Name, p)
}

// companyTodo are the alarms of a company's site and of its synergies.
func (v *visit) companyTodo(company string) ([]alarmLine, error) {
	alarms, err := v.s.o.Registry.Alarms(v.Request().Context(), registry.AlarmQuery{Open: true})
	if err != nil {
		return nil, err
	}
	m, err := v.members()
	if err != nil {
		return nil, err
	}
	return v.alarms(slices.DeleteFunc(alarms, func(a metering.Alarm) bool {
		return a.Company != company && !slices.ContainsFunc(m.synergies, func(s metering.Synergy) bool {
			return s.ID == a.Subject && slices.ContainsFunc(s.Parties, func(p metering.Party) bool { return p.Company == company })
		})
	}))
}

// companyGains lists the synergies of a company with what each brings in the
// last twelve months: the company's part where the plan states shares, else
// the figures of the synergy as a whole, which the row says. Only parts are
// added up.
func (v *visit) companyGains(p *companyPage, company string) error {
	m, err := v.members()
	if err != nil {
		return err
	}
	t := newTable("", v.head("synergy.one"), v.head("company.part"), v.headN("short.energy"), v.headN("short.co2e"), v.headN("short.money"), v.headN("short.water"), v.headN("figure.coverage_head")).cards()
	var gains []metering.Result
	for _, s := range m.synergies {
		i := slices.IndexFunc(s.Parties, func(x metering.Party) bool { return x.Company == company })
		if i < 0 || !v.may(access.SeeSynergy, s.ID) {
			continue
		}
		part := v.lang.Or("party."+s.Parties[i].Role, s.Parties[i].Role)
		name := link(v.synergyName(s), "/synergies/"+s.ID)
		all, err := v.results(registry.Query{Synergy: s.ID})
		if err != nil {
			return err
		}
		year, period := lastYear(byKind(all), v)
		if year == nil {
			t.add(name, txt(part), right(""), right(""), right(""), right(""), right(v.t("figure.none")))
			continue
		}
		p.GainsPeriod = period
		_, plan, err := v.planInForce(s.ID)
		if err != nil {
			return err
		}
		r, note := *year, v.t("company.whole", v.lang.Number(float64(len(s.Parties)), 0))
		if share, ok := shareOf(plan, company); ok {
			r, note = scaled(*year, share), v.t("company.share", v.lang.Percent(share, 0))
			gains = append(gains, r)
		}
		row := []cell{name, noted(part, note)}
		for _, i := range headline {
			row = append(row, v.amountCell(r, i))
		}
		coverage := ""
		if f, ok := mainIndicator(s.Resource, r); ok {
			coverage = v.lang.Percent(f.Coverage, 1)
		}
		t.add(append(row, right(coverage))...)
	}
	if len(t.Rows) > 0 {
		p.Synergies = t
	}
	p.Gains = v.totals(gains, nil, nil, "")
	return nil
}

// shareOf is a company's part of a synergy's saving; ok is false where the
// plan does not state it.
func shareOf(plan *savings.Plan, company string) (share float64, ok bool) {
	if plan == nil {
		return 0, false
	}
	for _, x := range plan.Shares {
		if x.Company == company {
			return x.Share, true
		}
	}
	return 0, false
}

// scaled is a part of a result; its relative interval stays.
func scaled(r metering.Result, share float64) metering.Result {
	r.Figures = slices.Clone(r.Figures)
	for i := range r.Figures {
		r.Figures[i].Amount *= share
		r.Figures[i].Half90 *= share
	}
	return r
}

func (v *visit) companyMeters(company string) ([]companyMeter, error) {
	m, err := v.members()
	if err != nil {
		return nil, err
	}
	infos, err := v.s.o.Series.List(v.Request().Context(), v.scope)
	if err != nil {
		return nil, err
	}
	statuses, err := v.statuses()
	if err != nil {
		return nil, err
	}
	var out []companyMeter
	for _, x := range m.meters {
		if x.Company != company || !v.may(access.SeeMeters, company) {
			continue
		}
		live, err := v.liveMeter(x, statuses[x.Gateway], infos)
		if err != nil {
			return nil, err
		}
		out = append(out, companyMeter{ID: x.ID, Name: v.lang.Of(x.Name), Medium: resourceColour(x.Medium), State: live.State,
			Readings: live.Readings[:min(2, len(live.Readings))], Refused: !v.scope.Allows(x.ID)})
	}
	return out, nil
}

func (v *visit) companyOpportunities(company string) (*table, error) {
	list, err := v.visibleOpportunities()
	if err != nil {
		return nil, err
	}
	t := newTable("", v.head("opportunity.one"), v.headN("opportunity.mwh"), v.headN("opportunity.temperature")).cards()
	for _, o := range list {
		if o.Company == company {
			f := v.lang.Figure(metering.Figure{Indicator: metering.HeatDeliveredMWh, Amount: o.MWhPerYear, Half90: o.Half90})
			f.Unit = ""
			t.add(link(v.lang.Of(o.Name), "/opportunities/"+o.ID), right(f.String()), right(v.temperatures(o)))
		}
	}
	if len(t.Rows) == 0 {
		return nil, nil
	}
	return t, nil
}

type seenPage struct {
	Name, Viewer, Title, Count string
	Viewers                    []choice
	Rows                       []seenRow
	Consents                   *table
	Back                       string
}

// seenRow is one thing and whether the viewer sees it, with the reason.
type seenRow struct {
	What, Note string
	Yes        bool
	Answer     string
}

// showSeen shows what somebody else sees of a company: every line is the
// answer of access for that person, never more than the visitor may see.
func showSeen(v *visit) error {
	c, _, err := v.company(v.Param("company"))
	if err != nil {
		return err
	}
	m, err := v.members()
	if err != nil {
		return err
	}
	viewers, people := v.viewers(c, m)
	chosen := v.QueryParam("viewer")
	i := max(slices.IndexFunc(viewers, func(x choice) bool { return x.Key == chosen }), 0)
	viewers[i].Current = true
	title := v.t("company.see_as")
	if v.person.Company != c.ID {
		title = v.t("seen.title", c.Name)
	}
	p := seenPage{Name: c.Name, Title: title, Viewers: viewers, Viewer: viewers[i].Name, Back: "/companies/" + c.ID}
	other, err := access.As(v.person, people[i].Role, people[i].Company)
	if err != nil {
		return problem{http.StatusForbidden, v.t("seen.refused")}
	}
	p.Rows, err = v.seenRows(c, m, other)
	if err != nil {
		return err
	}
	seen := 0
	for _, r := range p.Rows {
		if r.Yes {
			seen++
		}
	}
	p.Count = v.t("seen.count", seen, len(p.Rows))
	if p.Consents, err = v.consentTable(c.ID); err != nil {
		return err
	}
	return v.page(http.StatusOK, "seen", p.Title, p)
}

// viewers are those whose eyes can be borrowed: each role that could look at a
// company, and each partner.
func (v *visit) viewers(c metering.Company, m *members) ([]choice, []access.Person) {
	var choices []choice
	var people []access.Person
	add := func(key, name string, p access.Person) {
		choices, people = append(choices, choice{Key: key, Name: name}), append(people, p)
	}
	for _, r := range []access.Role{access.Animator, access.Funder, access.Verifier, access.Installer} {
		add(string(r), v.t("role.the."+string(r)), access.Person{Role: r})
	}
	whose := ""
	if v.person.Company != c.ID {
		whose = ".its"
	}
	seen := map[string]bool{c.ID: true}
	for _, s := range m.synergies {
		if !slices.ContainsFunc(s.Parties, func(p metering.Party) bool { return p.Company == c.ID }) {
			continue
		}
		for _, q := range s.Parties {
			if x, ok, _ := find(m.companies, func(x metering.Company) bool { return x.ID == q.Company }); ok && !seen[q.Company] {
				seen[q.Company] = true
				add(q.Company, v.t("seen.partner"+whose, x.Name), access.Person{Role: access.Company, Company: q.Company})
			}
		}
	}
	for _, x := range m.companies {
		if !seen[x.ID] {
			add("other", v.t("seen.other"+whose), access.Person{Role: access.Company, Company: x.ID})
			break
		}
	}
	return choices, people
}

func (v *visit) seenRows(c metering.Company, m *members, other access.Person) ([]seenRow, error) {
	var rows []seenRow
	may := func(a access.Action, subject string) bool { return access.May(other, v.facts, a, subject) }
	add := func(what, note string, yes bool) {
		answer := v.t("seen.no")
		if yes {
			answer = v.t("seen.yes")
		}
		rows = append(rows, seenRow{what, note, yes, answer})
	}
	add(v.t("seen.page"), v.t("seen.page_note"), may(access.SeeCompany, c.ID))
	for _, s := range m.synergies {
		if slices.ContainsFunc(s.Parties, func(p metering.Party) bool { return p.Company == c.ID }) && v.may(access.SeeSynergy, s.ID) {
			add(v.synergyName(s), v.t("seen.synergy_note"), may(access.SeeSynergy, s.ID))
		}
	}
	add(v.t("seen.opportunities"), v.t("seen.opportunities_note"), may(access.SeeOpportunities, c.ID))
	add(v.t("seen.health"), v.t("seen.health_note"), may(access.SeeMeters, c.ID))
	scope := access.ForSeries(other, v.facts)
	for _, x := range m.meters {
		if x.Company != c.ID {
			continue
		}
		note := v.t("seen.meter_note")
		if len(v.facts.MeterSynergies(x.ID)) > 0 {
			note = v.t("seen.shared_note")
		}
		yes := scope.Allows(x.ID)
		if yes && other.Role == access.Installer {
			note = v.lang.N("seen.recent_note", access.RecentDays)
		}
		add(v.t("seen.meter", v.lang.Of(x.Name)), note, yes)
	}
	add(v.t("seen.indicators"), v.t("seen.indicators_note"), may(access.SeeIndicators, ""))
	return rows, nil
}

func (v *visit) consentTable(company string) (*table, error) {
	list, err := v.s.o.Registry.Consents(v.Request().Context(), company)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	t := newTable("", v.head("consent.what"), v.head("consent.to"), v.head("consent.from"), v.head("consent.until"), v.head("consent.by")).cards()
	for _, c := range list {
		until := v.t("consent.in_force")
		if !c.Until.IsZero() {
			until = v.t("consent.withdrawn", v.lang.ShortDate(c.Until))
		}
		t.add(txt(capital(v.t("matter."+string(c.What)))), txt(v.t("role.the."+string(c.To))), txt(v.lang.ShortDate(c.From)), txt(until), txt(c.GivenBy))
	}
	return t, nil
}

package api

import (
	"encoding/base64"
	"net/http"
	"strconv"

	"github.com/thermie/thermie/access"
	"github.com/thermie/thermie/api/words"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

type peoplePage struct {
	Count  string
	People []personRow
	Rights *table
}

type personRow struct {
	Name, Email, Role, Company, Language, SignIn string
	State                                        state
}

// showPeople lists who may sign in. It has no business data: of a company only
// the name that stands on its people.
func showPeople(v *visit) error {
	all, err := v.s.o.Accounts.List(v.Request().Context())
	if err != nil {
		return err
	}
	names, err := v.companyNames()
	if err != nil {
		return err
	}
	p := peoplePage{Count: v.lang.N("people.count", len(all)), Rights: newTable("", v.head("people.role"), v.head("people.can.head")).cards()}
	for _, a := range all {
		row := personRow{Name: a.Name, Email: a.Email, Role: v.lang.Or("role."+string(a.Role), string(a.Role)), Company: names[a.Company],
			Language: v.t("language." + string(words.Parse(a.Language))), SignIn: v.lang.Since(a.LastSignIn, v.s.o.Clock()), State: state{"good", v.t("people.active"), ""}}
		if a.Disabled {
			row.State = state{"none", v.t("people.disabled"), ""}
		}
		p.People = append(p.People, row)
	}
	for _, r := range access.Roles {
		p.Rights.add(txt(v.t("role."+string(r))), txt(v.t("people.can."+string(r))))
	}
	return v.page(http.StatusOK, "people", v.t("nav.people"), p)
}

// Acts of the audit trail shown at once, and at most.
const (
	someActs = 200
	maxActs  = 5000
)

type auditPage struct {
	Last, More string
	Acts       *table
}

func showAudit(v *visit) error {
	max := someActs
	if n, err := strconv.Atoi(v.QueryParam("last")); err == nil && n > 0 {
		max = min(n, maxActs)
	}
	acts, err := v.s.o.Registry.AuditTrail(v.Request().Context(), max)
	if err != nil {
		return err
	}
	p := auditPage{}
	if len(acts) > 0 {
		p.Last = v.lang.N("audit.last", len(acts))
		p.Acts = newTable("", v.head("audit.at"), v.head("audit.who"), v.head("audit.what"), v.head("audit.subject"), v.head("audit.detail")).cards()
	}
	if len(acts) == max && max < maxActs {
		p.More = "/audit?last=" + strconv.Itoa(min(max*5, maxActs))
	}
	for _, a := range acts {
		who := a.Who
		if who == "" || who == "system" {
			who = v.t("audit.system")
		}
		p.Acts.add(txt(v.lang.Moment(a.At)), txt(who), txt(v.lang.Or("act."+a.What, a.What)), txt(a.Subject), txt(a.Detail))
	}
	return v.page(http.StatusOK, "audit", v.t("nav.audit"), p)
}

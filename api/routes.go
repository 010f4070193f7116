package api

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/thermie/thermie/access"
)

// route is one address: who may come, and what answers. There is no address
// that is not in the table below.
type route struct {
	method, path string
	// action is asked of access.May with the subject; "" only for open routes
	// and for those that any signed-in person may use.
	action access.Action
	// subject finds what the action is about from the address; nil: no subject.
	// ok is false when the address names nothing that exists.
	subject func(*visit) (subject string, ok bool, err error)
	// open routes answer before sign-in.
	open bool
	// anyone marks a route for every signed-in person, whatever the role.
	anyone bool
	answer func(*visit) error
}

// routes is the one place where addresses meet rights.
var routes = []route{
	{method: "GET", path: "/healthz", open: true, answer: showHealth},
	{method: "GET", path: "/metrics", open: true, answer: showMetrics},
	{method: "GET", path: "/assets/*", open: true, answer: showAsset},
	{method: "GET", path: "/sign-in", open: true, answer: showSignIn},
	{method: "POST", path: "/sign-in", open: true, answer: signIn},
	{method: "POST", path: "/sign-out", anyone: true, answer: signOut},
	{method: "GET", path: "/", anyone: true, answer: showHome},

	{method: "GET", path: "/overview", action: access.SeeSynergy, answer: showOverview},
	{method: "GET", path: "/synergies", action: access.SeeProgramme, answer: showSynergies},
	{method: "GET", path: "/synergies/:synergy", action: access.SeeSynergy, subject: theSynergy, answer: showSynergy},
	{method: "POST", path: "/synergies/:synergy/events/:event", action: access.ApprovePlan, subject: theSynergy, answer: decideEvent},
	{method: "GET", path: "/opportunities", action: access.SeeOpportunities, answer: showOpportunities},
	{method: "GET", path: "/opportunities/:opportunity", action: access.SeeOpportunities, subject: theOpportunitysCompany, answer: showOpportunity},
	{method: "GET", path: "/heat", action: access.SeeOpportunities, answer: showHeat},
	{method: "POST", path: "/heat/proposals/:proposal", action: access.DecideHeat, subject: theProposalsCompany, answer: decideProposal},

	{method: "GET", path: "/contacts", action: access.SeeContacts, answer: showContacts},
	{method: "POST", path: "/contacts", action: access.StartContact, answer: startContact},
	{method: "GET", path: "/contacts/:contact", action: access.SeeContacts, subject: theContact, answer: showContact},
	{method: "POST", path: "/contacts/:contact/answer", action: access.AnswerContact, subject: theContact, answer: answerContact},
	{method: "POST", path: "/contacts/:contact/synergy", action: access.StartContact, subject: theContact, answer: enterContact},

	{method: "GET", path: "/gateways", action: access.SeeMeters, answer: showGateways},
	{method: "GET", path: "/gateways/:gateway", action: access.SeeMeters, subject: theGatewaysCompany, answer: showGateway},
	{method: "GET", path: "/gateways/:gateway/live", action: access.SeeMeters, subject: theGatewaysCompany, answer: showGatewayLive},
	{method: "GET", path: "/meters/:meter", action: access.SeeMeters, subject: theMetersCompany, answer: showMeter},

	{method: "GET", path: "/companies", action: access.SeeProgramme, answer: showCompanies},
	{method: "GET", path: "/companies/:company", action: access.SeeCompany, subject: theCompany, answer: showCompany},
	{method: "GET", path: "/companies/:company/seen", action: access.SeeCompany, subject: theCompany, answer: showSeen},

	{method: "GET", path: "/indicators", action: access.SeeIndicators, answer: showIndicators},
	{method: "GET", path: "/reports", action: access.SeeReports, answer: showReports},
	{method: "GET", path: "/reports/:quarter/:file", action: access.SeeReports, answer: downloadReport},
	{method: "GET", path: "/dossiers/:quarter", action: access.SeeDossier, answer: downloadDossier},
	{method: "GET", path: "/verify", action: access.SeeReports, answer: showVerify},
	{method: "GET", path: "/methods", action: access.SeeMethods, answer: showMethods},

	{method: "GET", path: "/people", action: access.Administer, answer: showPeople},
	{method: "GET", path: "/audit", action: access.SeeAudit, answer: showAudit},

	{method: "GET", path: "/api/v1/openapi.yaml", open: true, answer: showOpenAPI},
	{method: "GET", path: "/api/v1/me", anyone: true, answer: jsonMe},
	{method: "GET", path: "/api/v1/synergies", action: access.SeeProgramme, answer: jsonSynergies},
	{method: "GET", path: "/api/v1/synergies/:synergy/results", action: access.SeeSynergy, subject: theSynergy, answer: jsonResults},
	{method: "GET", path: "/api/v1/opportunities", action: access.SeeOpportunities, answer: jsonOpportunities},
	{method: "GET", path: "/api/v1/contacts", action: access.SeeContacts, answer: jsonContacts},
	{method: "GET", path: "/api/v1/gateways", action: access.SeeMeters, answer: jsonGateways},
	{method: "GET", path: "/api/v1/series", action: access.SeeMeters, answer: jsonSeries},
	{method: "GET", path: "/api/v1/series/:meter/:quantity/points", action: access.SeeMeters, answer: jsonPoints},
	{method: "GET", path: exportPath, action: access.SeeMeters, answer: exportReadings},
	{method: "GET", path: "/api/v1/indicators", action: access.SeeIndicators, answer: jsonIndicators},
	{method: "GET", path: "/api/v1/reports", action: access.SeeReports, answer: jsonReports},
}

// guard lets a request through to its route's answer only when access allows
// it. Without sign-in a page leads to the sign-in and the JSON API answers 401.
// What is refused about a subject answers 404, as if the subject did not
// exist; a page that the role as such may not see answers 403 and says so.
func (s *Server) guard(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		v, err := s.visit(c, r)
		if err != nil {
			return err
		}
		if !r.open && v.person.ID == "" {
			return askToSignIn(v)
		}
		if !r.open && !r.anyone {
			subject := ""
			if r.subject != nil {
				var ok bool
				if subject, ok, err = r.subject(v); err != nil {
					return err
				}
				if !ok {
					return echo.ErrNotFound
				}
			}
			if !v.may(r.action, subject) {
				if r.subject != nil {
					return echo.ErrNotFound
				}
				return echo.ErrForbidden
			}
		}
		if done, err := v.chooseLanguage(); done || err != nil {
			return err
		}
		return r.answer(v)
	}
}

func askToSignIn(v *visit) error {
	if strings.HasPrefix(v.route.path, "/api/") {
		return echo.ErrUnauthorized
	}
	to := "/sign-in"
	if next := v.Request().URL.RequestURI(); v.Request().Method == http.MethodGet && next != "/" {
		to += "?next=" + queryEscape(next)
	}
	return v.Redirect(http.StatusSeeOther, to)
}

func theSynergy(v *visit) (string, bool, error) {
	_, ok, err := v.synergy(v.Param("synergy"))
	return v.Param("synergy"), ok, err
}

func theCompany(v *visit) (string, bool, error) {
	_, ok, err := v.company(v.Param("company"))
	return v.Param("company"), ok, err
}

// theGatewaysCompany is "" for a gateway of the territory itself, which is
// open to whoever may see any meter's health.
func theGatewaysCompany(v *visit) (string, bool, error) {
	g, ok, err := v.gateway(v.Param("gateway"))
	return g.Company, ok, err
}

// theMetersCompany is the company at whose site a meter hangs. A meter of the
// territory itself, such as its weather station, is its gateway's company's.
func theMetersCompany(v *visit) (string, bool, error) {
	m, ok, err := v.meter(v.Param("meter"))
	if err != nil || !ok || m.Company != "" {
		return m.Company, ok, err
	}
	g, ok, err := v.gateway(m.Gateway)
	return g.Company, ok, err
}

func theOpportunitysCompany(v *visit) (string, bool, error) {
	o, ok, err := v.opportunity(v.Param("opportunity"))
	return o.Company, ok && o.Company != "", err
}

func theProposalsCompany(v *visit) (string, bool, error) {
	p, ok, err := v.proposal(v.Param("proposal"))
	return p.Company, ok, err
}

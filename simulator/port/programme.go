package port

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"strings"
	"text/template"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
	"github.com/thermie/thermie/registry"
	"github.com/thermie/thermie/simulator/weather"
)

//go:embed programme.yaml
var programmeText string

//go:embed hood.yaml
var hoodText string

// dates are what programme.yaml may ask for, as civil days or instants.
type dates struct {
	Start, Office, Hood, Fouling, Line, January string
	Approved, Adjusted, Withdrawn               string
	Consenting                                  []string
	HoodPlans                                   []hoodPlan
	epoch                                       time.Time
}

type hoodPlan struct {
	Version                     int
	Start, Hood, Line, Adjusted string
}

// Years is the first of January so many years before the history begins.
func (d dates) Years(n int) string {
	return fmt.Sprintf("%04d-01-01", Start(d.epoch).In(calendar.Paris).Year()-n)
}

func day(t time.Time) string { return t.In(calendar.Paris).Format(time.DateOnly) }

func (p *Port) dates() dates {
	instant := func(t time.Time) string { return t.In(calendar.Paris).Format(time.RFC3339) }
	at := func(step int) string { return day(p.start.Add(time.Duration(step) * stepSeconds * time.Second)) }
	e := p.options.Epoch
	d := dates{epoch: e, Start: day(p.start), Office: at(p.events.officeStart), Hood: at(p.events.hoodStart),
		Fouling: at(p.events.foulingStart), Line: at(p.events.lineStart),
		January:  fmt.Sprintf("%04d-01-01", e.In(calendar.Paris).Year()),
		Approved: instant(p.start.AddDate(0, 0, -20).Add(10 * time.Hour))}
	for _, t := range p.Troubles() {
		switch t.Kind {
		case NewLine:
			d.Adjusted = instant(t.From.AddDate(0, 0, 34).Add(14 * time.Hour))
		case ConsentWithdrawn:
			d.Withdrawn = instant(t.From)
		}
	}
	for _, c := range p.sites {
		if c != "" {
			d.Consenting = append(d.Consenting, c)
		}
	}
	d.HoodPlans = []hoodPlan{{Version: 1, Start: d.Start, Hood: d.Hood}, {2, d.Start, d.Hood, d.Line, d.Adjusted}}
	return d
}

// Programme is everything that the people of the port declared until now:
// companies, gateways, meters with their exchanges, synergies and their plans,
// factors, consents, and the declarations of every quarter that was closed
// before now.
func (p *Port) Programme(now time.Time) (registry.Programme, error) {
	text, err := p.ProgrammeYAML(now)
	if err != nil {
		return registry.Programme{}, err
	}
	return registry.ParseProgramme("of the port", text)
}

// ProgrammeYAML is [Port.Programme] as the file that an animator would keep.
func (p *Port) ProgrammeYAML(now time.Time) ([]byte, error) {
	t, err := template.New("programme.yaml").Option("missingkey=error").Parse(programmeText)
	if err == nil {
		_, err = t.Parse(hoodText)
	}
	var text bytes.Buffer
	if err == nil {
		err = t.ExecuteTemplate(&text, "programme.yaml", p.dates())
	}
	if err != nil {
		return nil, fmt.Errorf("port: programme: %w", err)
	}
	added, err := yaml.Marshal(p.added(now))
	if err != nil {
		return nil, fmt.Errorf("port: programme: %w", err)
	}
	return append(text.Bytes(), added...), nil
}

// added is what the package knows better than a text: it follows from the fleet
// and from the date.
type added struct {
	Gateways     []registry.Gateway      `yaml:"gateways"`
	Meters       []registry.Installation `yaml:"meters"`
	Declarations []registry.Declaration  `yaml:"declarations"`
}

func (p *Port) added(now time.Time) added {
	a := added{Declarations: p.declarations(now)}
	p.addMeters(&a)
	return a
}

func (p *Port) addMeters(r *added) {
	for _, company := range p.sites {
		place := name("Local technique", "Plant room")
		if company == "" {
			place = name("Capitainerie", "Harbour office")
		}
		r.Gateways = append(r.Gateways, registry.Gateway{ID: Gateway(company), Company: company, Place: place})
	}
	for i := range p.fleet {
		m := p.installed[p.fleet[i].ID]
		r.Meters = append(r.Meters, registry.Installation{
			Meter: metering.Meter{ID: m.ID, Company: m.Company, Gateway: Gateway(m.Company), Profile: m.Profile, Name: m.Name,
				Serial: fmt.Sprint(m.view.serial), AccuracyClass: m.Class, Exchanges: p.exchanges(m)},
			Medium: m.Medium, Interval: m.Interval(),
		})
	}
}

// Interval is how often the meter's gateway asks it.
func (m *Meter) Interval() time.Duration {
	switch {
	case m.Profile == waterO || m.sense == pulses || m.sense == thermometer:
		return time.Minute
	case m.Profile == heatS || m.Wire == Serial:
		return 30 * time.Second
	}
	return 10 * time.Second
}

// exchanges are the replacements of a meter of which somebody kept a record.
func (p *Port) exchanges(m *installed) (out []metering.Exchange) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, x := range m.view.effects.restarts {
		if !x.recorded {
			continue
		}
		for _, g := range m.fields {
			if g.owner != m || !g.counter || g.constant != nil {
				continue
			}
			last, ok := m.view.number(p.record, g.field.Quantity, g.unit, x.at-1)
			first, _ := m.view.number(p.record, g.field.Quantity, g.unit, x.at)
			if ok {
				out = append(out, metering.Exchange{At: p.start.Add(time.Duration(x.at) * time.Millisecond), Quantity: g.field.Quantity,
					OldFinal: g.round(last), NewStart: g.round(first)})
			}
		}
	}
	return out
}

// stated is what a company declares each quarter.
type stated struct {
	synergy   string
	what      string // of the declaration's id
	indicator metering.Indicator
	year      float64
	half90    float64 // relative
	spread    float64 // how much quarters differ, relative
	digits    int     // after the decimal point; negative: rounded to tens
	flow      string
	company   string
	kind      string
	documents string // with %[1]s for the quarter and %[2]d for a number
}

var statements = []stated{
	{"s05-bois-gazeification", "bois", metering.MaterialTonnes, 2400, 0.02, 0.08, 1, "material", "chaufferie", "weigh_ticket", "Tickets du pont-bascule %[1]s-%[2]d et suivants (fictif)"},
	{"s05-bois-gazeification", "economies", metering.MoneySavedEUR, 15000, 0.10, 0.05, -1, "", "chaufferie", "invoice", "Factures de plaquettes évitées %[1]s (fictif)"},
	{"s06-biodechets-methaniseur", "biodechets", metering.MaterialTonnes, 5000, 0.02, 0.06, 1, "", "methaniseur", "weigh_ticket", "Tickets de pesée du méthaniseur %[1]s-%[2]d et suivants (fictif)"},
	{"s07-carton-papeterie", "carton", metering.MaterialTonnes, 400, 0.02, 0.07, 1, "material", "papeterie", "weigh_ticket", "Tickets de pesée de la papeterie %[1]s-%[2]d et suivants (fictif)"},
	{"s07-carton-papeterie", "trajets", metering.DistanceAvoidedKM, 21000, 0.05, 0.07, -1, "distance", "logistique", "contract", "Ancien contrat de collecte, 105 km par rotation (fictif)"},
	{"s07-carton-papeterie", "economies", metering.MoneySavedEUR, 8000, 0.05, 0.05, -1, "", "logistique", "invoice", "Factures de reprise %[1]s (fictif)"},
	{"s08-lavage-partage", "economies", metering.MoneySavedEUR, 16000, 0.08, 0.06, -1, "", "transports", "invoice", "Factures de lavage %[1]s-%[2]d et suivantes (fictif)"},
	{"s11-gardiennage-collecte", "economies", metering.MoneySavedEUR, 22000, 0.05, 0.02, -1, "", "fonderie", "contract", "Contrat commun de gardiennage et de collecte, décompte %[1]s (fictif)"},
}

// declarations are those of the quarters that were closed at least twelve days
// before now.
func (p *Port) declarations(now time.Time) (out []registry.Declaration) {
	for q := calendar.QuarterOf(p.start); ; q = q.Next() {
		at := q.End().AddDate(0, 0, 12).Add(9 * time.Hour)
		if at.After(now) {
			return out
		}
		for i, s := range statements {
			h := weather.Hash(p.options.Seed, 9100+uint64(i), uint64(q.Year*4+q.Q))
			amount := s.year / 4 * (1 + s.spread*(2*float64(h>>11)/(1<<53)-1))
			out = append(out, registry.Declaration{
				ID:      strings.ToLower(fmt.Sprintf("%s-%s-%s", s.synergy[:3], s.what, q)),
				Synergy: s.synergy, From: q.Start(), To: q.End(), Indicator: s.indicator, Flow: s.flow,
				Amount: rounded(amount, s.digits), Half90: rounded(amount*s.half90, s.digits), Company: s.company,
				Evidence: []registry.Evidence{{Kind: s.kind, Reference: strings.NewReplacer("%[1]s", q.String(), "%[2]d", fmt.Sprint(100+h%900)).Replace(s.documents),
					Date: q.End().AddDate(0, 0, 3), Text: "Pièce inventée pour la démonstration."}},
				DeclaredBy: "animatrice@port-fictif.example", DeclaredAt: at,
			})
		}
	}
}

func rounded(x float64, digits int) metering.Decimal {
	return metering.Decimal{Coef: int64(math.Round(x * math.Pow10(digits))), Exp: int8(-digits)}.Normal()
}

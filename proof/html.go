package proof

import (
	_ "embed"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"

	"github.com/thermie/thermie/analytics/disclosure"
	"github.com/thermie/thermie/calendar"
)

//go:embed report.css
var reportCSS string

// HTML is the report as a page to read and to print, in "fr" or "en": complete
// in itself, without a script. The same report always gives the same bytes, so
// that a verifier who makes it anew knows that what is printed is what
// report.json says. Report.Format names its form: what is printed for
// [Format] never changes.
func (r *Report) HTML(lang string) []byte {
	p := &printer{r: r, lang: lang}
	p.head()
	p.whole()
	p.themes()
	p.reading()
	p.verifying()
	p.raw("</body>\n</html>\n")
	return []byte(p.b.String())
}

type printer struct {
	r    *Report
	lang string
	b    strings.Builder
}

// spaces are those that French keeps before its marks.
var spaces = strings.NewReplacer(" %%", narrow+"%%", " :", nbsp+":", " ;", narrow+";")

// raw writes markup.
func (p *printer) raw(s string) { p.b.WriteString(s) }

// say writes a text of one of the two languages; args are escaped, %s for each.
func (p *printer) say(fr, en string, args ...string) {
	text := en
	if p.lang == "fr" {
		text = spaces.Replace(fr)
	}
	escaped := make([]any, len(args))
	for i, a := range args {
		escaped[i] = html.EscapeString(a)
	}
	fmt.Fprintf(&p.b, text, escaped...)
}

func (p *printer) head() {
	r, lang := p.r, p.lang
	title := quarterName(r.Quarter, lang)
	p.raw("<!doctype html>\n<html lang=\"" + lang + "\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	p.say("<title>Rapport %s – %s</title>\n", "<title>Report %s – %s</title>\n", title, r.Name.In(lang))
	p.raw("<style>\n" + reportCSS + "</style>\n</head>\n<body>\n")
	if r.Synthetic {
		p.say("<p class=\"synthetic\"><strong>Données synthétiques.</strong> Ce rapport vient d’un simulateur : il ne dit rien du monde réel.</p>\n",
			"<p class=\"synthetic\"><strong>Synthetic data.</strong> This report comes from a simulator: it says nothing about the real world.</p>\n")
	}
	p.say("<h1>Rapport trimestriel %s</h1>\n<p class=\"sub\">%s, du %s au %s", "<h1>Quarterly report %s</h1>\n<p class=\"sub\">%s, %s to %s",
		title, r.Name.In(lang), day(r.From, lang), day(r.To.Add(-1), lang))
	p.say(" (heure de Paris). Révision %s.</p>\n", " (Paris time). Revision %s.</p>\n", strconv.Itoa(r.Revision))
	if r.Reason.FR != "" {
		p.say("<p class=\"revision\"><strong>Ce rapport corrige une révision antérieure.</strong> Motif : %s</p>\n",
			"<p class=\"revision\"><strong>This report corrects an earlier revision.</strong> Reason: %s</p>\n", r.Reason.In(lang))
	}
	shown := 0
	for _, c := range r.Cells {
		if c.Suppressed == "" {
			shown++
		}
	}
	p.say("<p>%s synergies en fonctionnement entre %s entreprises ; %s chiffres publiés, %s retenus par le secret statistique.</p>\n",
		"<p>%s synergies in operation between %s companies; %s figures published, %s withheld by statistical disclosure control.</p>\n",
		strconv.Itoa(r.Synergies), strconv.Itoa(r.Companies), strconv.Itoa(shown), strconv.Itoa(len(r.Cells)-shown))
}

func (p *printer) columns() {
	p.say("<thead><tr><th scope=\"col\">Indicateur</th><th scope=\"col\" class=\"n\">Valeur</th><th scope=\"col\" class=\"n\">Intervalle à 90 %%</th><th scope=\"col\">Unité</th>"+
		"<th scope=\"col\" class=\"n\">Mesuré</th><th scope=\"col\" class=\"n\">Calculé</th><th scope=\"col\" class=\"n\">Déclaré</th>"+
		"<th scope=\"col\" class=\"n\">Couverture</th><th scope=\"col\" class=\"n\">Contributeurs</th></tr></thead>\n",
		"<thead><tr><th scope=\"col\">Indicator</th><th scope=\"col\" class=\"n\">Value</th><th scope=\"col\" class=\"n\">90%% interval</th><th scope=\"col\">Unit</th>"+
			"<th scope=\"col\" class=\"n\">Measured</th><th scope=\"col\" class=\"n\">Calculated</th><th scope=\"col\" class=\"n\">Declared</th>"+
			"<th scope=\"col\" class=\"n\">Coverage</th><th scope=\"col\" class=\"n\">Contributors</th></tr></thead>\n")
}

// row prints a figure with all that must stand beside it.
func (p *printer) row(c Cell) {
	n, lang := indicatorNames[c.Indicator], p.lang
	if n.name.FR == "" {
		n.name = both(string(c.Indicator), string(c.Indicator))
	}
	p.say("<tr><th scope=\"row\">%s</th>", "<tr><th scope=\"row\">%s</th>", n.name.In(lang))
	if c.Suppressed != "" {
		why := or(ruleNames, c.Suppressed, lang)
		p.say("<td colspan=\"8\" class=\"withheld\">non publié : %s</td></tr>\n", "<td colspan=\"8\" class=\"withheld\">withheld: %s</td></tr>\n", why)
		return
	}
	amount, half := plusMinus(c.Amount, c.Half90, lang)
	if half != "" {
		half = "±" + nbsp + half
	} else {
		half = "–"
	}
	cell := func(s string) string { return "<td class=\"n\">" + html.EscapeString(s) + "</td>" }
	p.raw("<td class=\"n\"><b>" + html.EscapeString(amount) + "</b></td>" + cell(half) + "<td>" + html.EscapeString(n.unit.In(lang)) + "</td>")
	for _, part := range []float64{c.Measured, c.Calculated, c.Declared} {
		p.raw(cell(share(part, c, lang)))
	}
	p.raw(cell(coverage(c.Coverage, lang)) + cell(strconv.Itoa(c.Contributors)) + "</tr>\n")
}

// share is the part of a class in an amount, by size: a class can be negative.
func share(part float64, c Cell, lang string) string {
	size := func(x float64) float64 { return max(x, -x) }
	whole := size(c.Measured) + size(c.Calculated) + size(c.Declared)
	if whole == 0 || part == 0 {
		return "–"
	}
	return percent(size(part)/whole, 0, lang)
}

func (p *printer) whole() {
	p.say("<h2>Ensemble du programme</h2>\n<div class=\"wide\"><table>\n<caption>Toutes les synergies. Mesuré, calculé, déclaré : parts de la valeur selon la façon dont elle est connue.</caption>\n",
		"<h2>The whole programme</h2>\n<div class=\"wide\"><table>\n<caption>All synergies. Measured, calculated, declared: parts of the value by how it is known.</caption>\n")
	p.columns()
	p.raw("<tbody>\n")
	for _, c := range p.r.Cells {
		if c.Theme == disclosure.All {
			p.row(c)
		}
	}
	p.raw("</tbody></table></div>\n")
}

func (p *printer) themes() {
	var themes []string
	for _, c := range p.r.Cells {
		if c.Theme != disclosure.All && !slices.Contains(themes, c.Theme) {
			themes = append(themes, c.Theme)
		}
	}
	if len(themes) == 0 {
		return
	}
	slices.Sort(themes)
	p.say("<h2>Par thème</h2>\n<div class=\"wide\"><table>\n<caption>Un thème est la ressource échangée.</caption>\n",
		"<h2>By theme</h2>\n<div class=\"wide\"><table>\n<caption>A theme is the resource exchanged.</caption>\n")
	p.columns()
	for _, t := range themes {
		name := or(themeNames, t, p.lang)
		p.say("<tbody>\n<tr class=\"theme\"><th scope=\"rowgroup\" colspan=\"9\">%s</th></tr>\n", "<tbody>\n<tr class=\"theme\"><th scope=\"rowgroup\" colspan=\"9\">%s</th></tr>\n", name)
		for _, c := range p.r.Cells {
			if c.Theme == t {
				p.row(c)
			}
		}
		p.raw("</tbody>\n")
	}
	p.raw("</table></div>\n")
}

func (p *printer) reading() {
	p.say(`<h2>Comment lire ces chiffres</h2>
<ul>
<li>Les économies sont celles d’IPMVP : consommation de référence ajustée moins consommation réelle, nettes de ce que l’échange consomme lui-même.</li>
<li><strong>Mesuré</strong> : par des compteurs à la frontière de l’échange. <strong>Calculé</strong> : un total mesuré, partagé d’après des pièces. <strong>Déclaré</strong> : affirmé par une entreprise, avec pièces.</li>
<li>L’<strong>intervalle à 90 %%</strong> réunit classes des compteurs, rendements convenus, facteurs d’émission et données manquantes. La valeur et l’intervalle sont arrondis ensemble ; les valeurs complètes sont dans report.json et report.csv.</li>
<li>La <strong>couverture</strong> est la part du trimestre connue par de bons relevés.</li>
<li><strong>Secret statistique</strong> : un chiffre est publié s’il a au moins trois contributeurs (les entreprises d’un même groupe comptent pour un), si aucun ne dépasse 85 %% et si personne ne peut en déduire la part d’un autre à 10 %% près. Une entreprise peut y renoncer pour elle-même.</li>
`, `<h2>How to read these figures</h2>
<ul>
<li>Savings are those of IPMVP: adjusted baseline less actual consumption, net of what the exchange itself uses.</li>
<li><strong>Measured</strong>: by meters at the exchange’s boundary. <strong>Calculated</strong>: a measured total, split by documents. <strong>Declared</strong>: stated by a company, with documents.</li>
<li>The <strong>90%% interval</strong> joins meter classes, agreed efficiencies, emission factors and missing data. Value and interval are rounded together; the full values are in report.json and report.csv.</li>
<li><strong>Coverage</strong> is the share of the quarter known by good readings.</li>
<li><strong>Statistical disclosure control</strong>: a figure is published if it has at least three contributors (companies of one group count as one), if none exceeds 85%%, and if nobody can work out another’s part to within 10%%. A company may waive this for itself.</li>
`)
	for _, n := range p.r.Notes {
		p.say("<li>%s</li>\n", "<li>%s</li>\n", n.In(p.lang))
	}
	p.raw("</ul>\n")
}

func (p *printer) verifying() {
	r := p.r
	p.say(`<h2>Comment vérifier</h2>
<p>Le programme <code>thermie-verify</code> contrôle ce rapport sans réseau : signature du scellé, inscription au registre infalsifiable, fichiers inchangés, pages et tableau identiques à report.json. Prendre <code>keys.json</code> auprès du programme, pas dans le rapport.</p>
<pre><code>thermie-verify --keys keys.json %s</code></pre>
<p>Avec le dossier de preuve, réservé au vérificateur, il recalcule chaque chiffre depuis les relevés signés par les passerelles.</p>
<h2>Ce que ce rapport ne prouve pas</h2>
<p>Une signature ne montre pas qu’un capteur est posé sur la bonne conduite : la fiche de mise en service le montre. Un chiffre déclaré vaut ce que valent ses pièces. Le registre montre que rien n’a été changé après coup, pas que tout y a été inscrit.</p>
`, `<h2>How to verify</h2>
<p>The program <code>thermie-verify</code> checks this report without a network: the seal’s signature, its entry in the tamper-evident ledger, files unchanged, pages and table equal to report.json. Take <code>keys.json</code> from the programme, not from the report.</p>
<pre><code>thermie-verify --keys keys.json %s</code></pre>
<p>With the proof bundle, for verifiers only, it computes every figure anew from the readings that gateways signed.</p>
<h2>What this report does not prove</h2>
<p>A signature does not show that a sensor sits on the right pipe: the commissioning record does. A declared figure is worth what its documents are worth. The ledger shows that nothing was changed afterwards, not that everything was entered.</p>
`, ZipName(r.Quarter, r.Revision))
	row := func(fr, en, text string) { p.say("<dt>"+fr+"</dt><dd>%s</dd>\n", "<dt>"+en+"</dt><dd>%s</dd>\n", text) }
	p.say("<h2>Origine</h2>\n<dl>\n", "<h2>Origin</h2>\n<dl>\n")
	row("Scellé le", "Sealed on", day(r.SealedAt, p.lang)+", "+r.SealedAt.In(calendar.Paris).Format("15:04"))
	row("Par", "By", r.SealedBy)
	row("Facteurs et tarifs", "Factors and tariffs", r.FactorSet)
	row("Repose sur les entrées du registre jusqu’au n°", "Rests on the ledger’s entries up to no.", number(float64(r.LedgerSize)-1, 0, p.lang))
	row("Programme de calcul", "Program", "Thermie "+r.Code)
	row("Forme", "Form", r.Format)
	p.raw("</dl>\n")
}

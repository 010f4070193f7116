package savings

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/thermie/thermie/analytics/baseline"
	"github.com/thermie/thermie/analytics/interval"
	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

const (
	minDayCover   = 0.5  // a baseline day needs half of its hours, as in CalTRACK 2.0
	minBaseline   = 60   // valid days that a baseline must have
	wholeYear     = 365  // days that a baseline should have
	outsideShare  = 0.05 // share of reporting days outside the baseline's range that is said
	outsideMargin = 0.10 // how far outside, as a share of the range
)

// siteDay is a day of a site: energy in kWh, drivers, and whether they are known.
type siteDay struct {
	y       float64
	x       []float64
	covered float64 // of the site's meters
	known   bool    // y is known, covered or split from a longer interval
	driven  bool    // all drivers are known
}

// models fills the ledger from the adjusted baselines of option C.
func (e *Evaluation) models() error {
	for k := range e.Plan.Models {
		if err := e.model(&e.Plan.Models[k]); err != nil {
			return fmt.Errorf("model of %s: %w", e.Plan.Models[k].Energy, err)
		}
	}
	return nil
}

func (e *Evaluation) model(m *Model) error {
	f := &Fit{model: m, site: e.siteDays(m)}
	energy, x := make([]float64, len(f.site)), make([][]float64, len(f.site))
	for d := range f.site {
		day := &f.site[d]
		energy[d], x[d] = day.y, day.x
		if day.covered < minDayCover || !day.known {
			energy[d] = math.NaN()
		}
		f.steps = append(f.steps, stepOf(m.Step, e.grid.days[d]))
	}
	f.share = stepLengths(f.steps)
	f.days = frameOf(m.Drivers, e.grid.days[:len(f.site)], energy, x)
	from, to := e.grid.index(e.Plan.Baseline.From.Time()), e.grid.index(e.Plan.Baseline.To.Time())
	frame, valid := stepped(f.days, f.steps, m.Step, from, to)
	if valid < minBaseline {
		return fmt.Errorf("baseline from %s to %s has %d days with good data: at least %d are needed",
			e.Plan.Baseline.From, e.Plan.Baseline.To, valid, minBaseline)
	}
	var err error
	if f.Fit, err = fitOn(frame, m.Drivers, m.Select == "best" || m.Select == "bic", false); err != nil {
		return err
	}
	f.frame = frame
	if err := f.apply(); err != nil {
		return err
	}
	months := 0
	for t := e.grid.days[e.first]; t.Before(e.grid.days[e.last]); t = nextMonth(t) {
		months++
	}
	f.Gates = baseline.Gates(f.Fit, baseline.Situation{ReportingMonths: months, Share: min(float64(valid)/wholeYear, 1)})
	e.Fits = append(e.Fits, f)
	e.fitNotes(f, valid)
	return e.avoided(f)
}

// stepOf numbers the data step of a day: consecutive, so that differences are
// lags.
func stepOf(step string, day time.Time) int {
	y, m, d := day.In(calendar.Paris).Date()
	switch step {
	case "month":
		return y*12 + int(m) - 1
	case "week": // Monday to Sunday
		return int((time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/86400 + 3) / 7)
	}
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// siteDays reads the energy and drivers of every day of the grid.
func (e *Evaluation) siteDays(m *Model) []siteDay {
	days := make([]siteDay, e.grid.n())
	for d := range days {
		days[d] = siteDay{covered: 1, known: true, driven: true, x: make([]float64, len(m.Drivers))}
		h0, h1 := e.grid.hours[d], e.grid.hours[d+1]
		for i := range e.Plan.Meters {
			mt := &e.Plan.Meters[i]
			if mt.Role != RoleSite || mt.Energy != m.Energy {
				continue
			}
			kwh, sign := 1.0, 1.0
			if mt.KWhPerUnit > 0 {
				kwh = mt.KWhPerUnit
			}
			if mt.Subtract {
				sign = -1
			}
			amount, cover, known := sumDay(e.data.Series[mt.Series], h0, h1)
			days[d].y += float64(sign * kwh * amount)
			days[d].covered = min(days[d].covered, cover)
			days[d].known = days[d].known && known
		}
		for j := range m.Drivers {
			x, ok := e.driver(&m.Drivers[j], d)
			if !ok {
				x = math.NaN()
			}
			days[d].x[j] = x
			days[d].driven = days[d].driven && ok
		}
	}
	return days
}

// sumDay sums a register over a day. It is known when the day lies before the
// last reading: a gap inside has an amount, only its split over days is
// estimated.
func sumDay(s *Series, h0, h1 int) (amount, cover float64, known bool) {
	if s == nil {
		return 0, 0, false
	}
	for h := h0; h < h1; h++ {
		amount += s.Amount[h]
		cover += s.Covered[h]
	}
	cover /= float64(h1 - h0)
	return amount, cover, cover > 0 || amount > 0
}

// driver is the value of a driver on a day; for degree drivers the day's mean
// temperature.
func (e *Evaluation) driver(d *Driver, day int) (float64, bool) {
	at := e.grid.days[day]
	switch d.Kind {
	case DriverWorkday:
		if calendar.Workday(at) {
			return 1, true
		}
		return 0, true
	case DriverClosed:
		for _, s := range d.Days {
			if s.Holds(at) {
				return 1, true
			}
		}
		return 0, true
	}
	s := e.data.Series[d.Series]
	h0, h1 := e.grid.hours[day], e.grid.hours[day+1]
	if d.Kind == DriverAmount {
		amount, _, known := sumDay(s, h0, h1)
		return amount, known
	}
	if s == nil {
		return 0, false
	}
	sum, n := 0.0, 0.0
	for h := h0; h < h1; h++ {
		if s.Covered[h] > 0 {
			sum += s.Amount[h]
			n++
		}
	}
	if n < minDayCover*float64(h1-h0) {
		return 0, false
	}
	return sum / n, true
}

// avoided puts baseline minus actual of each reporting day into the ledger.
func (e *Evaluation) avoided(f *Fit) error {
	m, days := f.model, f.site
	to, prices, err := e.worth(m.Energy)
	if err != nil {
		return err
	}
	n := e.grid.n()
	weights := map[metering.Indicator][]float64{metering.EnergyAvoidedMWh: make([]float64, n)}
	conversions := map[metering.Indicator]conversion{}
	for _, c := range to {
		weights[c.indicator], conversions[c.indicator] = make([]float64, n), c
	}
	if prices != nil {
		weights[metering.MoneySavedEUR] = make([]float64, n)
	}
	adjusted, masked := e.adjustments(m), 0
	if adjusted != nil && e.Unadjusted == nil {
		e.Unadjusted = make([]float64, n)
	}
	for d := e.first; d < e.last; d++ {
		day := &days[d]
		ok := day.known && day.driven
		if !ok {
			masked++
		}
		saved := 0.0
		if ok {
			saved = f.y[d] - day.y
		}
		adj, adjHalf := 0.0, 0.0
		if adjusted != nil && ok {
			e.Unadjusted[d] += saved / 1000
			adj, adjHalf = adjusted[d].kwh, adjusted[d].half
		}
		for _, i := range metering.Indicators {
			w, used := weights[i]
			if !used {
				continue
			}
			en := e.ledger.entry(i)
			if !ok {
				e.cover(en, d, 0)
				continue
			}
			switch i {
			case metering.EnergyAvoidedMWh:
				w[d] = 1.0 / 1000
			case metering.MoneySavedEUR:
				w[d] = e.meanPrice(prices, d)
			default:
				w[d] = conversions[i].perUnit
			}
			amount := float64((saved + adj) * w[d])
			en.amount[d] += toMicro(amount)
			e.cover(en, d, day.covered)
			// A meter that counts too much does so in both periods: the saving scales.
			en.source("site:" + string(m.Energy))[d] += float64(amount * e.siteAccuracy(m))
			if adjHalf > 0 {
				en.source("adjustments:" + string(m.Energy))[d] += float64(adjHalf * w[d])
			}
			e.factorEffect(conversions[i], d, amount)
		}
	}
	for _, i := range metering.Indicators {
		if w, used := weights[i]; used {
			e.ledger.entry(i).models = append(e.ledger.entry(i).models, e.modelPart(f, w))
		}
	}
	if masked > 0 {
		e.notes = append(e.notes, note{text: metering.Text{
			FR: frCount(masked, "jour", "jours") + " sans relevé de " + string(m.Energy) + " ou sans variable explicative : aucune économie comptée ces jours-là.",
			EN: enCount(masked, "day", "days") + " without readings of " + string(m.Energy) + " or of a driver: no saving counted on them."}})
	}
	e.rangeNotes(f)
	return nil
}

// stepLengths is, for each day, the number of days in its step.
func stepLengths(steps []int) []float64 {
	out := make([]float64, len(steps))
	for i := 0; i < len(steps); {
		j := i
		for j < len(steps) && steps[j] == steps[i] {
			j++
		}
		for k := i; k < j; k++ {
			out[k] = float64(j - i)
		}
		i = j
	}
	return out
}

// siteAccuracy is the relative half width of the site's meters of this energy,
// the largest of them.
func (e *Evaluation) siteAccuracy(m *Model) float64 {
	worst := 0.0
	for i := range e.Plan.Meters {
		if mt := &e.Plan.Meters[i]; mt.Role == RoleSite && mt.Energy == m.Energy {
			rel, _ := e.accuracy(mt)
			worst = max(worst, rel)
		}
	}
	return worst
}

// modelPart gives the model's band of a period. The error of the coefficients
// is shared with other models on the same weather.
func (e *Evaluation) modelPart(f *Fit, w []float64) modelPart {
	key := ""
	for i := range f.model.Drivers {
		if d := &f.model.Drivers[i]; degrees(d.Kind) {
			key = "weather:" + string(d.Series)
			e.ledger.common[key] = true
		}
	}
	return modelPart{key: key, band: func(i, j int) (coef, scatter float64) {
		return f.bands(i, j, func(d int) float64 { return w[d] })
	}}
}

type dayAdjustment struct{ kwh, half float64 }

// adjustments sums the accepted non-routine adjustments by day; nil when there
// are none. Those not accepted are named and not counted.
func (e *Evaluation) adjustments(m *Model) []dayAdjustment {
	var out []dayAdjustment
	for i := range e.Plan.Adjustments {
		a := &e.Plan.Adjustments[i]
		if a.Energy != m.Energy {
			continue
		}
		at := note{from: a.From.Time(), to: a.To.Time()}
		size := frNumber(a.KWhPerDay, 0) + " kWh par jour"
		if a.RefusedBy != "" {
			at.text = metering.Text{FR: "Événement non périodique refusé par " + a.RefusedBy + ", non compté : " + a.Reason.FR + " (" + size + ").",
				EN: "Non-routine event refused by " + a.RefusedBy + ", not counted: " + a.Reason.In("en") + " (" + enNumber(a.KWhPerDay, 0) + " kWh a day)."}
			e.notes = append(e.notes, at)
			continue
		}
		if a.AcceptedBy == "" {
			at.text = metering.Text{FR: "Ajustement non périodique proposé, non compté : " + a.Reason.FR + " (" + size + ").",
				EN: "Non-routine adjustment proposed, not counted: " + a.Reason.In("en") + " (" + enNumber(a.KWhPerDay, 0) + " kWh a day)."}
			e.notes = append(e.notes, at)
			continue
		}
		at.text = metering.Text{FR: "Ajustement non périodique accepté par " + a.AcceptedBy + " : " + a.Reason.FR + " (" + size + ").",
			EN: "Non-routine adjustment accepted by " + a.AcceptedBy + ": " + a.Reason.In("en") + " (" + enNumber(a.KWhPerDay, 0) + " kWh a day)."}
		e.notes = append(e.notes, at)
		if out == nil {
			out = make([]dayAdjustment, e.grid.n())
		}
		for d := range out {
			if a.Holds(e.grid.days[d]) {
				out[d].kwh += a.KWhPerDay
				out[d].half += a.Half90
			}
		}
	}
	return out
}

// memoryNote says that one baseline leaves open how long deviations last.
func memoryNote(doubt float64) metering.Text {
	return metering.Text{
		FR: "La période de référence ne montre pas si les écarts du site durent des jours ou des mois : selon l'hypothèse, l'incertitude d'une année varie d'un facteur " +
			frNumber(doubt, 1) + ". L'intervalle en tient compte ; une deuxième année de référence lèverait le doute.",
		EN: "The baseline does not show whether deviations of the site last days or months: by what is assumed, the uncertainty of a year differs by a factor of " +
			enNumber(doubt, 1) + ". The interval allows for it; a second year of baseline would settle it."}
}

// fitNotes says how good the baseline is where a reader should know.
func (e *Evaluation) fitNotes(f *Fit, valid int) {
	if f.band.Noise.Doubt >= interval.MuchDoubt {
		e.notes = append(e.notes, note{text: memoryNote(f.band.Noise.Doubt)})
	}
	for _, g := range f.Gates {
		if g.Holds {
			continue
		}
		switch g.Name {
		case "coverage":
			e.notes = append(e.notes, note{text: metering.Text{
				FR: "Période de référence courte : " + strconv.Itoa(valid) + " jours valides ; toutes les saisons ne sont pas vues.",
				EN: "Short baseline: " + strconv.Itoa(valid) + " valid days; not every season is seen."}})
		case "cvrmse":
			e.notes = append(e.notes, note{text: metering.Text{
				FR: "Modèle de référence dispersé : CV(RMSE) de " + frNumber(100*g.Value, 0) + " % (ASHRAE Guideline 14 : " + frNumber(100*g.Limit, 0) + " % au plus).",
				EN: "Scattered baseline model: CV(RMSE) of " + enNumber(100*g.Value, 0) + " % (ASHRAE Guideline 14: at most " + enNumber(100*g.Limit, 0) + " %)."}})
		case "rows_per_parameter":
			e.notes = append(e.notes, note{text: metering.Text{
				FR: "Modèle de référence riche pour ses données : " + frNumber(g.Value, 1) + " points indépendants par paramètre (au moins " + frNumber(g.Limit, 0) + " souhaités).",
				EN: "Baseline model rich for its data: " + enNumber(g.Value, 1) + " independent points for each parameter (at least " + enNumber(g.Limit, 0) + " are wanted)."}})
		}
	}
}

// rangeNotes says when drivers leave the range that the baseline saw.
func (e *Evaluation) rangeNotes(f *Fit) {
	if f.model.Step != "day" {
		return
	}
	heat, cool := searched(f.model.Drivers)
	for j := range f.model.Drivers {
		d := &f.model.Drivers[j]
		name := termName(d)
		if j == heat || j == cool {
			name = baseline.Slope
		}
		r, used := f.Ranges[name]
		if !used || d.Kind == DriverWorkday || d.Kind == DriverClosed || degrees(d.Kind) && d.BalanceC != nil {
			continue
		}
		slack := outsideMargin * (r.Max - r.Min)
		out, n := 0, 0
		for i := e.first; i < e.last; i++ {
			if !f.site[i].driven {
				continue
			}
			n++
			if v := f.site[i].x[j]; v < r.Min-slack || v > r.Max+slack {
				out++
			}
		}
		if n > 0 && float64(out) > math.Max(1, outsideShare*float64(n)) {
			e.notes = append(e.notes, note{text: metering.Text{
				FR: "« " + d.Name + " » sort de la plage de la période de référence pendant " + frCount(out, "jour", "jours") + " : extrapolation.",
				EN: "“" + d.Name + "” leaves the baseline's range on " + enCount(out, "day", "days") + ": extrapolation."}})
		}
	}
}

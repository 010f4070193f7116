package savings

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/thermie/thermie/metering"
)

// The chart's constants: a one-sided tabular CUSUM with reference value 0.5 and
// decision interval 5, both in standard deviations of a week. In control it
// alarms falsely once in about 930 weeks, 18 years (Hawkins and Olwell 1998; a
// simulation in the tests finds it again).
const (
	cusumK        = 0.5
	cusumH        = 5
	defaultAllow  = 0.05
	minSigma      = 0.01 // a week's scatter is never taken as less than 1 % of what is expected
	minWeeks      = 8    // weeks that the scatter is learned from
	weekCover     = 0.7  // a week counts when this share of its hours is covered
	changeWorthIt = 0.05 // a cause is named when its factor changed by this share
)

// DriftReport is what the watch on a synergy found.
type DriftReport struct {
	Indicator metering.Indicator
	Weeks     []DriftWeek
	Sigma     float64 // scatter of a week, relative to what is expected
	// Alarm is set when the chart passed its limit and has not come back.
	Alarm     bool
	Since     time.Time // first day of the run of weeks below plan
	Until     time.Time // end of the last week seen
	Shortfall float64   // mean share missing since then: 0.12 for 12 % below
	Why       []Change  // what changed at the heat meter, the largest first
}

// DriftWeek is one point of the chart.
type DriftWeek struct {
	From             time.Time
	Actual, Expected float64 // in the indicator's unit
	CUSUM            float64 // in standard deviations; alarm above 5
}

// Change compares one factor of the heat delivered, heat = hours × flow × ΔT,
// in the drift and in the reference.
type Change struct {
	Factor        string // "hours", "flow", "delta_t"
	Before, After float64
}

// Drift compares each whole week of seven civil days with what is normal and
// cumulates the shortfall beyond the plan's allowance. What is normal is learned
// in the plan's reference span, from its drivers if it names any, else it is
// what the plan expects. It returns nil when the plan watches nothing.
func (e *Evaluation) Drift() (*DriftReport, error) {
	w := e.Plan.Drift
	if w == nil {
		return nil, nil
	}
	i := w.Indicator
	if i == "" {
		i = metering.EnergyAvoidedMWh
		if e.ledger.entries[metering.HeatDeliveredMWh] != nil {
			i = metering.HeatDeliveredMWh
		}
	}
	en := e.ledger.entries[i]
	if en == nil {
		return nil, fmt.Errorf("plan of %s: drift watches %s, which the plan does not measure", e.Plan.Synergy, i)
	}
	expected, known, err := e.normalDays(i, en)
	if err != nil {
		return nil, fmt.Errorf("plan of %s: drift: %w", e.Plan.Synergy, err)
	}
	r := &DriftReport{Indicator: i}
	e.weeks(r, en, expected, known)
	e.chart(r)
	if r.Alarm && i == metering.HeatDeliveredMWh {
		r.Why = e.whyHeat(r.Since, r.Until)
	}
	return r, nil
}

// normalDays is what each day should give; known is false where a driver is missing.
func (e *Evaluation) normalDays(i metering.Indicator, en *entry) (expected []float64, known []bool, err error) {
	n := e.grid.n()
	expected, known = make([]float64, n), make([]bool, n)
	w := e.Plan.Drift
	if w.Reference.From.IsZero() {
		year, ok := e.Plan.Expected[i]
		if !ok {
			return nil, nil, fmt.Errorf("the plan has neither a reference span nor an expected %s", i)
		}
		for d := range n {
			expected[d], known[d] = year*e.Plan.dayShare(e.grid.days[d]), true
		}
		return expected, known, nil
	}
	from, to := e.grid.index(w.Reference.From.Time()), e.grid.index(w.Reference.To.Time())
	energy, x := make([]float64, n), make([][]float64, n)
	good := 0
	for d := range n {
		v, ok := e.drivers(w.Drivers, d)
		x[d], known[d] = v, ok
		energy[d] = math.NaN()
		if d >= max(from, e.first) && d < min(to, e.last) && ok && en.hours[d] > 0 && en.covered[d] >= minDayCover*en.hours[d] {
			energy[d] = float64(en.amount[d]) / micro
			good++
		}
	}
	if good < 7*minWeeks {
		return nil, nil, fmt.Errorf("%d good days in the reference span: at least %d are needed", good, 7*minWeeks)
	}
	days := frameOf(w.Drivers, e.grid.days[:n], energy, x)
	fit, err := fitOn(days, w.Drivers, false, true)
	if err != nil {
		return nil, nil, err
	}
	y, err := fit.Predict(days)
	if err != nil {
		return nil, nil, err
	}
	for d := range n {
		if known[d] {
			expected[d] = max(y[d], 0)
		}
	}
	return expected, known, nil
}

func (e *Evaluation) drivers(ds []Driver, day int) ([]float64, bool) {
	x, all := make([]float64, len(ds)), true
	for j := range ds {
		v, ok := e.driver(&ds[j], day)
		if !ok {
			v, all = math.NaN(), false
		}
		x[j] = v
	}
	return x, all
}

// weeks sums runs of seven days, whole and covered ones only.
func (e *Evaluation) weeks(r *DriftReport, en *entry, expected []float64, known []bool) {
	for d := e.first; d+7 <= e.last; d += 7 {
		w := DriftWeek{From: e.grid.days[d]}
		covered, hours, ok := 0.0, 0.0, true
		for k := d; k < d+7; k++ {
			w.Actual += float64(en.amount[k]) / micro
			w.Expected += expected[k]
			covered += en.covered[k]
			hours += en.hours[k]
			ok = ok && known[k]
		}
		if ok && hours > 0 && covered >= weekCover*hours && w.Expected > 0 {
			r.Weeks = append(r.Weeks, w)
		}
	}
	if n := len(r.Weeks); n > 0 {
		r.Until = r.Weeks[n-1].From.AddDate(0, 0, 7)
	}
}

// chart runs the CUSUM. A week of little expected heat has more relative
// scatter: weeks are weighted by the root of their part of a mean week.
func (e *Evaluation) chart(r *DriftReport) {
	if len(r.Weeks) < minWeeks {
		return
	}
	allow := e.Plan.Drift.Allowance
	if allow == 0 {
		allow = defaultAllow
	}
	mean := 0.0
	for _, w := range r.Weeks {
		mean += w.Expected
	}
	mean /= float64(len(r.Weeks))
	short := make([]float64, len(r.Weeks))
	for k, w := range r.Weeks {
		short[k] = (1 - w.Actual/w.Expected) * math.Sqrt(min(w.Expected/mean, 1))
	}
	r.Sigma = e.weekSigma(r.Weeks, short)
	s, start := 0.0, -1
	for k := range r.Weeks {
		s += (short[k]-allow)/r.Sigma - cusumK
		if s <= 0 {
			s, start, r.Alarm = 0, -1, false
		} else if start < 0 {
			start = k
		}
		// A long shortfall must not hide a recovery: the sum is held at twice the limit.
		s = min(s, 2*cusumH)
		r.Weeks[k].CUSUM = s
		if s > cusumH && !r.Alarm {
			r.Alarm, r.Since = true, r.Weeks[start].From
		}
	}
	if !r.Alarm {
		r.Since = time.Time{}
		return
	}
	actual, expected := 0.0, 0.0
	for _, w := range r.Weeks {
		if !w.From.Before(r.Since) {
			actual += w.Actual
			expected += w.Expected
		}
	}
	r.Shortfall = 1 - actual/expected
}

// weekSigma is the scatter of the weeks in the reference span, or of the first
// quarter of a year, widened for autocorrelation.
func (e *Evaluation) weekSigma(weeks []DriftWeek, short []float64) float64 {
	var x []float64
	ref := e.Plan.Drift.Reference
	for k := range weeks {
		in := ref.From.IsZero() && k < 13 || !ref.From.IsZero() && ref.Holds(weeks[k].From)
		if in {
			x = append(x, short[k])
		}
	}
	if len(x) < minWeeks {
		x = short[:minWeeks]
	}
	m := 0.0
	for _, v := range x {
		m += v
	}
	m /= float64(len(x))
	ss, lag := 0.0, 0.0
	for k, v := range x {
		ss += float64((v - m) * (v - m))
		if k > 0 {
			lag += float64((v - m) * (x[k-1] - m))
		}
	}
	rho := 0.0
	if ss > 0 {
		rho = min(max(lag/ss, 0), 0.8)
	}
	return max(math.Sqrt(ss/float64(len(x)-1)*(1+rho)/(1-rho)), minSigma)
}

// whyHeat compares running hours, flow and temperature difference of the first
// counted heat meter before and since the drift.
func (e *Evaluation) whyHeat(since, until time.Time) []Change {
	for i := range e.Plan.Meters {
		m := &e.Plan.Meters[i]
		if m.Role != RoleHeat || m.Subtract {
			continue
		}
		ref := e.Plan.Drift.Reference
		from, to := ref.From.Time(), ref.To.Time()
		if ref.From.IsZero() {
			from, to = e.grid.days[e.first], since
		}
		b, okB := e.running(m.Series.Meter(), from, to)
		a, okA := e.running(m.Series.Meter(), since, until)
		if !okA || !okB {
			return nil
		}
		all := []Change{{"hours", b[0], a[0]}, {"flow", b[1], a[1]}, {"delta_t", b[2], a[2]}}
		slices.SortStableFunc(all, func(x, y Change) int {
			dx, dy := x.loss(), y.loss()
			if dx > dy {
				return -1
			} else if dx < dy {
				return 1
			}
			return 0
		})
		return all
	}
	return nil
}

// loss is the share by which the factor fell.
func (c Change) loss() float64 {
	if c.Before <= 0 {
		return 0
	}
	return 1 - c.After/c.Before
}

// running gives, for a heat meter in a span: the share of hours in which water
// flows, the mean flow (m3/h) and the mean temperature difference (K) in them.
func (e *Evaluation) running(meter string, from, to time.Time) (x [3]float64, ok bool) {
	flow := e.data.Series[metering.Series(meter, metering.VolumeFlow)]
	hot := e.data.Series[metering.Series(meter, metering.FlowTemperature)]
	cold := e.data.Series[metering.Series(meter, metering.ReturnTemperature)]
	if flow == nil || hot == nil || cold == nil {
		return x, false
	}
	h0 := max(int(from.Sub(e.data.From)/time.Hour), 0)
	h1 := min(int(to.Sub(e.data.From)/time.Hour), e.data.Hours)
	top := 0.0
	for h := h0; h < h1; h++ {
		top = max(top, flow.Amount[h])
	}
	n, on := 0.0, 0.0
	for h := h0; h < h1; h++ {
		if flow.Covered[h] == 0 || hot.Covered[h] == 0 || cold.Covered[h] == 0 {
			continue
		}
		n++
		if flow.Amount[h] > 0.05*top {
			on++
			x[1] += flow.Amount[h]
			x[2] += hot.Amount[h] - cold.Amount[h]
		}
	}
	if on == 0 {
		return x, false
	}
	return [3]float64{on / n, x[1] / on, x[2] / on}, true
}

// DriftAlarm words a drift for the animator; ok is false when there is none.
// The cost is what the missing part would be worth in a year.
func (e *Evaluation) DriftAlarm() (a metering.Alarm, ok bool, err error) {
	r, err := e.Drift()
	if err != nil || r == nil || !r.Alarm {
		return a, false, err
	}
	if r.Shortfall <= 0 {
		return a, false, errors.New("drift without a shortfall") // cannot happen: the sum is then falling
	}
	pct := math.Round(100 * r.Shortfall)
	text := metering.Text{
		FR: "Depuis le " + frDate(r.Since) + ", la synergie livre " + frNumber(pct, 0) + " % de moins que prévu.",
		EN: "Since " + enDate(r.Since) + " the synergy has delivered " + enNumber(pct, 0) + " % less than planned."}
	if fr, en := causeOf(r.Why); fr != "" {
		text.FR += " " + fr
		text.EN += " " + en
	}
	a = metering.Alarm{ID: e.Plan.Synergy + ".drift." + r.Since.UTC().Format("20060102"), Kind: "drift",
		Subject: e.Plan.Synergy, Since: r.Since.UTC(), Text: text}
	if money := e.ledger.entries[metering.MoneySavedEUR]; money != nil {
		t := money.total(e.ledger, e.grid.index(r.Since), e.last)
		days := float64(e.last - e.grid.index(r.Since))
		a.CostEURPerYear = math.Round(t.amount / days * 365 * r.Shortfall / (1 - r.Shortfall))
	}
	return a, true, nil
}

// causeOf names what fell most, if anything fell enough.
func causeOf(why []Change) (fr, en string) {
	if len(why) == 0 || why[0].loss() < changeWorthIt {
		return "", ""
	}
	c := why[0]
	pct := math.Round(100 * c.loss())
	steady := true
	for _, o := range why[1:] {
		steady = steady && math.Abs(o.loss()) < changeWorthIt
	}
	switch c.Factor {
	case "delta_t":
		fr = fmt.Sprintf("L'écart de température a baissé de %s %% (de %s à %s K)", frNumber(pct, 0), frNumber(c.Before, 1), frNumber(c.After, 1))
		en = fmt.Sprintf("The temperature difference fell by %s %% (from %s to %s K)", enNumber(pct, 0), enNumber(c.Before, 1), enNumber(c.After, 1))
		if steady {
			fr += " à débit et durée de marche inchangés : échangeur encrassé, ou source moins chaude."
			en += " while flow and running hours did not change: a fouled exchanger, or a cooler source."
			return fr, en
		}
	case "flow":
		fr = fmt.Sprintf("Le débit a baissé de %s %% (de %s à %s m³/h) : pompe, filtre ou vanne.", frNumber(pct, 0), frNumber(c.Before, 1), frNumber(c.After, 1))
		en = fmt.Sprintf("The flow fell by %s %% (from %s to %s m³/h): pump, strainer or valve.", enNumber(pct, 0), enNumber(c.Before, 1), enNumber(c.After, 1))
		return fr, en
	case "hours":
		fr = fmt.Sprintf("La durée de marche a baissé de %s %% : source ou besoin moins présents.", frNumber(pct, 0))
		en = fmt.Sprintf("The running hours fell by %s %%: the source or the demand is there less often.", enNumber(pct, 0))
		return fr, en
	}
	return fr + ".", en + "."
}

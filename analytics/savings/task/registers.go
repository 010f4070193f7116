package task

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/thermie/thermie/analytics/align"
	"github.com/thermie/thermie/analytics/savings"
	"github.com/thermie/thermie/metering"
)

// parameters are what a task of registers is given beside the readings.
type parameters struct {
	HeatMeter    meterParameters `json:"heat_meter"`
	PumpMeter    meterParameters `json:"pump_meter"`
	Replacements []struct {
		Meter    string      `json:"meter"`
		Time     string      `json:"time"`
		OldFinal json.Number `json:"old_final_register"`
		NewStart json.Number `json:"new_start_register"`
	} `json:"replacements"`
	Timezone string `json:"timezone"`
	Boiler   struct {
		Efficiency float64 `json:"efficiency_pci"`
		Half90     float64 `json:"efficiency_rel_unc_90"`
	} `json:"boiler"`
	Gas struct {
		PCSPerPCI float64 `json:"pcs_over_pci"`
		Factor    float64 `json:"ef_kgco2e_per_kwh_pcs"`
		Price     float64 `json:"price_eur_per_mwh_pcs"`
	} `json:"gas"`
	Electricity struct {
		Factor float64 `json:"ef_kgco2e_per_kwh"`
		Price  float64 `json:"price_eur_per_mwh"`
	} `json:"electricity"`
	HeatPrice float64 `json:"heat_price_eur_per_mwh"`
	Rule      string  `json:"rule"`
}

type meterParameters struct {
	Unit       string      `json:"unit"`
	Rollover   json.Number `json:"rollover"`
	ClassHeat  json.Number `json:"class_EN1434"`
	QpOverQ    float64     `json:"qp_over_q"`
	DTMin      float64     `json:"dTmin_over_dT"`
	ClassMID   string      `json:"class_MID"`
	Expanded95 float64     `json:"rel_expanded_unc_95"`
}

const z95, z90 = 1.959963984540054, 1.6448536269514722

// relative95 is the relative half width at 95 % of a meter's increase.
func (m *meterParameters) relative95() (float64, bool) {
	if m.Expanded95 > 0 {
		return m.Expanded95, true
	}
	a := savings.Accuracy{QpOverQ: m.QpOverQ, DTMinOverDT: m.DTMin}
	switch {
	case m.ClassHeat != "":
		a.Class = "EN 1434 class " + m.ClassHeat.String()
	case m.ClassMID != "":
		a.Class = "MID " + m.ClassMID
	}
	rel, ok := a.Relative90()
	return rel * z95 / z90, ok
}

// perKWh is how many kWh one unit of a register is.
func perKWh(unit string) (float64, error) {
	f, ok := map[string]float64{"": 1, "kwh": 1, "wh": 0.001, "mwh": 1000, "gwh": 1e6, "gj": 1000 / 3.6, "mj": 1 / 3.6, "j": 1 / 3.6e6}[strings.ToLower(unit)]
	if !ok {
		return 0, fmt.Errorf("unit %q: want Wh, kWh, MWh, GWh, J, MJ or GJ", unit)
	}
	return f, nil
}

// unknownKeys are the keys of a JSON object that a struct does not have.
func unknownKeys(b []byte, into any) ([]string, error) {
	m := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	var out []string
	for _, k := range sortedKeys(m) {
		one, err := json.Marshal(map[string]json.RawMessage{k: m[k]})
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(strings.NewReader(string(one)))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			if !strings.Contains(err.Error(), "unknown field") {
				return nil, err
			}
			out = append(out, k)
			_ = json.Unmarshal(one, into) // what is known of it
		}
	}
	return out, nil
}

// register is one column of a file of registers.
type register struct {
	track  *align.Track
	scale  float64 // kWh in a unit
	rel95  float64
	reads  []time.Time // distinct instants with a number
	column string
	// cadence is the usual distance of lines of the file.
	cadence time.Duration
}

// registers answers a task of cumulative registers.
func (a *answer) registers(t *table, raw []byte) error {
	var p parameters
	ignored, err := unknownKeys(raw, &p)
	if err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	for _, k := range ignored {
		a.ignore("parameters." + k)
	}
	loc := a.c.Task.Location
	if p.Timezone != "" {
		if loc, err = time.LoadLocation(p.Timezone); err != nil {
			return fmt.Errorf("parameters, timezone: %w", err)
		}
	}
	heat, err := readRegister(t, []string{"heat", "chaleur", "energy"}, metering.HeatEnergy, &p.HeatMeter, &p, "heat")
	if err != nil {
		return err
	}
	if heat == nil {
		return fmt.Errorf("%s: no column of a heat register", t.name)
	}
	pump, err := readRegister(t, []string{"pump", "elec", "pompe"}, metering.ActiveEnergyImport, &p.PumpMeter, &p, "pump")
	if err != nil {
		return err
	}
	a.registerEvents(t, heat, pump)
	if !(p.Boiler.Efficiency > 0) {
		a.warn("no boiler efficiency is given: avoided gas cannot be said")
	}
	quarters := map[string]any{}
	for from := quarterStart(heat.track.First, loc); from.Before(heat.track.Last); {
		y, m, _ := from.Date()
		to := time.Date(y, m+3, 1, 0, 0, 0, 0, loc)
		quarters[quarterName(from)] = p.figures(heat, pump, from, to)
		from = to
	}
	a.set("quarters", quarters)
	a.set("total", p.figures(heat, pump, heat.track.First, heat.track.Last))
	return nil
}

func readRegister(t *table, words []string, q metering.Quantity, m *meterParameters, p *parameters, name string) (*register, error) {
	column := ""
	for _, n := range t.names {
		for _, w := range words {
			if column == "" && strings.Contains(strings.ToLower(n), w) {
				column = n
			}
		}
	}
	if column == "" {
		return nil, nil
	}
	r := &register{column: column, cadence: t.step()}
	var err error
	if r.scale, err = perKWh(m.Unit); err != nil {
		return nil, fmt.Errorf("parameters, %s_meter: %w", name, err)
	}
	r.rel95, _ = m.relative95()
	s := align.Source{Series: metering.Series(name, q), Unit: metering.KWh}
	if m.Rollover != "" {
		d, err := metering.ParseDecimal(m.Rollover.String())
		if err != nil {
			return nil, fmt.Errorf("parameters, %s_meter, rollover: %w", name, err)
		}
		s.Rollover = &d
	}
	for i, x := range p.Replacements {
		if x.Meter != name {
			continue
		}
		at, err := time.Parse(time.RFC3339, x.Time)
		if err != nil {
			return nil, fmt.Errorf("parameters, replacement %d: %w", i+1, err)
		}
		old, err := metering.ParseDecimal(x.OldFinal.String())
		if err != nil {
			return nil, fmt.Errorf("parameters, replacement %d, old_final_register: %w", i+1, err)
		}
		start, err := metering.ParseDecimal(x.NewStart.String())
		if err != nil {
			return nil, fmt.Errorf("parameters, replacement %d, new_start_register: %w", i+1, err)
		}
		s.Exchanges = append(s.Exchanges, metering.Exchange{At: at, Quantity: q, OldFinal: old, NewStart: start})
	}
	x := t.columns[column]
	r.track, err = align.Read(s, func(yield func(metering.Point, error) bool) {
		for i, at := range t.time {
			if math.IsNaN(x[i]) {
				continue
			}
			if n := len(r.reads); n == 0 || !r.reads[n-1].Equal(at) {
				r.reads = append(r.reads, at)
			}
			d, err := metering.ParseDecimal(fmt.Sprint(x[i]))
			if err != nil {
				d, err = metering.ParseDecimal(fmt.Sprintf("%f", x[i]))
			}
			if !yield(metering.Point{At: at.UnixMilli(), Number: d}, err) {
				return
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", t.name, column, err)
	}
	return r, nil
}

func (a *answer) registerEvents(t *table, heat, pump *register) {
	count := map[string]int{}
	var all []any
	for _, r := range []*register{heat, pump} {
		if r == nil {
			continue
		}
		for _, e := range r.track.Events {
			count[e.Kind]++
			all = append(all, map[string]any{"register": r.column, "kind": e.Kind, "from": stamp(e.From), "to": stamp(e.To), "text": e.Text.EN})
		}
	}
	a.set("events", map[string]any{"rollovers": count[align.Rollover], "resets": count[align.Exchanged] + count[align.Reset],
		"unrecorded_resets": count[align.Reset], "duplicates": heat.track.Duplicates, "out_of_order": t.disorder, "gaps": count[align.Gap],
		"passed_over": heat.track.PassedOver, "list": all})
	if count[align.Reset] > 0 {
		a.warn("a register fell without a record of an exchange: what was counted before its first reading after is lost")
	}
}

// figures are those of [from, to).
func (p *parameters) figures(heat, pump *register, from, to time.Time) map[string]any {
	mwh := func(r *register) float64 {
		if r == nil {
			return 0
		}
		return r.track.Increase(from, to).Float64() * r.scale / 1000
	}
	h, e := mwh(heat), mwh(pump)
	out := map[string]any{"heat_mwh": h, "pump_mwh": e, "heat_unc95_mwh": h * heat.rel95, "heat_unc90_mwh": h * heat.rel95 * z90 / z95}
	if p.Boiler.Efficiency > 0 {
		pcs := p.Gas.PCSPerPCI
		if pcs == 0 {
			pcs = 1
		}
		gas := h / p.Boiler.Efficiency * pcs
		rel := math.Hypot(heat.rel95*z90/z95, p.Boiler.Half90)
		out["avoided_gas_mwh_pcs"], out["avoided_gas_unc90_mwh_pcs"] = gas, gas*rel
		out["net_tco2e"] = float64(gas*p.Gas.Factor) - float64(e*p.Electricity.Factor)
		out["net_eur"] = float64(gas*p.Gas.Price) - float64(h*p.HeatPrice) - float64(e*p.Electricity.Price)
		out["net_tco2e_unc90"] = gas * rel * p.Gas.Factor
		out["net_eur_unc90"] = math.Hypot(gas*p.Gas.Price*p.Boiler.Half90, (gas*p.Gas.Price-h*p.HeatPrice)*heat.rel95*z90/z95)
	}
	if c := heat.cadence; c > 0 {
		expected := int(to.Sub(from) / c)
		received := 0
		for _, at := range heat.reads {
			if !at.Before(from) && at.Before(to) {
				received++
			}
		}
		out["expected_reads"], out["received_reads"] = expected, received
		out["completeness"] = float64(received) / float64(max(expected, 1))
	}
	return out
}

func quarterStart(t time.Time, loc *time.Location) time.Time {
	y, m, _ := t.In(loc).Date()
	return time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, loc)
}

func quarterName(t time.Time) string {
	return fmt.Sprintf("%d-Q%d", t.Year(), (int(t.Month())-1)/3+1)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

package savings

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/metering"
)

// unknownClass is the relative half width taken for a meter whose accuracy
// class nobody has stated.
const unknownClass = 0.05

// relative is a systematic source with its relative half width at 90 %.
type relative struct {
	key string
	rel float64 // with sign: the amount moves by rel when the source moves up
}

// stream is one thing that a meter's register counts for: amount times factor
// in the unit of a flow.
type stream struct {
	indicator metering.Indicator // "" for none
	perUnit   float64            // indicator units for one unit of the register
	flow      float64            // flow units for one unit of the register
	sign      float64            // +1 avoided, -1 used
	to        []conversion
	prices    []price
	sources   []relative
}

// flows fills the ledger from the meters of the exchange (options A, B and
// calculated; the metered part of any plan).
func (e *Evaluation) flows() error {
	for i := range e.Plan.Meters {
		m := &e.Plan.Meters[i]
		streams, err := e.streams(m)
		if err != nil {
			return fmt.Errorf("meter %s: %w", m.Series, err)
		}
		if len(streams) == 0 {
			continue
		}
		s := e.data.Series[m.Series]
		if s == nil {
			s = &Series{Amount: make([]float64, e.data.Hours), Covered: make([]float64, e.data.Hours)}
			e.notes = append(e.notes, note{text: metering.Text{
				FR: "Aucun relevé de " + string(m.Series) + " : compté pour zéro, couverture nulle.",
				EN: "No reading of " + string(m.Series) + ": counted as zero, no coverage."}})
		}
		rel, known := e.accuracy(m)
		if !known {
			e.notes = append(e.notes, note{text: metering.Text{
				FR: "Classe d'exactitude inconnue pour " + m.Series.Meter() + " : ± 5 % retenus.",
				EN: "Accuracy class of " + m.Series.Meter() + " unknown: ± 5 % assumed."}})
		}
		for day := e.first; day < e.last; day++ {
			e.meterDay(m, s, streams, rel, day)
		}
		e.meterSplits(m, s, streams)
	}
	return nil
}

// accuracy is a meter's relative half width: the plan's, else the registry's.
func (e *Evaluation) accuracy(m *Meter) (rel float64, known bool) {
	if rel, known = m.Accuracy.Relative90(); known {
		return rel, true
	}
	a := m.Accuracy
	a.Class = e.data.Classes[m.Series.Meter()]
	if rel, known = a.Relative90(); known {
		return rel, true
	}
	return unknownClass, false
}

// streams says what one unit of the register is worth.
func (e *Evaluation) streams(m *Meter) ([]stream, error) {
	sign := 1.0
	if m.Subtract {
		sign = -1
	}
	kwh := 1.0
	if m.KWhPerUnit > 0 {
		kwh = m.KWhPerUnit
	}
	switch m.Role {
	case RoleHeat:
		return e.heatStreams(sign)
	case RoleHeatRejected:
		return e.heatStreams(-sign)
	case RoleBiogas:
		out, err := e.displacedStreams(sign*kwh, "")
		if err != nil {
			return nil, err
		}
		own, err := e.stream(indicators.Biomethane, metering.BiomethaneMWh, sign*kwh/1000, sign*kwh, -1)
		return append([]stream{own}, out...), err
	case RoleElectricity:
		s, err := e.stream(indicators.Electricity, metering.ElectricityUsedMWh, sign/1000, sign, -1)
		return []stream{s}, err
	case RoleWater:
		s, err := e.stream(indicators.Water, metering.WaterSavedM3, sign, sign, 1)
		return []stream{s}, err
	case RoleMaterial:
		s, err := e.stream(indicators.Material, metering.MaterialTonnes, sign/1000, sign/1000, 1)
		return []stream{s}, err
	}
	return nil, nil
}

func (e *Evaluation) stream(f indicators.Flow, i metering.Indicator, perUnit, flow, sign float64) (stream, error) {
	s := stream{indicator: i, perUnit: perUnit, flow: flow, sign: sign}
	var err error
	s.to, s.prices, err = e.worth(f)
	return s, err
}

func (e *Evaluation) heatStreams(sign float64) ([]stream, error) {
	out, err := e.displacedStreams(sign, metering.EnergyAvoidedMWh)
	if err != nil {
		return nil, err
	}
	own, err := e.stream(indicators.Heat, metering.HeatDeliveredMWh, sign/1000, sign, 1)
	return append([]stream{own}, out...), err
}

// displacedStreams turns kWh of heat (or biogas) into the energies it replaces.
func (e *Evaluation) displacedStreams(kwh float64, i metering.Indicator) ([]stream, error) {
	var out []stream
	for k := range e.Plan.Displaced {
		d := &e.Plan.Displaced[k]
		fuel := kwh * d.share() / d.EfficiencyPCI * d.pcs()
		s, err := e.stream(d.Energy, i, fuel/1000, fuel, 1)
		if err != nil {
			return nil, err
		}
		if d.EfficiencyHalf90 > 0 {
			s.sources = []relative{{"efficiency:" + strconv.Itoa(k), -d.EfficiencyHalf90}}
		}
		out = append(out, s)
	}
	return out, nil
}

// meterDay adds one day of a meter.
func (e *Evaluation) meterDay(m *Meter, s *Series, streams []stream, rel float64, day int) {
	h0, h1 := e.grid.hours[day], e.grid.hours[day+1]
	share, shareHalf := m.share(e.grid.days[day])
	covered := 0.0
	for _, c := range s.Covered[h0:h1] {
		covered += c
	}
	covered /= float64(h1 - h0)
	for k := range streams {
		st := &streams[k]
		amount, eur := 0.0, 0.0
		for h := h0; h < h1; h++ {
			amount += s.Amount[h]
			if st.prices != nil {
				eur += float64(s.Amount[h] * st.prices[h].eur)
			}
		}
		put := func(i metering.Indicator, x float64) {
			en := e.ledger.entry(i)
			en.amount[day] += toMicro(x)
			e.cover(en, day, covered)
			en.source("meter:" + string(m.Series))[day] += float64(x * rel)
			for _, r := range st.sources {
				en.source(r.key)[day] += float64(x * r.rel)
			}
			if shareHalf > 0 && share > 0 {
				en.source("share:" + string(m.Series))[day] += float64(x * (shareHalf / share))
			}
		}
		if st.indicator != "" {
			put(st.indicator, float64(amount*st.perUnit)*share)
		}
		for _, c := range st.to {
			x := float64(amount*st.flow) * share * st.sign * c.perUnit
			put(c.indicator, x)
			e.factorEffect(c, day, x)
		}
		if st.prices != nil {
			put(metering.MoneySavedEUR, float64(eur*st.flow)*share*st.sign)
		}
	}
}

// share is the synergy's part of the meter on a day.
func (m *Meter) share(day time.Time) (share, half float64) {
	if len(m.Shares) == 0 {
		return 1, 0
	}
	for i := range m.Shares {
		if m.Shares[i].Holds(day) {
			return m.Shares[i].Share, m.Shares[i].Half90
		}
	}
	return 0, 0
}

// meterSplits carries the doubt about gaps across day bounds to the indicators.
func (e *Evaluation) meterSplits(m *Meter, s *Series, streams []stream) {
	if s.Split == nil {
		return
	}
	for b := e.first; b <= e.last; b++ {
		v := s.Split[e.grid.hours[b]]
		if v == 0 {
			continue
		}
		sd := math.Sqrt(v)
		day := min(b, e.last-1)
		if day < e.first {
			continue
		}
		share, _ := m.share(e.grid.days[day])
		// All of a meter's streams move together: add them before squaring.
		weights := map[metering.Indicator]float64{}
		for k := range streams {
			st := &streams[k]
			weights[st.indicator] += float64(st.perUnit * share)
			for _, c := range st.to {
				weights[c.indicator] += float64(st.flow*st.sign*c.perUnit) * share
			}
			if st.prices != nil {
				weights[metering.MoneySavedEUR] += float64(st.flow*st.sign*e.meanPrice(st.prices, day)) * share
			}
		}
		for _, i := range metering.Indicators {
			if w := weights[i]; w != 0 {
				x := float64(w * sd)
				e.ledger.entry(i).split[b] += float64(x * x)
			}
		}
	}
}

package detect

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/metering"
)

// condenser balances what is cooled with the power of the site's machine that
// follows it best.
func (f *finder) condenser(o *object, signals []string, rule string, cold []float64) error {
	best, at := 0.5, (*object)(nil)
	for _, m := range f.all {
		if gas, _ := m.fuel(); m.site != o.site || m.power() == "" || gas != "" {
			continue
		}
		p := daily(f.g, f.g.Channels[m.power()])
		_, r := line(cold, p)
		ratio := meanOf(cold, 1) / meanOf(p, 1)
		if m.is(chillerWords...) {
			r += 0.3
		}
		if ratio > 1.5 && ratio < 9 && r > best {
			best, at = r, m
		}
	}
	c := heat.Card{Kind: "chiller_condenser", Type: "chiller condenser", THot: "30", TCold: "25"}
	why := metering.Text{FR: "froid produit plus électricité du groupe : c'est ce que rejette le condenseur", EN: "cooling plus the machine's electricity: that is what the condenser gives off"}
	if at == nil {
		c.Signals, c.Rule = signals, strings.Replace(rule, "+P_el", "", 1)
		c.Rule = strings.Replace(c.Rule, "Q=", "Q_0=", 1) + "; Q=Q_0*1.25"
		why = metering.Text{FR: "froid produit, majoré d'un quart pour l'électricité du groupe, qui n'est pas mesurée (COP 4)", EN: "cooling, and a quarter more for the machine's electricity, which is not measured (COP 4)"}
	} else {
		c.Signals, c.Rule = append(slices.Clone(signals), at.power()), rule
	}
	for _, m := range f.all {
		if m.site == o.site && m.is(condenserWords...) && m.vars["T_hot"] != "" && m.vars["T_cold"] != "" {
			c.THot, c.TCold = m.vars["T_hot"], m.vars["T_cold"]
		}
	}
	return f.propose(o, Condenser, c, why)
}

// effluent takes a flow of warm water with one temperature.
func (f *finder) effluent(o *object) error {
	t := meanOf(f.g.Channels[o.vars["T"]], 1)
	if !(t > 25) || o.is(usefulWords...) {
		return nil
	}
	signals, rule := []string{o.vars["V"], o.vars["T"]}, "Q=V*1.16111*(T-22)"
	for _, r := range f.all { // what the site recovers already comes first
		if r.site == o.site && r.vars["Q"] != "" && r.is("recover", "recup") {
			signals = append(signals, r.vars["Q"])
			rule = "T_after=T-Q_rec/(V*1.16111); Q=V*1.16111*(T_after-22)"
		}
	}
	c := heat.Card{Kind: "process_effluent", Type: "process effluent", Signals: signals, Rule: rule, THot: "T", TCold: "22"}
	if len(signals) == 3 {
		c.THot = "T_after"
	}
	return f.propose(o, Effluent, c, metering.Text{
		FR: fmt.Sprintf("de l'eau part à %.0f °C en moyenne, au-dessus des 22 °C d'un rejet", t),
		EN: fmt.Sprintf("water leaves at %.0f °C on average, above the 22 °C of a discharge", t)})
}

// hotGas takes a temperature that rises with a burner of the site.
func (f *finder) hotGas(o *object) error {
	t := f.g.Channels[o.vars["T"]]
	var burner *object
	best := 0.35
	for _, b := range f.all {
		fuel, _ := b.fuel()
		if b.site != o.site || fuel == "" || b.is(usefulWords...) {
			continue
		}
		if _, r := line(f.g.Channels[fuel], t); r > best {
			best, burner = r, b
		}
	}
	if burner == nil {
		return nil
	}
	fuel, scale := burner.fuel()
	hot := weightedMean(t, f.g.Channels[fuel])
	c := heat.Card{Signals: []string{fuel, o.vars["T"]}, THot: o.vars["T"]}
	power, given := "P", ""
	if scale != 1 {
		power, given = "P_gas", fmt.Sprintf("P_gas=V_gas*%g; ", scale)
	}
	switch {
	case hot > 130:
		c.Kind, c.Type, c.TCold, c.DTContribution = "furnace_flue", "furnace flue", "130", 15
		c.Rule = given + "Q=" + power + "*(0.66/(21-8)+0.009)/100*(T-130) if T>130 else 0"
		if o2 := o.vars["O2"]; o2 != "" {
			c.Signals = append(c.Signals, o2)
			c.Rule = given + "Q=" + power + "*(0.66/(21-O2)+0.009)/100*(T-130) if T>130 else 0"
		}
		return f.propose(o, Flue, c, metering.Text{
			FR: fmt.Sprintf("des fumées à %.0f °C en moyenne, chaudes quand le gaz brûle (Siegert)", hot), EN: fmt.Sprintf("a flue at %.0f °C on average, hot while gas burns (Siegert)", hot)})
	case hot > 45 && (o.is(exhaustWords...) || burner.is("kiln", "touraille", "dryer", "sech")):
		c.Kind, c.Type, c.TCold, c.DTContribution = "kiln_exhaust", "kiln exhaust", "30", 7.5
		c.Rule = given + "Q=0.55*" + power + " if T>50 else 0"
		return f.propose(o, Exhaust, c, metering.Text{
			FR: fmt.Sprintf("de l'air humide sort à %.0f °C quand le gaz brûle ; 55 %% de l'énergie part avec lui", hot), EN: fmt.Sprintf("moist air leaves at %.0f °C while gas burns; 55%% of the energy goes with it", hot)})
	}
	return nil
}

func weightedMean(x, weight []float64) float64 {
	sum, w := 0.0, 0.0
	for i, v := range x {
		if weight[i] > 0 && !math.IsNaN(v) {
			sum += v * weight[i]
			w += weight[i]
		}
	}
	if w == 0 {
		return math.NaN()
	}
	return sum / w
}

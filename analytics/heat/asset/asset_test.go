package asset

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/thermie/thermie/analytics/heat"
)

func TestBuiltin(t *testing.T) {
	all, err := Builtin()
	require.NoError(t, err)
	one := func(channels map[string]float64, c heat.Card) (heat.Source, error) {
		g := &heat.Grid{Start: time.Unix(0, 0), Step: time.Hour, Steps: 2, Channels: map[string][]float64{}}
		for n, v := range channels {
			g.Channels[n] = []float64{v, v}
			c.Signals = append(c.Signals, n)
		}
		c.ID = "x"
		c, err := all.Complete(g, c)
		if err != nil {
			return heat.Source{}, err
		}
		s, err := heat.Sources(g, []heat.Card{c}, nil)
		if err != nil {
			return heat.Source{}, err
		}
		return s[0], nil
	}
	for name, c := range map[string]struct {
		kind     string
		channels map[string]float64
		kw       float64
		grade    heat.Grade
	}{
		"compressor":             {"oil_injected_compressor", map[string]float64{"a.P_kW": 100}, 72, heat.GradeC},
		"condenser, balance":     {"chiller_condenser", map[string]float64{"a.chilled.Q_kW": 400, "a.chiller.P_kW": 100}, 500, heat.GradeB},
		"condenser, heat meter":  {"chiller_condenser", map[string]float64{"a.V_m3h": 10, "a.T_hot_C": 30, "a.T_cold_C": 25}, 10 * 1.16111 * 5, heat.GradeA},
		"condenser, power":       {"chiller_condenser", map[string]float64{"a.P_kW": 100}, 500, heat.GradeD},
		"tower, make-up":         {"cooling_tower", map[string]float64{"a.V_water_m3h": 1}, 510, heat.GradeD},
		"flue with oxygen":       {"furnace_flue", map[string]float64{"a.gas.P_kW": 1000, "a.flue.T_C": 330, "a.flue.O2_pct": 3}, 1000 * (0.66/18 + 0.009) / 100 * 200, heat.GradeC},
		"flue":                   {"furnace_flue", map[string]float64{"a.gas.P_kW": 1000, "a.flue.T_C": 330}, 1000 * (0.66/13 + 0.009) / 100 * 200, heat.GradeC},
		"effluent":               {"process_effluent", map[string]float64{"a.V_m3h": 10, "a.T_C": 32}, 10 * 1.16111 * 10, heat.GradeB},
		"effluent less recovery": {"process_effluent", map[string]float64{"a.V_m3h": 10, "a.T_C": 32, "a.recovered.Q_kW": 16.111}, 100, heat.GradeB},
		"loop":                   {"cooling_loop", map[string]float64{"a.V_m3h": 10, "a.T_hot_C": 40, "a.T_cold_C": 30}, 116.111, heat.GradeA},
		"kiln":                   {"kiln_exhaust", map[string]float64{"a.gas.P_kW": 1000, "a.exhaust.T_C": 60}, 550, heat.GradeC},
		"dry cooler, meter":      {"dry_cooler", map[string]float64{"a.loop.Q_kW": 70}, 70, heat.GradeA},
		"flash steam":            {"flash_steam", map[string]float64{"a.V_m3h": 2, "a.T_C": 160}, 2 * 1.105 * 60, heat.GradeB},
		"blow-down":              {"boiler_blowdown", map[string]float64{"a.V_m3h": 1, "a.T_C": 180}, 1.06 * 120, heat.GradeB},
		"transformer":            {"transformer", map[string]float64{"a.P_kW": 1000}, 8, heat.GradeD},
		"data centre":            {"data_centre", map[string]float64{"a.P_kW": 1000}, 1000, heat.GradeC},
	} {
		s, err := one(c.channels, heat.Card{Kind: c.kind, THot: "", TCold: ""})
		require.NoError(t, err, name)
		require.InEpsilon(t, c.kw, s.KW[0], 1e-9, name)
		require.Equal(t, c.grade, s.Grade, name)
	}
	_, err = one(map[string]float64{"a.T_C": 3}, heat.Card{Kind: "transformer"})
	require.ErrorContains(t, err, "no rule of transformer fits its signals")
	_, err = one(map[string]float64{"a.T_C": 3}, heat.Card{Type: "mystery"})
	require.ErrorContains(t, err, `"mystery" is none of`)

	for text, key := range map[string]string{
		"oil-injected screw compressors, water-cooled":          "oil_injected_compressor",
		"refrigeration, water-cooled condenser + cooling tower": "chiller_condenser",
		"gas-fired reheating furnace, flue to stack":            "furnace_flue",
		"process effluent to river":                             "process_effluent",
		"data-centre cooling loop (heat meter)":                 "data_centre",
		"malt kiln exhaust air, batch":                          "kiln_exhaust",
		"process dry cooler (heat meter)":                       "dry_cooler",
	} {
		k := all.Of(&heat.Card{Type: text})
		require.NotNil(t, k, text)
		require.Equal(t, key, k.Key, text)
		require.NotEmpty(t, k.Name.FR+k.Caveats.EN)
	}
}

// A user's type comes before the built-in ones.
func TestOwnKind(t *testing.T) {
	all, err := Builtin()
	require.NoError(t, err)
	own, err := Parse(strings.NewReader(`kinds:
  - {key: transformer, name: {fr: Nôtre, en: Ours}, rules: [{rule: "Q=0.02*P", grade: C}], t_hot: "70", t_cold: "50", class: unavoidable, source: our own measurement}`))
	require.NoError(t, err)
	all = append(all, own...)
	g := &heat.Grid{Start: time.Unix(0, 0), Step: time.Hour, Steps: 1, Channels: map[string][]float64{"a.P_kW": {100}}}
	c, err := all.Complete(g, heat.Card{ID: "x", Kind: "transformer", Signals: []string{"a.P_kW"}})
	require.NoError(t, err)
	require.Equal(t, "Q=0.02*P", c.Rule)

	for text, want := range map[string]string{
		"kinds: []":                       `no "kinds"`,
		"kinds: [{colour: red}]":          "colour",
		"kinds: [{key: a}]":               "no rules",
		"kinds: [{rules: [{rule: Q=P}]}]": "no key",
		"kinds: [{key: a, rules: [{rule: Q=P, grade: E}], class: partly, source: x}]": "grade",
		"kinds: [{key: a, rules: [{rule: P, grade: A}], class: partly, source: x}]":   "assigns nothing",
		"kinds: [{key: a, rules: [{rule: Q=P, grade: A}], class: good, source: x}]":   "class",
		"kinds: [{key: a, rules: [{rule: Q=P, grade: A}], class: partly}]":            "no source",
	} {
		_, err := Parse(strings.NewReader(text))
		require.ErrorContains(t, err, want, text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(builtin))
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := Parse(strings.NewReader(s)); err == nil {
			require.NotEmpty(t, k)
		}
	})
}

package pinch

import "math"

// Answer computes a case and returns it under the keys of the open cases: each
// power with its unit in its key, curves as lists of [power, temperature].
func (c *Case) Answer() (map[string]any, error) {
	a := answer{"unit": c.Unit, "kind": string(c.Kind)}
	if len(c.Warnings) > 0 {
		a["warnings"] = c.Warnings
	}
	switch c.Kind {
	case KindTimeSlice:
		return a, c.answerSlices(a)
	case KindMultiPeriod:
		return a, c.answerPeriods(a)
	}
	t, err := Cascade(c.Streams)
	if err != nil {
		return nil, err
	}
	c.targets(a, t, c.Streams)
	hot, cold := Composites(c.Streams, t.ColdUtilityKW)
	a["composite_hot"], a["composite_cold"] = points(hot), points(cold)
	a["grand_composite_shifted"] = levels(t.GrandComposite)
	if c.Zoned || c.Kind == KindTotalSite {
		return a, c.answerSite(a)
	}
	return a, nil
}

type answer map[string]any

// put sets a power or an energy under key_unit; megawatts are given in
// kilowatts too.
func (c *Case) put(a map[string]any, key string, x float64) {
	x = clean(x)
	if c.Unit == "MW" {
		a[key+"_MW"] = x
		x = clean(1000 * x)
	}
	a[key+"_kW"] = x
}

// clean takes the noise of floating point from a figure.
func clean(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	scale := math.Pow(10, 11-math.Ceil(math.Log10(math.Abs(x))))
	if math.IsInf(scale, 0) || scale == 0 {
		return x
	}
	return math.Round(x*scale) / scale
}

func (c *Case) targets(a map[string]any, t Targets, streams []Stream) {
	c.put(a, "QH_min", t.HotUtilityKW)
	c.put(a, "QC_min", t.ColdUtilityKW)
	c.put(a, "recovery", t.RecoveryKW)
	shifted := make([]float64, 0, len(t.Pinches))
	for _, p := range t.Pinches {
		shifted = append(shifted, clean(p))
	}
	a["pinch_shifted_degC"] = shifted
	if t.Threshold != "" {
		a["threshold"] = t.Threshold
	}
	// Real temperatures of a pinch exist where all streams of a side have the same
	// contribution.
	if len(t.Pinches) == 0 {
		return
	}
	if d, ok := commonDTC(streams, true); ok {
		a["pinch_hot_degC"] = clean(t.Pinches[0] + d)
	}
	if d, ok := commonDTC(streams, false); ok {
		a["pinch_cold_degC"] = clean(t.Pinches[0] - d)
	}
}

func commonDTC(streams []Stream, hot bool) (dtc float64, ok bool) {
	dtc = math.NaN()
	for _, s := range streams {
		if s.Hot != hot {
			continue
		}
		if !math.IsNaN(dtc) && dtc != s.DTC {
			return 0, false
		}
		dtc = s.DTC
	}
	return dtc, !math.IsNaN(dtc)
}

func points(p []Point) [][2]float64 {
	out := make([][2]float64, 0, len(p))
	for _, x := range p {
		out = append(out, [2]float64{clean(x.KW), clean(x.Celsius)})
	}
	return out
}

func levels(l []Level) [][2]float64 {
	out := make([][2]float64, 0, len(l))
	for _, x := range l {
		out = append(out, [2]float64{clean(x.KW), clean(x.TShifted)})
	}
	return out
}

func (c *Case) answerSite(a map[string]any) error {
	t, err := Site(c.Streams, c.Utilities)
	if err != nil {
		return err
	}
	zones := map[string]any{}
	source, sink := SiteProfiles(t.Zones)
	for _, z := range t.Zones {
		x := map[string]any{}
		c.put(x, "QH", z.HotUtilityKW)
		c.put(x, "QC", z.ColdUtilityKW)
		c.put(x, "recovery", z.RecoveryKW)
		for key, of := range map[string]map[string]float64{"uses": z.Use, "generates": z.Generate} {
			if len(of) > 0 {
				x[key+"_"+c.Unit] = cleaned(of)
			}
		}
		if z.Unserved > 0 || z.Unremoved > 0 {
			x["flag"] = "no declared utility is hot or cold enough for a part of its need"
			c.put(x, "unserved", z.Unserved)
			c.put(x, "unremoved", z.Unremoved)
		}
		zones[z.Name] = x
	}
	a["zones"] = zones
	c.put(a, "separate_QH", t.SeparateHotKW)
	c.put(a, "separate_QC", t.SeparateColdKW)
	c.put(a, "direct_all_sites_QH", t.DirectHotKW)
	c.put(a, "direct_all_sites_QC", t.DirectColdKW)
	a["site_source_profile_shifted"], a["site_sink_profile_shifted"] = levels(source), levels(sink)
	if len(c.Utilities) > 0 {
		c.put(a, "via_utility_levels_QH", t.ViaLevelsHotKW)
		c.put(a, "via_utility_levels_QC", t.ViaLevelsColdKW)
		c.put(a, "recovered_by_levels", t.RecoveredByLevelsKW)
		a["utilities_used_"+c.Unit], a["utilities_generated_"+c.Unit] = cleaned(t.UtilitiesUse), cleaned(t.UtilitiesGenerated)
	}
	return nil
}

func cleaned(m map[string]float64) map[string]float64 {
	out := map[string]float64{}
	for k, v := range m {
		out[k] = clean(v)
	}
	return out
}

func (c *Case) answerSlices(a map[string]any) error {
	t, err := TimeSlices(c.Batches, c.CycleH)
	if err != nil {
		return err
	}
	factor := 1.0
	if c.Unit == "MW" {
		factor = 1000
	}
	var list [][4]float64
	var detail []any
	for _, s := range t.Slices {
		row := [4]float64{s.From, s.To, clean(factor * s.HotKWh), clean(factor * s.ColdKWh)}
		list = append(list, row)
		detail = append(detail, map[string]any{"t0": s.From, "t1": s.To, "hot_utility_kWh": row[2], "cold_utility_kWh": row[3],
			"recovery_kWh": clean(factor * s.RecoveryKWh), "pinch_shifted_degC": s.PinchesShifted})
	}
	hot, cold, recovery := clean(factor*t.HotKWh), clean(factor*t.ColdKWh), clean(factor*t.RecoveryKWh)
	meanHot, meanCold := clean(factor*t.Average.HotUtilityKW), clean(factor*t.Average.ColdUtilityKW)
	a["direct_only"] = map[string]any{"hot_utility_kWh": hot, "cold_utility_kWh": cold, "recovery_kWh": recovery, "slices": list}
	average := map[string]any{"hot_utility_kWh": clean(meanHot * c.CycleH), "cold_utility_kWh": clean(meanCold * c.CycleH),
		"hot_utility_kW": meanHot, "cold_utility_kW": meanCold, "hot_kW": meanHot, "cold_kW": meanCold}
	m := *c
	m.targets(average, t.Average, c.Streams)
	a["time_average"] = average
	a["recovery_direct_kWh"] = recovery
	a["recovery_upper_bound_with_storage_kWh"] = clean(factor * t.RecoveryBoundKWh)
	// The same under flat keys, as the small open case has them.
	a["direct_hot_utility_kWh"], a["direct_cold_utility_kWh"], a["direct_recovery_kWh"] = hot, cold, recovery
	a["time_average_hot_kW"], a["time_average_cold_kW"] = meanHot, meanCold
	a["slices"], a["slice_details"] = list, detail
	return nil
}

func (c *Case) answerPeriods(a map[string]any) error {
	t, err := Periods(c.Periods, c.Weights)
	if err != nil {
		return err
	}
	var list []any
	named := map[string]any{}
	for i, p := range t.Periods {
		x := map[string]any{}
		c.targets(x, p, c.Periods[i])
		c.put(x, "QH", p.HotUtilityKW)
		c.put(x, "QC", p.ColdUtilityKW)
		x["grand_composite_shifted"] = levels(p.GrandComposite)
		list = append(list, x)
		if c.Names != nil {
			x["period"] = c.Names[i]
			named[c.Names[i]] = x
		}
	}
	a["periods"] = list
	if len(named) == len(list) {
		a["periods"] = named
	}
	c.put(a, "weighted_QH", t.WeightedHotKW)
	c.put(a, "weighted_QC", t.WeightedColdKW)
	return nil
}

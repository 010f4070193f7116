package worth

import (
	"github.com/thermie/thermie/analytics/heat"
	"github.com/thermie/thermie/metering"
)

// profile is how a source's heat lies in time, with what is known of its type and
// the faults of its channels; year scales from the known steps to a year.
func (in *Input) profile(s *heat.Source, year, internalMWh float64) *metering.HeatProfile {
	p := s.Profile(in.Grid)
	out := &metering.HeatProfile{LoadKW: p.Duration, MonthBandMWh: s.MonthsByBand(in.Grid), WorkingDayKW: p.Hour[0][:], WeekendKW: p.Hour[1][:],
		OperatingP50KW: p.OperatingP50KW, OperatingP90KW: p.OperatingP90KW, OperatingShare: p.OperatingShare, FirmShare: p.FirmShare,
		OutageHours: p.LongestOutage.Hours(), ExergyMWh: p.ExergyMWh * year, MendedMWh: s.MendedMWh * year, EstimatedMWh: s.EstimatedMWh * year,
		InternalMWh: internalMWh * year, Rule: s.Card.Rule}
	if k := in.Kinds.Of(s.Card); k != nil {
		out.Kind, out.Class, out.ClassWhy, out.Fluid, out.Internal = k.Name, string(k.Class), k.ClassWhy, k.Fluid, k.Internal
		out.CutoffC, out.Cutoff = k.Cutoff.C, metering.Text{FR: k.Cutoff.FR, EN: k.Cutoff.EN}
	}
	for _, f := range in.Faults {
		var mine []string
		for _, c := range f.Channels {
			if s.Card.Reads(c) {
				mine = append(mine, c)
			}
		}
		if len(mine) > 0 {
			out.Faults = append(out.Faults, metering.HeatFault{Kind: string(f.Kind), Channels: mine, From: f.From, To: f.To, Mended: f.Mend})
		}
	}
	return out
}

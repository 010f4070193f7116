package baseline

import "math"

// Gate is a limit that a model should hold before its savings are believed.
type Gate struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	Holds  bool    `json:"holds"`
	Source string  `json:"source"`
}

// Situation is what the gates need to know beside the fit.
type Situation struct {
	ReportingMonths int
	// Share is how much of the baseline period has energy and variables, 0 to 1.
	Share float64
}

// The limits that are not Guideline 14's.
const (
	// mostAlike is the lag-1 correlation of residuals from which most of what the
	// rows tell is told by their neighbours: n' falls to a third of n.
	mostAlike = 0.5
	// leastShare is CalTRACK's: 37 days of 365 may be missing.
	leastShare = 328.0 / 365
	// leastPerParameter is how many independent rows a parameter should have.
	leastPerParameter = 3
)

// Gates hold a model against its limits: those of ASHRAE Guideline 14-2014 (table
// 4-2, prescriptive path, whole building), CV(RMSE) of 20 % when less than 12 months
// are reported, 25 % up to 60 months, 30 % beyond, and a net bias below 0.005 %; the
// correlation of neighbouring residuals, which intervals allow for and a reader should
// know; and whether the baseline is whole and long enough for its parameters. The
// third limit of Guideline 14, an uncertainty of at most half the saving at 68 %
// confidence, belongs to the saving.
func Gates(f *Fit, s Situation) []Gate {
	limit := 0.20
	switch {
	case s.ReportingMonths > 60:
		limit = 0.30
	case s.ReportingMonths >= 12:
		limit = 0.25
	}
	const guideline, caltrack = "ASHRAE Guideline 14-2014", "CalTRACK 2.0"
	gates := []Gate{
		{Name: "cvrmse", Value: f.CVRMSEAdj, Limit: limit, Holds: f.CVRMSEAdj <= limit, Source: guideline},
		{Name: "nmbe", Value: f.NMBE, Limit: 0.00005, Holds: math.Abs(f.NMBE) < 0.00005, Source: guideline},
		{Name: "autocorrelation", Value: f.Rho1, Limit: mostAlike, Holds: f.Rho1 <= mostAlike, Source: "lag-1 correlation of residuals; intervals allow for it"},
		{Name: "coverage", Value: s.Share, Limit: leastShare, Holds: s.Share >= leastShare-1e-9, Source: caltrack},
	}
	if f.Hourly == nil && f.P > 0 { // hours share their parameters by design
		per := f.NPrime / float64(f.P)
		gates = append(gates, Gate{Name: "rows_per_parameter", Value: per, Limit: leastPerParameter, Holds: per >= leastPerParameter, Source: "independent rows n' for each parameter"})
	}
	return gates
}

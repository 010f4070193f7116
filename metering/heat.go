package metering

import "time"

// HeatProfile is how the heat of one asset lies in time and temperature, with
// what an engineer must know of it.
type HeatProfile struct {
	LoadKW       []float64   `json:"load_kw,omitempty"`        // exceeded in 0, 5 ... 100 % of the measured time
	MonthBandMWh [][]float64 `json:"month_band_mwh,omitempty"` // a year: twelve months, each by band, coldest first
	WorkingDayKW []float64   `json:"working_day_kw,omitempty"` // by civil hour
	WeekendKW    []float64   `json:"weekend_kw,omitempty"`
	// While it runs (above a fifth of its 95th percentile): power exceeded in half
	// and in nine tenths of that time, and its share of all.
	OperatingP50KW float64 `json:"operating_p50_kw"`
	OperatingP90KW float64 `json:"operating_p90_kw"`
	OperatingShare float64 `json:"operating_share"`
	FirmShare      float64 `json:"firm_share"` // of the energy, below the firm power
	OutageHours    float64 `json:"outage_hours"`
	ExergyMWh      float64 `json:"exergy_mwh"` // a year
	// MendedMWh and EstimatedMWh a year stand on mended readings and on gaps filled
	// from like times.
	MendedMWh    float64 `json:"mended_mwh"`
	EstimatedMWh float64 `json:"estimated_mwh"`
	InternalMWh  float64 `json:"internal_mwh"` // a year that the site can take itself, without a machine

	Rule     string      `json:"rule"`
	Kind     Text        `json:"kind,omitzero"`
	Class    string      `json:"class,omitempty"` // unavoidable, partly, avoidable
	ClassWhy Text        `json:"class_why,omitzero"`
	Fluid    Text        `json:"fluid,omitzero"`
	CutoffC  float64     `json:"cutoff_c,omitempty"`
	Cutoff   Text        `json:"cutoff,omitzero"`
	Internal Text        `json:"internal,omitzero"` // what the site itself can do with such heat
	Faults   []HeatFault `json:"faults,omitempty"`
}

// HeatFault is a window in which a channel of an asset is not to be believed.
type HeatFault struct {
	Kind     string    `json:"kind"` // sensors_swapped, scale_x10, stuck_value, frozen_zero, gap ...
	Channels []string  `json:"channels"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Mended   bool      `json:"mended"` // put right; else left out and filled from like times
}

// HeatPlan is the joint picture of a territory's waste heat over the last year:
// what its sources could give its needs at the same instant.
type HeatPlan struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Minutes is the step of the balance.
	Minutes float64 `json:"minutes"`
	// Companies are those whose sources and needs are in it. Who may not see the
	// heat of one of them sees none of the sums.
	Companies  []string `json:"companies"`
	SourcesMWh float64  `json:"sources_mwh"` // a year, as all that follow
	NeedsMWh   float64  `json:"needs_mwh"`
	ServedMWh  float64  `json:"served_mwh"` // needs that running synergies serve already; not in NeedsMWh
	// BoundMWh is what the heat cascade of every step allows without distances and
	// without machines. No sum of direct proposals passes it.
	BoundMWh float64 `json:"bound_mwh"`
	PlanMWh  float64 `json:"plan_mwh"` // delivered by the optimal plan of all pairs within reach
	// ProvedMWh is a proven upper limit of what any plan delivers; Gap its distance
	// to the plan, relative.
	ProvedMWh   float64 `json:"proved_mwh"`
	Gap         float64 `json:"gap"`
	InternalMWh float64 `json:"internal_mwh"` // of the plan, within one site
	// With heat pumps, at the prices of the day: what all is delivered, the part that
	// machines deliver, and their electricity. JointGap is the proved distance of
	// this plan's worth from the best.
	JointMWh           float64 `json:"joint_mwh"`
	PumpMWh            float64 `json:"pump_mwh"`
	PumpElectricityMWh float64 `json:"pump_electricity_mwh"`
	JointGap           float64 `json:"joint_gap"`
	// Links are those of the plan with heat pumps.
	Links   []HeatLink    `json:"links,omitempty"`
	Targets []HeatTargets `json:"targets,omitempty"` // of each company, then of all together
}

// HeatLink is a source that serves a need in the plan.
type HeatLink struct {
	Source      string  `json:"source"` // card
	From        string  `json:"from"`   // company
	SourceName  Text    `json:"source_name"`
	Need        string  `json:"need"`
	To          string  `json:"to"`
	NeedName    Text    `json:"need_name"`
	MWh         float64 `json:"mwh"`       // a year, in the joint plan, by direct exchange
	PumpMWh     float64 `json:"pump_mwh"`  // a year, in the joint plan, by heat pump
	AloneMWh    float64 `json:"alone_mwh"` // if nothing else were built; sums of these count heat twice
	PeakKW      float64 `json:"peak_kw"`
	KM          float64 `json:"km"`
	SourceGrade string  `json:"source_grade"`
	NeedGrade   string  `json:"need_grade"`
	// PinchShare is the part of the common hours in which temperature is the limit.
	PinchShare float64 `json:"pinch_share"`
	Running    bool    `json:"running"` // the pair is a synergy already: this is what it leaves
}

// HeatTargets are the least utilities of one site, or of all sites together.
type HeatTargets struct {
	Company string `json:"company"` // "" for all together
	// By the cascade of every step, MWh a year.
	HotMWh      float64 `json:"hot_mwh"`
	ColdMWh     float64 `json:"cold_mwh"`
	RecoveryMWh float64 `json:"recovery_mwh"`
	// Seasons are targets of mean powers, winter first; they do not look at the hour
	// and so promise more than the sums above.
	Seasons []HeatSeason `json:"seasons,omitempty"`
}

// HeatSeason is the pinch analysis of a season's mean streams. Curves are lists of
// kW and degC; the grand composite's temperature is shifted.
type HeatSeason struct {
	Season     int          `json:"season"` // 0 winter (December to February) ... 3 autumn
	HotKW      float64      `json:"hot_kw"`
	ColdKW     float64      `json:"cold_kw"`
	RecoveryKW float64      `json:"recovery_kw"`
	PinchC     []float64    `json:"pinch_c,omitempty"` // shifted
	Hot        [][2]float64 `json:"hot,omitempty"`
	Cold       [][2]float64 `json:"cold,omitempty"`
	Grand      [][2]float64 `json:"grand,omitempty"`
}

// HeatProposal is an asset that nobody declared and that readings give away: the
// card that a person would write, to be accepted or refused.
type HeatProposal struct {
	ID      string     `json:"id"`
	Company string     `json:"company"`
	Meter   Text       `json:"meter"`   // name of the meter that shows it
	Pattern string     `json:"pattern"` // what gave it away
	Why     Text       `json:"why"`
	Signs   []Text     `json:"signs,omitempty"`
	Signals []SeriesID `json:"signals"`
	Kind    Text       `json:"kind,omitzero"`
	Type    string     `json:"type"`
	Rule    string     `json:"rule"`
	THot    string     `json:"t_hot"`
	TCold   string     `json:"t_cold"`
	// DTContribution is the asset's part of the temperature approach, K.
	DTContribution float64 `json:"dt_contribution_k"`
	Grade          string  `json:"grade"`
	MWhPerYear     float64 `json:"mwh_per_year"`
	Half90         float64 `json:"half90"`
	TypicalKW      float64 `json:"typical_kw"`
	FirmKW         float64 `json:"firm_kw"`
	LowC           float64 `json:"low_c"`
	HighC          float64 `json:"high_c"`
	Coverage       float64 `json:"coverage"`
	// InternalMWh a year fit needs of the same site without a machine: they come
	// before any other use.
	InternalMWh float64 `json:"internal_mwh"`
}

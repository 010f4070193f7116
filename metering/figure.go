package metering

import "time"

// Indicator names what a figure counts, with its unit in the name.
type Indicator string

// The indicators of a synergy. Energy avoided is final energy (for gas, MWh of
// gross calorific value); primary energy, CO2e and money are net of what the
// synergy itself uses. The scopes are those of the company that uses less (GHG
// Protocol): its own combustion, bought energy, all that lies before and after;
// they are parts of CO2eAvoidedTonnes, all of it only where each factor is split.
const (
	HeatDeliveredMWh   Indicator = "heat_delivered_mwh"
	EnergyAvoidedMWh   Indicator = "energy_avoided_mwh"
	PrimaryEnergyMWh   Indicator = "primary_energy_avoided_mwh"
	ElectricityUsedMWh Indicator = "electricity_used_mwh"
	CO2eAvoidedTonnes  Indicator = "co2e_avoided_t"
	CO2eScope1Tonnes   Indicator = "co2e_scope1_t"
	CO2eScope2Tonnes   Indicator = "co2e_scope2_t"
	CO2eScope3Tonnes   Indicator = "co2e_scope3_t"
	MoneySavedEUR      Indicator = "money_saved_eur"
	WaterSavedM3       Indicator = "water_saved_m3"
	MaterialTonnes     Indicator = "material_recovered_t"
	BiomethaneMWh      Indicator = "biomethane_mwh"
	DistanceAvoidedKM  Indicator = "distance_avoided_km"
	JobsKept           Indicator = "jobs_kept"
)

// Indicators is the closed list, in the order of pages and reports.
var Indicators = []Indicator{EnergyAvoidedMWh, CO2eAvoidedTonnes, MoneySavedEUR, WaterSavedM3,
	HeatDeliveredMWh, ElectricityUsedMWh, MaterialTonnes, BiomethaneMWh, DistanceAvoidedKM, JobsKept,
	PrimaryEnergyMWh, CO2eScope1Tonnes, CO2eScope2Tonnes, CO2eScope3Tonnes}

// Scopes are the parts of CO2eAvoidedTonnes.
var Scopes = []Indicator{CO2eScope1Tonnes, CO2eScope2Tonnes, CO2eScope3Tonnes}

// Class says how an indicator is known. The order is that of trust.
type Class string

// The three classes.
const (
	ClassMeasured   Class = "measured"
	ClassCalculated Class = "calculated"
	ClassDeclared   Class = "declared"
)

// Figure is one indicator over one period, with all that must be said beside it.
type Figure struct {
	Indicator Indicator `json:"indicator"`
	Amount    float64   `json:"amount"`
	Half90    float64   `json:"half90"`   // half width of the two-sided 90 % interval, in the indicator's unit
	Coverage  float64   `json:"coverage"` // share of the period with good readings, 0 to 1
	Class     Class     `json:"class"`
}

// PeriodKind is the length of a period of results.
type PeriodKind string

// The kinds of period.
const (
	PeriodDay     PeriodKind = "day"
	PeriodMonth   PeriodKind = "month"
	PeriodQuarter PeriodKind = "quarter"
	PeriodYear    PeriodKind = "year"    // the last twelve months
	PeriodToDate  PeriodKind = "to_date" // since the synergy began
)

// Result is what a synergy saved in one period.
type Result struct {
	Synergy string     `json:"synergy"`
	Kind    PeriodKind `json:"kind"`
	From    time.Time  `json:"from"`
	To      time.Time  `json:"to"` // exclusive
	Figures []Figure   `json:"figures"`
	Notes   []Text     `json:"notes,omitempty"` // what a reader must know: gaps, adjustments, faults
	// PlanHash and FactorSet say under which approved plan and which version of
	// factors the figures were made.
	PlanHash  string `json:"plan_hash,omitempty"`
	FactorSet string `json:"factor_set,omitempty"`
}

// Figure returns the figure of an indicator; ok is false when there is none.
func (r Result) Figure(i Indicator) (f Figure, ok bool) {
	for _, f := range r.Figures {
		if f.Indicator == i {
			return f, true
		}
	}
	return Figure{}, false
}

// Opportunity is waste heat found in the measurements, with its possible users.
type Opportunity struct {
	ID          string             `json:"id"`
	Company     string             `json:"company"`
	Name        Text               `json:"name"`
	Grade       string             `json:"grade"` // A measured, B balance, C factor, D inferred
	MWhPerYear  float64            `json:"mwh_per_year"`
	Half90      float64            `json:"half90"`
	TypicalKW   float64            `json:"typical_kw"` // P50
	FirmKW      float64            `json:"firm_kw"`    // P90
	HoursAYear  float64            `json:"hours_a_year"`
	LowC        float64            `json:"low_c"` // temperatures between which the heat is given off
	HighC       float64            `json:"high_c"`
	MWhByBand   map[string]float64 `json:"mwh_by_band"` // "<40", "40-60", "60-90", "90-150", ">150" degC
	MonthlyMWh  []float64          `json:"monthly_mwh"` // twelve
	Coverage    float64            `json:"coverage"`
	Uses        []Use              `json:"uses,omitempty"` // best first; empty: no sink found
	Why         Text               `json:"why"`
	Against     Text               `json:"against"`      // what would change our mind
	MeasureNext Text               `json:"measure_next"` // what to measure next
	Profile     *HeatProfile       `json:"profile,omitempty"`
}

// Use is one possible use of an opportunity's heat.
type Use struct {
	Company       string  `json:"company"`
	Need          string  `json:"need,omitempty"` // the need's card
	How           Text    `json:"how"`            // direct exchange, heat pump with COP ...
	COP           float64 `json:"cop,omitempty"`
	MWhPerYear    float64 `json:"mwh_per_year"`
	PlannedMWh    float64 `json:"planned_mwh"` // of it in the joint plan of all sites
	CO2eTonnes    float64 `json:"co2e_t"`
	DistanceM     float64 `json:"distance_m"`
	Pays          bool    `json:"pays"`                    // in the middle case, with the support that is possible
	PaybackYears  float64 `json:"payback_years"`           // low
	PaybackYearsH float64 `json:"payback_years_high"`      // high
	LCOHLowEUR    float64 `json:"lcoh_low_eur,omitempty"`  // levelised cost of heat without support, EUR a MWh delivered
	LCOHHighEUR   float64 `json:"lcoh_high_eur,omitempty"` // zero where it is not known
	Support       []Text  `json:"support,omitempty"`       // rules of public support whose conditions are met
}

// Alarm is something for a person to deal with.
type Alarm struct {
	ID             string    `json:"id"` // stable: the same trouble keeps its id
	Kind           string    `json:"kind"`
	Subject        string    `json:"subject"` // gateway, meter or synergy id
	Company        string    `json:"company,omitempty"`
	Since          time.Time `json:"since"`
	Until          time.Time `json:"until,omitzero"` // zero while it lasts
	Text           Text      `json:"text"`
	CostEURPerYear float64   `json:"cost_eur_per_year,omitempty"`
}

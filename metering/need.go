package metering

// HeatNeed is a need of heat as it was measured over the last year.
type HeatNeed struct {
	ID         string  `json:"id"` // of its card
	Company    string  `json:"company"`
	Name       Text    `json:"name"`
	MWhPerYear float64 `json:"mwh_per_year"`
	MaxKW      float64 `json:"max_kw"` // the greatest that was measured
	SupplyC    float64 `json:"supply_c"`
	TargetC    float64 `json:"target_c"` // heat-weighted mean of the temperature wanted
	Coverage   float64 `json:"coverage"` // measured share of the year
}

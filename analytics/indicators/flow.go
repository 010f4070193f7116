package indicators

import "slices"

// Flow names a physical flow that a synergy avoids or uses.
type Flow string

// The flows and their units. Fuels count in kWh of gross calorific value (GCV,
// French PCS), as gas meters, invoices and the gas factor of Base Empreinte do.
const (
	Gas         Flow = "gas"          // kWh GCV of natural gas
	Electricity Flow = "electricity"  // kWh
	Oil         Flow = "oil"          // kWh GCV of heating oil
	HeatNetwork Flow = "heat_network" // kWh of heat bought from a network
	Wood        Flow = "wood"         // kWh GCV of wood fuel
	Biomethane  Flow = "biomethane"   // kWh GCV
	Heat        Flow = "heat"         // kWh of the exchanged heat itself
	Water       Flow = "water"        // m3
	Material    Flow = "material"     // t
	Distance    Flow = "distance"     // km driven
)

// Flows is the closed list, in the order in which sums run.
var Flows = []Flow{Gas, Electricity, Oil, HeatNetwork, Wood, Biomethane, Heat, Water, Material, Distance}

// Unit is the unit in which a flow is counted: "kWh GCV", "kWh", "m3", "t", "km".
func (f Flow) Unit() string {
	switch f {
	case Gas, Oil, Wood, Biomethane:
		return "kWh GCV"
	case Electricity, HeatNetwork, Heat:
		return "kWh"
	case Water:
		return "m3"
	case Material:
		return "t"
	case Distance:
		return "km"
	}
	return ""
}

// Known says whether f is in the list.
func (f Flow) Known() bool { return slices.Contains(Flows, f) }

// Energy says whether the flow counts in kWh.
func (f Flow) Energy() bool { u := f.Unit(); return u == "kWh" || u == "kWh GCV" }

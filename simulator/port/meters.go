package port

import (
	"github.com/thermie/thermie/metering"
)

// sense is what a meter measures: how its quantities come from channels.
type sense uint8

const (
	electricity sense = iota // at: active power
	heat                     // at: power, then flow, hot and cold side
	cooling                  // the same circuit, counted as cold
	steam                    // at: power of saturated steam
	water                    // at: volume flow
	pulses                   // at: a flow of volume or mass, counted by a pulse module
	thermometer              // at: a temperature
)

// Wire is how a meter is reached.
type Wire string

// The wires. A company's gateway reaches most meters through a Modbus TCP
// gateway that serves several unit ids; some meters have an address of their own;
// the meters of a serial line share it.
const (
	Shared Wire = "shared"
	Own    Wire = "own"
	Serial Wire = "serial"
)

// Pulse says what one pulse of an input is worth.
type Pulse struct {
	Quantity metering.Quantity
	Weight   metering.Decimal // of one pulse, in Unit
	Unit     metering.Unit
}

// Meter is a meter of the port: what the programme says of it, where it hangs,
// and what it measures.
type Meter struct {
	ID      string
	Company string
	Profile string // in firmware-configs/meters
	Unit    byte   // Modbus unit id
	Channel int    // input of a pulse or analogue module, else 0
	Wire    Wire
	Pulse   *Pulse
	Medium  string // electricity, heat, cooling, gas, water, steam, temperature, production
	Class   string // accuracy
	Name    metering.Text

	sense sense
	at    channel
}

// Gateway is the id of the gateway of a company; the port's own, which has the
// weather station, for none.
func Gateway(company string) string {
	if company == "" {
		company = "port"
	}
	return "gw-" + company
}

// The profiles in use: one for each way in which meters of the field differ.
const (
	mainPower   = "socomec-countis-e24"  // 32-bit counts of 10 Wh
	feederPower = "schneider-iem3000"    // 64-bit Wh, float32 powers
	railPower   = "abb-b23-b24"          // hundredths of kWh, all-ones for what it lacks
	smallPower  = "eastron-sdm630"       // float32 in input registers
	spanPower   = "carlo-gavazzi-em340"  // low word first
	heatK       = "aquametro-calec-st"   // float32 with unit registers
	heatS       = "siemens-wzu-485e-mod" // magnitudes only, one question late, no exceptions
	steamT      = "spirax-sarco-tva"     // steam: mass, energy, pressure
	waterO      = "arad-octave"          // double with its bytes reversed
	pulseL      = "saia-pcd7-h104d"      // 32-bit pulse counts
	tempP       = ""                     // a module for resistance thermometers, see thermometers
)

func gas(weight string) *Pulse {
	return &Pulse{metering.GasVolume, metering.MustDecimal(weight), metering.CubicM}
}

func tapWater(weight string) *Pulse {
	return &Pulse{metering.WaterVolume, metering.MustDecimal(weight), metering.CubicM}
}

const (
	midB   = "MID B"
	midC   = "MID C"
	heat2  = "EN 1434 class 2"
	water2 = "OIML R49 class 2"
	gasG   = "MI-002 class 1"
	ptA    = "IEC 60751 class A"
)

func name(fr, en string) metering.Text { return metering.Text{FR: fr, EN: en} }

// fleet lists the meters, company by company. A port has its own copy, in which
// the thermometers have the profile that its library offers.
var fleet = []Meter{
	{"fonderie-elec", "fonderie", mainPower, 1, 0, Own, nil, "electricity", midC, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, foundryElec},
	{"fonderie-gaz", "fonderie", pulseL, 10, 1, Shared, gas("1"), "gas", gasG, name("Gaz, poste de livraison (impulsions)", "Gas, delivery station (pulses)"), pulses, foundryGas},
	{"fonderie-compresseurs", "fonderie", railPower, 3, 0, Shared, nil, "electricity", midB, name("Électricité des compresseurs d'air", "Electricity of the air compressors"), electricity, foundryCompressor},
	{"fonderie-fumees", "fonderie", tempP, 20, 1, Shared, nil, "temperature", ptA, name("Température des fumées des fours", "Furnace flue temperature"), thermometer, foundryFlue},
	{"fonderie-recuperation", "fonderie", heatK, 5, 0, Shared, nil, "heat", heat2, name("Chaleur, boucle de récupération (côté fonderie)", "Heat, recovery loop (foundry side)"), heat, foundryRecovery},
	{"fonderie-pompe", "fonderie", smallPower, 6, 0, Shared, nil, "electricity", midB, name("Électricité de la pompe de la liaison", "Electricity of the heat line's pump"), electricity, foundryPump},

	{"malterie-elec", "malterie", mainPower, 1, 0, Own, nil, "electricity", midC, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, maltElec},
	{"malterie-gaz", "malterie", pulseL, 10, 1, Shared, gas("1"), "gas", gasG, name("Gaz des tourailles (impulsions)", "Gas of the kilns (pulses)"), pulses, maltGas},
	{"malterie-buees", "malterie", tempP, 20, 1, Shared, nil, "temperature", ptA, name("Température de l'air sortant des tourailles", "Kiln exhaust air temperature"), thermometer, maltExhaust},
	{"malterie-recuperation", "malterie", heatS, 4, 0, Shared, nil, "heat", heat2, name("Chaleur, échangeur sur buées (côté malterie)", "Heat, exhaust exchanger (malt house side)"), heat, maltRecovery},
	{"malterie-pompe", "malterie", feederPower, 5, 0, Shared, nil, "electricity", midB, name("Électricité de la pompe de récupération", "Electricity of the recovery pump"), electricity, maltPump},

	{"laiterie-elec", "laiterie", mainPower, 1, 0, Own, nil, "electricity", midC, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, dairyElec},
	{"laiterie-chaleur", "laiterie", heatK, 2, 0, Shared, nil, "heat", heat2, name("Chaleur reçue de la malterie", "Heat received from the malt house"), heat, dairyIn},
	{"laiterie-eau-chaude", "laiterie", heatS, 3, 0, Shared, nil, "heat", heat2, name("Besoin d'eau chaude (process et lavage)", "Hot water demand (process and washing)"), heat, dairyHotWater},
	{"laiterie-gaz", "laiterie", pulseL, 10, 1, Shared, gas("0.1"), "gas", gasG, name("Gaz de la chaudière (impulsions)", "Boiler gas (pulses)"), pulses, dairyGas},
	{"laiterie-groupe-froid", "laiterie", railPower, 5, 0, Shared, nil, "electricity", midB, name("Électricité du groupe froid", "Chiller electricity"), electricity, dairyChiller},
	{"laiterie-compresseurs", "laiterie", railPower, 7, 0, Shared, nil, "electricity", midB, name("Électricité des compresseurs d'air", "Electricity of the air compressors"), electricity, dairyCompressor},
	{"laiterie-froid", "laiterie", heatK, 6, 0, Shared, nil, "cooling", heat2, name("Froid produit (eau glacée)", "Cooling produced (chilled water)"), cooling, dairyCooling},
	{"laiterie-eau", "laiterie", pulseL, 10, 2, Shared, tapWater("0.1"), "water", water2, name("Eau de ville (impulsions)", "Town water (pulses)"), pulses, dairyWater},

	{"reseau-sous-station", "reseau", heatK, 1, 0, Shared, nil, "heat", heat2, name("Chaleur reçue de la fonderie, sous-station", "Heat received from the foundry, substation"), heat, networkIn},
	{"reseau-depart", "reseau", heatS, 2, 0, Shared, nil, "heat", heat2, name("Chaleur livrée au réseau", "Heat delivered to the network"), heat, networkLoad},
	{"reseau-gaz", "reseau", pulseL, 10, 1, Shared, gas("1"), "gas", gasG, name("Gaz des chaudières d'appoint (impulsions)", "Gas of the top-up boilers (pulses)"), pulses, networkGas},
	{"reseau-elec", "reseau", feederPower, 4, 0, Shared, nil, "electricity", midB, name("Électricité de la chaufferie", "Boiler house electricity"), electricity, networkElec},

	{"meteo", "", tempP, 20, 1, Shared, nil, "temperature", ptA, name("Température extérieure (station du port)", "Outdoor temperature (port station)"), thermometer, outdoor},

	{"datacentre-elec", "datacentre", mainPower, 1, 0, Own, nil, "electricity", midC, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, dataElec},
	{"datacentre-boucle", "datacentre", heatK, 2, 0, Shared, nil, "heat", heat2, name("Chaleur de la boucle d'eau des salles", "Heat of the halls' water loop"), heat, dataLoop},
	{"datacentre-froid", "datacentre", railPower, 3, 0, Shared, nil, "electricity", midB, name("Électricité de la production de froid", "Electricity of the cooling plant"), electricity, dataChiller},

	{"papeterie-elec", "papeterie", mainPower, 1, 0, Own, nil, "electricity", midC, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, millElec},
	{"papeterie-gaz", "papeterie", pulseL, 10, 1, Shared, gas("0.1"), "gas", gasG, name("Gaz, ensemble du site (impulsions)", "Gas, whole site (pulses)"), pulses, millGas},
	{"papeterie-production", "papeterie", pulseL, 10, 2, Shared, &Pulse{metering.Production, metering.MustDecimal("10"), metering.Kilogram}, "production", "", name("Production, carton bobiné (impulsions de la bascule)", "Production, board reeled (weigher pulses)"), pulses, millProduction},
	{"papeterie-vapeur", "papeterie", steamT, 3, 0, Shared, nil, "steam", heat2, name("Vapeur produite", "Steam produced"), steam, millSteam},
	{"papeterie-hotte", "papeterie", smallPower, 4, 0, Shared, nil, "electricity", midB, name("Électricité de la récupération sur hotte", "Electricity of the hood heat recovery"), electricity, millHoodFan},
	{"papeterie-eau", "papeterie", waterO, 5, 0, Shared, nil, "water", water2, name("Eau de nappe prélevée", "Groundwater drawn"), water, millWater},
	{"papeterie-effluent", "papeterie", waterO, 6, 0, Shared, nil, "water", water2, name("Effluent, débit", "Effluent, flow"), water, millEffluent},
	{"papeterie-effluent-temp", "papeterie", tempP, 20, 1, Shared, nil, "temperature", ptA, name("Effluent, température", "Effluent, temperature"), thermometer, millEffluentTemp},
	{"papeterie-condensats", "papeterie", heatK, 7, 0, Shared, nil, "heat", heat2, name("Chaleur des condensats de l'huilerie", "Heat of the oil mill's condensate"), heat, condensateHeat},
	{"papeterie-appoint", "papeterie", pulseL, 10, 3, Shared, tapWater("0.01"), "water", water2, name("Condensats gardés en eau d'appoint (impulsions)", "Condensate kept as make-up water (pulses)"), pulses, condensateWater},

	{"huilerie-elec", "huilerie", feederPower, 1, 0, Shared, nil, "electricity", midB, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, oilElec},
	{"huilerie-gaz", "huilerie", pulseL, 10, 1, Shared, gas("0.1"), "gas", gasG, name("Gaz de la chaudière vapeur (impulsions)", "Gas of the steam boiler (pulses)"), pulses, oilGas},
	{"huilerie-vapeur", "huilerie", steamT, 2, 0, Shared, nil, "steam", heat2, name("Vapeur produite", "Steam produced"), steam, oilHeat},
	{"huilerie-aero", "huilerie", heatK, 3, 0, Shared, nil, "heat", heat2, name("Chaleur rejetée, aéroréfrigérant de l'huile", "Heat rejected, dry cooler of the oil"), heat, oilCooling},

	{"chaufferie-chaleur", "chaufferie", heatK, 1, 0, Serial, nil, "heat", heat2, name("Chaleur produite par la gazéification", "Heat produced by the gasifier"), heat, woodHeat},
	{"chaufferie-elec", "chaufferie", smallPower, 2, 0, Serial, nil, "electricity", midB, name("Électricité des auxiliaires", "Electricity of the auxiliaries"), electricity, woodElec},

	{"methaniseur-biomethane", "methaniseur", pulseL, 10, 1, Shared, gas("1"), "gas", gasG, name("Biométhane injecté (impulsions)", "Biomethane injected (pulses)"), pulses, biogas},
	{"methaniseur-elec", "methaniseur", railPower, 1, 0, Shared, nil, "electricity", midB, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, biogasElec},
	{"methaniseur-chaleur", "methaniseur", heatK, 2, 0, Shared, nil, "heat", heat2, name("Chaleur du digesteur", "Digester heat"), heat, biogasHeat},

	{"transports-chaleur", "transports", heatK, 1, 0, Serial, nil, "heat", heat2, name("Chaleur reçue des compresseurs de la fonderie", "Heat received from the foundry's compressors"), heat, washIn},
	{"transports-elec", "transports", smallPower, 2, 0, Serial, nil, "electricity", midB, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, haulElec},
	{"transports-eau", "transports", waterO, 3, 0, Serial, nil, "water", water2, name("Eau de la station de lavage", "Water of the truck wash"), water, washWater},
	{"transports-eau-partagee", "transports", pulseL, 10, 2, Shared, tapWater("0.01"), "water", water2, name("Eau de lavage des camions des partenaires (impulsions)", "Wash water of the partners' trucks (pulses)"), pulses, washShared},
	{"transports-gaz", "transports", pulseL, 10, 1, Shared, gas("0.1"), "gas", gasG, name("Gaz de la chaudière (impulsions)", "Boiler gas (pulses)"), pulses, washGas},

	{"logistique-chaleur", "logistique", heatS, 1, 0, Shared, nil, "heat", heat2, name("Chaleur livrée par la pompe à chaleur", "Heat delivered by the heat pump"), heat, officeIn},
	{"logistique-pac", "logistique", railPower, 2, 0, Shared, nil, "electricity", midB, name("Électricité de la pompe à chaleur", "Electricity of the heat pump"), electricity, officeHeatPump},
	{"logistique-gaz", "logistique", pulseL, 10, 1, Shared, gas("0.1"), "gas", gasG, name("Gaz de la chaudière (impulsions)", "Boiler gas (pulses)"), pulses, officeGas},
	{"logistique-elec", "logistique", feederPower, 4, 0, Shared, nil, "electricity", midB, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, officeElec},

	{"chimie-elec", "chimie", mainPower, 1, 0, Own, nil, "electricity", midC, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, chemElec},
	{"chimie-vapeur", "chimie", steamT, 2, 0, Shared, nil, "steam", heat2, name("Vapeur 6 bar consommée", "6 bar steam used"), steam, chemSteam},
	{"chimie-refroidissement", "chimie", heatS, 3, 0, Shared, nil, "heat", heat2, name("Chaleur rejetée, eau de refroidissement", "Heat rejected, cooling water"), heat, chemCooling},
	{"chimie-eau", "chimie", waterO, 4, 0, Shared, nil, "water", water2, name("Eau prélevée", "Water drawn"), water, chemWater},

	{"galvano-elec", "galvano", spanPower, 1, 0, Shared, nil, "electricity", midB, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, galvaElec},
	{"galvano-eau", "galvano", waterO, 2, 0, Shared, nil, "water", water2, name("Eau de ville", "Town water"), water, galvaWater},
	{"galvano-rincage", "galvano", pulseL, 10, 1, Shared, tapWater("0.01"), "water", water2, name("Eau de rinçage cédée à la centrale à béton (impulsions)", "Rinse water handed to the concrete plant (pulses)"), pulses, galvaRinse},
	{"galvano-bains", "galvano", heatK, 3, 0, Shared, nil, "heat", heat2, name("Chaleur des bains", "Bath heat"), heat, galvaHeat},

	{"beton-elec", "beton", spanPower, 1, 0, Shared, nil, "electricity", midB, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, concreteElec},
	{"beton-eau", "beton", pulseL, 10, 1, Shared, tapWater("0.1"), "water", water2, name("Eau de ville (impulsions)", "Town water (pulses)"), pulses, concreteWater},
	{"beton-eau-recuperee", "beton", waterO, 2, 0, Shared, nil, "water", water2, name("Eau de rinçage reçue de Galvano-Est", "Rinse water received from Galvano-Est"), water, galvaRinse},

	{"silos-elec", "silos", spanPower, 1, 0, Shared, nil, "electricity", midB, name("Électricité, arrivée générale", "Electricity, main incomer"), electricity, siloElec},
	{"silos-gaz", "silos", pulseL, 10, 1, Shared, gas("1"), "gas", gasG, name("Gaz du séchoir (impulsions)", "Dryer gas (pulses)"), pulses, siloGas},
	{"silos-air", "silos", tempP, 20, 1, Shared, nil, "temperature", ptA, name("Température de l'air sortant du séchoir", "Dryer exhaust air temperature"), thermometer, siloExhaust},
}

// Meters lists the port's meters, company by company. The slice must not be changed.
func (p *Port) Meters() []Meter { return p.fleet }

// sameDevice says whether two meters are inputs of one module.
func sameDevice(a, b string) bool {
	x, y := find(a), find(b)
	return x != nil && y != nil && x.Company == y.Company && x.Unit == y.Unit && x.Wire == y.Wire
}

func find(id string) *Meter {
	for i := range fleet {
		if fleet[i].ID == id {
			return &fleet[i]
		}
	}
	return nil
}

package port

// quantum is the unit in which a channel's rate is held. Rates are integers and
// constant within a step of ten minutes, so that a counter is their exact
// integral at any instant, whoever polls and how often.
type quantum uint8

const (
	watts       quantum = iota // W; the integral is in W·s
	millilitres                // mL/h
	grams                      // g/h
	centiC                     // hundredths of a degree Celsius: a state, without integral
)

// channel is one physical quantity of the port, with or without a meter on it.
type channel int

// The channels. A heat circuit has four: power, volume flow, hot and cold side.
const (
	none channel = iota // no channel: always zero
	outdoor

	foundryElec
	foundryGas
	foundryFlue
	foundryCompressor
	foundryRecovery // heat leaving the flue exchanger
	foundryRecoveryFlow
	foundryRecoveryHot
	foundryRecoveryCold
	foundryPump
	foundryFlueLeft // heat of the flue above 130 degC that found no use

	networkIn // heat of synergy 1 at the district network's substation
	networkInFlow
	networkInHot
	networkInCold
	networkLoad
	networkLoadFlow
	networkLoadHot
	networkLoadCold
	networkGas
	networkElec

	maltElec
	maltGas
	maltExhaust
	maltRecovery
	maltRecoveryFlow
	maltRecoveryHot
	maltRecoveryCold
	maltPump

	dairyIn // heat of synergy 2 at the dairy
	dairyInFlow
	dairyInHot
	dairyInCold
	dairyInClean // what a clean exchanger would have delivered
	dairyHotWater
	dairyHotWaterFlow
	dairyHotWaterHot
	dairyHotWaterCold
	dairyGas
	dairyElec
	dairyChiller
	dairyCooling
	dairyCoolingFlow
	dairyCoolingHot
	dairyCoolingCold
	dairyWater
	dairyCompressor

	dataElec
	dataChiller
	dataLoop
	dataLoopFlow
	dataLoopHot
	dataLoopCold

	officeIn // heat of synergy 3 delivered by the heat pump
	officeInFlow
	officeInHot
	officeInCold
	officeHeatPump
	officeGas
	officeElec
	officeLoad

	millElec
	millGas
	millSteam
	millWater
	millEffluent
	millEffluentTemp
	millProduction
	millHoodFan
	millHoodPotential // gas (GCV) that the hood exchanger saves or would have saved
	millLine          // gas (GCV) of the new production line

	condensateHeat // heat of synergy 10 at the paper mill
	condensateFlow
	condensateHot
	condensateCold
	condensateWater

	oilElec
	oilGas
	oilHeat
	oilCooling
	oilCoolingFlow
	oilCoolingHot
	oilCoolingCold

	woodHeat
	woodHeatFlow
	woodHeatHot
	woodHeatCold
	woodElec

	biogas // biomethane injected into the gas grid
	biogasElec
	biogasHeat
	biogasHeatFlow
	biogasHeatHot
	biogasHeatCold

	washIn // heat of synergy 4 at the truck wash
	washInFlow
	washInHot
	washInCold
	washDemand
	washGas
	washWater
	washShared // the part of the wash water used by the other companies' trucks
	haulElec

	chemElec
	chemSteam
	chemCooling
	chemCoolingFlow
	chemCoolingHot
	chemCoolingCold
	chemWater

	galvaElec
	galvaWater
	galvaRinse // rinse water handed to the concrete plant
	galvaHeat
	galvaHeatFlow
	galvaHeatHot
	galvaHeatCold

	concreteElec
	concreteWater

	siloElec
	siloGas
	siloExhaust

	channels
)

// quanta says how each channel is held; what is not named here is in watts.
var quanta = [channels]quantum{
	outdoor: centiC, foundryGas: millilitres, foundryFlue: centiC,
	foundryRecoveryFlow: millilitres, foundryRecoveryHot: centiC, foundryRecoveryCold: centiC,
	networkInFlow: millilitres, networkInHot: centiC, networkInCold: centiC,
	networkLoadFlow: millilitres, networkLoadHot: centiC, networkLoadCold: centiC, networkGas: millilitres,
	maltGas: millilitres, maltExhaust: centiC, maltRecoveryFlow: millilitres, maltRecoveryHot: centiC, maltRecoveryCold: centiC,
	dairyInFlow: millilitres, dairyInHot: centiC, dairyInCold: centiC,
	dairyHotWaterFlow: millilitres, dairyHotWaterHot: centiC, dairyHotWaterCold: centiC, dairyGas: millilitres,
	dairyCoolingFlow: millilitres, dairyCoolingHot: centiC, dairyCoolingCold: centiC, dairyWater: millilitres,
	dataLoopFlow: millilitres, dataLoopHot: centiC, dataLoopCold: centiC,
	officeInFlow: millilitres, officeInHot: centiC, officeInCold: centiC, officeGas: millilitres,
	millGas: millilitres, millWater: millilitres,
	millEffluent: millilitres, millEffluentTemp: centiC, millProduction: grams,
	condensateFlow: millilitres, condensateHot: centiC, condensateCold: centiC, condensateWater: millilitres,
	oilGas: millilitres, oilCoolingFlow: millilitres, oilCoolingHot: centiC, oilCoolingCold: centiC,
	woodHeatFlow: millilitres, woodHeatHot: centiC, woodHeatCold: centiC,
	biogas: millilitres, biogasHeatFlow: millilitres, biogasHeatHot: centiC, biogasHeatCold: centiC,
	washInFlow: millilitres, washInHot: centiC, washInCold: centiC, washGas: millilitres, washWater: millilitres, washShared: millilitres,
	chemCoolingFlow: millilitres, chemCoolingHot: centiC, chemCoolingCold: centiC, chemWater: millilitres,
	galvaWater: millilitres, galvaRinse: millilitres, galvaHeatFlow: millilitres, galvaHeatHot: centiC, galvaHeatCold: centiC,
	concreteWater: millilitres, siloGas: millilitres, siloExhaust: centiC,
}

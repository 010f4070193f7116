package savings

import (
	"time"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/metering"
)

// Schema is the version of the plan's format, its first key.
const Schema = "thermie.plan/1"

// Option says how a synergy's saving is known.
type Option string

// The options; A, B and C are IPMVP's. Shared water and energy meters are B.
const (
	OptionA          Option = "A"
	OptionB          Option = "B"
	OptionC          Option = "C"
	OptionCalculated Option = "calculated"
	OptionDeclared   Option = "declared"
)

// Class is the class of the figures that a plan of this option gives.
func (o Option) Class() metering.Class {
	switch o {
	case OptionDeclared:
		return metering.ClassDeclared
	case OptionCalculated:
		return metering.ClassCalculated
	}
	return metering.ClassMeasured
}

// Plan is the measurement and verification plan of one synergy. It is written
// in YAML ([ParsePlan]; plan.schema.json is its JSON Schema). Once approved it
// is locked by [Plan.Hash]; a change is a new version.
type Plan struct {
	Schema  string        `yaml:"schema" json:"schema"`   // "thermie.plan/1"
	Synergy string        `yaml:"synergy" json:"synergy"` // the synergy's id in the registry
	Version int           `yaml:"version" json:"version"` // 1, 2, ...
	Option  Option        `yaml:"option" json:"option"`   // A, B, C, calculated, declared
	Title   metering.Text `yaml:"title" json:"title"`
	// Boundary says in words where the saving is measured and what lies outside
	// (IPMVP: measurement boundary and interactive effects).
	Boundary metering.Text `yaml:"boundary" json:"boundary"`

	// Baseline is the period before the measure; required for option C, where the
	// model is fitted on it. Reporting is the period in which savings count; no
	// end: still running.
	Baseline  indicators.Span `yaml:"baseline,omitempty" json:"baseline,omitzero"`
	Reporting indicators.Span `yaml:"reporting" json:"reporting"`

	// Meters are the series inside the boundary, each with its role.
	Meters []Meter `yaml:"meters,omitempty" json:"meters,omitempty"`
	// Displaced are the energies that the delivered heat (or biogas) replaces.
	Displaced []Displaced `yaml:"displaced,omitempty" json:"displaced,omitempty"`
	// Models are the adjusted baselines of option C, one for each energy.
	Models []Model `yaml:"models,omitempty" json:"models,omitempty"`
	// Normal are the conditions of normalised savings, beside avoided consumption.
	Normal *Normal `yaml:"normal,omitempty" json:"normal,omitempty"`
	// Declared are statements with evidence: all of a declared plan, or what a
	// metered plan cannot meter (kilometres, jobs).
	Declared []Declared `yaml:"declared,omitempty" json:"declared,omitempty"`
	// Values says what each flow is worth: factor and tariff ids of the set.
	Values map[indicators.Flow]Value `yaml:"values,omitempty" json:"values,omitempty"`
	// Costs are what the exchange itself costs, and what partners pay each other.
	Costs []Cost `yaml:"costs,omitempty" json:"costs,omitempty"`
	// Adjustments are non-routine adjustments. Only accepted ones count.
	Adjustments []Adjustment `yaml:"adjustments,omitempty" json:"adjustments,omitempty"`
	// StaticFactors are what is held to be constant and watched (IPMVP).
	StaticFactors []metering.Text `yaml:"static_factors,omitempty" json:"static_factors,omitempty"`

	// Expected is a normal year as the study gives it; Announced what was told in
	// public. Both in the indicators' units a year.
	Expected  map[metering.Indicator]float64 `yaml:"expected,omitempty" json:"expected,omitempty"`
	Announced map[metering.Indicator]float64 `yaml:"announced,omitempty" json:"announced,omitempty"`
	// ExpectedProfile splits the expected year over its months: twelve shares,
	// January first, that add up to 1. None: by the number of days.
	ExpectedProfile []float64 `yaml:"expected_profile,omitempty" json:"expected_profile,omitempty"`
	// Drift says when the animator is warned that the synergy falls below plan.
	Drift *Drift `yaml:"drift,omitempty" json:"drift,omitempty"`
	// Shares are the partners' parts of the saving; they add up to 1.
	Shares []Share `yaml:"shares,omitempty" json:"shares,omitempty"`

	// ApprovedBy and ApprovedAt say who approved a plan that stands alone in a
	// file. Where there is a registry, its own record of the approval counts.
	ApprovedBy string    `yaml:"approved_by,omitempty" json:"approved_by,omitempty"`
	ApprovedAt time.Time `yaml:"approved_at,omitempty" json:"approved_at,omitzero"`

	hash string // SHA-256 of the bytes that were parsed
}

// Role says what a meter does in a plan.
type Role string

// The roles of meters.
const (
	// RoleHeat: heat delivered, at the receiver's boundary (kWh or J counters).
	RoleHeat Role = "heat"
	// RoleHeatRejected: delivered heat that the receiver threw away or would have
	// had anyway; it is no saving and is subtracted.
	RoleHeatRejected Role = "heat_rejected"
	// RoleElectricity: electricity that the exchange uses (pumps, heat pump); it is
	// deducted. It counts as used energy, not as a negative energy saving.
	RoleElectricity Role = "electricity"
	// RoleWater: water that the receiver did not have to draw (m3).
	RoleWater Role = "water"
	// RoleMaterial: material recovered (kg counters).
	RoleMaterial Role = "material"
	// RoleBiogas: biogas or biomethane produced (kWh, or m3 with kwh_per_unit).
	RoleBiogas Role = "biogas"
	// RoleSite: energy of the whole site, for a model of option C.
	RoleSite Role = "site"
	// RoleDisplaced: the displaced boiler's own meter. It is shown as evidence and
	// is not counted.
	RoleDisplaced Role = "displaced"
	// RoleDriver: a register that drives a model (production). Only needed to state
	// a rollover; drivers name their series themselves.
	RoleDriver Role = "driver"
)

// Roles is the closed list.
var Roles = []Role{RoleHeat, RoleHeatRejected, RoleElectricity, RoleWater, RoleMaterial, RoleBiogas, RoleSite, RoleDisplaced, RoleDriver}

// Meter is one cumulative register inside the boundary.
type Meter struct {
	Series metering.SeriesID `yaml:"series" json:"series"` // "dairy-heat/heat_energy"
	Role   Role              `yaml:"role" json:"role"`
	// Energy is the carrier of a site or displaced meter.
	Energy indicators.Flow `yaml:"energy,omitempty" json:"energy,omitempty"`
	// KWhPerUnit converts a register in m3 to kWh (gas: kWh GCV per m3 at meter
	// conditions); required for gas registers.
	KWhPerUnit float64 `yaml:"kwh_per_unit,omitempty" json:"kwh_per_unit,omitempty"`
	// Subtract counts the register negatively (a branch that leaves the boundary).
	Subtract bool `yaml:"subtract,omitempty" json:"subtract,omitempty"`
	// Rollover is the register's capacity in its own unit: after Rollover-1 comes 0.
	Rollover *metering.Decimal `yaml:"rollover,omitempty" json:"rollover,omitempty"`
	Accuracy Accuracy          `yaml:"accuracy,omitempty" json:"accuracy,omitzero"`
	// Shares, for a calculated plan: the part of this meter that is due to the
	// synergy, span by span. None: all of it.
	Shares []TicketShare `yaml:"shares,omitempty" json:"shares,omitempty"`
}

// Accuracy is a meter's error, systematic: it does not shrink with time.
// Give a class, or the half width itself.
type Accuracy struct {
	// Class is a standard and its class: "EN 1434 class 2" (heat), "MID B" or
	// "IEC 62053 class 1" (electricity), "OIML R49 class 2" (water), "EN 1359
	// class 1.5" (gas). Not given: the class that the registry has for the meter.
	Class string `yaml:"class,omitempty" json:"class,omitempty"`
	// QpOverQ is permanent flow over usual flow, and DTMinOverDT the smallest
	// permitted over the usual temperature difference, of a heat meter. Not given:
	// 2 and 0.1.
	QpOverQ     float64 `yaml:"qp_over_q,omitempty" json:"qp_over_q,omitempty"`
	DTMinOverDT float64 `yaml:"dtmin_over_dt,omitempty" json:"dtmin_over_dt,omitempty"`
	// Half90 is the relative half width of the 90 % interval; instead of a class.
	Half90 float64 `yaml:"half90,omitempty" json:"half90,omitempty"`
}

// TicketShare is the synergy's share of a meter in a span of days, by weigh
// tickets or the like.
type TicketShare struct {
	indicators.Span `yaml:",inline"`
	Share           float64    `yaml:"share" json:"share"`   // 0 to 1
	Half90          float64    `yaml:"half90" json:"half90"` // absolute, in the same unit as Share
	Evidence        []Evidence `yaml:"evidence,omitempty" json:"evidence,omitempty"`
}

// Displaced is an energy that delivered heat replaces.
type Displaced struct {
	Energy indicators.Flow `yaml:"energy" json:"energy"` // gas, oil, electricity, heat_network, wood
	// Share is the part of the heat that replaces this energy; 0 or not given: all.
	Share float64 `yaml:"share,omitempty" json:"share,omitempty"`
	// EfficiencyPCI is useful heat over fuel (net calorific value) of the displaced
	// equipment: 0.90 for a boiler, 1 for a network, a COP for a heat pump.
	EfficiencyPCI float64 `yaml:"efficiency_pci" json:"efficiency_pci"`
	// EfficiencyHalf90 is its relative half width at 90 %: 0.02 for 2 %.
	EfficiencyHalf90 float64 `yaml:"efficiency_half90" json:"efficiency_half90"`
	// PCSPerPCI is gross over net calorific value: 1.11 for natural gas; 0 or not
	// given: 1, for energies that have none.
	PCSPerPCI float64       `yaml:"pcs_per_pci,omitempty" json:"pcs_per_pci,omitempty"`
	Source    metering.Text `yaml:"source" json:"source"` // where the efficiency comes from
}

// Value says what one flow is worth.
type Value struct {
	Factor string `yaml:"factor,omitempty" json:"factor,omitempty"` // id of an emission factor
	Tariff string `yaml:"tariff,omitempty" json:"tariff,omitempty"` // id of a tariff
}

// Cost is a cost of the exchange. With PaidTo naming a partner it is a payment
// between them (the heat's price): it moves money and saves none.
type Cost struct {
	ID              string        `yaml:"id" json:"id"`
	Name            metering.Text `yaml:"name" json:"name"`
	indicators.Span `yaml:",inline"`
	EURPerYear      float64 `yaml:"eur_per_year,omitempty" json:"eur_per_year,omitempty"` // spread over the days of the year
	EURPerMWh       float64 `yaml:"eur_per_mwh,omitempty" json:"eur_per_mwh,omitempty"`   // of heat delivered
	PaidBy          string  `yaml:"paid_by" json:"paid_by"`                               // company
	PaidTo          string  `yaml:"paid_to,omitempty" json:"paid_to,omitempty"`           // partner; none: a third party
}

// Evidence is a document behind a statement.
type Evidence struct {
	Kind      string          `yaml:"kind" json:"kind"`           // "invoice", "weigh tickets", "contract", "study"
	Reference string          `yaml:"reference" json:"reference"` // number, file name
	Date      indicators.Date `yaml:"date,omitempty" json:"date,omitzero"`
	SHA256    string          `yaml:"sha256,omitempty" json:"sha256,omitempty"` // of the file, hexadecimal
}

// Declared is a stated amount over a span of days, spread over it by time.
type Declared struct {
	ID              string             `yaml:"id" json:"id"`
	Indicator       metering.Indicator `yaml:"indicator" json:"indicator"`
	indicators.Span `yaml:",inline"`
	// PerYear says that Amount is for a year and that the span may be open; else
	// it is for the span, which then needs both ends.
	PerYear bool    `yaml:"per_year,omitempty" json:"per_year,omitempty"`
	Amount  float64 `yaml:"amount" json:"amount"`
	Half90  float64 `yaml:"half90" json:"half90"` // in the unit of Amount
	// Flow, when given, makes CO2e and EUR from this amount with Values. Not given:
	// water for water_saved_m3, material for material_recovered_t, distance for
	// distance_avoided_km, when Values has that flow.
	Flow     indicators.Flow `yaml:"flow,omitempty" json:"flow,omitempty"`
	By       string          `yaml:"by" json:"by"` // who declares: a company's id
	Evidence []Evidence      `yaml:"evidence" json:"evidence"`
}

// Model is the adjusted baseline of one energy of the site.
type Model struct {
	Energy indicators.Flow `yaml:"energy" json:"energy"`
	// Step is the length of the data points that the model is fitted on: day,
	// week or month.
	Step string `yaml:"step" json:"step"`
	// Drivers are the independent variables.
	Drivers []Driver `yaml:"drivers" json:"drivers"`
	// Select: "all" takes every driver, "best" those with which the model predicts best
	// what it has not seen ([baseline.Choose]; "bic" is the older word for it). Not
	// given: all.
	Select string `yaml:"select,omitempty" json:"select,omitempty"`
}

// DriverKind is how a driver is made.
type DriverKind string

// The kinds of driver.
const (
	DriverHeating DriverKind = "heating_degrees" // max(balance - T, 0), mean of the day's temperature T
	DriverCooling DriverKind = "cooling_degrees" // max(T - balance, 0)
	DriverAmount  DriverKind = "amount"          // increase of a counter: production
	DriverMean    DriverKind = "mean"            // mean of a gauge
	DriverWorkday DriverKind = "workday"         // 1 on Monday to Friday that is no public holiday
	DriverClosed  DriverKind = "closed"          // 1 on the days of Days (works holidays)
)

// Driver is one independent variable of a model.
type Driver struct {
	Name   string            `yaml:"name" json:"name"`
	Kind   DriverKind        `yaml:"kind" json:"kind"`
	Series metering.SeriesID `yaml:"series,omitempty" json:"series,omitempty"`
	// BalanceC fixes the balance temperature in degC; not given: the one that fits
	// the baseline best is searched.
	BalanceC *float64          `yaml:"balance_c,omitempty" json:"balance_c,omitempty"`
	Days     []indicators.Span `yaml:"days,omitempty" json:"days,omitempty"` // for closed
}

// Adjustment is a non-routine adjustment of the adjusted baseline: positive
// raises it. It counts only when a person has accepted it.
type Adjustment struct {
	ID              string `yaml:"id" json:"id"`
	indicators.Span `yaml:",inline"`
	Energy          indicators.Flow `yaml:"energy" json:"energy"`
	KWhPerDay       float64         `yaml:"kwh_per_day" json:"kwh_per_day"`
	Half90          float64         `yaml:"half90" json:"half90"` // kWh a day, systematic
	Reason          metering.Text   `yaml:"reason" json:"reason"`
	Evidence        []Evidence      `yaml:"evidence,omitempty" json:"evidence,omitempty"`
	AcceptedBy      string          `yaml:"accepted_by,omitempty" json:"accepted_by,omitempty"`
	AcceptedAt      time.Time       `yaml:"accepted_at,omitempty" json:"accepted_at,omitzero"`
	// RefusedBy and RefusedAt keep what a person looked at and did not accept, with
	// Reason; it is not counted and not proposed again.
	RefusedBy string    `yaml:"refused_by,omitempty" json:"refused_by,omitempty"`
	RefusedAt time.Time `yaml:"refused_at,omitempty" json:"refused_at,omitzero"`
}

// Drift sets the watch on a synergy that slowly falls below what it gave.
type Drift struct {
	// Indicator watched; not given: heat_delivered_mwh, else energy_avoided_mwh.
	Indicator metering.Indicator `yaml:"indicator,omitempty" json:"indicator,omitempty"`
	// Reference is the span in which the synergy ran as it should; what is normal
	// for a day is learned there from Drivers. Not given: what the plan expects.
	Reference indicators.Span `yaml:"reference,omitempty" json:"reference,omitzero"`
	Drivers   []Driver        `yaml:"drivers,omitempty" json:"drivers,omitempty"`
	// Allowance is the shortfall that is tolerated, as a share: 0.05. Not given: 0.05.
	Allowance float64 `yaml:"allowance,omitempty" json:"allowance,omitempty"`
}

// Share is a partner's part of a saving.
type Share struct {
	Company string  `yaml:"company" json:"company"`
	Share   float64 `yaml:"share" json:"share"`
}

// Approved says whether the plan carries its own approval.
func (p *Plan) Approved() bool { return p.ApprovedBy != "" && !p.ApprovedAt.IsZero() }

// Hash is the SHA-256, in hexadecimal, of the YAML that the plan was read from,
// byte for byte. It locks an approved plan and stands in every result.
func (p *Plan) Hash() string { return p.hash }

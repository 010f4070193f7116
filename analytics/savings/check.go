package savings

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/thermie/thermie/analytics/indicators"
	"github.com/thermie/thermie/metering"
)

// Check refuses a plan that could not be evaluated, or that leaves open what
// IPMVP wants agreed beforehand.
func (p *Plan) Check() error {
	if p.Schema != Schema {
		return fmt.Errorf("schema %q: want %q", p.Schema, Schema)
	}
	if err := metering.CheckID(p.Synergy); err != nil {
		return fmt.Errorf("synergy: %w", err)
	}
	if p.Version < 1 {
		return fmt.Errorf("version %d: want 1 or more", p.Version)
	}
	for _, check := range []func() error{p.checkPeriods, p.checkMeters, p.checkDisplaced, p.checkModels, p.checkNormal,
		p.checkDeclared, p.checkValues, p.checkMoney, p.checkAdjustments, p.checkExpected, p.checkDrift} {
		if err := check(); err != nil {
			return err
		}
	}
	return p.checkOption()
}

func (p *Plan) checkPeriods() error {
	if p.Reporting.From.IsZero() {
		return errors.New("reporting: from is required")
	}
	if err := p.Reporting.Check(); err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	if p.Baseline == (indicators.Span{}) {
		return nil
	}
	if p.Baseline.From.IsZero() || p.Baseline.To.IsZero() {
		return errors.New("baseline: from and to are required")
	}
	if err := p.Baseline.Check(); err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	if p.Baseline.Overlaps(p.Reporting) {
		return fmt.Errorf("baseline (to %s) overlaps reporting (from %s)", p.Baseline.To, p.Reporting.From)
	}
	return nil
}

// roleQuantities says which registers can play a role.
var roleQuantities = map[Role][]metering.Quantity{
	RoleHeat:         {metering.HeatEnergy, metering.CoolingEnergy},
	RoleHeatRejected: {metering.HeatEnergy, metering.CoolingEnergy},
	RoleElectricity:  {metering.ActiveEnergyImport},
	RoleWater:        {metering.WaterVolume, metering.Volume},
	RoleMaterial:     {metering.Mass},
	RoleBiogas:       {metering.GasVolume, metering.HeatEnergy},
	RoleSite:         {metering.GasVolume, metering.GasEnergy, metering.HeatEnergy, metering.CoolingEnergy, metering.ActiveEnergyImport},
	RoleDisplaced:    {metering.GasVolume, metering.GasEnergy, metering.HeatEnergy, metering.CoolingEnergy, metering.ActiveEnergyImport},
}

func (p *Plan) checkMeters() error {
	seen := map[metering.SeriesID]bool{}
	for i := range p.Meters {
		m := &p.Meters[i]
		if err := m.check(p.Option); err != nil {
			return fmt.Errorf("meters[%d] %s: %w", i, m.Series, err)
		}
		if seen[m.Series] {
			return fmt.Errorf("meters[%d] %s: listed twice; one exchange counts once", i, m.Series)
		}
		seen[m.Series] = true
	}
	return nil
}

func (m *Meter) check(o Option) error {
	if err := m.Series.Check(); err != nil {
		return err
	}
	q := m.Series.Quantity()
	switch {
	case !slices.Contains(Roles, m.Role):
		return fmt.Errorf("role %q: want one of %v", m.Role, Roles)
	case q.Kind() != metering.Counter:
		return fmt.Errorf("quantity %s is no register", q)
	case m.Role != RoleDriver && !slices.Contains(roleQuantities[m.Role], q):
		return fmt.Errorf("quantity %s cannot play the role %s: want one of %v", q, m.Role, roleQuantities[m.Role])
	case (m.Role == RoleSite || m.Role == RoleDisplaced) && !m.Energy.Energy():
		return fmt.Errorf("energy %q: a %s meter says which energy it counts", m.Energy, m.Role)
	case m.Role != RoleSite && m.Role != RoleDisplaced && m.Energy != "":
		return fmt.Errorf("energy is for site and displaced meters, not for %s", m.Role)
	case q == metering.GasVolume && m.Role != RoleDriver && !(m.KWhPerUnit > 0 && m.KWhPerUnit < 50):
		return errors.New("kwh_per_unit: a gas register in m3 needs its kWh GCV per m3, between 0 and 50")
	case q != metering.GasVolume && m.KWhPerUnit != 0:
		return errors.New("kwh_per_unit is for gas registers")
	case m.Rollover != nil && m.Rollover.Float64() <= 0:
		return errors.New("rollover: want a positive capacity")
	case len(m.Shares) > 0 && o != OptionCalculated:
		return fmt.Errorf("shares are for option calculated, not %s", o)
	}
	for i, s := range m.Shares {
		if err := s.Check(); err != nil {
			return fmt.Errorf("shares[%d]: %w", i, err)
		}
		if !(s.Share >= 0 && s.Share <= 1) || !(s.Half90 >= 0 && s.Half90 <= 1) {
			return fmt.Errorf("shares[%d]: share %v and half90 %v: want 0 to 1", i, s.Share, s.Half90)
		}
		for j := range m.Shares[:i] {
			if s.Overlaps(m.Shares[j].Span) {
				return fmt.Errorf("shares[%d] overlaps shares[%d]", i, j)
			}
		}
	}
	return m.Accuracy.check()
}

func (p *Plan) checkDisplaced() error {
	total := 0.0
	for i := range p.Displaced {
		d := &p.Displaced[i]
		switch {
		case !d.Energy.Energy() || d.Energy == indicators.Heat:
			return fmt.Errorf("displaced[%d]: energy %q: want gas, oil, electricity, heat_network, wood or biomethane", i, d.Energy)
		case !(d.EfficiencyPCI > 0 && d.EfficiencyPCI <= 10):
			return fmt.Errorf("displaced[%d]: efficiency_pci %v: want 0.9 for 90 %%, at most 10 (heat pump)", i, d.EfficiencyPCI)
		case !(d.EfficiencyHalf90 >= 0 && d.EfficiencyHalf90 <= 1):
			return fmt.Errorf("displaced[%d]: efficiency_half90 %v: want a relative half width, 0.02 for 2 %%", i, d.EfficiencyHalf90)
		case p.Option == OptionA && d.EfficiencyHalf90 == 0:
			return fmt.Errorf("displaced[%d]: option A stipulates the efficiency: state its efficiency_half90", i)
		case d.PCSPerPCI != 0 && !(d.PCSPerPCI >= 1 && d.PCSPerPCI <= 1.2):
			return fmt.Errorf("displaced[%d]: pcs_per_pci %v: want 1 to 1.2", i, d.PCSPerPCI)
		case !(d.Share >= 0 && d.Share <= 1):
			return fmt.Errorf("displaced[%d]: share %v: want 0 to 1", i, d.Share)
		case d.Source.FR == "":
			return fmt.Errorf("displaced[%d]: source: say where the efficiency comes from", i)
		}
		total += d.share()
	}
	if total > 1+1e-9 {
		return fmt.Errorf("displaced: shares add up to %v, more than 1", total)
	}
	return nil
}

func (d *Displaced) share() float64 {
	if d.Share == 0 {
		return 1
	}
	return d.Share
}

func (d *Displaced) pcs() float64 {
	if d.PCSPerPCI == 0 {
		return 1
	}
	return d.PCSPerPCI
}

func (p *Plan) checkModels() error {
	seen := map[indicators.Flow]bool{}
	for i := range p.Models {
		m := &p.Models[i]
		switch {
		case !m.Energy.Energy() || seen[m.Energy]:
			return fmt.Errorf("models[%d]: energy %q: unknown or given twice", i, m.Energy)
		case m.Step != "day" && m.Step != "week" && m.Step != "month":
			return fmt.Errorf("models[%d]: step %q: want day, week or month", i, m.Step)
		case m.Select != "" && m.Select != "all" && m.Select != "best" && m.Select != "bic":
			return fmt.Errorf("models[%d]: select %q: want all or best", i, m.Select)
		case len(m.Drivers) > 8:
			return fmt.Errorf("models[%d]: %d drivers, at most 8", i, len(m.Drivers))
		}
		seen[m.Energy] = true
		if err := checkDrivers(m.Drivers); err != nil {
			return fmt.Errorf("models[%d]: %w", i, err)
		}
		if !slices.ContainsFunc(p.Meters, func(x Meter) bool { return x.Role == RoleSite && x.Energy == m.Energy }) {
			return fmt.Errorf("models[%d]: no site meter of %s", i, m.Energy)
		}
	}
	return nil
}

func checkDrivers(ds []Driver) error {
	seen := map[string]bool{}
	searched := map[DriverKind]metering.SeriesID{}
	for i, d := range ds {
		if metering.CheckID(d.Name) != nil || seen[d.Name] {
			return fmt.Errorf("drivers[%d]: name %q: want an identifier, once", i, d.Name)
		}
		seen[d.Name] = true
		var want metering.Kind
		switch d.Kind {
		case DriverHeating, DriverCooling:
			if d.BalanceC == nil {
				if _, twice := searched[d.Kind]; twice {
					return fmt.Errorf("driver %s: the balance temperature of one %s only can be searched", d.Name, d.Kind)
				}
				searched[d.Kind] = d.Series
			} else if !(*d.BalanceC > -30 && *d.BalanceC < 60) {
				return fmt.Errorf("driver %s: balance_c %v out of range", d.Name, *d.BalanceC)
			}
		case DriverMean:
		case DriverAmount:
			want = metering.Counter
		case DriverWorkday, DriverClosed:
			if d.Series != "" {
				return fmt.Errorf("driver %s: a %s has no series", d.Name, d.Kind)
			}
			if d.Kind == DriverClosed && len(d.Days) == 0 {
				return fmt.Errorf("driver %s: closed needs days", d.Name)
			}
			for _, s := range d.Days {
				if err := s.Check(); err != nil {
					return fmt.Errorf("driver %s: %w", d.Name, err)
				}
			}
			continue
		default:
			return fmt.Errorf("driver %s: kind %q: want heating_degrees, cooling_degrees, amount, mean, workday or closed", d.Name, d.Kind)
		}
		if err := d.Series.Check(); err != nil {
			return fmt.Errorf("driver %s: %w", d.Name, err)
		}
		if d.Series.Quantity().Kind() != want {
			return fmt.Errorf("driver %s: %s is a %v, a %s needs a %v", d.Name, d.Series, d.Series.Quantity().Kind(), d.Kind, want)
		}
	}
	if h, c := searched[DriverHeating], searched[DriverCooling]; h != "" && c != "" && h != c {
		return fmt.Errorf("drivers: balance temperatures of %s and %s cannot be searched together", h, c)
	}
	return nil
}

func (p *Plan) checkDeclared() error {
	seen := map[string]bool{}
	for i, d := range p.Declared {
		switch {
		case d.ID == "" || seen[d.ID]:
			return fmt.Errorf("declared[%d]: id %q: missing or given twice", i, d.ID)
		case !slices.Contains(metering.Indicators, d.Indicator):
			return fmt.Errorf("declared %s: unknown indicator %q", d.ID, d.Indicator)
		case d.Check() != nil:
			return fmt.Errorf("declared %s: %w", d.ID, d.Check())
		case d.Flow != "" && !d.Flow.Known():
			return fmt.Errorf("declared %s: unknown flow %q", d.ID, d.Flow)
		case d.From.IsZero() || d.To.IsZero() && !d.PerYear:
			return fmt.Errorf("declared %s: from and to are required (to may be open with per_year)", d.ID)
		case !finite(d.Amount) || math.Abs(d.Amount) > 1e9 || !(d.Half90 >= 0 && d.Half90 <= 1e9):
			return fmt.Errorf("declared %s: amount %v or half90 %v out of range", d.ID, d.Amount, d.Half90)
		case len(d.Evidence) == 0:
			return fmt.Errorf("declared %s: no evidence", d.ID)
		}
		seen[d.ID] = true
	}
	return nil
}

func (p *Plan) checkValues() error {
	for f := range p.Values {
		if !f.Known() {
			return fmt.Errorf("values: unknown flow %q: want one of %v", f, indicators.Flows)
		}
	}
	// What is displaced or used must be worth something: an omission would be a
	// silent zero.
	need := func(f indicators.Flow, why string) error {
		if p.Values[f].Factor == "" {
			return fmt.Errorf("values.%s: factor is required (%s)", f, why)
		}
		return nil
	}
	for i := range p.Displaced {
		if err := need(p.Displaced[i].Energy, "displaced"); err != nil {
			return err
		}
	}
	for i := range p.Models {
		if err := need(p.Models[i].Energy, "model"); err != nil {
			return err
		}
	}
	for i := range p.Meters {
		if p.Meters[i].Role == RoleElectricity {
			if err := need(indicators.Electricity, "used"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Plan) checkMoney() error {
	for i, c := range p.Costs {
		switch {
		case metering.CheckID(c.ID) != nil:
			return fmt.Errorf("costs[%d]: %w", i, metering.CheckID(c.ID))
		case c.Check() != nil:
			return fmt.Errorf("cost %s: %w", c.ID, c.Check())
		case !finite(c.EURPerYear) || !finite(c.EURPerMWh) || math.Abs(c.EURPerYear) > 1e8 || math.Abs(c.EURPerMWh) > 1e4:
			return fmt.Errorf("cost %s: out of range", c.ID)
		case c.EURPerYear == 0 && c.EURPerMWh == 0:
			return fmt.Errorf("cost %s: eur_per_year or eur_per_mwh is required", c.ID)
		case c.PaidBy == "":
			return fmt.Errorf("cost %s: paid_by is required", c.ID)
		}
	}
	total := 0.0
	for i, s := range p.Shares {
		if s.Company == "" || !(s.Share >= 0 && s.Share <= 1) {
			return fmt.Errorf("shares[%d]: want a company and a share from 0 to 1", i)
		}
		total += s.Share
	}
	if len(p.Shares) > 0 && math.Abs(total-1) > 1e-9 {
		return fmt.Errorf("shares add up to %v, not 1", total)
	}
	return nil
}

func (p *Plan) checkAdjustments() error {
	for i, a := range p.Adjustments {
		switch {
		case a.ID == "" || a.Reason.FR == "":
			return fmt.Errorf("adjustments[%d]: id and reason are required", i)
		case a.From.IsZero() || a.Check() != nil:
			return fmt.Errorf("adjustment %s: from is required and to comes after it", a.ID)
		case !a.Energy.Energy():
			return fmt.Errorf("adjustment %s: energy %q", a.ID, a.Energy)
		case !finite(a.KWhPerDay) || math.Abs(a.KWhPerDay) > 1e8 || !(a.Half90 >= 0 && a.Half90 <= 1e8):
			return fmt.Errorf("adjustment %s: kwh_per_day or half90 out of range", a.ID)
		case (a.AcceptedBy == "") != a.AcceptedAt.IsZero():
			return fmt.Errorf("adjustment %s: accepted_by and accepted_at go together", a.ID)
		case (a.RefusedBy == "") != a.RefusedAt.IsZero():
			return fmt.Errorf("adjustment %s: refused_by and refused_at go together", a.ID)
		case a.AcceptedBy != "" && a.RefusedBy != "":
			return fmt.Errorf("adjustment %s: accepted and refused", a.ID)
		}
	}
	return nil
}

func (p *Plan) checkExpected() error {
	for _, m := range []map[metering.Indicator]float64{p.Expected, p.Announced} {
		for i, v := range m {
			if !slices.Contains(metering.Indicators, i) || !finite(v) {
				return fmt.Errorf("expected or announced: %q: %v", i, v)
			}
		}
	}
	if len(p.ExpectedProfile) == 0 {
		return nil
	}
	sum := 0.0
	for _, s := range p.ExpectedProfile {
		if !(s >= 0) {
			return errors.New("expected_profile: a share is negative")
		}
		sum += s
	}
	if len(p.ExpectedProfile) != 12 || math.Abs(sum-1) > 1e-6 {
		return fmt.Errorf("expected_profile: %d shares that add up to %v: want 12 and 1", len(p.ExpectedProfile), sum)
	}
	return nil
}

func (p *Plan) checkDrift() error {
	d := p.Drift
	if d == nil {
		return nil
	}
	if d.Indicator != "" && !slices.Contains(metering.Indicators, d.Indicator) {
		return fmt.Errorf("drift: unknown indicator %q", d.Indicator)
	}
	if !(d.Allowance >= 0 && d.Allowance < 1) {
		return fmt.Errorf("drift: allowance %v: want a share, 0.05 for 5 %%", d.Allowance)
	}
	if d.Reference != (indicators.Span{}) && (d.Reference.From.IsZero() || d.Reference.To.IsZero() || d.Reference.Check() != nil) {
		return errors.New("drift: reference needs from and to")
	}
	if err := checkDrivers(d.Drivers); err != nil {
		return fmt.Errorf("drift: %w", err)
	}
	return nil
}

func (p *Plan) checkOption() error {
	has := func(rs ...Role) bool {
		return slices.ContainsFunc(p.Meters, func(m Meter) bool { return slices.Contains(rs, m.Role) })
	}
	switch p.Option {
	case OptionA, OptionB:
		if !has(RoleHeat, RoleWater, RoleMaterial, RoleBiogas, RoleElectricity) {
			return fmt.Errorf("option %s: no meter of the exchange (heat, water, material, biogas)", p.Option)
		}
		if has(RoleHeat) && len(p.Displaced) == 0 {
			return fmt.Errorf("option %s: heat without displaced: say what it replaces", p.Option)
		}
	case OptionC:
		if len(p.Models) == 0 || p.Baseline == (indicators.Span{}) {
			return errors.New("option C: baseline and models are required")
		}
		if has(RoleHeat) && len(p.Displaced) > 0 {
			return errors.New("option C: heat meters with displaced would count the saving twice")
		}
	case OptionCalculated:
		if !has(RoleBiogas, RoleMaterial, RoleHeat, RoleWater) {
			return errors.New("option calculated: no meter")
		}
	case OptionDeclared:
		if len(p.Meters) > 0 && has(RoleHeat, RoleBiogas, RoleSite) {
			return errors.New("option declared: meters that count belong to another option")
		}
	default:
		return fmt.Errorf("option %q: want A, B, C, calculated or declared", p.Option)
	}
	return nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

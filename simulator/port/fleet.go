package port

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/thermie/thermie/firmware-configs/profile"
	"github.com/thermie/thermie/metering"
)

// install puts the fleet on its devices.
func (p *Port) install(library *profile.Library) error {
	type place struct {
		company string
		wire    Wire
		unit    byte
		own     string // meters with an address of their own share nothing
	}
	module, input, err := thermometers(library)
	if err != nil {
		return err
	}
	p.fleet = slices.Clone(fleet)
	p.installed = map[string]*installed{}
	places := map[place][]*installed{}
	var order []place
	for i := range p.fleet {
		m := &p.fleet[i]
		if m.sense == thermometer {
			m.Profile, m.Channel = module, m.Channel*input
		}
		at := place{company: m.Company, wire: m.Wire, unit: m.Unit}
		if m.Wire == Own {
			at.own = m.ID
		}
		if places[at] == nil {
			order = append(order, at)
		}
		in := &installed{Meter: m, view: newView(p, m)}
		places[at] = append(places[at], in)
		p.installed[m.ID] = in
		if !slices.Contains(p.sites, m.Company) {
			p.sites = append(p.sites, m.Company)
		}
	}
	for _, at := range order {
		meters := places[at]
		id := meters[0].Profile
		prof, err := library.Get(id)
		if err != nil {
			return fmt.Errorf("port: meter %s: %w", meters[0].ID, err)
		}
		for _, m := range meters {
			if m.Profile != id {
				return fmt.Errorf("port: meters %s and %s share unit %d with different profiles", meters[0].ID, m.ID, at.unit)
			}
		}
		if _, err := p.newDevice(prof, meters); err != nil {
			return fmt.Errorf("port: meter %s: %w", meters[0].ID, err)
		}
	}
	return nil
}

// thermometers finds the profile of the port's resistance thermometers: the
// first of the library that shows frost and flue gas alike, one that can tell a
// broken sensor before others. input is 0 for a device with one sensor, 1 for a
// module whose inputs are numbered.
func thermometers(library *profile.Library) (id string, input int, err error) {
	best := -1
	for _, prof := range library.All() {
		for channel := range 2 {
			f, ok := prof.Field(metering.Temperature, channel)
			if prof.Kind != "temperature" && prof.Kind != "analogue" || !ok || f.Unit != metering.Celsius || !shows(f, -20, 21.5, 450) {
				continue
			}
			score := 0
			if f.EncodeMissing("sensor_break", profile.Image{}) {
				score = 2
			}
			if channel == 1 {
				score++
			}
			if score > best {
				id, input, best = prof.ID, channel, score
			}
		}
	}
	if id == "" {
		return "", 0, errors.New("port: no profile of a thermometer from -20 to 450 degC in the library")
	}
	return id, input, nil
}

// shows says whether a field gives these temperatures back, to half a degree.
func shows(f *profile.Field, degrees ...float64) bool {
	for _, c := range degrees {
		image := profile.Image{}
		if f.Encode(milli(c), image) != nil {
			return false
		}
		n, _, q := f.Decode(image)
		if q.Level != metering.Good || math.Abs(n.Float64()-c) > 0.5 {
			return false
		}
	}
	return true
}

package mirror

import (
	"encoding/json"
	"strings"

	"github.com/thermie/thermie/metering"
)

// sensor is a discovery message of Home Assistant (MQTT sensor).
type sensor struct {
	Name          string `json:"name"`
	UniqueID      string `json:"unique_id"`
	StateTopic    string `json:"state_topic"`
	ValueTemplate string `json:"value_template"`
	Unit          string `json:"unit_of_measurement,omitempty"`
	DeviceClass   string `json:"device_class,omitempty"`
	StateClass    string `json:"state_class,omitempty"`
	Availability  string `json:"availability_topic"`
	Device        device `json:"device"`
}

type device struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Model        string   `json:"model,omitempty"`
}

// unitNames are Home Assistant's spellings where they are others.
var unitNames = map[metering.Unit]string{metering.Celsius: "°C", metering.CubicM: "m³", metering.CubicMPH: "m³/h", metering.Ratio: "", metering.Count: "",
	metering.Kvar: "kvar", metering.Kvarh: "kvarh"}

// classes are device classes by unit: Home Assistant converts and sums by them.
var classes = map[metering.Unit]string{metering.KWh: "energy", metering.Joule: "energy", metering.KW: "power", metering.Volt: "voltage", metering.Ampere: "current",
	metering.Hertz: "frequency", metering.CubicMPH: "volume_flow_rate", metering.Celsius: "temperature", metering.Pascal: "pressure", metering.KVA: "apparent_power",
	metering.Kilogram: "weight", metering.Second: "duration"}

// discovery is one message for each series of each meter.
func (m *Mirror) discovery() (out []message) {
	if m.o.Discovery == "" {
		return nil
	}
	for _, x := range m.o.Meters {
		for _, id := range x.Series {
			q, unit := id.Quantity(), x.Units[id]
			s := sensor{Name: q.Name().FR, UniqueID: "thermie_" + m.o.Gateway + "_" + x.ID + "_" + string(q), StateTopic: m.o.Topic + "/" + x.ID,
				// A reading that did not come leaves the state as it is.
				ValueTemplate: "{% set r = value_json | selectattr('n', 'eq', '" + string(q) + "') | list %}{{ r[0].v if r else this.state }}",
				Unit:          string(unit), DeviceClass: class(q, unit), StateClass: "measurement", Availability: m.o.Topic + "/" + availability,
				Device: device{Identifiers: []string{"thermie_" + m.o.Gateway + "_" + x.ID}, Name: x.ID, Manufacturer: x.Maker, Model: x.Model}}
			if name, other := unitNames[unit]; other {
				s.Unit = name
			}
			if q.Kind() == metering.Counter {
				s.StateClass = "total_increasing"
			}
			payload, err := json.Marshal(s)
			if err != nil {
				continue // identifiers and words only
			}
			object := strings.NewReplacer(".", "_", "/", "_").Replace(m.o.Gateway + "_" + string(id))
			out = append(out, message{topic: m.o.Discovery + "/sensor/" + object + "/config", retained: true, payload: payload})
		}
	}
	return out
}

func class(q metering.Quantity, u metering.Unit) string {
	switch q {
	case metering.WaterVolume:
		return "water"
	case metering.GasVolume:
		return "gas"
	case metering.PowerFactor:
		return "power_factor"
	case metering.MeterClock:
		return ""
	}
	return classes[u]
}

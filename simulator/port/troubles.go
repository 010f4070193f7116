package port

import (
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

// TroubleKind names what goes wrong, or changes, on purpose.
type TroubleKind string

// The kinds of trouble.
const (
	SwappedSensors     TroubleKind = "swapped_sensors"
	WrongScale         TroubleKind = "wrong_scale"
	Rollover           TroubleKind = "rollover"
	ExchangeRecorded   TroubleKind = "exchange_recorded"
	ExchangeUnrecorded TroubleKind = "exchange_unrecorded"
	NoNetwork          TroubleKind = "no_network"
	ClockJump          TroubleKind = "clock_jump"
	FrozenReading      TroubleKind = "frozen"
	PulseReset         TroubleKind = "pulse_reset"
	Fouling            TroubleKind = "fouling"
	NewLine            TroubleKind = "new_line"
	ConsentWithdrawn   TroubleKind = "consent_withdrawn"
	LateData           TroubleKind = "late_data"
	BrokenSensor       TroubleKind = "sensor_break"
	SilentMeter        TroubleKind = "silent_meter"
)

// Trouble is one thing that goes wrong in the port on purpose, with its date.
type Trouble struct {
	Kind    TroubleKind
	Subject string    // the id of a meter, gateway, synergy or company
	From    time.Time // at From it has begun
	Until   time.Time // at Until it is over; zero while it lasts; From for a moment
	Text    metering.Text
}

// holds says whether the trouble is there at an instant.
func (t *Trouble) holds(at time.Time) bool {
	return !at.Before(t.From) && (t.Until.IsZero() || at.Before(t.Until))
}

// jumpAhead is how far the clock of a gateway was ahead while its clock jump lasted.
const jumpAhead = 77 * time.Minute

// Troubles lists what goes wrong in a port with this epoch, oldest first.
func Troubles(epoch time.Time) []Trouble {
	q := calendar.QuarterOf(epoch)
	at := func(quarter, days int, hours time.Duration) time.Time {
		return q.Add(quarter).Start().AddDate(0, 0, days).Add(hours * time.Hour)
	}
	recent := func(back time.Duration) time.Time { return epoch.Add(-back).Truncate(10 * time.Minute) }
	return []Trouble{
		{ExchangeRecorded, "galvano-eau", at(-4, 20, 9), at(-4, 20, 9), name(
			"Compteur d'eau remplacé (fin de validité métrologique), index de dépose et de pose relevés",
			"Water meter replaced (end of its verification period), last and first registers recorded")},
		{WrongScale, "datacentre-boucle", at(-4, 50, 14), at(-4, 54, 11), name(
			"Après une mise à jour du compteur, quatre jours d'index et de puissances dix fois trop grands",
			"After an update of the meter, four days of registers and powers ten times too large")},
		{PulseReset, "laiterie-gaz", at(-3, 25, 16), at(-3, 25, 16), name(
			"Coupure de courant : le module d'impulsions repart de zéro",
			"Power cut: the pulse module starts again from zero")},
		{SwappedSensors, "transports-chaleur", at(-3, 35, 10), at(-3, 47, 10), name(
			"Sondes départ et retour inversées pendant douze jours après une intervention : l'énergie n'est plus comptée",
			"Flow and return sensors exchanged for twelve days after maintenance: energy is not counted")},
		{NoNetwork, "gw-huilerie", at(-3, 60, 7), at(-3, 69, 15), name(
			"Neuf jours sans réseau (fibre coupée), puis rattrapage complet depuis la mémoire de la passerelle",
			"Nine days without network (fibre cut), then everything is caught up from the gateway's store")},
		{Fouling, "s02-malterie-laiterie", at(-2, 0, 0), time.Time{}, name(
			"L'échangeur sur buées s'encrasse : environ 14 % de transfert perdu en trois semaines, à débit constant",
			"The exhaust exchanger fouls: about 14 % of its transfer is lost within three weeks, at constant flow")},
		{ClockJump, "gw-chimie", at(-2, 12, 3), at(-2, 12, 8), name(
			"L'horloge de la passerelle avance de 77 minutes pendant cinq heures, jusqu'à sa resynchronisation",
			"The gateway's clock is 77 minutes ahead for five hours, until it is synchronised again")},
		{FrozenReading, "malterie-buees", at(-2, 20, 18), at(-2, 26, 9), name(
			"Température figée pendant six jours (module d'acquisition bloqué)",
			"Temperature frozen for six days (acquisition module stuck)")},
		{ExchangeUnrecorded, "silos-elec", at(-2, 30, 11), at(-2, 30, 11), name(
			"Compteur électrique remplacé par le prestataire sans relevé d'index : l'index repart de zéro",
			"Electricity meter replaced by a contractor without a record: the register starts again from zero")},
		{Rollover, "transports-eau-partagee", at(-2, 40, 10), at(-2, 40, 10), name(
			"Le compteur d'impulsions, repris d'un autre site, atteint sa capacité de 32 bits et repasse par zéro",
			"The pulse counter, taken over from another site, reaches its capacity of 32 bits and rolls over")},
		{LateData, "gw-reseau", at(-1, -5, 4), at(-1, 19, 9), name(
			"Passerelle sans réseau à cheval sur la clôture du trimestre : les relevés arrivent après le premier rapport scellé",
			"Gateway without network across the end of the quarter: readings arrive after the first sealed report")},
		{NewLine, "papeterie", at(-1, 26, 0), time.Time{}, name(
			"Nouvelle ligne de transformation (séchage d'encre au gaz) : événement non périodique pour la synergie 12",
			"New converting line (gas-fired ink drying): a non-routine event for synergy 12")},
		{ConsentWithdrawn, "galvano", at(-1, 40, 10), time.Time{}, name(
			"Galvano-Est retire à l'animatrice l'accès à ses courbes",
			"Galvano-Est withdraws the animator's access to its series")},
		{BrokenSensor, "papeterie-effluent-temp", recent(52 * time.Hour), time.Time{}, name(
			"Sonde de température de l'effluent coupée", "Effluent temperature sensor broken")},
		{SilentMeter, "beton-elec", recent(26 * time.Hour), time.Time{}, name(
			"Compteur électrique muet (câble RS-485 débranché)", "Electricity meter silent (RS-485 cable unplugged)")},
	}
}

// Troubles lists what goes wrong in this port, oldest first.
func (p *Port) Troubles() []Trouble { return Troubles(p.options.Epoch) }

// span is a half-open run of milliseconds from the beginning; to is the largest
// number while it lasts.
type span struct{ from, to int64 }

func (s span) holds(millis int64) bool { return millis >= s.from && millis < s.to }

// effects are the troubles of one meter, as its registers show them.
type effects struct {
	restarts []restart // by time
	swapped  []span
	frozen   []span
	broken   []span
	silent   []span
	tenfold  []span
	// wraps is where the counter passes its capacity, 0 for nowhere.
	wraps int64
}

// restart is an instant at which a counter begins again.
type restart struct {
	at       int64
	recorded bool
	first    float64 // what the new register shows at once, in kWh or m3
}

func forever(p *Port, t time.Time) int64 {
	if t.IsZero() {
		return 1<<63 - 1
	}
	return p.millis(t)
}

// effects gathers the troubles of a meter.
func (p *Port) effects(id string) (e effects) {
	for _, t := range p.Troubles() {
		// A module that loses its power forgets all its counters.
		if t.Subject != id && !(t.Kind == PulseReset && sameDevice(t.Subject, id)) {
			continue
		}
		s := span{p.millis(t.From), forever(p, t.Until)}
		switch t.Kind {
		case SwappedSensors:
			e.swapped = append(e.swapped, s)
		case FrozenReading:
			e.frozen = append(e.frozen, s)
		case BrokenSensor:
			e.broken = append(e.broken, s)
		case SilentMeter:
			e.silent = append(e.silent, s)
		case WrongScale:
			e.tenfold = append(e.tenfold, s)
		case Rollover:
			e.wraps = s.from
		case ExchangeRecorded:
			e.restarts = append(e.restarts, restart{at: s.from, recorded: true, first: 0.2})
		case ExchangeUnrecorded, PulseReset:
			e.restarts = append(e.restarts, restart{at: s.from})
		}
	}
	return e
}

func within(spans []span, millis int64) (span, bool) {
	for _, s := range spans {
		if s.holds(millis) {
			return s, true
		}
	}
	return span{}, false
}

package align

import (
	"fmt"
	"strconv"
	"time"

	"github.com/thermie/thermie/calendar"
	"github.com/thermie/thermie/metering"
)

var frMonths = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}

// frMoment is "24 novembre 2026 à 9 h 05", in civil time.
func frMoment(t time.Time) string {
	t = t.In(calendar.Paris)
	day := strconv.Itoa(t.Day())
	if t.Day() == 1 {
		day = "1er"
	}
	return fmt.Sprintf("%s %s %d à %d h %02d", day, frMonths[t.Month()-1], t.Year(), t.Hour(), t.Minute())
}

// enMoment is "24 November 2026, 09:05", in civil time.
func enMoment(t time.Time) string { return t.In(calendar.Paris).Format("2 January 2006, 15:04") }

// span is the text of a window: "du ... au ...", "from ... to ...".
func span(from, to time.Time) metering.Text {
	return metering.Text{FR: "du " + frMoment(from) + " au " + frMoment(to), EN: "from " + enMoment(from) + " to " + enMoment(to)}
}

// say puts a window's or an instant's words into a sentence for each language.
func say(fr, en string, w metering.Text) metering.Text {
	return metering.Text{FR: fmt.Sprintf(fr, w.FR), EN: fmt.Sprintf(en, w.EN)}
}

func on(t time.Time) metering.Text {
	return metering.Text{FR: "le " + frMoment(t), EN: "on " + enMoment(t)}
}

var reasons = map[metering.Reason]metering.Text{
	metering.NoAnswer:     {FR: "le compteur ne répond pas", EN: "the meter does not answer"},
	metering.BadFrame:     {FR: "trames erronées sur le bus", EN: "bad frames on the bus"},
	metering.Refused:      {FR: "le compteur refuse la lecture", EN: "the meter refuses to be read"},
	metering.NotAvailable: {FR: "le compteur ne donne pas cette mesure", EN: "the meter does not give this reading"},
	metering.SensorBreak:  {FR: "sonde coupée", EN: "broken sensor"},
	metering.OutOfBounds:  {FR: "mesures hors limites", EN: "readings out of bounds"},
	metering.ClockOff:     {FR: "horloge de la passerelle fausse", EN: "the gateway's clock was wrong"},
}

// because is " (sonde coupée)", or nothing for a reason without words.
func because(r metering.Reason) metering.Text {
	w, ok := reasons[r]
	if !ok {
		return metering.Text{}
	}
	return metering.Text{FR: " (" + w.FR + ")", EN: " (" + w.EN + ")"}
}

package ingest

import (
	"fmt"
	"sync"
	"time"

	"github.com/thermie/thermie/metering"
)

// alarmEvery is how often the same alarm is raised while its trouble lasts.
const alarmEvery = time.Minute

// alarms raises alarms, not too often and from one goroutine at a time.
type alarms struct {
	raise func(metering.Alarm)
	now   func() time.Time

	mu   sync.Mutex
	last map[string]alarmState
}

type alarmState struct {
	alarm metering.Alarm
	at    time.Time // raised last
}

// newAlarms takes the alarms of an earlier run that last, so that they can end.
func newAlarms(raise func(metering.Alarm), now func() time.Time, lasting []metering.Alarm) *alarms {
	a := &alarms{raise: raise, now: now, last: make(map[string]alarmState)}
	for _, l := range lasting {
		if l.ID == alarmID(l.Kind, l.Subject) && l.Until.IsZero() {
			a.last[l.ID] = alarmState{alarm: l}
		}
	}
	return a
}

func alarmID(kind, subject string) string { return "ingest/" + kind + "/" + subject }

// on raises an alarm about a gateway (or "ledger", "store").
func (a *alarms) on(kind, subject string, text metering.Text) {
	if a.raise == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	id, now := alarmID(kind, subject), a.now()
	s, known := a.last[id]
	if known && now.Sub(s.at) < alarmEvery {
		return
	}
	if !known {
		s.alarm.Since = now.UTC()
	}
	s.alarm = metering.Alarm{ID: id, Kind: kind, Subject: subject, Since: s.alarm.Since, Text: text}
	s.at = now
	a.last[id] = s
	a.raise(s.alarm)
}

// off ends an alarm that was raised.
func (a *alarms) off(kind, subject string) {
	if a.raise == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	id := alarmID(kind, subject)
	if s, ok := a.last[id]; ok {
		s.alarm.Until = a.now().UTC()
		delete(a.last, id)
		a.raise(s.alarm)
	}
}

// lasting returns the alarms that were raised and have not ended.
func (a *alarms) lasting() (out []metering.Alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.last {
		out = append(out, s.alarm)
	}
	return out
}

// Words of the alarms. Reasons of refusals are in English, as in the logs.
func textRefused(gateway, reason string, kept bool) metering.Text {
	if !kept {
		return metering.Text{
			FR: fmt.Sprintf("La quarantaine de la passerelle %s est pleine\u202f; la passerelle garde ses lots refusés. Motif du dernier\u202f: %s", gateway, reason),
			EN: fmt.Sprintf("The quarantine of gateway %s is full; the gateway keeps its refused batches. Reason of the last: %s", gateway, reason),
		}
	}
	return metering.Text{
		FR: fmt.Sprintf("Un lot de la passerelle %s a été mis en quarantaine\u202f: %s", gateway, reason),
		EN: fmt.Sprintf("A batch of gateway %s was put in quarantine: %s", gateway, reason),
	}
}

func textGap(gateway string, g *Gap) metering.Text {
	switch {
	case g.Unknown():
		return metering.Text{
			FR: fmt.Sprintf("La passerelle %s a recommencé sa chaîne au lot %d («\u202f%s\u202f»)\u202f; des lots antérieurs ont pu être perdus.", gateway, g.To+1, g.Declared),
			EN: fmt.Sprintf("Gateway %s began its chain anew at batch %d (%q); earlier batches may be lost.", gateway, g.To+1, g.Declared),
		}
	case g.Declared != "":
		return metering.Text{
			FR: fmt.Sprintf("La passerelle %s déclare la perte des lots %d à %d («\u202f%s\u202f»).", gateway, g.From, g.To, g.Declared),
			EN: fmt.Sprintf("Gateway %s declares batches %d to %d lost (%q).", gateway, g.From, g.To, g.Declared),
		}
	}
	return metering.Text{
		FR: fmt.Sprintf("Les lots %d à %d de la passerelle %s manquent.", g.From, g.To, gateway),
		EN: fmt.Sprintf("Batches %d to %d of gateway %s are missing.", g.From, g.To, gateway),
	}
}

func textClock(gateway string, ahead time.Duration) metering.Text {
	minutes := int(ahead.Minutes())
	return metering.Text{
		FR: fmt.Sprintf("L\u2019horloge de la passerelle %s avance de %d min.", gateway, minutes),
		EN: fmt.Sprintf("The clock of gateway %s is %d min ahead.", gateway, minutes),
	}
}

func textLedger(err error) metering.Text {
	return metering.Text{
		FR: fmt.Sprintf("Le registre infalsifiable ne peut pas écrire\u202f; les passerelles gardent leurs lots. Cause\u202f: %v", err),
		EN: fmt.Sprintf("The ledger cannot write; the gateways keep their batches. Cause: %v", err),
	}
}

func textStore(err error) metering.Text {
	return metering.Text{
		FR: fmt.Sprintf("La base de séries temporelles ne répond pas\u202f; le registre continue, la base le rattrapera. Cause\u202f: %v", err),
		EN: fmt.Sprintf("The time-series store does not answer; the ledger goes on and the store will catch up. Cause: %v", err),
	}
}

func textReading(series metering.SeriesID, err error) metering.Text {
	return metering.Text{
		FR: fmt.Sprintf("Des relevés de %s restent hors de la base (ils sont au registre)\u202f: %v", series, err),
		EN: fmt.Sprintf("Readings of %s stay out of the store (the ledger has them): %v", series, err),
	}
}

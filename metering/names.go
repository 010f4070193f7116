package metering

import "strings"

// quantityNames are what people call what is measured.
var quantityNames = map[Quantity]Text{
	"active_energy_import":   {FR: "Énergie active soutirée", EN: "Active energy, import"},
	"active_energy_export":   {FR: "Énergie active injectée", EN: "Active energy, export"},
	"reactive_energy_import": {FR: "Énergie réactive soutirée", EN: "Reactive energy, import"},
	"reactive_energy_export": {FR: "Énergie réactive injectée", EN: "Reactive energy, export"},
	"apparent_energy":        {FR: "Énergie apparente", EN: "Apparent energy"},
	"active_power":           {FR: "Puissance active", EN: "Active power"},
	"active_power_l1":        {FR: "Puissance active L1", EN: "Active power L1"},
	"active_power_l2":        {FR: "Puissance active L2", EN: "Active power L2"},
	"active_power_l3":        {FR: "Puissance active L3", EN: "Active power L3"},
	"reactive_power":         {FR: "Puissance réactive", EN: "Reactive power"},
	"apparent_power":         {FR: "Puissance apparente", EN: "Apparent power"},
	"voltage_l1":             {FR: "Tension L1", EN: "Voltage L1"},
	"voltage_l2":             {FR: "Tension L2", EN: "Voltage L2"},
	"voltage_l3":             {FR: "Tension L3", EN: "Voltage L3"},
	"current_l1":             {FR: "Courant L1", EN: "Current L1"},
	"current_l2":             {FR: "Courant L2", EN: "Current L2"},
	"current_l3":             {FR: "Courant L3", EN: "Current L3"},
	"current_n":              {FR: "Courant du neutre", EN: "Neutral current"},
	"power_factor":           {FR: "Facteur de puissance", EN: "Power factor"},
	"frequency":              {FR: "Fréquence", EN: "Frequency"},
	"heat_energy":            {FR: "Énergie thermique", EN: "Heat energy"},
	"cooling_energy":         {FR: "Énergie de froid", EN: "Cooling energy"},
	"heat_power":             {FR: "Puissance thermique", EN: "Heat power"},
	"volume":                 {FR: "Volume", EN: "Volume"},
	"volume_flow":            {FR: "Débit volumique", EN: "Volume flow"},
	"flow_temperature":       {FR: "Température départ", EN: "Flow temperature"},
	"return_temperature":     {FR: "Température retour", EN: "Return temperature"},
	"temperature_difference": {FR: "Écart de température", EN: "Temperature difference"},
	"gas_volume":             {FR: "Volume de gaz", EN: "Gas volume"},
	"gas_energy":             {FR: "Énergie de gaz (PCS)", EN: "Gas energy (GCV)"},
	"water_volume":           {FR: "Volume d'eau", EN: "Water volume"},
	"pulse_count":            {FR: "Impulsions", EN: "Pulses"},
	"mass":                   {FR: "Masse", EN: "Mass"},
	"mass_flow":              {FR: "Débit massique", EN: "Mass flow"},
	"temperature":            {FR: "Température", EN: "Temperature"},
	"outdoor_temperature":    {FR: "Température extérieure", EN: "Outdoor temperature"},
	"humidity":               {FR: "Humidité", EN: "Humidity"},
	"pressure":               {FR: "Pression", EN: "Pressure"},
	"operating_time":         {FR: "Temps de marche", EN: "Operating time"},
	"production":             {FR: "Production", EN: "Production"},
	"analogue_input":         {FR: "Entrée analogique", EN: "Analogue input"},
	"error_code":             {FR: "Code d'erreur", EN: "Error code"},
	"meter_clock":            {FR: "Horloge du compteur", EN: "Meter clock"},
	"serial_number":          {FR: "Numéro de série lu", EN: "Serial number as read"},
}

// Name is what people call the quantity. Of the least and the greatest of a gauge
// it says so; of one that is not known it is the word itself.
func (q Quantity) Name() Text {
	if t, ok := quantityNames[q]; ok {
		return t
	}
	for _, suffix := range []string{LeastSuffix, GreatestSuffix} {
		if base, is := strings.CutSuffix(string(q), suffix); is {
			t, short := Quantity(base).Name(), " ("+suffix[1:]+".)"
			return Text{FR: t.FR + short, EN: t.EN + short}
		}
	}
	return Text{FR: string(q), EN: string(q)}
}

// Reasons lists the reasons, in the order in which lists show them.
var Reasons = []Reason{
	"no_answer",
	"bad_frame",
	"refused",
	"not_available",
	"sensor_break",
	"out_of_bounds",
	"frozen",
	"sensors_swapped",
	"transformers_swapped",
	"word_order",
	"wrong_unit",
	"duplicate_unit",
	"exchanged",
	"reset",
	"scale",
	"clock",
	"estimated",
}

// reasonNames are, for each reason, what it says and what to do about it.
var reasonNames = map[Reason]struct{ name, advice Text }{
	"no_answer": {Text{FR: "ne répond pas", EN: "does not answer"},
		Text{FR: "Vérifier l'alimentation du compteur, le câble (A et B, terminaison) et l'adresse Modbus.", EN: "Check the meter's power, the cable (A and B, termination) and the Modbus address."}},
	"bad_frame": {Text{FR: "réponses illisibles", EN: "unreadable answers"},
		Text{FR: "Vérifier vitesse et parité, la terminaison de la ligne, et que deux compteurs n'ont pas la même adresse.", EN: "Check speed and parity, the line's termination, and that no two meters share an address."}},
	"refused": {Text{FR: "refuse la demande", EN: "refuses the request"},
		Text{FR: "Le profil demande un registre que ce modèle n'a pas : vérifier le modèle et sa version.", EN: "The profile asks for a register that this model does not have: check model and version."}},
	"not_available": {Text{FR: "valeur non disponible dans le compteur", EN: "not available in the meter"},
		Text{FR: "Le compteur n'a pas cette mesure en ce moment. Regarder son écran et le câblage de ses sondes.", EN: "The meter has no such measurement now. Look at its screen and the wiring of its sensors."}},
	"sensor_break": {Text{FR: "sonde coupée", EN: "broken sensor"},
		Text{FR: "Vérifier la sonde et son câble, puis la remplacer ; l'énergie n'est pas comptée entre-temps.", EN: "Check the sensor and its cable, then replace it; energy is not counted meanwhile."}},
	"out_of_bounds": {Text{FR: "hors des bornes de l'appareil", EN: "outside the device's bounds"},
		Text{FR: "Comparer avec l'écran du compteur : mauvais profil, mauvaise unité ou sonde fausse.", EN: "Compare with the meter's screen: wrong profile, wrong unit or faulty sensor."}},
	"frozen": {Text{FR: "ne bouge plus", EN: "does not move any more"},
		Text{FR: "La mesure devrait varier. Comparer avec l'écran du compteur, puis le redémarrer.", EN: "The reading should move. Compare with the meter's screen, then restart it."}},
	"sensors_swapped": {Text{FR: "sondes départ et retour inversées", EN: "flow and return sensors exchanged"},
		Text{FR: "Échanger les deux sondes et noter la date : l'énergie de cette période est à corriger.", EN: "Exchange the two sensors and note the date: the energy of this period must be corrected."}},
	"transformers_swapped": {Text{FR: "transformateurs de courant inversés ou permutés", EN: "current transformers turned or exchanged"},
		Text{FR: "Vérifier le sens de chaque transformateur (P1 vers le réseau) et sa phase, compteur sous charge.", EN: "Check the direction of each transformer (P1 towards the grid) and its phase, with the meter under load."}},
	"word_order": {Text{FR: "ordre des mots ou des octets faux", EN: "wrong word or byte order"},
		Text{FR: "Changer l'ordre dans le profil ou dans les réglages du compteur, puis comparer avec son écran.", EN: "Change the order in the profile or in the meter's settings, then compare with its screen."}},
	"wrong_unit": {Text{FR: "une autre adresse répond", EN: "another unit id answers"},
		Text{FR: "Relever l'adresse Modbus sur le compteur et la corriger dans la configuration.", EN: "Read the Modbus address on the meter and correct it in the configuration."}},
	"duplicate_unit": {Text{FR: "deux appareils ont sans doute la même adresse", EN: "two devices probably have the same unit id"},
		Text{FR: "Débrancher l'un des deux, puis lui donner une autre adresse.", EN: "Disconnect one of the two, then give it another unit id."}},
	"exchanged": {Text{FR: "un autre appareil est en place", EN: "another device stands there"},
		Text{FR: "Compteur remplacé ? Enregistrer l'échange avec les deux index.", EN: "Meter replaced? Record the exchange with both registers."}},
	"reset": {Text{FR: "index revenu en arrière", EN: "register went back"},
		Text{FR: "Compteur remplacé ou remis à zéro ? Enregistrer l'échange avec les deux index.", EN: "Meter replaced or reset? Record the exchange with both registers."}},
	"scale": {Text{FR: "saut d'un facteur dix", EN: "jumped by a factor of ten"},
		Text{FR: "L'unité ou l'échelle a changé, souvent après une mise à jour : vérifier les réglages du compteur.", EN: "Unit or scale changed, often after an update: check the meter's settings."}},
	"clock": {Text{FR: "heure de la passerelle incertaine", EN: "gateway's time uncertain"},
		Text{FR: "Rétablir la synchronisation de l'horloge (NTP).", EN: "Restore the clock's synchronisation (NTP)."}},
	"estimated": {Text{FR: "estimé", EN: "estimated"},
		Text{FR: "Rien : la règle d'estimation est celle du plan de mesure.", EN: "Nothing: the rule of estimation is the plan's."}},
}

// Name says in words what the reason is; of one that is not known it is the word
// itself.
func (r Reason) Name() Text {
	if t, ok := reasonNames[r]; ok {
		return t.name
	}
	return Text{FR: string(r), EN: string(r)}
}

// Advice is what to do about it; empty for a reason that is not known.
func (r Reason) Advice() Text { return reasonNames[r].advice }

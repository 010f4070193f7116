package metering

import "time"

// Attribution is how several synergies on one site share what the site as a whole
// has saved of energy in a period, in MWh, without counting anything twice.
type Attribution struct {
	Site    string     `json:"site"`    // the synergy whose plan measures the whole site (option C)
	Company string     `json:"company"` // whose site it is; "" where nobody says
	Kind    PeriodKind `json:"kind"`
	From    time.Time  `json:"from"`
	To      time.Time  `json:"to"`

	Whole       float64           `json:"whole"`
	WholeHalf90 float64           `json:"whole_half90"`
	Parts       []AttributionPart `json:"parts"`
	// Unattributed is what the site saved beyond all claims: it is that of the site's
	// own plan; zero when the claims were reduced.
	Unattributed float64 `json:"unattributed"`
	// Interaction is the whole minus the sum of the claims as claimed. Negative: the
	// synergies take from each other, or a part of the saving was used up (rebound).
	Interaction       float64 `json:"interaction"`
	InteractionHalf90 float64 `json:"interaction_half90"`
	// Reduced says that the claims contradict the whole beyond their intervals, and
	// that they were brought to it.
	Reduced bool `json:"reduced"`
	Text    Text `json:"text"`
	// Left are synergies on the site that take no part, and why.
	Left []AttributionLeft `json:"left,omitempty"`
}

// AttributionPart is one synergy's share of the whole.
type AttributionPart struct {
	Synergy       string  `json:"synergy"`
	Claimed       float64 `json:"claimed"` // by its own measurement
	ClaimedHalf90 float64 `json:"claimed_half90"`
	Attributed    float64 `json:"attributed"`
	Half90        float64 `json:"half90"`          // of Attributed
	ShareOfClaims float64 `json:"share_of_claims"` // of all that is attributed
	Correction    float64 `json:"correction"`      // Attributed - Claimed
}

// AttributionLeft is a synergy on the site that takes no part.
type AttributionLeft struct {
	Synergy string `json:"synergy"`
	Why     Text   `json:"why"`
}

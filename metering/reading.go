package metering

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Level ranks how far a reading can be trusted.
type Level uint8

// The three levels of quality. Nothing is silently dropped: what could not be
// read is a reading too, of level Missing, with its reason and no number.
const (
	Good Level = iota
	Suspect
	Missing
)

func (l Level) String() string { return [...]string{"good", "suspect", "missing"}[min(l, 2)] }

// Reason says in one word why a reading is suspect or missing.
type Reason string

// Reasons seen on sites.
const (
	NoAnswer     Reason = "no_answer"     // the device stayed silent
	BadFrame     Reason = "bad_frame"     // checksum, length or function wrong
	Refused      Reason = "refused"       // Modbus exception
	NotAvailable Reason = "not_available" // the meter's own sentinel
	SensorBreak  Reason = "sensor_break"  // the meter reports a broken sensor
	OutOfBounds  Reason = "out_of_bounds" // outside the profile's bounds
	Frozen       Reason = "frozen"        // unchanged although it should move
	SensorsSwap  Reason = "sensors_swapped"
	// TransformersSwap: current transformers turned, or on another phase than
	// their voltage: the sign of power does not fit the energies.
	TransformersSwap Reason = "transformers_swapped"
	WordOrder        Reason = "word_order"     // numbers that only another word or byte order makes plausible
	WrongUnit        Reason = "wrong_unit"     // a device answers under another unit id
	DuplicateUnit    Reason = "duplicate_unit" // two devices answer to one unit id
	Exchanged        Reason = "exchanged"      // another device stands there now
	Reset            Reason = "reset"          // a counter went back without a record
	ScaleJump        Reason = "scale"          // jumped by a power of ten
	ClockOff         Reason = "clock"          // the gateway's clock was not trusted
	Estimated        Reason = "estimated"      // interpolated by a stated rule
)

// Quality is a level and, unless Good, a reason.
type Quality struct {
	Level  Level
	Reason Reason
}

// String is "good", "suspect:frozen", "missing:no_answer".
func (q Quality) String() string {
	if q.Level == Good {
		return "good"
	}
	return q.Level.String() + ":" + string(q.Reason)
}

// ParseQuality reads what String wrote.
func ParseQuality(s string) (Quality, error) {
	level, reason, _ := strings.Cut(s, ":")
	if len(reason) > 40 {
		return Quality{}, fmt.Errorf("quality %q: reason too long", s)
	}
	switch level {
	case "good":
		return Quality{}, nil
	case "suspect":
		return Quality{Suspect, Reason(reason)}, nil
	case "missing":
		return Quality{Missing, Reason(reason)}, nil
	}
	return Quality{}, fmt.Errorf("quality %q: want good, suspect:<reason> or missing:<reason>", s)
}

// Reading is one number of one series at one instant.
type Reading struct {
	Series  SeriesID
	At      int64 // Unix milliseconds, UTC: the instant of the answer on the bus
	Number  Decimal
	Unit    Unit
	Quality Quality // Missing: Number is 0 and means nothing
}

// Time is At as a time in UTC.
func (r Reading) Time() time.Time { return time.UnixMilli(r.At).UTC() }

// Equal says whether both are the same reading, number for number.
func (r Reading) Equal(o Reading) bool {
	return r.Series == o.Series && r.At == o.At && r.Unit == o.Unit && r.Quality == o.Quality && r.Number.Equal(o.Number)
}

// Readings are of the years 2000 to 2199, in Unix milliseconds from EarliestMillis
// up to but without LatestMillis: outside, a clock or a parser is broken.
const (
	EarliestMillis int64 = 946684800000
	LatestMillis   int64 = 7258118400000
)

// Check refuses a reading that no store should hold.
func (r Reading) Check() error {
	info, err := r.Series.info()
	if err != nil {
		return err
	}
	if !slices.Contains(info.Units, r.Unit) {
		return fmt.Errorf("series %s: unit %q is not one of %v", r.Series, r.Unit, info.Units)
	}
	if r.At < EarliestMillis || r.At >= LatestMillis {
		return fmt.Errorf("series %s: time %d ms is not between the years 2000 and 2200", r.Series, r.At)
	}
	return nil
}

// Point is a reading whose series is known from where it stands.
type Point struct {
	At      int64 // Unix milliseconds, UTC
	Number  Decimal
	Quality Quality
}

package port

import "math"

const (
	stepSeconds = 600
	stepMillis  = stepSeconds * 1000
	stepsAnHour = 6
	stepsADay   = 144
)

// record holds what the physics did: for each channel the rate of every step,
// and for those that are counted the integral at the beginning of every hour.
type record struct {
	rates [channels][]int32
	sums  [channels][]int64 // in quanta times seconds; nil for states
	now   [channels]int32   // the step being computed
	steps int
}

func newRecord(steps int) *record {
	r := &record{}
	for c := range r.rates {
		r.rates[c] = make([]int32, 0, steps)
		if quanta[c] != centiC {
			r.sums[c] = append(make([]int64, 0, steps/stepsAnHour+2), 0)
		}
	}
	return r
}

// set gives a channel its rate for the step being computed.
func (r *record) set(c channel, rate float64) {
	r.now[c] = int32(math.Round(rate))
}

// setC gives a temperature in degrees Celsius.
func (r *record) setC(c channel, degrees float64) {
	r.now[c] = int32(math.Round(degrees * 100))
}

// commit closes the step.
func (r *record) commit() {
	for c := range r.now {
		r.rates[c] = append(r.rates[c], r.now[c])
	}
	r.steps++
	if r.steps%stepsAnHour != 0 {
		return
	}
	for c, sums := range r.sums {
		if sums == nil {
			continue
		}
		var sum int64
		for _, rate := range r.rates[c][r.steps-stepsAnHour:] {
			sum += int64(rate)
		}
		r.sums[c] = append(sums, sums[len(sums)-1]+sum*stepSeconds)
	}
}

// rate is a channel's rate at an instant, in milliseconds since the beginning.
func (r *record) rate(c channel, millis int64) int32 {
	return r.rates[c][millis/stepMillis]
}

// integral is the exact integral of a channel from the beginning to an instant,
// in quanta times seconds, rounded down to a whole one.
func (r *record) integral(c channel, millis int64) int64 {
	step := int(millis / stepMillis)
	hour := step / stepsAnHour
	sum := r.sums[c][hour]
	for _, rate := range r.rates[c][hour*stepsAnHour : step] {
		sum += int64(rate) * stepSeconds
	}
	if rest := millis % stepMillis; rest > 0 {
		sum += int64(r.rates[c][step]) * rest / 1000
	}
	return sum
}

package pinch

import "math"

// Exchange is the heat that a hot stream can give a cold one without a pump, in
// kW: two composite curves, each linear, on the shifted temperature scale. What
// is demanded above any temperature T can only come from what is offered above
// it, so delivered = Qc - max over T of (C(T) - H(T)), T at the four corners; at
// a latent load, where a curve leaps, also just above the corner.
func Exchange(qh, hot, cold, qc, target, supply float64) float64 {
	kw, _ := ExchangePinch(qh, hot, cold, qc, target, supply)
	return kw
}

// ExchangePinch is [Exchange] with the shifted temperature that limits it: where
// the hot stream runs out of heat that is warm enough. It is NaN where nothing
// but the amounts limits the exchange.
func ExchangePinch(qh, hot, cold, qc, target, supply float64) (kw, pinch float64) {
	const latent = 1e-9
	above := func(q, hi, lo, t float64, just bool) float64 {
		if hi-lo < latent {
			if hi > t || hi == t && !just {
				return q
			}
			return 0
		}
		return q * min(max((hi-t)/(hi-lo), 0), 1)
	}
	worst, pinch := max(0, qc-qh), math.NaN()
	for _, t := range [...]float64{hot, cold, target, supply} {
		missing := above(qc, target, supply, t, false) - above(qh, hot, cold, t, false)
		if hot-cold < latent || target-supply < latent {
			missing = max(missing, above(qc, target, supply, t, true)-above(qh, hot, cold, t, true))
		}
		if missing > worst*(1+1e-12) && missing > 0 {
			worst, pinch = missing, t
		}
	}
	return max(qc-worst, 0), pinch
}

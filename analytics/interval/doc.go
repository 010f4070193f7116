// Package interval says how sure a saving is: the variance of
//
//	S = Σ_r w_r (ŷ_r - y_r)
//
// for any set of reporting days, from the residuals of the baseline fit.
//
// The influence of each baseline day on S is known once the fit is done
// (baseline.Fit.Influence, the derivative to change points included), so S is a weighted sum of noise over one line of time, baseline
// and reporting days together, with weights v:
//
//	Var(S) = Σ_ij v_i v_j σ_i σ_j γ(|t_i - t_j|)
//
// With γ(k) = ρᵏ and equal σ this is the AR(1) sandwich gᵀCg + 1ᵀΩ1 with the
// derivative to the change point in g. Here γ and σ are learned more widely, so
// that the interval holds in each quarter and not in the year alone:
//
//   - σ_t follows the season: two harmonics of the year in ln σ², by a gamma
//     regression on the squared residuals, shrunk towards none, the more so the
//     more the residuals resemble their neighbours;
//   - γ is the posterior mean of the autocovariance over families of noise: white,
//     AR(1), fractional (1-B)^d u = ε (Hosking 1981), both together, a slow AR(1)
//     under white noise, and a cycle, by the restricted likelihood of the residuals
//     given the model's columns. Averaging, and not choosing, keeps the doubt
//     between short and long memory, which one year cannot settle, in the interval.
//     Gaps are left out and allowed for.
//
// Short series (months, invoices) have one σ and the AR(1) of the lag-1
// correlation, corrected for small samples.
//
// The package is pure; sums run in a fixed order. Half widths are rounded to seven
// significant digits, so that machines agree whose logarithms differ in the last.
package interval

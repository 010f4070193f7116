// Package disclosure decides which figures may be shown without giving away
// what one company contributes (statistical disclosure control).
//
// Funders and the public see indicators summed over companies. A sum of two
// tells each of them the other's part; a sum of ten in which one has nine tenths
// tells everybody nearly all of that one. The rules, for every figure
// (Willenborg and de Waal 2001; Hundepool et al., Handbook on Statistical
// Disclosure Control, 2010):
//
//   - at least three contributors, companies of one holding counted as one;
//   - none of them with more than 85 % of the figure;
//   - the p % rule: whoever takes part, and subtracts all that it knows, cannot
//     learn another's contribution to within p = 10 %. A partner knows the
//     figures of its own synergies whole, its partners' parts included;
//   - complementary suppression: what is withheld must not follow by adding and
//     subtracting what is shown. Totals over themes, sums over periods and the
//     earlier revisions of a report are taken into account: every combination
//     that the shown figures allow to be computed passes the same rules;
//   - figures that the same synergies make (MWh and t CO2e of one exchange, which
//     differ by a factor that anybody can look up) are shown or withheld together.
//
// A company that consented to its figures being shown waives its protection, no
// one else's: its contribution is taken to be known to everybody, and the rules
// hold for what is left.
//
// The package is pure. It does not add noise: a figure is exact or it is absent.
package disclosure

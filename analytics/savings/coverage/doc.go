// Package coverage asks whether the 90 % intervals of savings hold the truth nine
// times in ten: it draws sites whose saving is known, under several kinds of noise
// and in several climates, fits the baseline that is used everywhere else, and
// counts, for the year and for each quarter.
//
// `thermie savings coverage` runs it; docs/coverage.md has a run of it.
package coverage

// Package chart draws the picture of a saving as SVG: how the baseline fits, what
// it leaves, the adjusted baseline beside what was used, and what was saved since
// the beginning with its 90 % interval. It needs no colours to be read: lines are
// told apart by dashes, points by shape, and a description says the figures.
//
// The package is pure; the same picture gives the same bytes.
package chart

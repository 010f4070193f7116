// Package task answers one measurement and verification task that is stated as a
// case.json with its data in CSV: which periods, which model, which adjustments
// were accepted. It is what `thermie savings case` runs, and shows every rule of
// analytics/quality, analytics/baseline, analytics/interval and
// analytics/nonroutine at work on plain files.
//
// The kinds of task, recognised by their files and frequency: cumulative registers
// with parameters, hourly data (hourly or daily model), daily data, monthly data
// with candidate variables (ISO 50006), invoices of unequal length, portfolios of
// many meters, and baselines whose sufficiency is asked.
//
// A key of case.json that is not understood is named in the answer. The package is
// pure: it is given the bytes of the files.
package task

// Package baseline fits the models of measurement and verification: what a site
// or a machine would have used, as a function of temperature, production and
// the calendar.
//
// A [Frame] holds the data, one row for each interval; a [Spec] says what stands
// on the right-hand side; [Linear] fits it and gives a [Fit], which predicts
// other frames, carries its statistics and the record of what was tried, and can
// be written as JSON and read back. The families are
//
//   - [Linear]: least squares on any drivers and calendar effects, with a
//     temperature response of 2 to 5 parameters whose change points lie at the
//     exact optimum (ASHRAE Guideline 14, ISO 50006)
//   - [CalTRACKDaily], [CalTRACKBilling]: degree-days with a search of the balance
//     points (CalTRACK 2.0, section 3)
//   - [CalTRACKHourly], [TimeOfWeek]: hour of week and temperature
//   - [Subsets], [Choose]: several models tried by a stated rule, the losers kept
//
// Temperatures are in degrees Celsius. Energy is an amount per interval, in any
// unit; coefficients are in that unit. Products are rounded before they are
// added, so that a fit is the same to the bit on every processor.
package baseline

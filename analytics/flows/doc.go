// Package flows matches declared flows of matter and energy: who has what, who
// needs what, how much, how far, and how little water a site needs.
//
// It is pure. [Match] works on a declared inventory, resource by resource: a
// proposal of substitution carries what one company has to one that needs it,
// shared out by an exact transport plan so that proposals never add up past what
// there is; a proposal of mutualisation joins companies that have or need the
// same. Declared figures are declarations: nothing here is measured, and a
// quality that is only described in words stays to be checked.
//
// [WaterTargets] is water pinch analysis (Wang and Smith, Chemical Engineering
// Science 49, 1994): the least fresh water of operations that add a load of
// contaminant, when one operation's outlet may feed another.
package flows

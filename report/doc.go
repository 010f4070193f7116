// Package report closes a quarter: it makes the sealed report for funders and
// the dossier for the verifier (package proof tells their form), and keeps them.
//
// [Seal] goes through steps of which each is whole or not at all, so that after
// a crash the same call goes on where the last one ended:
//
//  1. the results of the quarter, their plans and factors are taken from the
//     registry; every signed batch that they rest on is copied out of the ledger
//     and every figure is computed anew from it. A figure that the registry has
//     otherwise is not sealed;
//  2. disclosure control; report.json, pages, table; the signature. All of it
//     lies in reports/<quarter>-r<revision>.sealing, in which nothing changes
//     any more;
//  3. the signed document goes into the ledger, which gives its proof;
//  4. the folder gets its name, reports/<quarter>-r<revision>;
//  5. the registry is told.
//
// A sealed quarter never changes. What was wrong is corrected by a revision that
// gives its reason; it is computed with the factors of the first one, whatever
// was published since.
package report

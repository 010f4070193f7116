// Package proof is the form of a sealed quarter and its offline verification.
//
// Two zip files leave the programme for each closed quarter.
//
// The report, for funders and the public, holds indicators only:
//
//	report.json   the figures; authoritative
//	report.csv    the same figures, one line each
//	report.fr.html, report.en.html   the same, to read and print
//	leaf.cose     the sealing: a signed document whose body lists the SHA-256 of
//	              every file above, and of the dossier
//	proof.txt     the C2SP tlog-proof that leaf.cose is in the ledger
//	keys.json     the public keys; compare them with those that the programme publishes
//
// The dossier, for the verifier, holds what the figures were made of:
//
//	dossier.json   what follows, with SHA-256, and the report that it belongs to
//	programme.json companies, gateways with their keys, meters, synergies
//	plans/*.yaml   the approved M&V plans, as approved
//	factors.json   emission factors and tariffs
//	results.json   each synergy's figures for the quarter
//	batches.bin    every signed batch used, with one proof that all are in the ledger
//
// [VerifyReport] checks signatures, inclusion, hashes, and that table and pages
// are what report.json says. [VerifyDossier] opens every batch, checks its
// signature, its place in the chain and in the ledger and that none is left out,
// computes each synergy's figures anew from the readings and compares them to
// the last digit, then applies disclosure control anew and compares the report's
// cells. Making a report (package report) uses the same functions: [NewPapers],
// [ReadBatches], [Papers.Compute], [Papers.Cells], [Papers.Pack], [Prepare].
//
// What it does not prove is printed too: that a sensor sits in the right pipe
// is shown by the commissioning record, not by a signature.
package proof

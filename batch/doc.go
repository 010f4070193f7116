// Package batch is the wire: how readings travel from a gateway to the ledger.
//
// A batch is a COSE_Sign1 message (RFC 9052, EdDSA over Ed25519) whose payload
// is a SenML pack in CBOR (RFC 8428), compressed with zstd where that pays:
//
//	protected header   alg -8 (EdDSA), content type, kid = gateway,
//	                   "num" batch number, "prev" SHA-256 of the batch before,
//	                   "cfg" hash of the gateway's configuration,
//	                   "clk" condition of its clock, "org" origin of the data,
//	                   "enc" "zstd" when the payload is compressed
//	payload            SenML records: n "<meter>/<quantity>", u, t, v
//	signature          by the gateway's key
//
// Numbers travel as CBOR integers or decimal fractions (tag 4), which RFC 8428
// allows, so that counters keep every digit. A reading that is suspect carries
// the label "q" ("suspect:frozen"); one that is missing has a string value
// (vs "missing:no_answer") in place of a number.
//
// The bytes are what is signed, chained, stored and proved: nothing re-encodes
// a batch after [Seal].
package batch

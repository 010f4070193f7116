// Package ledger is the tamper-evident log in which every batch ends up, byte
// for byte as its gateway signed it.
//
// The log is a Merkle tree (RFC 6962, SHA-256) over its leaves, kept in the
// static formats of C2SP so that any auditor's tools can read it:
//
//	checkpoint              signed tree head: origin, size, root (tlog-checkpoint, signed-note, Ed25519)
//	tile/<L>/<N>[.p/<W>]    hash tiles, 256 wide (tlog-tiles)
//	tile/entries/<N>[.p/<W>] entry bundles: big-endian uint16 length, then the leaf
//
// and two files of our own:
//
//	wal                     leaves that no checkpoint covers yet (see wal.go)
//	index/<from>-<to>       sorted hashes of old leaves, to find what comes twice (see index.go)
//
// [Ledger.Append] returns when the leaf is on the disk: appends that wait at
// the same time share one fsync of the write-ahead file. Tiles, bundles and a
// new checkpoint are written behind it, each file whole or not at all, and only
// then is the write-ahead file begun anew. Whatever the instant of a crash,
// [Open] finds every leaf whose Append returned.
//
// A checkpoint is signed only over a tree that extends the one signed last.
// Of a partial tile or bundle only the widest is kept on disk; a narrower one
// is its beginning.
//
// [Check] proves a whole ledger without opening it and names the leaf or file
// that is damaged. [Ledger.Prove] writes the inclusion proof of one leaf in the
// tlog-proof format; [VerifyProof] needs nothing but that text, the leaf, the
// origin and the public key.
package ledger

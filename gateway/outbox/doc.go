// Package outbox numbers, chains, seals and keeps a gateway's batches until a
// receipt says that the ledger has them.
//
// Batches lie in append-only segments named after the number of their first
// batch. A record is
//
//	length of the batch    4 bytes, big endian
//	batch number           8 bytes, big endian
//	CRC-32C                4 bytes, big endian, over the twelve bytes before and the batch
//	the sealed batch       as it will be sent
//
// A batch is on disk (fsync) before Put returns, once for each Put. A torn tail
// is cut when the outbox is opened; of damage in the middle only the damaged
// batches are lost. A segment is deleted when every batch in it is delivered,
// but the newest one stays, so that numbers and chain go on after a restart.
//
// The file "head" holds the last number and how far delivery came, in two slots
// written in turn. It is written after the segment is safe and not needed to go
// on; but where it knows of a number that the segments have lost, that number
// is not used again: the next batch declares the break.
//
// The outbox is bounded. When it is full, Put refuses, unless its owner chose
// to give up the oldest batches instead; every loss, chosen or not, is declared
// in the chain by the batch that comes next.
package outbox

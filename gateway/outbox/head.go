package outbox

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
)

// headState is what the file "head" remembers.
type headState struct {
	number uint64 // last number that was safe on disk
	marked uint64 // every number up to here is delivered, or was given up
	// Numbers given up for want of room that no batch has declared yet; 0 for none.
	droppedFrom, droppedTo uint64
}

// A slot is turn, number, marked and the dropped numbers (8 bytes each) and
// their CRC-32C.
const slotBytes = 44

func (h headState) encode(turn uint64) []byte {
	slot := make([]byte, 0, slotBytes)
	for _, n := range [...]uint64{turn, h.number, h.marked, h.droppedFrom, h.droppedTo} {
		slot = binary.BigEndian.AppendUint64(slot, n)
	}
	return binary.BigEndian.AppendUint32(slot, crc32.Checksum(slot, castagnoli))
}

func decodeSlot(slot []byte) (h headState, turn uint64, ok bool) {
	const sum = slotBytes - 4
	if len(slot) < slotBytes || crc32.Checksum(slot[:sum], castagnoli) != binary.BigEndian.Uint32(slot[sum:]) {
		return headState{}, 0, false
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(slot[8*i:]) }
	return headState{number: at(1), marked: at(2), droppedFrom: at(3), droppedTo: at(4)}, at(0), true
}

// writeHead writes the slot whose turn it is. It is not forced to the disk
// here: whoever depends on it calls Sync.
func (b *Outbox) writeHead() error {
	b.headTurn++
	h := headState{b.number, b.marked, b.droppedFrom, b.droppedTo}
	_, err := b.head.WriteAt(h.encode(b.headTurn), int64(b.headTurn%2)*slotBytes)
	return err
}

// readHead returns the newer of the slots that are whole.
func readHead(f *os.File) (state headState, turn uint64, err error) {
	var buf [2 * slotBytes]byte
	n, err := f.ReadAt(buf[:], 0)
	if err != nil && err != io.EOF {
		return headState{}, 0, err
	}
	for i := range 2 {
		h, t, ok := decodeSlot(buf[min(i*slotBytes, n):min((i+1)*slotBytes, n)])
		if ok && t > turn {
			state, turn = h, t
		}
	}
	return state, turn, nil
}

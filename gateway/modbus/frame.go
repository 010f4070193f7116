package modbus

import "encoding/binary"

// maxFrame is the longest frame: 260 bytes over TCP, 256 on a serial line.
const maxFrame = 260

// A question is what was asked: enough to know its answer by.
type question struct {
	unit     byte
	function byte
	address  uint16
	count    int // registers
}

// ask reads the question out of a frame that goburrow's packager made.
func ask(adu []byte, header int) question {
	return question{unit: adu[header-1], function: adu[header],
		address: binary.BigEndian.Uint16(adu[header+1:]), count: int(binary.BigEndian.Uint16(adu[header+3:]))}
}

// alike says that the answers to both cannot be told apart.
func (q question) alike(o question) bool { return q.function == o.function && q.count == o.count }

// serial is the question as a serial frame.
func (q question) serial() []byte {
	b := []byte{q.unit, q.function}
	b = binary.BigEndian.AppendUint16(b, q.address)
	b = binary.BigEndian.AppendUint16(b, uint16(q.count))
	return binary.LittleEndian.AppendUint16(b, checksum(b))
}

// serialLength is the length of the answer as a serial frame.
func (q question) serialLength() int { return 5 + 2*q.count }

// A verdict on bytes that came after a question.
type verdict int

const (
	unfinished verdict = iota // more must come
	answer                    // the answer, or a refusal, to this question
	foreign                   // a whole frame, but not the answer
	garbage                   // no frame begins here, or a damaged one
	damaged                   // our answer's head and length with a wrong checksum
	wrongSize                 // a whole frame of our unit and function with another length
)

// judgeSerial looks at the first frame in b. n is its length where there is a
// whole one.
func judgeSerial(b []byte, q question) (v verdict, n int) {
	if len(b) < 3 {
		return unfinished, 0
	}
	n = frameLength(b)
	if n == 0 {
		return garbage, 0
	}
	ours := b[0] == q.unit && b[1]&0x7f == q.function
	if ours && b[1] == q.function && n != q.serialLength() && len(b) < n {
		// Wait for the rest only to know that it is a frame: it is not the answer.
		return unfinished, n
	}
	if len(b) < n {
		return unfinished, n
	}
	if checksum(b[:n-2]) != binary.LittleEndian.Uint16(b[n-2:]) {
		if ours {
			return damaged, n
		}
		return garbage, 0
	}
	switch {
	case !ours:
		return foreign, n
	case b[1] == q.function && n != q.serialLength():
		return wrongSize, n
	}
	return answer, n
}

// frameLength is the length that a reply frame announces in its first three
// bytes; 0 when it is no reply to reading registers.
func frameLength(b []byte) int {
	switch function := b[1]; {
	case function&0x80 != 0:
		return 5
	case function == 3 || function == 4:
		if b[2] == 0 || b[2]%2 != 0 || b[2] > 250 {
			return 0
		}
		return 5 + int(b[2])
	case function == 1 || function == 2:
		return 5 + int(b[2])
	case function == 5 || function == 6 || function == 15 || function == 16:
		return 8
	}
	return 0
}

// judgeTCP looks at the first frame in b. known says whether an earlier
// question of this connection had a transaction id.
func judgeTCP(b []byte, id uint16, q question, known func(id uint16) bool) (v verdict, n int) {
	if len(b) < 6 {
		return unfinished, 0
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if binary.BigEndian.Uint16(b[2:]) != 0 || length < 3 || length > maxFrame-6 {
		return garbage, 0
	}
	n = 6 + length
	got := binary.BigEndian.Uint16(b)
	if got != id && !known(got) {
		return garbage, 0
	}
	if len(b) < n {
		return unfinished, n
	}
	if got != id {
		return foreign, n
	}
	switch function := b[7]; {
	case b[6] != q.unit:
		return damaged, n
	case function == q.function|0x80 && n == 9:
		return answer, n
	case function != q.function:
		return damaged, n
	case n != 9+2*q.count || int(b[8]) != 2*q.count:
		return wrongSize, n
	}
	return answer, n
}

// checksum is the CRC-16 of serial Modbus (polynomial 0xA001 reflected, initial
// 0xFFFF; V1.02, appendix B).
func checksum(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc = crc>>8 ^ crcTable[byte(crc)^c]
	}
	return crc
}

var crcTable = func() (t [256]uint16) {
	for i := range t {
		crc := uint16(i)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
		t[i] = crc
	}
	return t
}()
